//! Limits: those of one playbook (age, cooldown, distinct targets), and the scope of the guard's budgets.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::span::Span;

/// `limits`: in addition to the Guard's limits, never looser.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Limits {
    /// The greatest age of an alert that is acted on; `None` for the guard's.
    pub max_alert_age: Option<Span>,
    /// The pause after a response to the same target or owner.
    pub cooldown: Option<Cooldown>,
    /// The number of distinct targets in a window.
    pub targets: Option<TargetLimit>,
}

/// `limits.cooldown`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cooldown {
    /// Whether the pause covers the target or its whole owner.
    pub per: CooldownScope,
    /// The length of the pause, from the commit of the decision.
    pub length: Span,
}

/// The objects that a cooldown covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
pub enum CooldownScope {
    /// The target. A replacement pod has a new uid and is another target.
    #[default]
    Target,
    /// The owner, including replacements of a pod. A pod without a controller is its own owner.
    Owner,
}

/// `limits.targets`: distinct targets of this playbook in a window. The smaller of the two numbers applies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TargetLimit {
    /// At most this many targets; `None` if only the percentage limits them.
    pub max: Option<u32>,
    /// The length of the window.
    pub per: Span,
    /// At most this percentage of the owner's replicas, rounded down; no more than `at_least` of an unknown number. Does not
    /// apply to bare pods.
    pub percent_of_owner: Option<u32>,
    /// At least this many targets, even where the percentage is less; 1 by default.
    pub at_least: u32,
}

/// The targets that a budget counts together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum BudgetScope {
    /// All targets in the cluster.
    Cluster,
    /// The targets in one namespace.
    Namespace,
    /// The targets under one topmost controller; a bare pod is its own owner.
    Owner,
}
