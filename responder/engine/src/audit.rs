//! The audit trail: what was decided, before anything is sent; and what became of it. Steps of the flow: record, settle.

use jiff::Timestamp;
use responder_core::alert::{AlertId, Sender};
use responder_core::decide::{Decision, Outcome};
use responder_core::guard::ClaimId;
use responder_core::target::Subject;
use serde::Serialize;

use crate::outcome::Response;
use crate::shutdown::HandedBack;
use crate::verify::Verification;

/// One entry of the audit trail.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", tag = "event")]
pub enum AuditRecord {
    /// A decision, with its plan and its undo, before the first request is sent.
    Decided {
        /// When.
        at: Timestamp,
        /// The rule of the alert.
        rule: String,
        /// Who sent it.
        sender: Sender,
        /// Of the playbook as written.
        playbook_hash: String,
        /// Of the guard as written; absent for the built-in one.
        guard_hash: Option<String>,
        /// The claim that was committed for it.
        claim: Option<ClaimId>,
        /// The decision.
        decision: Box<Decision>,
    },
    /// What became of a plan.
    Settled {
        /// When.
        at: Timestamp,
        /// The alert.
        alert: AlertId,
        /// The playbook.
        playbook: String,
        /// Whether its claim was taken back, because it is certain that nothing was changed.
        refunded: bool,
        /// The response.
        response: Box<Response>,
    },
    /// Whether it worked.
    Verified {
        /// When.
        at: Timestamp,
        /// The response.
        incident: String,
        /// What was looked at.
        verification: Verification,
    },
    /// The time of a quarantine ran out.
    Expired {
        /// When.
        at: Timestamp,
        /// The response that began it.
        incident: String,
        /// The playbook that asked for it.
        playbook: String,
        /// The pod.
        pod: String,
        /// What was done.
        end: crate::expiry::End,
    },
    /// An accepted alert that is handed back unfinished at the end.
    HandedBack {
        /// When.
        at: Timestamp,
        /// Which.
        alert: HandedBack,
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
            Self::Settled { response, playbook, .. } => {
                format!("{playbook} on {}: {}", response.target, response.outcome)
            }
            Self::Verified {
                incident, verification, ..
            } => format!("{incident} was {verification}"),
            Self::Expired { pod, end, .. } => format!("the quarantine of {pod} is over: {end}"),
            Self::HandedBack { alert, .. } => format!("handed back: {alert}"),
        }
    }
}

/// Where the audit trail goes. It must not block.
pub trait AuditTrail: Send + Sync + 'static {
    /// Writes one entry.
    fn write(&self, record: &AuditRecord);
}

/// The audit trail as log lines of the target `audit`: a sentence as message, the whole as JSON in the field `record`.
#[derive(Debug, Clone, Default)]
pub struct TracingAudit {
    /// The name of the cluster, which every record then carries.
    pub cluster: Option<String>,
}

/// A record as it is written.
#[derive(Serialize)]
struct Written<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    cluster: Option<&'a str>,
    #[serde(flatten)]
    record: &'a AuditRecord,
}

impl AuditTrail for TracingAudit {
    fn write(&self, record: &AuditRecord) {
        // Nobody listens: then there is nothing to put into words.
        if !tracing::enabled!(target: "audit", tracing::Level::INFO) {
            return;
        }
        let written = Written {
            cluster: self.cluster.as_deref(),
            record,
        };
        let json = serde_json::to_string(&written).unwrap_or_else(|error| format!("\"not serialisable: {error}\""));
        tracing::info!(target: "audit", record = %json, "{}", record.summary());
    }
}
