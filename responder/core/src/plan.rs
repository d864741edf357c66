//! Plans: the requests of a response, in order, each with its undo.

use std::fmt;
use std::iter;
use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;

use crate::class::ActionClass;
use crate::mode::{EffectiveMode, Permit};
use crate::network::Isolation;
use crate::object::{Locator, Name, ObjectRef};
use crate::obstacle::Obstacle;
use crate::on_failure::OnFailure;
use crate::own::OwnObject;
use crate::patch::Patch;
use crate::refusal::Refusal;
use crate::request::Request;
use crate::target::Target;

mod lint;

pub use lint::{PlanFault, lint};

/// The requests of one step.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StepPlan {
    /// The requests, in order.
    pub requests: Vec<PlannedRequest>,
    /// The expectations that verification checks.
    pub expects: Vec<Expectation>,
    /// Notes for the operator, such as a part that is left out and why.
    pub notes: Vec<String>,
    /// The predicted isolation of a quarantine; `None` for other actions.
    pub isolation: Option<Isolation>,
    /// The class of the requests, where the live object makes it stronger than the action's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub raised_to: Option<ActionClass>,
}

impl StepPlan {
    /// One patch, with its undo and its verification.
    pub fn patching(target: &ObjectRef, patch: Patch) -> Self {
        Self {
            expects: vec![Expectation::Patched { target: target.clone() }],
            requests: vec![PlannedRequest::patch(target.clone(), patch)],
            ..Self::default()
        }
    }

    /// No request, and a note that says why.
    pub fn noting(note: String) -> Self {
        Self {
            notes: vec![note],
            ..Self::default()
        }
    }
}

/// A request with its undo.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PlannedRequest {
    /// The request.
    pub request: Request,
    /// How it is undone.
    pub undo: Undo,
}

impl PlannedRequest {
    /// A patch, undone by restoring the values from before.
    pub const fn patch(target: ObjectRef, patch: Patch) -> Self {
        Self {
            request: Request::Patch { target, patch },
            undo: Undo::Restore,
        }
    }

    /// A creation, undone by a deletion.
    pub fn create(object: OwnObject) -> Self {
        Self {
            request: Request::Create {
                object: Box::new(object),
            },
            undo: Undo::DeleteCreated,
        }
    }

    /// A request without an undo.
    pub fn irreversible(request: Request, because: impl Into<String>) -> Self {
        Self {
            request,
            undo: Undo::Irreversible {
                because: because.into(),
            },
        }
    }
}

/// The undo of a request. Its object and its values come from the request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Undo {
    /// Restores the values from before the patch, as far as the patched values still stand. Changes of other writers stay.
    Restore,
    /// Deletes the created object, by the uid from the answer.
    DeleteCreated,
    /// The request can't be undone.
    Irreversible {
        /// The reason.
        because: String,
    },
}

/// The expected result of a step. Verification checks it on a new read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Expectation {
    /// The object is gone; an object of the same name with another uid counts as gone.
    Gone {
        /// The pod with its uid.
        target: ObjectRef,
        /// Its grace period, in seconds.
        grace_seconds: u32,
        /// Its node, which alone knows that the containers have ended; `None` before it is scheduled.
        node: Option<Name>,
    },
    /// Every patched value of the step still stands.
    Patched {
        /// The object with its uid.
        target: ObjectRef,
    },
    /// The policies exist, and there are no more leaks than predicted.
    Isolated {
        /// The quarantined pod.
        pod: ObjectRef,
        /// The NetworkPolicy of the quarantine.
        policy: Locator,
        /// The policy that denies, beside it.
        #[serde(skip_serializing_if = "Option::is_none")]
        denied_by: Option<Locator>,
    },
}

/// One step of a plan.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PlannedStep {
    /// The name of the step; the action's name if it has none.
    pub name: String,
    /// The name of the action.
    pub action: &'static str,
    /// The class of its requests.
    pub class: ActionClass,
    /// The limit for all requests of the step together, retries included.
    pub timeout: Duration,
    /// How the plan continues when the step fails.
    pub on_failure: OnFailure,
    /// Why it can't be done on this target; it has no requests then, and fails.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub obstacle: Option<Obstacle>,
    /// The requests of the step.
    #[serde(flatten)]
    pub plan: StepPlan,
    /// The step that runs instead, if this one can't be done or fails.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub otherwise: Option<Branch>,
}

