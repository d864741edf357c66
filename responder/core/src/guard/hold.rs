//! Holds: pods that a response keeps as evidence, and other responses leave alone.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;

use crate::object::Uid;
use crate::own::QUARANTINE_LABEL;
use crate::playbook_name::PlaybookName;

/// A pod in a quarantine of ours, by the ledger's own record: marks on objects hold nothing, since a tenant can write them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PodHold {
    /// The pod.
    pub pod: Uid,
    /// The incident: the value of [`QUARANTINE_LABEL`] on the pod.
    pub incident: String,
    /// The playbook that quarantined it.
    pub playbook: PlaybookName,
}

/// The pods that are held.
pub type PodHolds = Arc<BTreeMap<Uid, PodHold>>;

impl PodHold {
    /// Whether the pod still wears the quarantine's label. A pod whose tenant took it off is not isolated any more, and
    /// nothing is kept.
    pub fn is_worn(&self, labels: &BTreeMap<String, String>) -> bool {
        labels
            .get(QUARANTINE_LABEL)
            .is_some_and(|incident| *incident == self.incident)
    }
}
