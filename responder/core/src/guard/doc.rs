//! `kind: Guard` as written, and what it means. Step of the flow: decide (its bounds).

use schemars::{JsonSchema, Schema};
use serde::{Deserialize, Serialize};

use super::rules::{Budget, BudgetScope, ClusterIdentity, Guard, KeepSchedulable, NamespaceMode, Protections};
use crate::class::ActionClass;
use crate::content_hash::ContentHash;
use crate::document::{Findings, Path, Problem};
use crate::manifest::{ApiVersion, MetadataDoc, one};
use crate::mode::Mode;
use crate::object::{Kind, Namespace};
use crate::selector::{LabelSelectorDoc, Selector};
use crate::span::Span;

/// `kind: Guard`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum GuardKind {
    /// What may never be exceeded.
    Guard,
}

/// What may never be exceeded, whatever a playbook says. There is one in a set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Guard")]
pub struct GuardDoc {
    /// `responder.dev/v1alpha1`.
    pub api_version: ApiVersion,
    /// `Guard`.
    pub kind: GuardKind,
    /// Its name.
    pub metadata: MetadataDoc,
    /// The bounds.
    pub spec: GuardSpecDoc,
}

/// The bounds of all responses.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "GuardSpec")]
pub struct GuardSpecDoc {
    /// Which cluster this is. An alert that names another one is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster: Option<ClusterDoc>,
    /// The ceiling of every playbook's mode.
    pub mode: Mode,
    /// Other ceilings for some namespaces: the first entry that selects the target's namespace; otherwise `mode`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub namespaces: Vec<NamespaceModeDoc>,
    /// What is protected on top of the built-in floor.
    #[serde(default)]
    pub protect: ProtectDoc,
    /// Alerts that are older at the decision are refused; 5m by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_alert_age: Option<Span>,
    /// How many distinct targets all playbooks together may act on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub budgets: Vec<BudgetDoc>,
}

/// Which cluster this is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Cluster")]
pub struct ClusterDoc {
    /// Its name, stamped on every record and message.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// The alert field that carries a cluster's name, where a sender adds one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1))]
    pub field: Option<String>,
}

/// Another ceiling for some namespaces.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "NamespaceMode")]
pub struct NamespaceModeDoc {
    /// By the labels of the namespace.
    pub selector: LabelSelectorDoc,
    /// The ceiling there.
    pub mode: Mode,
}

/// What is protected on top of the built-in floor, which nothing switches off: kube-system, responder's own namespace,
/// Falco, CNI, DNS, admission webhooks, mirror pods, control-plane nodes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Protect")]
pub struct ProtectDoc {
    /// Namespaces by name, or by a selector over their labels.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub namespaces: Vec<ProtectedNamespaceDoc>,
    /// What holds of the nodes.
    #[serde(default)]
    pub nodes: ProtectNodesDoc,
}

/// A protected namespace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(rename = "ProtectedNamespace")]
pub enum ProtectedNamespaceDoc {
    /// By name.
    Name(String),
    /// By labels.
    Labels(LabelSelectorDoc),
}

/// What holds of the nodes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "ProtectNodes")]
pub struct ProtectNodesDoc {
    /// How many nodes must stay schedulable, whatever is cordoned.
    #[serde(default)]
    pub keep_schedulable: KeepSchedulableDoc,
}

/// How many nodes must stay schedulable: the larger of both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "KeepSchedulable")]
pub struct KeepSchedulableDoc {
    /// So many nodes.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 100_000))]
    pub min: u32,
    /// So many percent of all nodes, rounded up.
    #[serde(default)]
    #[schemars(range(min = 0, max = 100))]
    pub percent: u32,
}

impl Default for KeepSchedulableDoc {
    fn default() -> Self {
        let KeepSchedulable { min, percent } = KeepSchedulable::default();
        Self { min, percent }
    }
}

