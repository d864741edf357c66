//! Playbooks: the documents that SREs write, and their compiled form. `…Doc` types are as written; the plain names are
//! compiled.
//!
//! Step of the flow: match. `load` reads files (with [`document`](crate::document)), `compile` checks their meaning,
//! `index` finds the playbooks of an alert, and `live` holds the parts that read the live object.

use std::collections::BTreeSet;
use std::iter;
use std::path::PathBuf;
use std::time::Duration;

use jiff::Timestamp;

use crate::action::Action;
use crate::class::ActionClass;
use crate::content_hash::ContentHash;
use crate::corroboration::Corroboration;
use crate::guard::Stock;
use crate::limit::{CooldownScope, Limits};
use crate::mode::Mode;
use crate::notify::Notify;
use crate::on_failure::OnFailure;
use crate::playbook_name::PlaybookName;
use crate::quarantined::QuarantinedPods;
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

/// A compiled playbook.
#[derive(Debug)]
pub struct Playbook {
    /// `metadata.name`.
    pub name: PlaybookName,
    /// The hash of the document as written: a record names the version that decided.
    pub hash: ContentHash,
    /// The file that the playbook was read from, if any.
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
    /// `spec.quarantined`.
    pub quarantined: QuarantinedPods,
    /// `spec.order`: for the same target, playbooks with a higher order come first, then by name.
    pub order: i32,
    /// `spec.limits`.
    pub limits: Limits,
    /// `spec.steps`.
    pub steps: Vec<Step>,
    /// `spec.notify`.
    pub notify: Vec<Notify>,
}

impl Playbook {
    /// The strongest class of the steps, without the branches that start later.
    pub fn class(&self) -> ActionClass {
        let classes = self.steps.iter().map(|step| step.class);
        classes.max().unwrap_or(ActionClass::Notify)
    }

    /// The strongest class that a response can come to, branches and ends included.
    pub fn strongest_class(&self) -> ActionClass {
        let classes = self.alternatives().flat_map(|step| {
            let strongest = step.action.strongest_class(self.target);
            [Some(strongest), step.action.end_class()].into_iter().flatten()
        });
        classes.max().unwrap_or(ActionClass::Notify)
    }

    /// Every step, each followed by those that run instead of it.
    pub fn alternatives(&self) -> impl Iterator<Item = &Step> {
        self.steps.iter().flat_map(Step::alternatives)
    }

    /// Whether an expression reads the alert, whose every part then counts for the decision.
    pub fn has_expression_on_alert(&self) -> bool {
        self.live_matches().any(LiveMatch::reads_alert)
    }

    /// The stocks that its steps draw on.
    pub fn reserves(&self) -> Vec<Stock> {
        let stocks = self.alternatives().flat_map(|step| step.action.reserves());
        stocks.copied().collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// Whether a condition is an expression, which takes milliseconds where a tenant's objects are large.
    pub fn has_expression(&self) -> bool {
        self.live_matches().any(LiveMatch::has_expression)
    }

    fn live_matches(&self) -> impl Iterator<Item = &LiveMatch> {
        let exceptions = self.except.iter().map(|exception| &exception.live_match);
        exceptions.chain([&self.live_match])
    }

    /// The parts of a snapshot that the live match, the exceptions, the rollout, the limits and the steps read.
    pub fn needs(&self) -> Needs {
        let mut needs = self.live_match.needs();
        for exception in &self.except {
            needs = needs.union(exception.live_match.needs());
        }
        for step in self.alternatives() {
            needs = needs.union(step.action.needs(self.target));
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

/// An entry of `rollout`.
#[derive(Debug)]
pub struct Rollout {
    /// Selects by the labels of the target's namespace.
    pub namespaces: Selector,
    /// The mode in these namespaces.
    pub mode: Mode,
}

/// An entry of `except`.
#[derive(Debug)]
pub struct Exception {
    /// The conditions on the alert.
    pub alert_match: AlertMatch,
    /// The conditions on the live object.
    pub live_match: LiveMatch,
    /// The reason, for the refusal and the trace.
    pub reason: String,
    /// The time from which the exception has no effect; `None` for never.
    pub expires_at: Option<Timestamp>,
}

/// A step of a playbook, compiled.
#[derive(Debug)]
pub struct Step {
    /// The step's own name, or else the action's.
    pub name: String,
    /// The compiled action, with its parameters.
    pub action: Box<dyn Action>,
    /// The class of the action on the playbook's target.
    pub class: ActionClass,
    /// The time for all requests of the step together, retries included; 30 s by default.
    pub timeout: Duration,
    /// How the plan continues when the step fails.
    pub on_failure: OnFailure,
    /// The step that runs instead, if this one can't be done or fails.
    pub otherwise: Option<Box<Step>>,
}

impl Step {
    /// The step, then those that run instead of it, in order.
    pub fn alternatives(&self) -> impl Iterator<Item = &Self> {
        iter::successors(Some(self), |step| step.otherwise.as_deref())
    }
}
