//! Playbooks: what SREs write, and what it means. `…Doc` types are as written; the plain names are compiled.
//!
//! Step of the flow: match. Reading files is `load` (with [`document`](crate::document)), meaning is `compile`, finding the
//! playbooks of an alert is `index`, and the parts that read the live object are `live`.

use std::path::PathBuf;
use std::time::Duration;

use jiff::Timestamp;

use crate::action::Action;
use crate::class::ActionClass;
use crate::content_hash::ContentHash;
use crate::corroboration::Corroboration;
use crate::limit::{CooldownScope, Limits};
use crate::mode::Mode;
use crate::notify::Notify;
use crate::on_failure::OnFailure;
use crate::playbook_name::PlaybookName;
use crate::selector::Selector;
use crate::snapshot::Needs;
use crate::target::TargetKind;

mod alert_match;
mod compile;
pub mod doc;
mod expression;
mod fields;
mod index;
mod later;
mod lint;
mod live;
mod load;
mod pattern;
mod schema;
#[cfg(test)]
mod testing;

pub use alert_match::AlertMatch;
pub use index::Index;
pub use live::LiveMatch;
pub use load::{Loaded, load};
pub use schema::schema;

/// A playbook, compiled.
#[derive(Debug)]
pub struct Playbook {
    /// `metadata.name`.
    pub name: PlaybookName,
    /// Of the document as written: what was decided by is always known by content.
    pub hash: ContentHash,
    /// The file, where it came from one.
    pub file: Option<PathBuf>,
    /// `spec.description`.
    pub description: String,
    /// `spec.mode`.
    pub mode: Mode,
    /// `spec.rollout`.
    pub rollout: Vec<Rollout>,
    /// The part of `spec.match` that reads the alert.
    pub alert_match: AlertMatch,
    /// The part of `spec.match` that reads the live object.
    pub live_match: LiveMatch,
    /// `spec.except`.
    pub except: Vec<Exception>,
    /// `spec.target`.
    pub target: TargetKind,
    /// `spec.corroboration`.
    pub corroboration: Corroboration,
    /// `spec.order`: on one target higher first, then by name.
    pub order: i32,
    /// `spec.limits`.
    pub limits: Limits,
    /// `spec.steps`.
    pub steps: Vec<Step>,
    /// `spec.notify`.
    pub notify: Vec<Notify>,
}

impl Playbook {
    /// The strongest class of its steps.
    pub fn class(&self) -> ActionClass {
        self.steps
            .iter()
            .map(|step| step.action.class())
            .max()
            .unwrap_or(ActionClass::Notify)
    }

    /// What its decision must see: the live part of its match, its exceptions, its rollout, its limits and its steps.
    pub fn needs(&self) -> Needs {
        let mut needs = self.live_match.needs();
        for exception in &self.except {
            needs = needs.union(exception.live_match.needs());
        }
        for step in &self.steps {
            needs = needs.union(step.action.needs());
        }
        needs.namespace |= !self.rollout.is_empty();
        needs.owners |= self.target == TargetKind::Owner
            || self
                .limits
                .cooldown
                .is_some_and(|cooldown| cooldown.per == CooldownScope::Owner)
            || self
                .limits
                .targets
                .is_some_and(|limit| limit.percent_of_owner.is_some());
        needs.node |= self.target == TargetKind::Node;
        needs
    }
}

/// One entry of `rollout`.
#[derive(Debug)]
pub struct Rollout {
    /// Over the labels of the target's namespace.
    pub namespaces: Selector,
    /// The mode there.
    pub mode: Mode,
}

/// One entry of `except`.
#[derive(Debug)]
pub struct Exception {
    /// The part that reads the alert.
    pub alert_match: AlertMatch,
    /// The part that reads the live object.
    pub live_match: LiveMatch,
    /// Why.
    pub reason: String,
    /// From then on it no longer excepts.
    pub expires_at: Option<Timestamp>,
}

/// One step.
#[derive(Debug)]
pub struct Step {
    /// Its own name, else the action's.
    pub name: String,
    /// What it does.
    pub action: Box<dyn Action>,
    /// For all its requests together; 30 s by default.
    pub timeout: Duration,
    /// What happens to the rest when it fails.
    pub on_failure: OnFailure,
}