/// At most so many distinct targets in a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Budget")]
pub struct BudgetDoc {
    /// Counted over the cluster, each namespace, or each topmost controller.
    pub scope: BudgetScope,
    /// This class of actions and the stronger ones.
    pub class: ActionClass,
    /// Only targets of this kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "target_kinds")]
    pub kind: Option<Kind>,
    /// At most so many.
    #[schemars(range(min = 1, max = 100_000))]
    pub max: u32,
    /// The window.
    pub per: Span,
    /// For the scope Owner: at most so many percent of `spec.replicas`, rounded down, if that is fewer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100))]
    pub percent: Option<u32>,
    /// But never fewer than so many by the percentage.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 100_000))]
    pub at_least: u32,
}

/// The kinds that a response can act on.
fn target_kinds(_: &mut schemars::SchemaGenerator) -> Schema {
    let kinds: Vec<&str> = Kind::ALL
        .into_iter()
        .filter(|kind| !matches!(kind, Kind::Namespace | Kind::NetworkPolicy))
        .map(Kind::as_str)
        .collect();
    schemars::json_schema!({"type": "string", "enum": kinds})
}

/// Compiles a guard. Whatever is wrong is reported; what comes out is only good when nothing was an error.
pub(crate) fn compile_guard(doc: &GuardDoc, findings: &mut Findings<'_>) -> Guard {
    let path = Path::default().key("spec");
    let spec = &doc.spec;
    let namespaces = spec.namespaces.iter().enumerate().filter_map(|(index, entry)| {
        let selector = Selector::compile(
            &entry.selector,
            &path.key("namespaces").index(index).key("selector"),
            findings,
        )?;
        Some(NamespaceMode {
            selector,
            mode: entry.mode,
        })
    });
    let namespaces = namespaces.collect();
    for (index, budget) in spec.budgets.iter().enumerate() {
        check_budget(budget, &path.key("budgets").index(index), findings);
    }
    Guard {
        hash: Some(ContentHash::of(doc)),
        cluster: spec.cluster.as_ref().map(|doc| ClusterIdentity {
            name: doc.name.clone(),
            field: doc.field.clone(),
        }),
        mode: spec.mode,
        namespaces,
        protect: protections(&spec.protect, &path.key("protect"), findings),
        max_alert_age: spec.max_alert_age.unwrap_or(Guard::built_in().max_alert_age),
        budgets: spec.budgets.iter().map(budget).collect(),
    }
}

fn protections(doc: &ProtectDoc, path: &Path, findings: &mut Findings<'_>) -> Protections {
    let KeepSchedulableDoc { min, percent } = doc.nodes.keep_schedulable;
    let mut protections = Protections {
        keep_schedulable: KeepSchedulable { min, percent },
        ..Protections::default()
    };
    for (index, entry) in doc.namespaces.iter().enumerate() {
        let path = path.key("namespaces").index(index);
        match entry {
            ProtectedNamespaceDoc::Labels(labels) => {
                protections.selectors.extend(Selector::compile(labels, &path, findings));
            }
            ProtectedNamespaceDoc::Name(name) => {
                let namespace = Namespace::new(name);
                if namespace.is_none() {
                    let problem = Problem::new(format!("no namespace can be called `{}`", name.escape_debug()));
                    findings.error(
                        &path,
                        problem.help("write its whole name, without globs, or a selector over its labels"),
                    );
                }
                protections.namespaces.extend(namespace);
            }
        }
    }
    protections
}

fn check_budget(doc: &BudgetDoc, path: &Path, findings: &mut Findings<'_>) {
    if doc.percent.is_some() && doc.scope != BudgetScope::Owner {
        let problem = Problem::new("a percentage is of an owner's replicas");
        findings.error(
            &path.key("percent"),
            problem.help("write `scope: Owner`, or leave it out"),
        );
    }
    let is_node = doc.kind == Some(Kind::Node);
    if is_node && doc.scope != BudgetScope::Cluster {
        let problem = Problem::new("a node has neither a namespace nor an owner");
        findings.error(&path.key("scope"), problem.help("write `scope: Cluster`"));
    }
}

fn budget(doc: &BudgetDoc) -> Budget {
    Budget {
        scope: doc.scope,
        class: doc.class,
        kind: doc.kind,
        max: doc.max,
        per: doc.per,
        percent: doc.percent,
        at_least: doc.at_least,
    }
}
