//! The kinds that the API server serves, by API group, as far as controllers and policies are of them. Part of the step
//! *snapshot*.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use responder_core::object::Name;

use super::shared_read::SharedRead;

/// How long the kinds of an API group are kept. They change with the cluster's installation, not with its pods.
const KINDS_KEPT: Duration = Duration::from_mins(1);

/// The most API groups that are kept, in one version each. An author of pods can name any number of groups; those that are
/// not served are not kept.
const MOST_GROUPS: usize = 64;

/// A kind that the API server serves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ServedKind {
    pub(super) kind: String,
    pub(super) plural: Name,
    pub(super) is_namespaced: bool,
    pub(super) has_scale: bool,
}

/// What an API group serves in one version.
pub(super) type GroupKinds = Arc<SharedRead<Arc<[ServedKind]>>>;

/// The kinds of the API groups that were looked up, the one asked for last at the end.
#[derive(Debug, Default)]
pub(super) struct ServedKinds(Mutex<VecDeque<(String, GroupKinds)>>);

impl ServedKinds {
    /// The kinds of a group and version, to be read by the first that asks.
    pub(super) fn of(&self, api_version: &str) -> GroupKinds {
        let mut groups = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let place = groups.iter().position(|(kept, _)| kept == api_version);
        let kept = place.and_then(|place| groups.remove(place));
        let entry = kept.unwrap_or_else(|| (api_version.to_owned(), Arc::new(SharedRead::new(KINDS_KEPT))));
        let kinds = Arc::clone(&entry.1);
        groups.push_back(entry);
        while groups.len() > MOST_GROUPS {
            groups.pop_front();
        }
        kinds
    }

    /// A kind that was just defined is found by the next look.
    pub(super) fn forget(&self, api_version: &str) {
        let mut groups = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        groups.retain(|(kept, _)| kept != api_version);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_groups_are_kept_than_the_bound_and_the_least_recent_go_first() {
        let kinds = ServedKinds::default();
        let first = kinds.of("first.example/v1");
        for number in 0..MOST_GROUPS {
            assert!(Arc::ptr_eq(&first, &kinds.of("first.example/v1")));
            kinds.of(&format!("g{number}.example/v1"));
        }
        assert_eq!(kinds.0.lock().unwrap().len(), MOST_GROUPS);
        kinds.of("last.example/v1");
        assert!(Arc::ptr_eq(&first, &kinds.of("first.example/v1")));
    }
}
