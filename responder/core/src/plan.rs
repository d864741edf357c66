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
use crate::own::OwnObject;
use crate::patch::Patch;
use crate::request::Request;
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

impl StepPlan {
    /// One patch, with its way back and what must be true of it afterwards.
    pub fn patching(target: &ObjectRef, patch: Patch) -> Self {
        Self {
            expects: vec![Expectation::Patched { target: target.clone() }],
            requests: vec![PlannedRequest::patch(target.clone(), patch)],
            ..Self::default()
        }
    }

    /// Nothing to ask for, and why.
    pub fn noting(note: String) -> Self {
        Self {
            notes: vec![note],
            ..Self::default()
        }
    }
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

impl PlannedRequest {
    /// A patch, which is undone by what each of its changes was before.
    pub const fn patch(target: ObjectRef, patch: Patch) -> Self {
        Self {
            request: Request::Patch { target, patch },
            undo: Undo::Restore,
        }
    }

    /// The creation of an object of ours, which is undone by its deletion.
    pub fn create(object: OwnObject) -> Self {
        Self {
            request: Request::Create {
                object: Box::new(object),
            },
            undo: Undo::DeleteCreated,
        }
    }

    /// A request that nothing brings back.
    pub const fn irreversible(request: Request, because: &'static str) -> Self {
        Self {
            request,
            undo: Undo::Irreversible { because },
        }
    }
}

/// The way back from a request. It is worked out of the request itself, so it can't go to another object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Undo {
    /// Gives back what the patch changed, only where the object still is as we left it: what has another value by then
    /// was changed by another writer, and stays.
    Restore,
    /// Deletes the object that the request created, by the uid that the creation answered.
    DeleteCreated,
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
    /// Every change that the step's patches make to the object stands.
    Patched {
        /// The object.
        target: ObjectRef,
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
                match (&planned.undo, &planned.request) {
                    (Undo::Restore, Request::Patch { patch, .. }) => writeln!(f, "       undo: {}", patch.reversed())?,
                    (Undo::DeleteCreated, request) => writeln!(f, "       undo: delete {}", request.at())?,
                    (Undo::Irreversible { because }, _) => writeln!(f, "       no undo: {because}")?,
                    // The lint refuses such a plan.
                    (Undo::Restore, _) => writeln!(f, "       no undo: the request is no patch")?,
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
