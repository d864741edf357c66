//! Plans: what a response will ask of the API server, in order, each request with its undo.

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;

use crate::class::ActionClass;
use crate::guard::Isolation;
use crate::mode::{EffectiveMode, Permit};
use crate::object::{Locator, ObjectRef};
use crate::on_failure::OnFailure;
use crate::request::{MergePatch, Request};
use crate::target::Target;

mod lint;

pub use lint::{PlanFault, lint};

/// The requests of one step.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StepPlan {
    /// In order.
    pub requests: Vec<PlannedRequest>,
    /// What must be true afterwards.
    pub expects: Vec<Expectation>,
    /// What a person should know: a part that is left out and why.
    pub notes: Vec<String>,
    /// What a quarantine will isolate, as far as the policies tell.
    pub isolation: Option<Isolation>,
}

/// A request and the way back. There is no request without one: what can't be undone says so.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PlannedRequest {
    /// What is sent.
    pub request: Request,
    /// The way back.
    pub undo: Undo,
}

/// The way back from a request.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Undo {
    /// Gives back what a patch changed, only where the object still is as we left it.
    Restore {
        /// The object.
        target: ObjectRef,
        /// What we left: an entry that has another value now was changed by somebody else, and stays.
        left: MergePatch,
        /// What was there before.
        before: MergePatch,
    },
    /// Deletes the object that the request created, by the uid that the creation answered.
    DeleteCreated {
        /// Where it is.
        at: Locator,
    },
    /// There is no way back.
    Irreversible {
        /// Why.
        because: &'static str,
    },
}

/// What must be true when a step has worked. Checked by verify, on a fresh reading.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Expectation {
    /// The object is gone; an object of the same name with another uid counts as gone.
    Gone {
        /// The object.
        target: ObjectRef,
    },
    /// Labels, annotations and `spec.unschedulable` are as patched.
    Patched {
        /// The object.
        target: ObjectRef,
        /// The changes.
        patch: MergePatch,
    },
    /// The policy is there and the leaks are no more than predicted.
    Isolated {
        /// The pod.
        pod: ObjectRef,
        /// The policy.
        policy: Locator,
    },
}

/// One step of a plan.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PlannedStep {
    /// The step's own name, else the action's.
    pub name: String,
    /// The action's name.
    pub action: &'static str,
    /// How strong it is.
    pub class: ActionClass,
    /// For all requests of the step together, retries included.
    pub timeout: Duration,
    /// What happens to the rest of the plan when this step fails.
    pub on_failure: OnFailure,
    /// Its requests.
    #[serde(flatten)]
    pub plan: StepPlan,
}

/// What a response will do.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Plan {
    /// The name of this response: ten characters, from alert, playbook and target.
    pub incident: String,
    /// The target, corroborated.
    pub target: Target,
    /// The mode, and who set it.
    pub mode: EffectiveMode,
    /// The steps, in order.
    pub steps: Vec<PlannedStep>,
    /// When it was decided.
    pub decided_at: Timestamp,
    /// The alert's time plus the maximum age: a request that is not sent by then is not sent at all.
    pub valid_until: Timestamp,
}

impl Plan {
    /// What may be sent.
    pub const fn permit(&self) -> Permit {
        self.mode.permit()
    }

    /// The strongest class of its steps; `Notify` for a plan without steps.
    pub fn class(&self) -> ActionClass {
        self.steps
            .iter()
            .map(|step| step.class)
            .max()
            .unwrap_or(ActionClass::Notify)
    }

    /// All requests, in order.
    pub fn requests(&self) -> impl Iterator<Item = &PlannedRequest> {
        self.steps.iter().flat_map(|step| &step.plan.requests)
    }
}

impl fmt::Display for Plan {
    /// One line per request, as a person reads it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} on {} in {} (set by {})",
            self.incident,
            self.target,
            self.mode.mode(),
            self.mode.set_by()
        )?;
        for (number, step) in self.steps.iter().enumerate() {
            writeln!(f, "  {}. {}", number + 1, step.name)?;
            for planned in &step.plan.requests {
                writeln!(f, "     {}", planned.request)?;
                match &planned.undo {
                    Undo::Restore { before, .. } => writeln!(f, "       undo: {before}")?,
                    Undo::DeleteCreated { at } => writeln!(f, "       undo: delete {at}")?,
                    Undo::Irreversible { because } => writeln!(f, "       no undo: {because}")?,
                }
            }
            if let Some(isolation) = &step.plan.isolation {
                writeln!(f, "     isolation: {isolation}")?;
            }
            for note in &step.plan.notes {
                writeln!(f, "     note: {note}")?;
            }
        }
        Ok(())
    }
}
