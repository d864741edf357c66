//! The traffic that all NetworkPolicies of a namespace together still allow for a pod.
//!
//! NetworkPolicies only add permissions. A pod is isolated in a direction once any policy selects it for that
//! direction; from then on, traffic that any of these policies allows is allowed. A quarantine therefore leaks all
//! traffic that other policies allow for the pod.
//! Source: <https://kubernetes.io/docs/concepts/services-networking/network-policies/>

use std::collections::BTreeMap;
use std::fmt;

use k8s_openapi::api::networking::v1::{NetworkPolicy, NetworkPolicyPeer, NetworkPolicyPort};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use serde::Serialize;

use crate::own::QuarantinePolicy;
use crate::selector::Selector;
use crate::snapshot::PolicyEngine;

/// A direction of traffic, seen from the pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum Direction {
    /// To the pod.
    Ingress,
    /// From the pod.
    Egress,
}

impl fmt::Display for Direction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ingress => "ingress",
            Self::Egress => "egress",
        })
    }
}

/// Traffic that another policy still allows for a quarantined pod.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Leak {
    /// The direction of the traffic.
    pub direction: Direction,
    /// The name of the policy.
    pub policy: String,
    /// The peers and ports.
    pub allows: String,
    /// Whether all traffic in this direction is allowed.
    pub is_everything: bool,
}

impl fmt::Display for Leak {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} (policy {})", self.direction, self.allows, self.policy)
    }
}

/// The predicted isolation of a quarantined pod.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Isolation {
    /// No traffic is allowed.
    Isolated,
    /// Only this traffic is allowed.
    IsolatedExcept(Vec<Leak>),
    /// No policy engine was recognised in the cluster: the policies may not be enforced.
    Unverified(Vec<Leak>),
}

impl Isolation {
    /// The traffic still allowed.
    pub fn leaks(&self) -> &[Leak] {
        match self {
            Self::Isolated => &[],
            Self::IsolatedExcept(leaks) | Self::Unverified(leaks) => leaks,
        }
    }

    /// Whether other policies allow all traffic in both directions, so a quarantine isolates nothing.
    pub fn is_futile(&self) -> bool {
        let open = |direction| {
            self.leaks()
                .iter()
                .any(|leak| leak.direction == direction && leak.is_everything)
        };
        open(Direction::Ingress) && open(Direction::Egress)
    }
}

impl fmt::Display for Isolation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |leaks: &[Leak]| leaks.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
        match self {
            Self::Isolated => f.write_str("Isolated"),
            Self::IsolatedExcept(leaks) => write!(f, "IsolatedExcept [{}]", list(leaks)),
            Self::Unverified(leaks) if leaks.is_empty() => {
                f.write_str("Unverified: no policy engine was recognised in the cluster")
            }
            Self::Unverified(leaks) => {
                write!(
                    f,
                    "Unverified: no policy engine was recognised in the cluster; beyond that [{}]",
                    list(leaks)
                )
            }
        }
    }
}

/// The isolation of a quarantined pod with these labels, given all policies of its namespace. The quarantine's own
/// policy is not a leak: the playbook asks for the traffic that it allows. A changed quarantine policy, or a forged
/// one, counts like any other.
pub fn isolation(
    labels: &BTreeMap<String, String>,
    policies: &[NetworkPolicy],
    engine: Option<&PolicyEngine>,
) -> Isolation {
    let mut leaks: Vec<Leak> = policies
        .iter()
        .filter(|policy| !QuarantinePolicy::is_untouched(policy))
        .flat_map(|policy| leaks(labels, policy))
        .collect();
    leaks.sort();
    match engine {
        None => Isolation::Unverified(leaks),
        Some(_) if leaks.is_empty() => Isolation::Isolated,
        Some(_) => Isolation::IsolatedExcept(leaks),
    }
}

