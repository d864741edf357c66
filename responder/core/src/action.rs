//! Actions: the operations that a step of a playbook can name. Each action has one file and compiles to requests.
//!
//! `contract` defines the interface, `list` enumerates the actions. Two actions that share logic have a file for it:
//! `entries` (label, annotate), `removal` with `ending` (delete, evict), `schedulable` (cordon, taint).

mod annotate;
mod contract;
mod cordon;
mod delete;
mod ending;
mod entries;
mod evict;
mod label;
mod list;
mod quarantine;
mod removal;
mod schedulable;
mod taint;
mod text;

pub use contract::{Action, ActionContext, ActionDoc, ActionInfo, ActionProblem, StepProblem, Widening};
pub use list::{ACTIONS, ActionDocs};
pub use text::{Text, TextDoc};

pub use annotate::AnnotateDoc;
pub use cordon::{CORDONED_AT, CORDONED_BY, CORDONED_FOR, CordonDoc, UNSCHEDULABLE};
pub use delete::DeleteDoc;
pub use ending::PodRemoval;
pub use evict::EvictDoc;
pub use label::LabelDoc;
pub use quarantine::{Detach, QuarantineAllowDoc, QuarantineDoc};
pub use taint::TaintDoc;