/// The way on from a step that fails. It takes its own slot of the budgets when it starts.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Branch {
    /// The step that runs.
    Planned(Box<PlannedStep>),
    /// What stands against it: the alert does not corroborate its class, or a protection covers the target.
    Lacking(Refusal),
}

impl PlannedStep {
    /// The step that runs instead, if it is planned.
    pub fn next(&self) -> Option<&Self> {
        match &self.otherwise {
            Some(Branch::Planned(step)) => Some(step),
            Some(Branch::Lacking(_)) | None => None,
        }
    }

    /// The step, then those that run instead of it, in order.
    pub fn alternatives(&self) -> impl Iterator<Item = &Self> {
        iter::successors(Some(self), |step| step.next())
    }

    /// Whether nothing is left to do: no request, no failure.
    pub fn is_idle(&self) -> bool {
        self.plan.requests.is_empty() && self.obstacle.is_none()
    }
}

/// The plan of a response.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Plan {
    /// The name of the response: ten characters, derived from alert, playbook and target.
    pub incident: String,
    /// The corroborated target.
    pub target: Target,
    /// The mode, and the setting that decided it.
    pub mode: EffectiveMode,
    /// The steps, in order.
    pub steps: Vec<PlannedStep>,
    /// The time of the decision.
    pub decided_at: Timestamp,
    /// The alert's time plus its maximum age. No request is sent later.
    pub valid_until: Timestamp,
    /// The number of replicas of which budgets may be a percentage; `None` where no number is to be had.
    #[serde(skip)]
    pub owner_replicas: Option<u32>,
}

impl Plan {
    /// The permit of the mode.
    pub const fn permit(&self) -> Permit {
        self.mode.permit()
    }

    /// The strongest class of the steps, without those that run instead of one; `Notify` without steps.
    pub fn class(&self) -> ActionClass {
        self.steps
            .iter()
            .map(|step| step.class)
            .max()
            .unwrap_or(ActionClass::Notify)
    }

    /// All requests, in order, without those of the steps that run instead of one.
    pub fn requests(&self) -> impl Iterator<Item = &PlannedRequest> {
        self.steps.iter().flat_map(|step| &step.plan.requests)
    }
}

impl fmt::Display for Plan {
    /// One line for each request, for operators.
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
            write_step(f, step)?;
            let mut last = step;
            for next in step.alternatives().skip(1) {
                writeln!(f, "     otherwise {}", next.name)?;
                write_step(f, next)?;
                last = next;
            }
            if let Some(Branch::Lacking(refusal)) = &last.otherwise {
                writeln!(f, "     otherwise nothing: {refusal}")?;
            }
        }
        Ok(())
    }
}

fn write_step(f: &mut fmt::Formatter<'_>, step: &PlannedStep) -> fmt::Result {
    if let Some(obstacle) = &step.obstacle {
        writeln!(f, "     can't be done: {obstacle}")?;
    }
    for planned in &step.plan.requests {
        writeln!(f, "     {}", planned.request)?;
        match (&planned.undo, &planned.request) {
            (Undo::Restore, Request::Patch { patch, .. }) => writeln!(f, "       undo: {}", patch.reversed())?,
            (Undo::DeleteCreated, request) => writeln!(f, "       undo: delete {}", request.at())?,
            (Undo::Irreversible { because }, _) => writeln!(f, "       no undo: {because}")?,
            // The lint refuses this plan.
            (Undo::Restore, _) => writeln!(f, "       no undo: the request is no patch")?,
        }
    }
    if let Some(isolation) = &step.plan.isolation {
        writeln!(f, "     isolation: {isolation}")?;
    }
    for note in &step.plan.notes {
        writeln!(f, "     note: {note}")?;
    }
    Ok(())
}
