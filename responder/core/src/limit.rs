//! The limits of one playbook: age, cooldown, distinct targets.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::span::Span;

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
