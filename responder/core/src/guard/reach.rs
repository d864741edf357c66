//! What a pod can still reach, or be reached by, under all NetworkPolicies of its namespace.
//!
//! NetworkPolicies only ever add permissions: a pod is isolated in a direction once any policy selects it for that
//! direction, and then whatever any of them allows is allowed. So a quarantine leaks whatever another policy that
//! selects the pod allows. Source: <https://kubernetes.io/docs/concepts/services-networking/network-policies/>

use std::collections::BTreeMap;
use std::fmt;

use k8s_openapi::api::networking::v1::{NetworkPolicy, NetworkPolicyPeer, NetworkPolicyPort};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use serde::Serialize;

use super::quarantine_policy::is_untouched_policy;
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

/// Traffic that a policy of somebody else still allows.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Leak {
    /// Which way.
    pub direction: Direction,
    /// The policy that allows it.
    pub policy: String,
    /// With whom and on which ports.
    pub allows: String,
    /// Whether it allows everything in this direction.
    pub is_everything: bool,
}

impl fmt::Display for Leak {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} (policy {})", self.direction, self.allows, self.policy)
    }
}

/// How far a quarantined pod is isolated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Isolation {
    /// Nothing gets in or out.
    Isolated,
    /// Nothing but this.
    IsolatedExcept(Vec<Leak>),
    /// No policy engine was recognised in the cluster: the policies are there, and perhaps nobody enforces them.
    Unverified(Vec<Leak>),
}

impl Isolation {
    /// What leaks.
    pub fn leaks(&self) -> &[Leak] {
        match self {
            Self::Isolated => &[],
            Self::IsolatedExcept(leaks) | Self::Unverified(leaks) => leaks,
        }
    }

    /// Whether others allow everything in both directions, so that a quarantine would isolate nothing.
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

/// How far a pod with these labels is isolated by its quarantine, given all policies of its namespace. The policy of a
/// quarantine is no leak: what it allows, the playbook asked for. One that was changed to allow more, or that somebody
/// made to look like ours, counts like any other.
pub fn isolation(
    labels: &BTreeMap<String, String>,
    policies: &[NetworkPolicy],
    engine: Option<&PolicyEngine>,
) -> Isolation {
    let mut leaks: Vec<Leak> = policies
        .iter()
        .filter(|policy| !is_untouched_policy(policy))
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
    // `policyTypes` defaults to Ingress, and Egress besides where there are egress rules.
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
    // A selector that can't be read is taken to select: a leak that is none is better than one that is missed.
    Selector::of(selector).is_none_or(|selector| selector.matches(labels))
}

/// No peers at all means everybody; so does the whole address space without an exception.
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
        None => "pods by an unreadable selector".to_owned(),
    };
    let namespaces = |selector: &LabelSelector| match Selector::of(selector) {
        Some(selector) if selector.is_everything() => "of all namespaces".to_owned(),
        Some(selector) => format!("of namespaces with {selector}"),
        None => "of namespaces by an unreadable selector".to_owned(),
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
