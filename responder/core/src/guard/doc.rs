//! `kind: Guard` as written, and how it compiles. Step of the flow: decide (its bounds).

use schemars::{JsonSchema, Schema};
use serde::{Deserialize, Serialize};

use super::rules::{
    Budget, ClusterIdentity, Guard, KeepSchedulable, NamespaceMode, NamespaceShare, ProtectedOwner, Protections,
    Reserve,
};
use crate::alert::Priority;
use crate::class::ActionClass;
use crate::content_hash::ContentHash;
use crate::custom_kind::CustomKind;
use crate::document::{Findings, Path, Problem};
use crate::limit::BudgetScope;
use crate::manifest::{ApiVersion, MetadataDoc, one};
use crate::mode::Mode;
use crate::object::{Kind, Name, Namespace};
use crate::redact::Redactor;
use crate::selector::{LabelSelectorDoc, Selector};
use crate::span::Span;

/// `kind: Guard`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum GuardKind {
    /// Bounds on all responses.
    Guard,
}

/// Bounds on all responses, which no playbook can exceed. A set has one guard.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Guard")]
pub struct GuardDoc {
    /// `responder.dev/v1alpha1`.
    pub api_version: ApiVersion,
    /// `Guard`.
    pub kind: GuardKind,
    /// The name of the object.
    pub metadata: MetadataDoc,
    /// The bounds.
    pub spec: GuardSpecDoc,
}

/// The bounds of all responses.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "GuardSpec")]
pub struct GuardSpecDoc {
    /// The name of this cluster. Alerts that name another one are refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster: Option<ClusterDoc>,
    /// The ceiling for the mode of every playbook.
    pub mode: Mode,
    /// Other ceilings for some namespaces: that of the first entry that selects the target's namespace; otherwise
    /// `mode`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub namespaces: Vec<NamespaceModeDoc>,
    /// Protections in addition to the built-in floor.
    #[serde(default)]
    pub protect: ProtectDoc,
    /// The namespaces of the sensors and their relays, if they are not in the built-in floor as `falco` is.
    #[serde(default, skip_serializing_if = "SensorsDoc::is_empty")]
    pub sensors: SensorsDoc,
    /// The greatest age of an alert at the decision; older ones are refused. 5m by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_alert_age: Option<Span>,
    /// The longest grace that a deletion takes over from a pod, and the latest end that a pod may be heading for: a
    /// later one is cut. 5m by default. The playbook's own `gracePeriodSeconds` is not cut.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_grace: Option<Span>,
    /// Whether passwords, tokens and keys in an alert's text are replaced by `***` before it reaches a label or an
    /// annotation. On by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub redactor: Option<Redactor>,
    /// Limits on the distinct targets that all playbooks together may act on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub budgets: Vec<BudgetDoc>,
}

/// The name of this cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Cluster")]
pub struct ClusterDoc {
    /// The name, written on every record and message.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// The alert field that carries a cluster's name, if a sender adds one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1))]
    pub field: Option<String>,
}

/// Another ceiling for some namespaces.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "NamespaceMode")]
pub struct NamespaceModeDoc {
    /// Selects namespaces by their labels.
    pub selector: LabelSelectorDoc,
    /// The ceiling in these namespaces.
    pub mode: Mode,
}

/// Protections in addition to the built-in floor, which can't be switched off: the namespaces of Kubernetes, its
/// distributions, network plugins, storage, service meshes and GitOps, those that the API server calls (webhooks, aggregated
/// APIs), responder's own namespace, Falco, mirror pods, control-plane nodes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Protect")]
pub struct ProtectDoc {
    /// Namespaces by name, or by a selector over their labels.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub namespaces: Vec<ProtectedNamespaceDoc>,
    /// Controllers, each with all of its pods. A pod is protected where each reference up to the controller is believed:
    /// the controller exists with the uid of the reference, and selects the pod if its kind has a selector. No label of a
    /// pod protects it, nor does a reference that is not believed. An author of pods in the controller's namespace can put
    /// a pod under it: the protection is a narrower form of that of the namespace.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub owners: Vec<ProtectedOwnerDoc>,
    /// Protections of the nodes.
    #[serde(default)]
    pub nodes: ProtectNodesDoc,
}

/// The sensors and their relays.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Sensors")]
pub struct SensorsDoc {
    /// Whole namespaces of Falco, falcosidekick, NATS. Nothing is done in them, and a host alert's `hostname` may be the name
    /// of a pod in them, which leads to its node. Write only namespaces where no tenant may create pods: a pod of a tenant
    /// there could be called like another's Falco pod.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub namespaces: Vec<String>,
}

impl SensorsDoc {
    fn is_empty(&self) -> bool {
        self.namespaces.is_empty()
    }
}

