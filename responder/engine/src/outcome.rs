//! What became of a response: per request, per step, and as a whole. Written by execute, read by settle and by people.

use std::fmt;

use responder_core::mode::Mode;
use responder_core::object::Uid;
use responder_core::port::{Reply, SendError, SendErrorKind};
use responder_core::target::Target;
use serde::Serialize;

/// One run of one plan.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Response {
    /// The name of this response.
    pub incident: String,
    /// The target.
    pub target: Target,
    /// The mode.
    pub mode: Mode,
    /// As a whole.
    pub outcome: ResponseOutcome,
    /// Every step of the plan, in order, done or not.
    pub steps: Vec<StepReport>,
    /// What was undone, the last first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub undone: Vec<UndoReport>,
}

/// The outcome as a whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase", tag = "is")]
pub enum ResponseOutcome {
    /// Every request was carried out.
    Done,
    /// Every request would have been taken.
    Rehearsed,
    /// Nothing was sent, as Observe asks.
    Observed,
    /// A step failed, and nothing that was done before it remains to be told.
    Failed {
        /// The step that failed first.
        step: String,
        /// Why.
        because: String,
    },
    /// A step failed, and others were done.
    PartlyDone {
        /// The step that failed first.
        step: String,
        /// Why.
        because: String,
    },
    /// The target went away before we got to it.
    TargetGone,
    /// Another object has the target's name now; it was not touched.
    TargetReplaced,
    /// The alert became too old before a request could be sent.
    Expired,
}

impl ResponseOutcome {
    /// Every name, for metrics.
    pub const NAMES: [&'static str; 8] = [
        "Done",
        "Rehearsed",
        "Observed",
        "Failed",
        "PartlyDone",
        "TargetGone",
        "TargetReplaced",
        "Expired",
    ];

    /// The name, as in metrics.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Done => "Done",
            Self::Rehearsed => "Rehearsed",
            Self::Observed => "Observed",
            Self::Failed { .. } => "Failed",
            Self::PartlyDone { .. } => "PartlyDone",
            Self::TargetGone => "TargetGone",
            Self::TargetReplaced => "TargetReplaced",
            Self::Expired => "Expired",
        }
    }

    /// Whether all that the plan asked for was done, rehearsed or observed.
    pub const fn is_success(&self) -> bool {
        matches!(self, Self::Done | Self::Rehearsed | Self::Observed)
    }
}

impl fmt::Display for ResponseOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed { step, because } | Self::PartlyDone { step, because } => {
                write!(f, "{} (step {step}: {because})", self.as_str())
            }
            _ => f.write_str(self.as_str()),
        }
    }
}

/// What became of one step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StepReport {
    /// The step.
    pub name: String,
    /// Its requests, in order.
    pub requests: Vec<RequestReport>,
}

/// What became of one request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RequestReport {
    /// The request as a person reads it.
    pub request: String,
    /// How often it was sent.
    pub tries: u32,
    /// What became of it.
    #[serde(flatten)]
    pub outcome: RequestOutcome,
}

/// What became of one request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase", tag = "is")]
pub enum RequestOutcome {
    /// Carried out.
    Done {
        /// How the API server took it.
        #[serde(skip)]
        reply: Reply,
    },
    /// A dry run that would have been taken.
    Rehearsed,
    /// Not sent at all.
    NotSent {
        /// Why.
        because: NotSent,
    },
    /// Not carried out, or perhaps.
    Failed {
        /// Why.
        because: Failure,
        /// What the server or the connection said.
        detail: String,
        /// Whether it is certain that nothing was changed.
        is_certain: bool,
    },
    /// The object is not there any more.
    TargetGone {
        /// Whether it is certain that it went without us.
        is_certain: bool,
    },
    /// Another object has its name, and was not touched.
    TargetReplaced {
        /// The uid that is there now.
        found: Uid,
        /// Whether it is certain that nothing was changed.
        is_certain: bool,
    },
    /// The alert became too old between two tries.
    Expired {
        /// Whether it is certain that nothing was changed.
        is_certain: bool,
    },
}

