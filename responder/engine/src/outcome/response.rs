//! The outcome of a response as a whole, and of each of its steps.

use std::fmt;
use std::iter;

use responder_core::mode::Mode;
use responder_core::obstacle::Obstacle;
use responder_core::refusal::Refusal;
use responder_core::target::Target;
use serde::Serialize;

use super::request::RequestReport;
use super::undo::UndoReport;

/// One run of one plan.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Response {
    /// The name of the response.
    pub incident: String,
    /// The target.
    pub target: Target,
    /// The mode.
    pub mode: Mode,
    /// The outcome as a whole.
    pub outcome: ResponseOutcome,
    /// Every step of the plan, in order, done or not.
    pub steps: Vec<StepReport>,
    /// The requests that were undone, the last first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub undone: Vec<UndoReport>,
}

/// The outcome as a whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase", tag = "is")]
pub enum ResponseOutcome {
    /// Every request was carried out.
    Done,
    /// The API server would have carried out every request.
    Rehearsed,
    /// Nothing was sent, as Observe asks.
    Observed,
    /// A step failed, and no request was carried out.
    Failed {
        /// The step that failed first.
        step: String,
        /// The request that failed, and its outcome.
        because: String,
    },
    /// A step failed, and some requests were carried out; they may have been undone.
    PartlyDone {
        /// The step that failed first.
        step: String,
        /// The request that failed, and its outcome.
        because: String,
    },
    /// The target went away before it could be acted on.
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

    /// Whether a step failed. A target that went away first is no failure.
    pub const fn is_failure(&self) -> bool {
        matches!(self, Self::Failed { .. } | Self::PartlyDone { .. })
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

/// One step, with its requests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StepReport {
    /// The step.
    pub name: String,
    /// Why it could not be done; it has no requests then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub obstacle: Option<Obstacle>,
    /// Its requests, in order.
    pub requests: Vec<RequestReport>,
    /// What ran instead of it, because it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub otherwise: Option<BranchReport>,
}

/// What became of the step that runs instead of one that failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum BranchReport {
    /// It ran.
    Ran(Box<StepReport>),
    /// It was held: the alert does not corroborate its class, a protection covers the target, or no budget has a slot.
    Held(Refusal),
}

impl StepReport {
    /// The reports of the step and of those that ran instead of it, in order.
    pub fn runs(&self) -> impl Iterator<Item = &Self> {
        iter::successors(Some(self), |report| match &report.otherwise {
            Some(BranchReport::Ran(report)) => Some(report),
            Some(BranchReport::Held(_)) | None => None,
        })
    }

    /// Its requests, and those of the steps that ran instead of it, in order.
    pub fn all_requests(&self) -> impl Iterator<Item = &RequestReport> {
        self.runs().flat_map(|report| &report.requests)
    }
}