/// A protected controller: at any height above its pods, not only the topmost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "ProtectedOwner")]
pub struct ProtectedOwnerDoc {
    /// Group and version, such as `argoproj.io/v1alpha1`; the version is not compared. Not needed for Kubernetes' own
    /// kinds. The role must allow to read the controllers of other kinds (`rbac.ownerKinds` of the chart); what can't be
    /// read is not acted on where it may be this controller's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_version: Option<String>,
    /// The kind, such as `Deployment` or `Rollout`.
    pub kind: String,
    /// The namespace of the controller.
    pub namespace: String,
    /// The name of the controller.
    pub name: String,
}

/// A protected namespace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(rename = "ProtectedNamespace")]
pub enum ProtectedNamespaceDoc {
    /// The namespace with this name.
    Name(String),
    /// Namespaces with these labels.
    Labels(LabelSelectorDoc),
}

/// Protections of the nodes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "ProtectNodes")]
pub struct ProtectNodesDoc {
    /// The number of nodes that a cordon or a taint must leave schedulable.
    #[serde(default)]
    pub keep_schedulable: KeepSchedulableDoc,
}

/// How many nodes must stay schedulable: the larger of the two numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "KeepSchedulable")]
pub struct KeepSchedulableDoc {
    /// The number of nodes.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 100_000))]
    pub min: u32,
    /// The percentage of the nodes beside the control plane, rounded up.
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

/// A limit on distinct targets in a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Budget")]
pub struct BudgetDoc {
    /// Whether targets are counted in the cluster, in each namespace, or under each topmost controller.
    pub scope: BudgetScope,
    /// The mildest class of actions that is counted; stronger ones are counted too.
    pub class: ActionClass,
    /// The only kind of target that is counted. By default all kinds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "target_kinds")]
    pub kind: Option<Kind>,
    /// At most this many targets.
    #[schemars(range(min = 1, max = 100_000))]
    pub max: u32,
    /// The length of the window.
    pub per: Span,
    /// For the scope Owner: at most this percentage of its replicas, rounded down, if that is fewer than `max`: of
    /// `spec.replicas`, of `desiredNumberScheduled` of a DaemonSet, of the `scale` of a custom controller. Of an owner
    /// without a number no more than `atLeast`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100))]
    pub percent: Option<u32>,
    /// At least this many targets, even where the percentage is less.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 100_000))]
    pub at_least: u32,
    /// For the scope Cluster: at most this many targets for the alerts of one namespace, or `unlimited`. By default half
    /// of `max`, rounded up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per_namespace: Option<PerNamespaceDoc>,
    /// For the scope Cluster: targets that are kept for urgent alerts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reserve: Option<ReserveDoc>,
}

/// How many targets the alerts of one namespace may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(rename = "PerNamespace")]
pub enum PerNamespaceDoc {
    /// So many.
    Targets(#[schemars(range(min = 1, max = 100_000))] u32),
    /// As many as there are.
    Word(UnlimitedDoc),
}

/// The word for no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Unlimited")]
pub enum UnlimitedDoc {
    /// No limit.
    Unlimited,
}

/// Targets that are kept for urgent alerts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Reserve")]
pub struct ReserveDoc {
    /// The lowest priority of the alerts that they are kept for.
    pub min_priority: Priority,
    /// How many are kept, of `max`.
    #[schemars(range(min = 1, max = 100_000))]
    pub slots: u32,
}

/// The kinds of target that a response can act on.
fn target_kinds(_: &mut schemars::SchemaGenerator) -> Schema {
    let kinds: Vec<&str> = Kind::ALL
        .into_iter()
        .filter(|kind| kind.is_built_in() && !matches!(kind, Kind::Namespace | Kind::NetworkPolicy))
        .map(Kind::as_str)
        .collect();
    schemars::json_schema!({"type": "string", "enum": kinds})
}

/// Compiles a guard and reports all problems. The result is only valid if none of them is an error.
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
        sensors: sensors(&spec.sensors, &path.key("sensors"), findings),
        max_alert_age: spec.max_alert_age.unwrap_or(Guard::built_in().max_alert_age),
        max_grace: spec.max_grace.unwrap_or(Guard::built_in().max_grace),
        redactor: spec.redactor.unwrap_or_default(),
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
                let help = "write its whole name, without globs, or a selector over its labels";
                protections.namespaces.extend(namespace(name, &path, help, findings));
            }
        }
    }
    for (index, entry) in doc.owners.iter().enumerate() {
        let owner = protected_owner(entry, &path.key("owners").index(index), findings);
        protections.owners.extend(owner);
    }
    protections
}

fn sensors(doc: &SensorsDoc, path: &Path, findings: &mut Findings<'_>) -> Vec<Namespace> {
    let names = doc.namespaces.iter().enumerate();
    names
        .filter_map(|(index, name)| {
            let path = path.key("namespaces").index(index);
            namespace(name, &path, "write its whole name, without globs", findings)
        })
        .collect()
}

fn namespace(name: &str, path: &Path, help: &str, findings: &mut Findings<'_>) -> Option<Namespace> {
    let namespace = Namespace::new(name);
    if namespace.is_none() {
        let problem = Problem::new(format!("no namespace can be called `{}`", name.escape_debug()));
        findings.error(path, problem.help(help));
    }
    namespace
}

