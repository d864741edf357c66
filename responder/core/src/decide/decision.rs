//! A decision: its outcome, and the checks behind it.

use serde::Serialize;

use crate::alert::AlertId;
use crate::guard::Claim;
use crate::plan::Plan;
use crate::playbook_name::PlaybookName;
use crate::refusal::Refusal;
use crate::target::{Subject, Target};
use crate::trace::Trace;

/// The decision on one alert by one playbook.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Decision {
    /// The name of the playbook.
    pub playbook: PlaybookName,
    /// The alert's identity.
    pub alert: AlertId,
    /// The object that the alert claims to be about; `None` if it names none.
    pub subject: Option<Subject>,
    /// The corroborated target; `None` if the decision ended before.
    pub target: Option<Target>,
    /// Whether to act.
    pub outcome: Outcome,
    /// The checks, up to the one that failed.
    pub trace: Trace,
}

/// The result of a decision.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Outcome {
    /// Act by this plan, once the claim is committed.
    Act {
        /// The steps and their requests.
        plan: Box<Plan>,
        /// The share of the limits that the response takes.
        claim: Box<Claim>,
    },
    /// Do not act.
    Refuse(Refusal),
}
