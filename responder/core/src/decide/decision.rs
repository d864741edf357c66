//! What a decision comes to, with the checks behind it.

use serde::Serialize;

use crate::alert::AlertId;
use crate::guard::Claim;
use crate::plan::Plan;
use crate::playbook_name::PlaybookName;
use crate::refusal::Refusal;
use crate::target::{Subject, Target};
use crate::trace::Trace;

/// Exactly one per (alert, playbook).
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Decision {
    /// The playbook.
    pub playbook: PlaybookName,
    /// The alert.
    pub alert: AlertId,
    /// What the alert claims to be about, where it claims anything.
    pub subject: Option<Subject>,
    /// What the cluster says it is about, where that could be told.
    pub target: Option<Target>,
    /// What is done.
    pub outcome: Outcome,
    /// The checks behind it.
    pub trace: Trace,
}

/// What a decision comes to.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Outcome {
    /// This plan, once its claim is committed.
    Act {
        /// The requests.
        plan: Box<Plan>,
        /// What it takes from the limits.
        claim: Box<Claim>,
    },
    /// Nothing.
    Refuse(Refusal),
}
