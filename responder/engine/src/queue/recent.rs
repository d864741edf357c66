//! The subjects that were answered lately.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use tokio::time::Instant;

use super::target_key::TargetKey;

/// How long a subject counts as answered lately.
const LATELY: Duration = Duration::from_mins(1);

/// The most answers that are remembered, the newest: a flood that gives more in a minute makes its own subjects new.
const MOST: usize = 4096;

/// Subjects by their last answer.
#[derive(Debug, Default)]
pub(super) struct RecentSubjects {
    last: HashMap<TargetKey, Instant>,
    order: VecDeque<(Instant, TargetKey)>,
}

impl RecentSubjects {
    pub(super) fn contains(&self, subject: &TargetKey) -> bool {
        self.last.contains_key(subject)
    }

    /// A subject is being answered.
    pub(super) fn insert(&mut self, subject: &TargetKey, now: Instant) {
        self.last.insert(subject.clone(), now);
        self.order.push_back((now, subject.clone()));
        if self.order.len() > MOST {
            self.pop();
        }
    }

    /// Forgets those whose last answer is too long ago.
    pub(super) fn forget_old(&mut self, now: Instant) {
        while let Some((at, _)) = self.order.front()
            && now.saturating_duration_since(*at) >= LATELY
        {
            self.pop();
        }
    }

    fn pop(&mut self) {
        if let Some((at, subject)) = self.order.pop_front()
            && self.last.get(&subject) == Some(&at)
        {
            self.last.remove(&subject);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(number: usize) -> TargetKey {
        TargetKey::Host(number.to_string().into())
    }

    #[test]
    fn a_subject_is_remembered_for_a_minute_from_its_last_answer() {
        let mut recent = RecentSubjects::default();
        let start = Instant::now();
        recent.insert(&host(1), start);
        recent.insert(&host(2), start);
        recent.insert(&host(1), start + LATELY / 2);
        recent.forget_old(start + LATELY);
        assert!(recent.contains(&host(1)) && !recent.contains(&host(2)));
        recent.forget_old(start + LATELY * 2);
        assert!(!recent.contains(&host(1)) && recent.order.is_empty());
    }

    #[test]
    fn only_so_many_are_remembered() {
        let mut recent = RecentSubjects::default();
        let now = Instant::now();
        for number in 0..2 * MOST {
            recent.insert(&host(number), now);
        }
        assert_eq!((recent.last.len(), recent.order.len()), (MOST, MOST));
        assert!(recent.contains(&host(2 * MOST - 1)) && !recent.contains(&host(0)));
    }
}
