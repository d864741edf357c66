//! Actions: what a step of a playbook can do. One file an action; an action compiles to requests.
//!
//! The terms of an action are `contract`, all of them are enumerated in `list`. What two of them share is a file too:
//! `entries` (label, annotate), `removal` (delete, evict), `schedulable` (cordon, taint).

mod annotate;
mod contract;
mod cordon;
mod delete;
mod entries;
mod evict;
mod label;
mod list;
mod quarantine;
mod removal;
mod schedulable;
mod taint;
mod text;

pub use contract::{Action, ActionContext, ActionDoc, ActionInfo, ActionProblem, Widening};
pub use list::{ACTIONS, ActionDocs};
pub use text::{Text, TextDoc};

pub use annotate::AnnotateDoc;
pub use cordon::{CORDONED_AT, CORDONED_BY, CORDONED_FOR, CordonDoc, UNSCHEDULABLE};
pub use delete::DeleteDoc;
pub use evict::EvictDoc;
pub use label::LabelDoc;
pub use quarantine::{Detach, QuarantineAllowDoc, QuarantineDoc};
pub use taint::TaintDoc;
