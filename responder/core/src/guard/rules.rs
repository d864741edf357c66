//! The compiled guard: mode ceilings, protections, maximum age, budgets.

use crate::alert::Priority;
use crate::class::ActionClass;
use crate::content_hash::ContentHash;
use crate::limit::BudgetScope;
use crate::mode::Mode;
use crate::object::{Kind, Name, Namespace};
use crate::redact::Redactor;
use crate::selector::Selector;
use crate::span::Span;

/// The platform team's bounds, compiled. The built-in floor of protections is not included: it always holds.
#[derive(Debug)]
pub struct Guard {
    /// The hash of the document; `None` for the built-in guard.
    pub hash: Option<ContentHash>,
    /// The cluster's name; `None` if the guard does not give one.
    pub cluster: Option<ClusterIdentity>,
    /// The ceiling for the mode of every playbook.
    pub mode: Mode,
    /// Ceilings by namespace: that of the first entry that selects the target's namespace; otherwise `mode`.
    pub namespaces: Vec<NamespaceMode>,
    /// Protections in addition to the built-in floor.
    pub protect: Protections,
    /// Namespaces of sensors and their relays, in addition to those of the floor: protected, and host alerts may name pods of
    /// them.
    pub sensors: Vec<Namespace>,
    /// The greatest age of an alert that is acted on; 5 minutes by default.
    pub max_alert_age: Span,
    /// The longest grace that a deletion takes over from a pod; 5 minutes by default.
    pub max_grace: Span,
    /// What takes secrets out of an alert's text before it reaches a label or an annotation.
    pub redactor: Redactor,
    /// Limits on distinct targets of all playbooks together.
    pub budgets: Vec<Budget>,
}

impl Guard {
    /// The guard without a document: the floor, one node an hour, and no ceiling of its own. (The process' ceiling is Observe
    /// unless `--mode` raises it.)
    pub fn built_in() -> Self {
        Self {
            hash: None,
            cluster: None,
            mode: Mode::Enforce,
            namespaces: Vec::new(),
            protect: Protections::default(),
            sensors: Vec::new(),
            max_alert_age: Span::minutes::<5>(),
            max_grace: Span::minutes::<5>(),
            redactor: Redactor::On,
            budgets: vec![Budget::ONE_NODE_AN_HOUR],
        }
    }
}

/// The name of this cluster, and the alert field that carries it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterIdentity {
    /// The name of this cluster.
    pub name: String,
    /// The field in the alerts' `output_fields` that carries a cluster's name; `None` if no sender adds one.
    pub field: Option<String>,
}

/// An entry of the guard's `namespaces`.
#[derive(Debug)]
pub struct NamespaceMode {
    /// Selects namespaces by their labels.
    pub selector: Selector,
    /// The ceiling in these namespaces.
    pub mode: Mode,
}

/// Protections in addition to the floor.
#[derive(Debug, Default)]
pub struct Protections {
    /// Namespaces by name.
    pub namespaces: Vec<Namespace>,
    /// Namespaces by their labels; never by pod labels, which tenants can write.
    pub selectors: Vec<Selector>,
    /// Controllers, with all of their pods.
    pub owners: Vec<ProtectedOwner>,
    /// The number of nodes that a cordon or a taint must leave schedulable.
    pub keep_schedulable: KeepSchedulable,
}

/// A controller that is protected with all of its pods, of a known or a custom kind in any version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProtectedOwner {
    /// The API group; empty for the core group.
    pub group: String,
    /// The kind.
    pub kind: String,
    /// The controller's namespace.
    pub namespace: Namespace,
    /// The controller's name.
    pub name: Name,
}

/// How many nodes must stay schedulable: the larger of the two numbers, and at least 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeepSchedulable {
    /// The number of nodes; 1 by default.
    pub min: u32,
    /// The percentage of the nodes beside the control plane, rounded up; 0 by default.
    pub percent: u32,
}

impl KeepSchedulable {
    /// The number that must stay schedulable, of `nodes` beside the control plane.
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

/// A limit on distinct targets in a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// The targets that are counted together.
    pub scope: BudgetScope,
    /// The mildest class that is counted; stronger ones are counted too.
    pub class: ActionClass,
    /// The only kind of target that is counted; `None` for all.
    pub kind: Option<Kind>,
    /// At most this many targets.
    pub max: u32,
    /// The length of the window.
    pub per: Span,
    /// For `scope: Owner`: at most this percentage of its replicas, rounded down, if that is fewer than `max`.
    pub percent: Option<u32>,
    /// At least this many targets, even where the percentage is less; 1 by default.
    pub at_least: u32,
    /// For `scope: Cluster`: the share of it that one namespace may take.
    pub per_namespace: NamespaceShare,
    /// For `scope: Cluster`: the part of it that is kept.
    pub reserve: Option<Reserve>,
}

/// The share of a budget of the cluster that the alerts of one namespace may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum NamespaceShare {
    /// Half of it, rounded up.
    #[default]
    Half,
    /// So many targets.
    Targets(u32),
    /// All of it.
    Unlimited,
}

/// The part of a budget that is kept for urgent alerts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reserve {
    /// The lowest priority that it is kept for.
    pub min_priority: Priority,
    /// The number of targets.
    pub slots: u32,
}

impl Budget {
    /// The budget without a guard: a sender of alerts can name any host, and must not empty the cluster of nodes.
    const ONE_NODE_AN_HOUR: Self = Self {
        scope: BudgetScope::Cluster,
        class: ActionClass::Contain,
        kind: Some(Kind::Node),
        max: 1,
        per: Span::minutes::<60>(),
        percent: None,
        at_least: 1,
        per_namespace: NamespaceShare::Half,
        reserve: None,
    };

    /// The most targets that the alerts of one namespace may take; `None` for no such limit.
    pub const fn most_per_namespace(&self) -> Option<u32> {
        match (self.scope, self.per_namespace) {
            (BudgetScope::Namespace | BudgetScope::Owner, _) | (_, NamespaceShare::Unlimited) => None,
            (BudgetScope::Cluster, NamespaceShare::Half) => Some(self.max.div_ceil(2)),
            (BudgetScope::Cluster, NamespaceShare::Targets(targets)) => Some(targets),
        }
    }
}
