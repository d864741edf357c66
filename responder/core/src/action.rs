//! Actions: what a step of a playbook can do. One file an action; an action compiles to requests.

use std::fmt;

use jiff::Timestamp;

use crate::alert::Alert;
use crate::class::ActionClass;
use crate::guard::KeepSchedulable;
use crate::object::Uid;
use crate::permission::Permission;
use crate::plan::StepPlan;
use crate::playbook_name::PlaybookName;
use crate::refusal::Refusal;
use crate::request::Verb;
use crate::snapshot::{Needs, Snapshot};
use crate::target::{Target, TargetKind};

mod annotate;
mod cordon;
mod delete;
mod entries;
mod evict;
mod label;
mod list;
mod quarantine;
mod removal;
mod text;

pub use annotate::{Annotate, AnnotateDoc};
pub use cordon::{CORDONED_AT, CORDONED_BY, CORDONED_FOR, Cordon, CordonDoc};
pub use delete::{Delete, DeleteDoc};
pub use evict::{Evict, EvictDoc};
pub use label::{Label, LabelDoc};
pub use list::{ACTIONS, ActionDocs};
pub use quarantine::{
    Detach, OnExpiry, Quarantine, QuarantineAllowDoc, QuarantineDoc, QuarantineRecord, RecordProblem,
};
pub use text::{Text, TextDoc};

/// What an action may look at when it plans.
#[derive(Debug, Clone, Copy)]
pub struct ActionContext<'a> {
    /// The alert. Its text reaches a request only through [`Text`].
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
    /// What must stay schedulable after a cordon.
    pub nodes: NodeReserve<'a>,
}

/// What must stay schedulable, and what other responses have claimed already.
#[derive(Debug, Clone, Copy)]
pub struct NodeReserve<'a> {
    /// The guard's rule.
    pub keep: KeepSchedulable,
    /// Nodes that other responses have claimed: they count as cordoned, whether the snapshot shows it yet or not.
    pub claimed: &'a [&'a Uid],
}

/// What a step can do.
pub trait Action: fmt::Debug + Send + Sync {
    /// The name as in a playbook.
    fn name(&self) -> &'static str;

    /// How strong it is.
    fn class(&self) -> ActionClass;

    /// The targets it takes.
    fn targets(&self) -> &'static [TargetKind];

    /// What it must see to plan.
    fn needs(&self) -> Needs {
        Needs::default()
    }

    /// The rights that its requests take, in any mode that sends them.
    fn permissions(&self, target: TargetKind) -> Vec<Permission>;

    /// The requests on this target, or why there are none. A dead end that is known beforehand (a mirror pod, a host
    /// network) is refused here.
    fn plan(&self, context: &ActionContext<'_>) -> Result<StepPlan, Refusal>;
}

/// What is known of an action without an instance of it: the rows of the reference.
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
