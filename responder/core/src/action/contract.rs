//! What an action is: the terms that each file beside this one fulfils.

use std::fmt;

use jiff::Timestamp;

use crate::alert::Alert;
use crate::class::ActionClass;
use crate::guard::{Protections, Reserved, Stock};
use crate::permission::Permission;
use crate::plan::StepPlan;
use crate::playbook_name::PlaybookName;
use crate::refusal::Refusal;
use crate::request::Verb;
use crate::snapshot::{Needs, Snapshot};
use crate::target::{Target, TargetKind};

/// What a step can do.
pub trait Action: fmt::Debug + Send + Sync {
    /// What is known of it without an instance.
    fn info(&self) -> &'static ActionInfo;

    /// The name as in a playbook.
    fn name(&self) -> &'static str {
        self.info().name
    }

    /// How strong it is, with its parameters.
    fn class(&self) -> ActionClass {
        self.info().class
    }

    /// The targets it takes.
    fn targets(&self) -> &'static [TargetKind] {
        self.info().targets
    }

    /// What it must see to plan.
    fn needs(&self) -> Needs {
        Needs::default()
    }

    /// What it takes of what all responses share. It is part of the claim, so that the next decision knows of it before
    /// the cluster shows it.
    fn reserves(&self) -> &'static [Stock] {
        &[]
    }

    /// The rights that its requests take, in any mode that sends them.
    fn permissions(&self, target: TargetKind) -> Vec<Permission>;

    /// The requests on this target, or why there are none. A dead end that is known beforehand (a mirror pod, a host
    /// network) is refused here.
    ///
    /// # Errors
    ///
    /// The refusal.
    fn plan(&self, context: &ActionContext<'_>) -> Result<StepPlan, Refusal>;
}

/// An action as written in a step.
pub trait ActionDoc {
    /// What is known of it without an instance.
    const INFO: ActionInfo;

    /// The action, compiled.
    ///
    /// # Errors
    ///
    /// A parameter that means nothing, or nothing yet.
    fn compile(&self) -> Result<Box<dyn Action>, ActionProblem>;
}

/// What an action may look at when it plans.
#[derive(Debug, Clone, Copy)]
pub struct ActionContext<'a> {
    /// The alert. Its text reaches a request only through [`Text`](super::Text).
    pub alert: &'a Alert,
    /// The playbook.
    pub playbook: &'a PlaybookName,
    /// The corroborated target.
    pub target: &'a Target,
    /// What the cluster says.
    pub snapshot: &'a Snapshot,
    /// The name of this response in labels and object names: ten characters, from alert, playbook and target.
    pub incident: &'a str,
    /// The time of the decision.
    pub now: Timestamp,
    /// What the guard protects.
    pub protect: &'a Protections,
    /// What other responses have reserved.
    pub reserved: Reserved<'a>,
}

/// A row of the reference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ActionInfo {
    /// The name as in a playbook.
    pub name: &'static str,
    /// What it does, in one sentence.
    pub summary: &'static str,
    /// How strong it is.
    pub class: ActionClass,
    /// The targets it takes.
    pub targets: &'static [TargetKind],
    /// The request verbs it compiles to.
    pub verbs: &'static [Verb],
    /// How it is undone, in a few words.
    pub undo: &'static str,
    /// A step as it stands in a playbook.
    pub example: &'static str,
    /// Parameters with which a step takes more rights than the example does.
    pub widened_by: &'static [Widening],
}

/// A parameter that makes an action take more rights.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Widening {
    /// The parameter.
    pub parameter: &'static str,
    /// The value that widens.
    pub value: &'static str,
    /// A step with it.
    pub example: &'static str,
}

/// What is wrong with the parameters of an action, beyond their form.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ActionProblem {
    /// The parameter, as a path below the action, such as `labels.app`; empty for the action itself.
    pub parameter: String,
    /// What is wrong, and what was meant.
    pub message: String,
}

impl ActionProblem {
    /// A problem of this parameter.
    pub fn of(parameter: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            parameter: parameter.into(),
            message: message.into(),
        }
    }
}
