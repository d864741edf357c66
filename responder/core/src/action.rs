//! Actions: what a step of a playbook can do. One file an action; an action compiles to requests.
//!
//! The list at the bottom is the only place where actions are enumerated: the step's document, the JSON schema, the
//! reference table and the permissions come from it.

use std::fmt;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::alert::Alert;
use crate::guard::KeepSchedulable;
use crate::object::{Kind, Uid};
use crate::plan::StepPlan;
use crate::playbook::PlaybookName;
use crate::rbac::Permission;
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
mod quarantine;
mod removal;
mod text;

pub use annotate::{Annotate, AnnotateDoc};
pub use cordon::{CORDONED_AT, CORDONED_BY, CORDONED_FOR, Cordon, CordonDoc};
pub use delete::{Delete, DeleteDoc};
pub use evict::{Evict, EvictDoc};
pub use label::{Label, LabelDoc};
pub(crate) use quarantine::is_untouched_policy;
pub use quarantine::isolates_both_ways;
pub use quarantine::{
    Detach, OnExpiry, QUARANTINE_LABEL, Quarantine, QuarantineAllowDoc, QuarantineDoc, QuarantineRecord, RecordProblem,
};
pub use text::{Text, TextDoc};

/// How strong an action is. Budgets, corroboration and permissions speak of classes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum ActionClass {
    /// Tells somebody.
    Notify,
    /// Marks an object.
    Annotate,
    /// Limits what an object can do, and can be undone.
    Contain,
    /// Takes an object away.
    Destroy,
}

impl ActionClass {
    /// Every class, the mildest first.
    pub const ALL: [Self; 4] = [Self::Notify, Self::Annotate, Self::Contain, Self::Destroy];

    /// The name as in a guard.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Notify => "Notify",
            Self::Annotate => "Annotate",
            Self::Contain => "Contain",
            Self::Destroy => "Destroy",
        }
    }
}

impl fmt::Display for ActionClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The rights to patch the metadata of a target.
fn permissions_to_patch(target: TargetKind) -> Vec<Permission> {
    match target {
        TargetKind::Pod => vec![Permission::on(Kind::Pod, "patch")],
        TargetKind::Node => vec![Permission::on(Kind::Node, "patch")],
        TargetKind::Owner => OWNERS.iter().map(|&kind| Permission::on(kind, "patch")).collect(),
    }
}

/// The kinds that can stand above a pod.
pub(crate) const OWNERS: [Kind; 7] = [
    Kind::ReplicationController,
    Kind::ReplicaSet,
    Kind::Deployment,
    Kind::StatefulSet,
    Kind::DaemonSet,
    Kind::Job,
    Kind::CronJob,
];

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

macro_rules! actions {
    ($($(#[$doc:meta])* $field:ident: $doc_type:ident,)+) => {
        /// The action of a step, as written. Exactly one of them is set.
        #[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
        #[serde(rename_all = "camelCase", deny_unknown_fields)]
        pub struct ActionDocs {
            $(
                $(#[$doc])*
                #[serde(default, skip_serializing_if = "Option::is_none")]
                pub $field: Option<$doc_type>,
            )+
        }

        impl ActionDocs {
            /// The names of all actions.
            pub const NAMES: &'static [&'static str] = &[$(stringify!($field),)+];

            /// The actions that are written, by name. A step is right when there is exactly one.
            pub fn written(&self) -> Vec<&'static str> {
                let mut names = Vec::new();
                $(if self.$field.is_some() { names.push(stringify!($field)); })+
                names
            }

            /// The first written action, compiled; `None` when none is written.
            pub fn compile(&self) -> Option<Result<Box<dyn Action>, ActionProblem>> {
                $(if let Some(doc) = &self.$field {
                    return Some(doc.compile().map(|action| Box::new(action) as Box<dyn Action>));
                })+
                None
            }
        }

        /// What is known of each action, in the order of the list.
        pub const ACTIONS: &[ActionInfo] = &[$($doc_type::INFO,)+];
    };
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

actions! {
    /// Sets or removes labels.
    label: LabelDoc,
    /// Sets or removes annotations.
    annotate: AnnotateDoc,
    /// Cuts a pod off the network.
    quarantine: QuarantineDoc,
    /// Keeps new pods off a node.
    cordon: CordonDoc,
    /// Evicts a pod; PodDisruptionBudgets are respected.
    evict: EvictDoc,
    /// Deletes a pod.
    delete: DeleteDoc,
}
