//! The records of the audit trail, and the sentence that each is for a person.

use std::sync::Arc;

use jiff::Timestamp;
use responder_core::alert::Sender;
use responder_core::decide::{Decision, Outcome};
use responder_core::guard::ClaimId;
use responder_core::target::Subject;
use serde::Serialize;

use crate::about::About;
use crate::outcome::{Response, SentRequest};
use crate::quarantine_end::QuarantineEnd;
use crate::shutdown::{HandedBackAlert, is_zero};
use crate::verify::Verification;

/// One record of the audit trail.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", tag = "event")]
pub enum AuditRecord {
    /// A decision, with its plan and its undo, before the first request is sent.
    Decided {
        /// The time of the record.
        at: Timestamp,
        /// The head.
        #[serde(flatten)]
        about: About,
        /// The rule of the alert.
        rule: String,
        /// The sender of the alert.
        sender: Sender,
        /// The digest of the guard as written; absent for the built-in one.
        guard_hash: Option<String>,
        /// How many repeats of the alert were decided with it.
        #[serde(skip_serializing_if = "is_zero")]
        repeats: usize,
        /// The claim that was committed for it.
        claim: Option<ClaimId>,
        /// The decision.
        decision: Arc<Decision>,
    },
    /// A request to the API server that was answered, or was not in time. A repetition has a record of its own.
    Requested {
        /// The time of the answer.
        at: Timestamp,
        /// The head.
        #[serde(flatten)]
        about: About,
        /// The request and its answer.
        #[serde(flatten)]
        request: SentRequest,
    },
    /// The outcome of a plan.
    Settled {
        /// The time of the record.
        at: Timestamp,
        /// The head.
        #[serde(flatten)]
        about: About,
        /// Whether its claim was taken back, because it is certain that nothing was changed.
        refunded: bool,
        /// The response.
        response: Arc<Response>,
    },
    /// Whether a response worked.
    Verified {
        /// The time of the record.
        at: Timestamp,
        /// The head.
        #[serde(flatten)]
        about: About,
        /// The verdict and its findings.
        verification: Verification,
    },
    /// The time of a quarantine ran out.
    Expired {
        /// The time of the record.
        at: Timestamp,
        /// The head: the response and the playbook are those that began the quarantine.
        #[serde(flatten)]
        about: About,
        /// The pod.
        pod: String,
        /// How the quarantine ended.
        end: QuarantineEnd,
    },
    /// An accepted alert that is handed back unfinished when the engine ends.
    HandedBack {
        /// The time of the record.
        at: Timestamp,
        /// See [`About::actor`].
        actor: Arc<str>,
        /// The cluster, where the guard names it.
        #[serde(skip_serializing_if = "Option::is_none")]
        cluster: Option<String>,
        /// The alert.
        #[serde(flatten)]
        alert: HandedBackAlert,
        /// The digests of the playbooks that have not answered it, as written and in their order.
        playbook_hashes: Vec<String>,
    },
}

impl AuditRecord {
    /// One line for a person.
    pub fn summary(&self) -> String {
        match self {
            Self::Decided {
                decision, rule, sender, ..
            } => {
                let target = decision.target.as_ref().map(ToString::to_string);
                let subject = decision.subject.as_ref().map(Subject::to_string);
                let on = target.or(subject).unwrap_or_else(|| "nothing".to_owned());
                let rule = rule.escape_debug();
                let by = match sender {
                    Sender::Anonymous => String::new(),
                    known => format!(" (sent by {known})"),
                };
                match &decision.outcome {
                    Outcome::Act { plan, .. } => {
                        format!(
                            "{} acts on {on} in {} for \"{rule}\"{by}",
                            decision.playbook,
                            plan.mode.mode()
                        )
                    }
                    Outcome::Refuse(refusal) => {
                        format!(
                            "{} does nothing to {on} for \"{rule}\"{by}: {refusal}",
                            decision.playbook
                        )
                    }
                }
            }
            Self::Requested { about, request, .. } => format!("{} sent {request}", about.playbook),
            Self::Settled { response, about, .. } => {
                format!("{} on {}: {}", about.playbook, response.target, response.outcome)
            }
            Self::Verified {
                about, verification, ..
            } => format!("{} was {verification}", about.incident.as_deref().unwrap_or_default()),
            Self::Expired { pod, end, .. } => format!("the quarantine of {pod} is over: {end}"),
            Self::HandedBack { alert, .. } => format!("handed back: {alert}"),
        }
    }
}
