//! Policies of the cluster's administrator: ClusterNetworkPolicy, and AdminNetworkPolicy, its predecessor. Those of the
//! tier Admin come before NetworkPolicies. Those of the tier Baseline (and BaselineAdminNetworkPolicies) never see a
//! quarantined pod's traffic, because a NetworkPolicy selects it.
//! Source: <https://network-policy-api.sigs.k8s.io/reference/spec/>,
//! <https://network-policy-api.sigs.k8s.io/api-overview/>

use std::ops::RangeInclusive;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use serde::Deserialize;

use super::direction::Direction;
use super::endpoint::{Endpoint, Selects};
use super::kind::EnginePolicy;
use super::peers::{PeerSet, PodPeers};
use super::ports::{PortSet, Protocol};
use super::rule::{Certainty, Rule, RuleAction, Traffic};

/// A policy of either kind, as far as it is understood.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ClusterPolicyDoc {
    #[serde(default)]
    tier: Option<String>,
    #[serde(default)]
    priority: i64,
    #[serde(default)]
    subject: SubjectDoc,
    #[serde(default)]
    ingress: Vec<RuleDoc>,
    #[serde(default)]
    egress: Vec<RuleDoc>,
}

#[derive(Debug, Clone, Default, Deserialize)]
struct SubjectDoc {
    #[serde(default)]
    namespaces: Option<LabelSelector>,
    #[serde(default)]
    pods: Option<PodsDoc>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct PodsDoc {
    #[serde(default)]
    namespace_selector: Option<LabelSelector>,
    #[serde(default)]
    pod_selector: Option<LabelSelector>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct RuleDoc {
    #[serde(default)]
    action: String,
    #[serde(default, alias = "from", alias = "to")]
    peers: Vec<PeerDoc>,
    /// Of a ClusterNetworkPolicy.
    #[serde(default)]
    protocols: Vec<ProtocolDoc>,
    /// Of an AdminNetworkPolicy.
    #[serde(default)]
    ports: Vec<PortDoc>,
}

#[derive(Debug, Clone, Deserialize)]
struct PeerDoc {
    #[serde(default)]
    namespaces: Option<LabelSelector>,
    #[serde(default)]
    pods: Option<PodsDoc>,
    #[serde(default)]
    networks: Option<Vec<String>>,
    #[serde(default)]
    nodes: Option<LabelSelector>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ProtocolDoc {
    #[serde(default)]
    tcp: Option<DestinationDoc>,
    #[serde(default)]
    udp: Option<DestinationDoc>,
    #[serde(default)]
    sctp: Option<DestinationDoc>,
    #[serde(default)]
    destination_named_port: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct DestinationDoc {
    #[serde(default)]
    destination_port: Option<NumbersDoc>,
}

#[derive(Debug, Clone, Deserialize)]
struct NumbersDoc {
    #[serde(default)]
    number: Option<u16>,
    #[serde(default)]
    range: Option<RangeDoc>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
struct RangeDoc {
    start: u16,
    end: u16,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct PortDoc {
    #[serde(default)]
    port_number: Option<PortNumberDoc>,
    #[serde(default)]
    port_range: Option<PortRangeDoc>,
    #[serde(default)]
    named_port: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
struct PortNumberDoc {
    #[serde(default)]
    protocol: Option<String>,
    port: u16,
}

#[derive(Debug, Clone, Deserialize)]
struct PortRangeDoc {
    #[serde(default)]
    protocol: Option<String>,
    start: u16,
    end: u16,
}

/// A policy with its place among the others.
struct Ranked {
    priority: i64,
    name: String,
    rules: Vec<Rule>,
}

/// The rules of the policies that come before NetworkPolicies, in their order. A denial counts only where the engine is
/// known to enforce these kinds.
pub(super) fn rules(
    policies: &[&EnginePolicy],
    endpoint: &Endpoint,
    direction: Direction,
    enforced: Certainty,
    unread: &mut Vec<String>,
) -> Vec<Rule> {
    let mut ranked = Vec::new();
    for policy in policies {
        match ClusterPolicyDoc::deserialize(&policy.spec) {
            Ok(doc) => ranked.extend(doc.ranked(policy, endpoint, direction, enforced)),
            Err(error) => unread.push(format!("{policy} is not understood: {error}")),
        }
    }
    ranked.sort_by(|a, b| (a.priority, &a.name).cmp(&(b.priority, &b.name)));
    // Which of two policies of one priority wins is not defined.
    let priorities: Vec<i64> = ranked.iter().map(|policy| policy.priority).collect();
    for policy in &mut ranked {
        if priorities
            .iter()
            .filter(|priority| **priority == policy.priority)
            .count()
            > 1
        {
            for rule in policy.rules.iter_mut().filter(|rule| rule.action == RuleAction::Deny) {
                rule.certainty = Certainty::AtMost;
            }
        }
    }
    ranked.into_iter().flat_map(|policy| policy.rules).collect()
}

impl ClusterPolicyDoc {
    fn ranked(
        self,
        policy: &EnginePolicy,
        endpoint: &Endpoint,
        direction: Direction,
        enforced: Certainty,
    ) -> Option<Ranked> {
        if self.tier.as_deref().is_some_and(|tier| tier == "Baseline") {
            return None;
        }
        let selected = match self.subject.selects(endpoint) {
            Selects::No => return None,
            Selects::Perhaps => Certainty::AtMost,
            Selects::Yes => Certainty::Exactly,
        };
        let rules = match direction {
            Direction::Ingress => self.ingress,
            Direction::Egress => self.egress,
        };
        Some(Ranked {
            priority: self.priority,
            name: policy.name.clone(),
            rules: rules
                .into_iter()
                .map(|rule| rule.compiled(policy, selected.min(enforced)))
                .collect(),
        })
    }
}

impl SubjectDoc {
    fn selects(&self, endpoint: &Endpoint) -> Selects {
        match (&self.namespaces, &self.pods) {
            (Some(namespaces), None) => endpoint.is_in(namespaces),
            (None, Some(pods)) => {
                let namespace = pods
                    .namespace_selector
                    .as_ref()
                    .map_or(Selects::Perhaps, |selector| endpoint.is_in(selector));
                let pod = pods
                    .pod_selector
                    .as_ref()
                    .map_or(Selects::Perhaps, |selector| endpoint.is_selected_by(selector));
                namespace.and(pod)
            }
            (None, None) | (Some(_), Some(_)) => Selects::Perhaps,
        }
    }
}

impl RuleDoc {
    fn compiled(self, policy: &EnginePolicy, certainty: Certainty) -> Rule {
        let mut conditions = Vec::new();
        let action = match self.action.as_str() {
            "Accept" | "Allow" => RuleAction::Allow,
            "Deny" => RuleAction::Deny,
            "Pass" => RuleAction::Pass,
            action => {
                conditions.push(format!("if {} lets it", action.escape_debug()));
                RuleAction::Allow
            }
        };
        let mut peers = PeerSet::default();
        for peer in &self.peers {
            peer.add_to(&mut peers);
        }
        let mut ports = PortSet::default();
        for protocol in &self.protocols {
            protocol.add_to(&mut ports);
        }
        for port in &self.ports {
            port.add_to(&mut ports);
        }
        if self.protocols.is_empty() && self.ports.is_empty() {
            ports = PortSet::all();
        }
        Rule::of(policy, action, Traffic { peers, ports }, certainty, conditions)
    }
}

impl PeerDoc {
    fn add_to(&self, peers: &mut PeerSet) {
        if let Some(networks) = &self.networks {
            for network in networks {
                peers.add_block(network, &[]);
            }
        } else if let Some(pods) = &self.pods {
            peers.add_pods(PodPeers::of(
                pods.pod_selector.as_ref(),
                pods.namespace_selector.as_ref(),
            ));
        } else if let Some(namespaces) = &self.namespaces {
            peers.add_pods(PodPeers::of(None, Some(namespaces)));
        } else if self.nodes.is_some() {
            peers.add_other("nodes".to_owned());
        } else {
            peers.add_other("a peer that is not understood".to_owned());
        }
    }
}

impl ProtocolDoc {
    fn add_to(&self, ports: &mut PortSet) {
        let of = [
            (Protocol::Tcp, &self.tcp),
            (Protocol::Udp, &self.udp),
            (Protocol::Sctp, &self.sctp),
        ];
        let mut is_understood = false;
        for (protocol, destination) in of {
            let Some(destination) = destination else { continue };
            is_understood = true;
            match destination.destination_port.as_ref().map(NumbersDoc::range) {
                None => ports.add_all_of(protocol),
                Some(Some(range)) => ports.add(protocol, range),
                Some(None) => ports.add_other(format!("{protocol} ports that are not understood")),
            }
        }
        if let Some(name) = &self.destination_named_port {
            ports.add_other(format!("port {}", name.escape_debug()));
        } else if !is_understood {
            ports.add_other("a protocol that is not understood".to_owned());
        }
    }
}

impl NumbersDoc {
    fn range(&self) -> Option<RangeInclusive<u16>> {
        match (self.number, self.range) {
            (Some(number), None) => Some(number..=number),
            (None, Some(range)) => Some(range.start..=range.end),
            _ => None,
        }
    }
}

impl PortDoc {
    fn add_to(&self, ports: &mut PortSet) {
        let protocol = |name: &Option<String>| Protocol::of(name.as_deref().unwrap_or("TCP"));
        if let Some(number) = &self.port_number
            && let Some(protocol) = protocol(&number.protocol)
        {
            ports.add(protocol, number.port..=number.port);
        } else if let Some(range) = &self.port_range
            && let Some(protocol) = protocol(&range.protocol)
        {
            ports.add(protocol, range.start..=range.end);
        } else if let Some(name) = &self.named_port {
            ports.add_other(format!("port {}", name.escape_debug()));
        } else {
            ports.add_other("a port that is not understood".to_owned());
        }
    }
}
