//! The isolation of a quarantined pod: the traffic that policies of all kinds still let through.

use std::collections::BTreeSet;
use std::fmt;

use k8s_openapi::api::networking::v1::NetworkPolicy;
use serde::ser::SerializeStruct as _;
use serde::{Serialize, Serializer};
use serde_json::Value;

use super::direction::Direction;
use super::endpoint::Endpoint;
use super::kind::{EnginePolicy, PolicyEngine, PolicyKind};
use super::rule::{Certainty, Rule, Stage};
use super::walk::{Opening, openings};
use super::{calico, cilium, cluster_policy, coverage, kubernetes};
use crate::object::Locator;
use crate::own::{DenyingKind, QuarantinePolicy};

/// The most leaks, and the most reasons, that a message names.
const MOST_SHOWN: usize = 10;

/// Traffic that another policy still allows for a quarantined pod.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Leak {
    /// The direction of the traffic.
    pub direction: Direction,
    /// The peers and ports.
    pub allows: String,
    /// The policy, such as `policy allow-dns` or `GlobalNetworkPolicy allow-all`.
    pub policy: String,
}

impl fmt::Display for Leak {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} ({})", self.direction, self.allows, self.policy)
    }
}

/// All policies that can decide about a pod's traffic, of every author.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Policies {
    /// The NetworkPolicies of its namespace.
    pub network_policies: Vec<NetworkPolicy>,
    /// The rest.
    pub others: EnginePolicies,
}

/// The policies of other kinds than NetworkPolicies, of the cluster and of one namespace.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct EnginePolicies {
    /// The engine whose workload runs; `None` when none was recognised, and then isolation is unverified.
    pub engine: Option<PolicyEngine>,
    /// The policies.
    pub policies: Vec<EnginePolicy>,
    /// The kinds with which a quarantine can deny, as far as they are served.
    pub can_deny: Vec<DenyingKind>,
    /// Why some could not be read, each a clause; then isolation is unverified too.
    pub unread: Vec<String>,
}

impl EnginePolicies {
    /// Takes a policy with which a quarantine denies as it is in the store, whether or not the list has it.
    pub fn replace(&mut self, at: &Locator, live: &Value) {
        let Some(kind) = DenyingKind::of(at.kind()).map(PolicyKind::of_denying) else {
            return;
        };
        self.policies.retain(|policy| {
            let is_here = policy.kind == kind && policy.name == at.name().as_str();
            !is_here
        });
        self.policies.extend(EnginePolicy::of(kind, live.clone()));
    }

    /// The kind of policy with which a quarantine denies here: one that the engine enforces and the API server serves.
    ///
    /// # Errors
    ///
    /// Why there is none, as a clause.
    pub fn denying_kind(&self) -> Result<DenyingKind, String> {
        let Some(engine) = self.engine else {
            return Err("no policy engine was recognised in the cluster".to_owned());
        };
        let enforced: &[DenyingKind] = match engine {
            PolicyEngine::Cilium => &[DenyingKind::Cilium],
            PolicyEngine::Calico => &[DenyingKind::Calico, DenyingKind::CalicoV3],
            PolicyEngine::Antrea | PolicyEngine::OvnKubernetes | PolicyEngine::KubeOvn | PolicyEngine::Plain(_) => {
                return Err(format!(
                    "no kind of policy that {engine} enforces is denied with in this version"
                ));
            }
        };
        let mut served = enforced.iter().filter(|kind| self.can_deny.contains(kind));
        served.next().copied().ok_or_else(|| {
            let names: Vec<&str> = enforced.iter().map(|kind| kind.as_str()).collect();
            format!(
                "{engine} runs, and the API server does not serve {}",
                names.join(" or ")
            )
        })
    }
}

/// The isolation of a quarantined pod.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Isolation {
    /// The traffic still allowed.
    pub leaks: Vec<Leak>,
    /// The directions in which this is as good as everything.
    pub open: Vec<Direction>,
    /// Why more may be allowed, each a clause; empty if that is certain not to be.
    pub unverified: Vec<String>,
}

impl Isolation {
    /// Whether all traffic is let through in both directions, so that a quarantine isolates nothing.
    pub fn is_futile(&self) -> bool {
        Direction::BOTH.iter().all(|direction| self.open.contains(direction))
    }

    /// The leaks in one direction.
    pub fn leaks_of(&self, direction: Direction) -> impl Iterator<Item = &Leak> {
        self.leaks.iter().filter(move |leak| leak.direction == direction)
    }
}

impl Serialize for Isolation {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let is = match (self.unverified.is_empty(), self.leaks.is_empty()) {
            (true, true) => "isolated",
            (true, false) => "isolatedExcept",
            (false, _) => "unverified",
        };
        let mut fields = serializer.serialize_struct("Isolation", 4)?;
        fields.serialize_field("is", is)?;
        fields.serialize_field("leaks", &self.leaks)?;
        fields.serialize_field("open", &self.open)?;
        fields.serialize_field("because", &self.unverified)?;
        fields.end()
    }
}

impl fmt::Display for Isolation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (leaks, unverified) = (shown(&self.leaks), shown(&self.unverified));
        match (self.unverified.is_empty(), self.leaks.is_empty()) {
            (true, true) => f.write_str("Isolated"),
            (true, false) => write!(f, "IsolatedExcept [{leaks}]"),
            (false, true) => write!(f, "Unverified: {unverified}"),
            (false, false) => write!(f, "Unverified: {unverified}; beyond that [{leaks}]"),
        }
    }
}

