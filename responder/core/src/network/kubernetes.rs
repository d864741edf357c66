//! NetworkPolicies: they only allow, and a pod that one of them selects for a direction is denied the rest.
//! Source: <https://kubernetes.io/docs/concepts/services-networking/network-policies/>

use k8s_openapi::api::networking::v1::{NetworkPolicy, NetworkPolicyPeer, NetworkPolicyPort};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::direction::Direction;
use super::endpoint::{Endpoint, Selects};
use super::peers::{PeerSet, PodPeers};
use super::ports::{PortSet, Protocol};
use super::rule::{Certainty, Rule, RuleAction, Traffic};

/// The rules of a policy in a direction; none if it does not select the pod.
pub(super) fn rules(policy: &NetworkPolicy, endpoint: &Endpoint, direction: Direction) -> Vec<Rule> {
    let Some(spec) = &policy.spec else { return Vec::new() };
    // An unreadable selector counts as selecting: a false leak is better than a missed one.
    let selected = spec
        .pod_selector
        .as_ref()
        .map_or(Selects::Yes, |selector| endpoint.is_selected_by(selector));
    let certainty = match selected {
        Selects::No => return Vec::new(),
        Selects::Perhaps => Certainty::AtMost,
        Selects::Yes => Certainty::Exactly,
    };
    // `policyTypes` defaults to Ingress, and also Egress if there are egress rules.
    let is_of = |wanted: Direction| match &spec.policy_types {
        Some(types) if !types.is_empty() => types.iter().any(|kind| kind.eq_ignore_ascii_case(&wanted.to_string())),
        _ => wanted == Direction::Ingress || spec.egress.as_ref().is_some_and(|rules| !rules.is_empty()),
    };
    if !is_of(direction) {
        return Vec::new();
    }
    let name = policy.metadata.name.clone().unwrap_or_default();
    let allow = |peers: Option<&Vec<NetworkPolicyPeer>>, ports: Option<&Vec<NetworkPolicyPort>>| Rule {
        action: RuleAction::Allow,
        traffic: Traffic {
            peers: to_peers(peers),
            ports: to_ports(ports),
        },
        certainty,
        policy: format!("policy {name}"),
        conditions: Vec::new(),
    };
    match direction {
        Direction::Ingress => {
            let rules = spec.ingress.iter().flatten();
            rules
                .map(|rule| allow(rule.from.as_ref(), rule.ports.as_ref()))
                .collect()
        }
        Direction::Egress => {
            let rules = spec.egress.iter().flatten();
            rules.map(|rule| allow(rule.to.as_ref(), rule.ports.as_ref())).collect()
        }
    }
}

/// No peers, or an empty list of them, are everybody.
fn to_peers(peers: Option<&Vec<NetworkPolicyPeer>>) -> PeerSet {
    let Some(peers) = peers.filter(|peers| !peers.is_empty()) else {
        return PeerSet::everybody();
    };
    let mut set = PeerSet::default();
    for peer in peers {
        match &peer.ip_block {
            Some(block) => set.add_block(&block.cidr, block.except.as_deref().unwrap_or_default()),
            None if peer.pod_selector.is_none() && peer.namespace_selector.is_none() => {
                set.add_other("an empty peer".to_owned());
            }
            None => set.add_pods(PodPeers::of(
                peer.pod_selector.as_ref(),
                peer.namespace_selector.as_ref(),
            )),
        }
    }
    set
}

/// No ports, or an empty list of them, are all ports.
fn to_ports(ports: Option<&Vec<NetworkPolicyPort>>) -> PortSet {
    let Some(ports) = ports.filter(|ports| !ports.is_empty()) else {
        return PortSet::all();
    };
    let mut set = PortSet::default();
    for port in ports {
        let name = port.protocol.as_deref().unwrap_or("TCP");
        let number = |number: i32| u16::try_from(number).ok();
        match (Protocol::of(name), &port.port) {
            (Some(protocol), None) => set.add_all_of(protocol),
            (Some(protocol), Some(IntOrString::Int(first))) => {
                match (number(*first), number(port.end_port.unwrap_or(*first))) {
                    (Some(first), Some(last)) => set.add(protocol, first..=last),
                    _ => set.add_other(format!("{protocol}/{first}")),
                }
            }
            (Some(protocol), Some(IntOrString::String(name))) => {
                set.add_other(format!("{protocol}/{}", name.escape_debug()));
            }
            (None, _) => set.add_other(name.escape_debug().to_string()),
        }
    }
    set
}