fn protected_owner(doc: &ProtectedOwnerDoc, path: &Path, findings: &mut Findings<'_>) -> Option<ProtectedOwner> {
    let shown = doc.kind.escape_debug();
    let group = match &doc.api_version {
        None => Kind::OWNERS
            .into_iter()
            .find(|kind| kind.as_str() == doc.kind)
            .map(|kind| kind.group().to_owned()),
        Some(api_version) => {
            let known = Kind::of(api_version, &doc.kind).filter(|kind| Kind::OWNERS.contains(kind));
            let known = known.map(|kind| kind.group().to_owned());
            known.or_else(|| CustomKind::new(api_version, &doc.kind).map(|kind| kind.group().to_owned()))
        }
    };
    if group.is_none() {
        let problem = match &doc.api_version {
            None => Problem::new(format!("`{shown}` is no controller of Kubernetes' own"))
                .help("write the `apiVersion` of its group beside it, such as `argoproj.io/v1alpha1`"),
            Some(api_version) => {
                let group = api_version.escape_debug();
                Problem::new(format!("`{shown}` of `{group}` is no kind of controller"))
                    .help("write `apiVersion` and `kind` as in its manifest; pods are protected by their namespace")
            }
        };
        findings.error(&path.key("kind"), problem);
    }
    let namespace = Namespace::new(&doc.namespace);
    let name = Name::new(&doc.name);
    for (key, is_valid) in [("namespace", namespace.is_some()), ("name", name.is_some())] {
        if !is_valid {
            let problem = Problem::new("this can't be a name");
            findings.error(&path.key(key), problem.help("write the whole name, without globs"));
        }
    }
    Some(ProtectedOwner {
        group: group?,
        kind: doc.kind.clone(),
        namespace: namespace?,
        name: name?,
    })
}

fn check_budget(doc: &BudgetDoc, path: &Path, findings: &mut Findings<'_>) {
    if doc.percent.is_some() && doc.scope != BudgetScope::Owner {
        let problem = Problem::new("a percentage is of an owner's replicas");
        findings.error(
            &path.key("percent"),
            problem.help("write `scope: Owner`, or leave it out"),
        );
    }
    if let (Some(_), BudgetScope::Owner, Some(kind)) = (doc.percent, doc.scope, doc.kind)
        && kind != Kind::Pod
        && kind != Kind::Node
    {
        let problem = Problem::new(format!(
            "a {kind} is one target, so no percentage of its pods can be counted"
        ));
        findings.warn(
            &path.key("percent"),
            problem.help("write `kind: Pod`, or leave `percent` out"),
        );
    }
    check_shares(doc, path, findings);
    let is_node = doc.kind == Some(Kind::Node);
    if is_node && doc.scope != BudgetScope::Cluster {
        let problem = Problem::new("a node has neither a namespace nor an owner");
        findings.error(&path.key("scope"), problem.help("write `scope: Cluster`"));
    }
}

/// Checks what keeps one namespace from a whole budget of the cluster.
fn check_shares(doc: &BudgetDoc, path: &Path, findings: &mut Findings<'_>) {
    if doc.scope != BudgetScope::Cluster {
        for (key, is_written) in [
            ("perNamespace", doc.per_namespace.is_some()),
            ("reserve", doc.reserve.is_some()),
        ] {
            if is_written {
                let problem = Problem::new("only a budget of the whole cluster is shared by namespaces");
                findings.error(&path.key(key), problem.help("write `scope: Cluster`, or leave it out"));
            }
        }
        return;
    }
    if let Some(PerNamespaceDoc::Targets(targets)) = doc.per_namespace
        && targets > doc.max
    {
        let problem = Problem::new(format!("one namespace can't take {targets} of {} targets", doc.max));
        let help = problem.help("write `unlimited` if it may take all of them");
        findings.error(&path.key("perNamespace"), help);
    }
    if let Some(reserve) = doc.reserve
        && reserve.slots >= doc.max
    {
        let problem = Problem::new(format!(
            "{} of {} targets leave nothing for other alerts",
            reserve.slots, doc.max
        ));
        findings.error(
            &path.key("reserve").key("slots"),
            problem.help("write a smaller number"),
        );
    }
    if doc.per_namespace.is_none() && doc.reserve.is_none() && findings.is_clean(path) {
        let half = doc.max.div_ceil(2);
        let problem = Problem::new(format!(
            "alerts of one namespace may take {half} of these {} targets, and none is kept for urgent ones",
            doc.max
        ));
        let help =
            "write `perNamespace: <number>`, or `unlimited`, and `reserve: {minPriority: Critical, slots: <number>}`";
        findings.warn(path, problem.help(help));
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
        per_namespace: match doc.per_namespace {
            None => NamespaceShare::Half,
            Some(PerNamespaceDoc::Targets(targets)) => NamespaceShare::Targets(targets),
            Some(PerNamespaceDoc::Word(UnlimitedDoc::Unlimited)) => NamespaceShare::Unlimited,
        },
        reserve: doc.reserve.map(|reserve| Reserve {
            min_priority: reserve.min_priority,
            slots: reserve.slots,
        }),
    }
}