/// The first of a list, and how many follow.
fn shown(list: &[impl fmt::Display]) -> String {
    let mut shown: Vec<String> = list.iter().take(MOST_SHOWN).map(ToString::to_string).collect();
    if let Some(more) = list.len().checked_sub(MOST_SHOWN).filter(|more| *more > 0) {
        shown.push(format!("and {more} more"));
    }
    shown.join("; ")
}

/// The isolation of a pod in quarantine. The quarantine's own policy is not a leak: the playbook asks for the traffic that
/// it allows. A changed quarantine policy, or a forged one, counts like any other. A policy of the quarantine that denies is a
/// rule among the others: what the engine tries before it still leaks.
pub fn isolation(endpoint: &Endpoint, policies: &Policies) -> Isolation {
    let mut unverified = policies.others.unread.clone();
    if policies.others.engine.is_none() {
        unverified.insert(0, "no policy engine was recognised in the cluster".to_owned());
    }
    unverified.extend(not_understood(&policies.others));
    let (mut leaks, mut open) = (Vec::new(), Vec::new());
    for direction in Direction::BOTH {
        let stages = stages(endpoint, policies, direction, &mut unverified);
        let found = openings(&stages);
        if coverage::is_open(&found) {
            open.push(direction);
        }
        leaks.extend(found.iter().map(|opening| leak(opening, direction)));
    }
    // A policy that is not understood is so in both directions.
    let mut told = BTreeSet::new();
    unverified.retain(|because| told.insert(because.clone()));
    leaks.sort();
    leaks.dedup();
    Isolation {
        leaks,
        open,
        unverified,
    }
}

fn leak(opening: &Opening<'_>, direction: Direction) -> Leak {
    let Rule {
        traffic,
        policy,
        conditions,
        ..
    } = opening.rule;
    let conditions: String = conditions.iter().map(|condition| format!(", {condition}")).collect();
    Leak {
        direction,
        allows: format!(
            "{} {} on {}{conditions}",
            direction.preposition(),
            traffic.peers,
            traffic.ports
        ),
        policy: policy.clone(),
    }
}

/// The stages in the order in which the engine tries them. Where an engine is not known to run, its policies can leak and
/// deny nothing.
fn stages(endpoint: &Endpoint, policies: &Policies, direction: Direction, unverified: &mut Vec<String>) -> Vec<Stage> {
    let of = |kinds: &[PolicyKind]| -> Vec<&EnginePolicy> {
        let all = policies.others.policies.iter();
        all.filter(|policy| kinds.contains(&policy.kind)).collect()
    };
    let by = |engines: &[PolicyEngine]| match policies.others.engine {
        Some(engine) if engines.contains(&engine) => Certainty::Exactly,
        Some(_) | None => Certainty::AtMost,
    };
    let network_policies: Vec<Rule> = policies
        .network_policies
        .iter()
        .filter(|policy| !QuarantinePolicy::is_untouched(policy))
        .flat_map(|policy| kubernetes::rules(policy, endpoint, direction))
        .collect();
    let of_administrator = of(&[PolicyKind::ClusterNetworkPolicy, PolicyKind::AdminNetworkPolicy]);
    let enforced = by(&[
        PolicyEngine::OvnKubernetes,
        PolicyEngine::Plain("kube-network-policies"),
    ]);
    let before = Stage {
        rules: cluster_policy::rules(&of_administrator, endpoint, direction, enforced, unverified),
        denies_the_rest: false,
    };
    let of_cilium = of(&[
        PolicyKind::CiliumClusterwideNetworkPolicy,
        PolicyKind::CiliumNetworkPolicy,
    ]);
    let mut rules = cilium::rules(&of_cilium, endpoint, direction, by(&[PolicyEngine::Cilium]), unverified);
    rules.extend(network_policies);
    let of_calico = of(&[
        PolicyKind::CalicoTier,
        PolicyKind::CalicoGlobalNetworkPolicy,
        PolicyKind::CalicoNetworkPolicy,
    ]);
    let of_calico: Vec<EnginePolicy> = of_calico
        .into_iter()
        .map(EnginePolicy::without_allowances_of_ours)
        .collect();
    let of_calico: Vec<&EnginePolicy> = of_calico.iter().collect();
    let enforced = by(&[PolicyEngine::Calico]);
    let mut stages = vec![before];
    stages.extend(calico::stages(
        &of_calico, rules, endpoint, direction, enforced, unverified,
    ));
    stages
}

/// Policies of kinds whose rules are not understood.
fn not_understood(others: &EnginePolicies) -> Option<String> {
    let of_antrea = others.policies.iter().filter(|policy| {
        matches!(
            policy.kind,
            PolicyKind::AntreaClusterNetworkPolicy | PolicyKind::AntreaNetworkPolicy
        )
    });
    let names: Vec<String> = of_antrea.map(ToString::to_string).collect();
    let first = names.first()?;
    let more = names.len() - 1;
    Some(match more {
        0 => format!("{first} is not understood and may allow more"),
        more => format!("{first} and {more} more are not understood and may allow more"),
    })
}

#[cfg(test)]
mod tests;
