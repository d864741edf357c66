//! The outcome of one request of a plan, repetitions included.

use std::fmt;

use responder_core::object::Uid;
use responder_core::port::{Reply, SendError, SendErrorKind};
use serde::Serialize;

/// One request of a plan, repetitions included.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RequestReport {
    /// The request as a person reads it.
    pub request: String,
    /// How often it was sent.
    pub tries: u32,
    /// Its outcome.
    #[serde(flatten)]
    pub outcome: RequestOutcome,
}

/// The outcome of one request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase", tag = "is")]
pub enum RequestOutcome {
    /// Carried out.
    Done {
        /// The answer of the API server.
        #[serde(skip)]
        reply: Reply,
    },
    /// A dry run that the API server would have carried out.
    Rehearsed,
    /// Not sent.
    NotSent {
        /// The reason.
        because: NotSentReason,
    },
    /// Not carried out, as far as the answer tells.
    Failed {
        /// The reason.
        because: FailureReason,
        /// The text of the server, or of the connection's failure.
        detail: String,
        /// Whether it is certain that nothing was changed.
        is_certain: bool,
    },
    /// The object is gone.
    TargetGone {
        /// Whether it is certain that no request of ours removed it.
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
                    because: NotSentReason::Observed
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
pub enum NotSentReason {
    /// The mode is Observe.
    Observed,
    /// An earlier request did not succeed, and the plan stops there.
    Stopped,
    /// The alert became too old.
    Expired,
    /// A step that ran instead of an earlier one has ended the target.
    TargetEnded,
}

/// Why a request failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum FailureReason {
    /// The class of the last answer, or of its absence.
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

impl fmt::Display for FailureReason {
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
                because: NotSentReason::Observed,
            } => f.write_str("not sent (Observe)"),
            Self::NotSent {
                because: NotSentReason::Stopped,
            } => f.write_str("not sent (an earlier request did not succeed)"),
            Self::NotSent {
                because: NotSentReason::Expired,
            } => f.write_str("not sent (the alert became too old)"),
            Self::NotSent {
                because: NotSentReason::TargetEnded,
            } => f.write_str("not sent (the target has been ended)"),
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

impl From<&SendError> for FailureReason {
    fn from(error: &SendError) -> Self {
        Self::Answer(error.kind)
    }
}
