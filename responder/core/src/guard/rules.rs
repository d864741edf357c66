//! The Guard's rules, compiled: mode ceilings, protections, maximum age, budgets.

use crate::class::ActionClass;
use crate::content_hash::ContentHash;
use crate::mode::Mode;
use crate::object::{Kind, Namespace};
use crate::selector::Selector;
use crate::span::Span;

/// What the platform team wrote, compiled. The built-in floor of protections is not in here: it always holds.
#[derive(Debug)]
pub struct Guard {
    /// Of the document as written; `None` for the built-in one.
    pub hash: Option<ContentHash>,
    /// Which cluster this is.
    pub cluster: Option<ClusterIdentity>,
    /// The ceiling for every playbook.
    pub mode: Mode,
    /// Ceilings by namespace, first that selects; otherwise `mode`.
    pub namespaces: Vec<NamespaceMode>,
    /// Added to the built-in floor.
    pub protect: Protections,
    /// The oldest alert that is acted on; 5 minutes by default.
    pub max_alert_age: Span,
    /// Over distinct targets.
    pub budgets: Vec<Budget>,
}

impl Guard {
    /// The guard of those who wrote none: the floor, no budgets, and no ceiling of its own (then the process' ceiling
    /// is Observe unless `--mode` says more).
    pub fn built_in() -> Self {
        Self {
            hash: None,
            cluster: None,
            mode: Mode::Enforce,
            namespaces: Vec::new(),
            protect: Protections::default(),
            max_alert_age: Span::minutes::<5>(),
            budgets: Vec::new(),
        }
    }
}

/// Which cluster this is, and the alert field that says so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterIdentity {
    /// Its name.
    pub name: String,
    /// The field of the alerts' `output_fields` that carries the name, where a sender adds it.
    pub field: Option<String>,
}

/// One entry of the guard's `namespaces`.
#[derive(Debug)]
pub struct NamespaceMode {
    /// Over namespace labels.
    pub selector: Selector,
    /// The ceiling there.
    pub mode: Mode,
}

/// What is protected on top of the floor.
#[derive(Debug, Default)]
pub struct Protections {
    /// By name.
    pub namespaces: Vec<Namespace>,
    /// By namespace labels; never by pod labels, which a tenant can write.
    pub selectors: Vec<Selector>,
    /// How many nodes stay schedulable, whatever is cordoned.
    pub keep_schedulable: KeepSchedulable,
}

/// How many nodes must stay schedulable: the larger of both. At least one always does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeepSchedulable {
    /// So many nodes; 1 by default.
    pub min: u32,
    /// So many percent of all nodes, rounded up; 0 by default.
    pub percent: u32,
}

impl KeepSchedulable {
    /// How many of so many nodes must stay schedulable.
    pub fn of(self, nodes: usize) -> usize {
        let share = (nodes * self.percent.min(100) as usize).div_ceil(100);
        share.max(self.min as usize).max(1)
    }
}

impl Default for KeepSchedulable {
    fn default() -> Self {
        Self { min: 1, percent: 0 }
    }
}

/// What a budget counts over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
pub enum BudgetScope {
    /// All targets.
    Cluster,
    /// The targets of one namespace.
    Namespace,
    /// The targets under one topmost controller; a bare pod is its own owner.
    Owner,
}

/// At most so many distinct targets in a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// Over what.
    pub scope: BudgetScope,
    /// This class and the stronger ones.
    pub class: ActionClass,
    /// Only targets of this kind; all by default.
    pub kind: Option<Kind>,
    /// At most so many.
    pub max: u32,
    /// The window.
    pub per: Span,
    /// For `scope: Owner`: at most so many percent of `spec.replicas`, rounded down, if that is fewer.
    pub percent: Option<u32>,
    /// But never fewer than so many by the percentage; 1 by default.
    pub at_least: u32,
}
