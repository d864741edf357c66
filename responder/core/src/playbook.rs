//! Playbooks: what SREs write, and what it means. `…Doc` types are as written; the plain names are compiled.
//!
//! Step of the flow: match. Reading files is `load` (with [`document`](crate::document)), meaning is `compile`, finding the
//! playbooks of an alert is `index`, and the parts that read the live object are `live`.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::action::{Action, ActionClass};
use crate::mode::Mode;
use crate::snapshot::Needs;
use crate::span::Span;
use crate::target::TargetKind;

mod alert_match;
mod compile;
pub mod doc;
mod expression;
mod fields;
mod hash;
mod index;
mod later;
mod lint;
mod live;
mod load;
mod pattern;
mod schema;
mod selector;
#[cfg(test)]
mod testing;

pub use alert_match::AlertMatch;
pub use index::Index;
pub use live::LiveMatch;
pub use load::{Loaded, load};
pub use schema::schema;
pub use selector::Selector;

pub use crate::document::{Diagnostic, Diagnostics, Severity, SourceFile};

pub(crate) use compile::selector as compile_selector;

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

/// The name of a playbook.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct PlaybookName(Arc<str>);

impl PlaybookName {
    /// The name, if it is a DNS subdomain as Kubernetes asks of `metadata.name`.
    pub fn new(text: &str) -> Option<Self> {
        crate::object::Name::new(text).map(|name| Self(name.as_str().into()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for PlaybookName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// SHA-256 of a document as written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ContentHash(pub [u8; 32]);

impl fmt::Display for ContentHash {
    /// Twelve hexadecimal digits: enough to tell versions of one playbook apart.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().take(6).try_for_each(|byte| write!(f, "{byte:02x}"))
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

/// How sure the alert's target must be. Ordered: `Named < PodUid < Container`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize, JsonSchema)]
pub enum Corroboration {
    /// By name only, and the live pod is older than the alert.
    Named,
    /// The alert carries the uid of the live pod.
    PodUid,
    /// A current or last container of the live pod has the alert's container id.
    #[default]
    Container,
}

impl Corroboration {
    /// The name as in a playbook.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Named => "Named",
            Self::PodUid => "PodUid",
            Self::Container => "Container",
        }
    }
}

impl fmt::Display for Corroboration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// `limits`: on top of the Guard's, never looser.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Limits {
    /// The oldest alert that is acted on; `None` leaves it to the guard.
    pub max_alert_age: Option<Span>,
    /// How long the same target or owner is left alone.
    pub cooldown: Option<Cooldown>,
    /// How many distinct targets in a window.
    pub targets: Option<TargetLimit>,
}

/// `limits.cooldown`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cooldown {
    /// Whose.
    pub per: CooldownScope,
    /// How long, from the commit of the decision.
    pub length: Span,
}

/// Whose cooldown it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
pub enum CooldownScope {
    /// The target's. A replacement pod has a new uid and is another target.
    #[default]
    Target,
    /// The owner's: it covers the replacements of a pod as well. A pod without a controller counts as its own owner.
    Owner,
}

/// `limits.targets`: distinct targets of this playbook in a window; the smaller of the numbers wins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TargetLimit {
    /// At most so many; `None` where only the percentage limits.
    pub max: Option<u32>,
    /// The window.
    pub per: Span,
    /// At most so many percent of the owner's `spec.replicas`, rounded down. Bare pods skip it.
    pub percent_of_owner: Option<u32>,
    /// But never fewer than so many by the percentage; 1 by default.
    pub at_least: u32,
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

/// What happens to the rest of a plan when a step fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
pub enum OnFailure {
    /// Nothing more is done; what was done stays done and is reported.
    #[default]
    Stop,
    /// The next step is done all the same.
    Continue,
    /// What was done before is undone, the last first.
    Revert,
}

/// One entry of `notify`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notify {
    /// The receivers.
    pub to: Vec<String>,
    /// The moments.
    pub on: Vec<NotifyMoment>,
}

/// The moments at which somebody can be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum NotifyMoment {
    /// All steps were done (or rehearsed, or observed).
    Acted,
    /// The decision was to do nothing.
    Refused,
    /// A step failed.
    Failed,
    /// The time of a quarantine ran out.
    Expired,
}