impl RequestOutcome {
    /// Whether the request was carried out, or would have been.
    pub const fn is_success(&self) -> bool {
        matches!(
            self,
            Self::Done { .. }
                | Self::Rehearsed
                | Self::NotSent {
                    because: NotSent::Observed
                }
        )
    }

    /// Whether it is certain that the request changed nothing.
    pub const fn is_certainly_nothing(&self) -> bool {
        match self {
            Self::Done { .. } => false,
            Self::Rehearsed | Self::NotSent { .. } => true,
            Self::Failed { is_certain, .. }
            | Self::TargetGone { is_certain }
            | Self::TargetReplaced { is_certain, .. }
            | Self::Expired { is_certain } => *is_certain,
        }
    }
}

/// Why a request was not sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum NotSent {
    /// The mode is Observe.
    Observed,
    /// An earlier request did not succeed, and the plan stops there.
    Stopped,
    /// The alert became too old.
    Expired,
}

/// Why a request failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Failure {
    /// By the answer, or for want of one; the last one where there were several.
    Answer(#[serde(serialize_with = "kind")] SendErrorKind),
    /// The step's time ran out before it could be sent.
    StepTimeout,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "the form that serde asks of `serialize_with`"
)]
fn kind<S: serde::Serializer>(kind: &SendErrorKind, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(kind.as_str())
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Answer(kind) => kind.fmt(f),
            Self::StepTimeout => f.write_str("the step's time ran out"),
        }
    }
}

impl fmt::Display for RequestOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Done {
                reply: Reply::Terminating,
            } => f.write_str("accepted, and it is ending"),
            Self::Done { .. } => f.write_str("done"),
            Self::Rehearsed => f.write_str("would have been taken"),
            Self::NotSent {
                because: NotSent::Observed,
            } => f.write_str("not sent (Observe)"),
            Self::NotSent {
                because: NotSent::Stopped,
            } => f.write_str("not sent (an earlier request did not succeed)"),
            Self::NotSent {
                because: NotSent::Expired,
            } => f.write_str("not sent (the alert became too old)"),
            Self::Failed {
                because,
                detail,
                is_certain,
            } => {
                let rest = if *is_certain {
                    ""
                } else {
                    "; perhaps it was carried out all the same"
                };
                if detail.is_empty() {
                    write!(f, "{because}{rest}")
                } else {
                    write!(f, "{because}: {detail}{rest}")
                }
            }
            Self::TargetGone { .. } => f.write_str("its target is gone"),
            Self::TargetReplaced { found, .. } => {
                write!(f, "another object (uid {found}) has its name; it was not touched")
            }
            Self::Expired { .. } => f.write_str("given up, because the alert became too old"),
        }
    }
}

impl From<&SendError> for Failure {
    fn from(error: &SendError) -> Self {
        Self::Answer(error.kind)
    }
}

/// What became of one undo.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct UndoReport {
    /// The request that is undone, as a person reads it.
    pub request: String,
    /// What became of it.
    #[serde(flatten)]
    pub outcome: UndoOutcome,
}

/// What became of one undo.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase", tag = "is")]
pub enum UndoOutcome {
    /// As before.
    Undone,
    /// As before, but for what somebody else has changed since.
    PartlyUndone {
        /// What was left alone.
        left: Vec<String>,
    },
    /// There was nothing to undo.
    Nothing {
        /// Why.
        because: String,
    },
    /// There is no way back.
    Irreversible {
        /// Why.
        because: &'static str,
    },
    /// It could not be undone; it stays as it is.
    Failed {
        /// Why.
        because: String,
    },
}

impl UndoOutcome {
    /// Whether nothing of ours remains.
    pub const fn is_clean(&self) -> bool {
        matches!(self, Self::Undone | Self::PartlyUndone { .. } | Self::Nothing { .. })
    }
}
