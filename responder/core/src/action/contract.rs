//! The interface of an action.

use std::fmt;

use jiff::Timestamp;

use crate::alert::Alert;
use crate::class::ActionClass;
use crate::guard::{Protections, Reserved, Stock};
use crate::obstacle::Obstacle;
use crate::permission::Permission;
use crate::plan::StepPlan;
use crate::playbook_name::PlaybookName;
use crate::redact::Redactor;
use crate::refusal::Refusal;
use crate::request::Verb;
use crate::snapshot::{Needs, Snapshot};
use crate::span::Span;
use crate::target::{Target, TargetKind};

/// A compiled action of a step.
pub trait Action: fmt::Debug + Send + Sync {
    /// The row of the reference.
    fn info(&self) -> &'static ActionInfo;

    /// The name as written in a playbook.
    fn name(&self) -> &'static str {
        self.info().name
    }

    /// The class of its requests, with these parameters and on this target.
    fn class(&self, _target: TargetKind) -> ActionClass {
        self.info().class
    }

    /// The strongest class that its requests can have, where the live object decides; by default [`Action::class`].
    fn strongest_class(&self, target: TargetKind) -> ActionClass {
        self.class(target)
    }

    /// The class of its end, after a `ttl`; `None` for an action that only gives back what it took.
    fn end_class(&self) -> Option<ActionClass> {
        None
    }

    /// How a tenant can block it, as a clause; `None` for an action that no tenant can.
    fn blocked_by(&self) -> Option<&'static str> {
        None
    }

    /// How long its requests may have to wait for others, such as a PodDisruptionBudget; `None` for as long as its step.
    fn patience(&self) -> Option<Span> {
        None
    }

    /// The kinds of target that it accepts.
    fn targets(&self) -> &'static [TargetKind] {
        self.info().targets
    }

    /// The parts of a snapshot that [`Action::plan`] reads.
    fn needs(&self, _target: TargetKind) -> Needs {
        Needs::default()
    }

    /// The stocks that it draws on. They become part of the claim, so later decisions count them before the cluster shows
    /// the change.
    fn reserves(&self) -> &'static [Stock] {
        &[]
    }

    /// The permissions that its requests need, in any mode that sends them.
    fn permissions(&self, target: TargetKind) -> Vec<Permission>;

    /// Plans the requests on this target.
    ///
    /// # Errors
    ///
    /// A refusal of the whole response, where a protection covers the target; an obstacle to this step, where the action
    /// has no effect on the target.
    fn plan(&self, context: &ActionContext<'_>) -> Result<StepPlan, StepProblem>;
}

/// Why an action plans no requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StepProblem {
    /// The response is refused.
    Refused(Refusal),
    /// The step can't be done; its `otherwise` can.
    Blocked(Obstacle),
}

impl From<Refusal> for StepProblem {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<Obstacle> for StepProblem {
    fn from(obstacle: Obstacle) -> Self {
        Self::Blocked(obstacle)
    }
}

/// The parameters of an action, as written in a step.
pub trait ActionDoc {
    /// The row of the reference.
    const INFO: ActionInfo;

    /// Compiles the action.
    ///
    /// # Errors
    ///
    /// A parameter with an invalid value.
    fn compile(&self) -> Result<Box<dyn Action>, ActionProblem>;
}

/// The input of [`Action::plan`].
#[derive(Debug, Clone, Copy)]
pub struct ActionContext<'a> {
    /// The alert. Its text reaches a request only through [`Text`](super::Text).
    pub alert: &'a Alert,
    /// The playbook that matched.
    pub playbook: &'a PlaybookName,
    /// The corroborated target.
    pub target: &'a Target,
    /// The state of the cluster.
    pub snapshot: &'a Snapshot,
    /// The name of the response in labels and object names: ten characters, derived from alert, playbook and target.
    pub incident: &'a str,
    /// The time of the decision.
    pub now: Timestamp,
    /// The protections of the guard.
    pub protect: &'a Protections,
    /// Takes secrets out of the alert's text.
    pub redactor: Redactor,
    /// The longest grace that a deletion takes over from a pod.
    pub max_grace: Span,
    /// What the alert lacks for a branch of class Contain; `None` if it lacks nothing.
    pub contain_lacks: Option<&'a Refusal>,
    /// What the alert lacks for a branch of class Destroy; `None` if it corroborates the target well enough.
    pub destroy_lacks: Option<&'a Refusal>,
    /// The reservations of other responses.
    pub reserved: Reserved<'a>,
}

/// The facts about an action that do not depend on its parameters: a row of the reference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ActionInfo {
    /// The name as written in a playbook.
    pub name: &'static str,
    /// The effect, in one sentence.
    pub summary: &'static str,
    /// The class.
    pub class: ActionClass,
    /// The kinds of target that it accepts.
    pub targets: &'static [TargetKind],
    /// The verbs of its requests.
    pub verbs: &'static [Verb],
    /// The undo, in a few words.
    pub undo: &'static str,
    /// A step as written in a playbook.
    pub example: &'static str,
    /// Parameters with which a step needs more permissions than the example.
    pub widened_by: &'static [Widening],
}

/// A parameter with which an action needs more permissions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Widening {
    /// The name of the parameter.
    pub parameter: &'static str,
    /// The value that needs them.
    pub value: &'static str,
    /// A step with this value.
    pub example: &'static str,
}

/// A parameter whose value is invalid beyond its schema.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ActionProblem {
    /// The parameter, as a path below the action, such as `labels.app`; empty for the action itself.
    pub parameter: String,
    /// The problem, and the valid form.
    pub message: String,
}

impl ActionProblem {
    /// A problem with this parameter.
    pub fn of(parameter: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            parameter: parameter.into(),
            message: message.into(),
        }
    }
}