fn leaks(labels: &BTreeMap<String, String>, policy: &NetworkPolicy) -> Vec<Leak> {
    let Some(spec) = &policy.spec else { return Vec::new() };
    let selects = spec
        .pod_selector
        .as_ref()
        .is_none_or(|selector| selects(selector, labels));
    if !selects {
        return Vec::new();
    }
    let name = policy.metadata.name.clone().unwrap_or_default();
    let leak = |direction, peers: Option<&Vec<NetworkPolicyPeer>>, ports: Option<&Vec<NetworkPolicyPort>>| Leak {
        direction,
        policy: name.clone(),
        allows: format!("{} on {}", describe_peers(peers, direction), describe_ports(ports)),
        is_everything: ports.is_none_or(Vec::is_empty) && is_everybody(peers),
    };
    // `policyTypes` defaults to Ingress, and also Egress if there are egress rules.
    let types = |wanted: &str| match &spec.policy_types {
        Some(types) if !types.is_empty() => types.iter().any(|kind| kind == wanted),
        _ => wanted == "Ingress" || spec.egress.as_ref().is_some_and(|rules| !rules.is_empty()),
    };
    let mut found = Vec::new();
    if types("Ingress") {
        let rules = spec.ingress.iter().flatten();
        found.extend(rules.map(|rule| leak(Direction::Ingress, rule.from.as_ref(), rule.ports.as_ref())));
    }
    if types("Egress") {
        let rules = spec.egress.iter().flatten();
        found.extend(rules.map(|rule| leak(Direction::Egress, rule.to.as_ref(), rule.ports.as_ref())));
    }
    found
}

fn selects(selector: &LabelSelector, labels: &BTreeMap<String, String>) -> bool {
    // An unreadable selector counts as selecting: a false leak is better than a missed one.
    Selector::of(selector).is_none_or(|selector| selector.matches(labels))
}

/// Whether the peers include every address: no peers at all, or the whole address space without exceptions.
fn is_everybody(peers: Option<&Vec<NetworkPolicyPeer>>) -> bool {
    let Some(peers) = peers.filter(|peers| !peers.is_empty()) else {
        return true;
    };
    peers.iter().any(|peer| {
        peer.ip_block.as_ref().is_some_and(|block| {
            matches!(block.cidr.as_str(), "0.0.0.0/0" | "::/0") && block.except.as_ref().is_none_or(Vec::is_empty)
        })
    })
}

fn describe_peers(peers: Option<&Vec<NetworkPolicyPeer>>, direction: Direction) -> String {
    let preposition = if direction == Direction::Ingress { "from" } else { "to" };
    let Some(peers) = peers.filter(|peers| !peers.is_empty()) else {
        return format!("{preposition} everywhere");
    };
    let described: Vec<String> = peers.iter().map(describe_peer).collect();
    format!("{preposition} {}", described.join(" or "))
}

fn describe_peer(peer: &NetworkPolicyPeer) -> String {
    if let Some(block) = &peer.ip_block {
        return match block.except.as_ref().filter(|except| !except.is_empty()) {
            Some(except) => format!("{} except {}", block.cidr, except.join(", ")),
            None => block.cidr.clone(),
        };
    }
    let pods = |selector: &LabelSelector| match Selector::of(selector) {
        Some(selector) if selector.is_everything() => "all pods".to_owned(),
        Some(selector) => format!("pods with {selector}"),
        None => "pods with an unreadable selector".to_owned(),
    };
    let namespaces = |selector: &LabelSelector| match Selector::of(selector) {
        Some(selector) if selector.is_everything() => "of all namespaces".to_owned(),
        Some(selector) => format!("of namespaces with {selector}"),
        None => "of namespaces with an unreadable selector".to_owned(),
    };
    match (&peer.pod_selector, &peer.namespace_selector) {
        (Some(pod), Some(namespace)) => format!("{} {}", pods(pod), namespaces(namespace)),
        (Some(pod), None) => format!("{} of the namespace", pods(pod)),
        (None, Some(namespace)) => format!("all pods {}", namespaces(namespace)),
        (None, None) => "an empty peer".to_owned(),
    }
}

fn describe_ports(ports: Option<&Vec<NetworkPolicyPort>>) -> String {
    let Some(ports) = ports.filter(|ports| !ports.is_empty()) else {
        return "all ports".to_owned();
    };
    let describe = |port: &NetworkPolicyPort| {
        let protocol = port.protocol.as_deref().unwrap_or("TCP").to_ascii_lowercase();
        match (&port.port, port.end_port) {
            (Some(IntOrString::Int(first)), Some(last)) => format!("{protocol}/{first}-{last}"),
            (Some(IntOrString::Int(number)), None) => format!("{protocol}/{number}"),
            (Some(IntOrString::String(name)), _) => format!("{protocol}/{name}"),
            (None, _) => format!("all of {protocol}"),
        }
    };
    ports.iter().map(describe).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests;
