//! The audit trail: what was decided, before anything is sent; each request with its answer; and what became of it all.
//! Steps of the flow: record, act, settle.

use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use responder_core::alert::Sender;
use responder_core::decide::{Decision, Outcome};
use responder_core::guard::ClaimId;
use responder_core::object::Uid;
use responder_core::request::Verb;
use responder_core::target::Subject;
use serde::Serialize;

use crate::about::About;
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
        /// Who, on what, and what for.
        #[serde(flatten)]
        about: About,
        /// The rule of the alert.
        rule: String,
        /// Who sent it.
        sender: Sender,
        /// Of the guard as written; absent for the built-in one.
        guard_hash: Option<String>,
        /// The claim that was committed for it.
        claim: Option<ClaimId>,
        /// The decision.
        decision: Box<Decision>,
    },
    /// A request to the API server that was answered, or was not in time. A repetition has an entry of its own.
    Requested {
        /// When the answer was there.
        at: Timestamp,
        /// Who, on what, and what for.
        #[serde(flatten)]
        about: About,
        /// What was asked.
        #[serde(flatten)]
        request: SentRequest,
    },
    /// What became of a plan.
    Settled {
        /// When.
        at: Timestamp,
        /// Who, on what, and what for.
        #[serde(flatten)]
        about: About,
        /// Whether its claim was taken back, because it is certain that nothing was changed.
        refunded: bool,
        /// The response.
        response: Box<Response>,
    },
    /// Whether it worked.
    Verified {
        /// When.
        at: Timestamp,
        /// Who, on what, and what for.
        #[serde(flatten)]
        about: About,
        /// What was looked at.
        verification: Verification,
    },
    /// The time of a quarantine ran out.
    Expired {
        /// When.
        at: Timestamp,
        /// Who, on what, and what for: the response and the playbook are those that began it.
        #[serde(flatten)]
        about: About,
        /// The pod.
        pod: String,
        /// What was done.
        end: crate::quarantine_end::QuarantineEnd,
    },
    /// An accepted alert that is handed back unfinished at the end.
    HandedBack {
        /// When.
        at: Timestamp,
        /// Who hands it back.
        actor: Arc<str>,
        /// The cluster, where the guard names it.
        #[serde(skip_serializing_if = "Option::is_none")]
        cluster: Option<String>,
        /// Which.
        #[serde(flatten)]
        alert: HandedBack,
        /// Of its playbooks as written, in their order.
        playbook_hashes: Vec<String>,
    },
}

/// One request as it was sent once, and its answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SentRequest {
    /// The verb.
    pub verb: Verb,
    /// The object, as in `pod/shop/web-0`.
    pub object: String,
    /// The uid that it had to have, or that a creation gave it.
    pub uid: Option<Uid>,
    /// Whether it carried `dryRun`.
    pub dry_run: bool,
    /// Whether it gives back what an earlier one changed.
    pub undoes: bool,
    /// Which try this was, from 1.
    #[serde(rename = "try")]
    pub attempt: u32,
    /// `done`, or the class of the failure.
    pub answer: &'static str,
    /// What the server or the connection said to a failure.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// How long the answer took, in milliseconds.
    pub took_ms: u64,
}

impl fmt::Display for SentRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.verb, self.object)?;
        if self.dry_run {
            f.write_str(" (dryRun)")?;
        }
        write!(f, ", try {}: {}", self.attempt, self.answer)?;
        match self.detail.as_deref() {
            Some(detail) if !detail.is_empty() => write!(f, "; {}", detail.escape_debug()),
            _ => Ok(()),
        }
    }
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

/// Where the entries about one response go, and what they say first.
#[derive(Clone, Copy)]
pub(crate) struct Trail<'a> {
    pub(crate) audit: &'a dyn AuditTrail,
    pub(crate) about: &'a About,
}

/// Where the audit trail goes. It must not block.
pub trait AuditTrail: Send + Sync + 'static {
    /// Writes one entry.
    fn write(&self, record: &AuditRecord);
}

/// The audit trail as log lines of the target `audit`: a sentence as message, the whole as JSON in the field `record`.
#[derive(Debug, Clone, Copy, Default)]
pub struct TracingAudit;

impl AuditTrail for TracingAudit {
    fn write(&self, record: &AuditRecord) {
        // Nobody listens: then there is nothing to put into words.
        if !tracing::enabled!(target: "audit", tracing::Level::INFO) {
            return;
        }
        let json = serde_json::to_string(record).unwrap_or_else(|error| format!("\"not serialisable: {error}\""));
        tracing::info!(target: "audit", record = %json, "{}", record.summary());
    }
}
