//! Cilium's policies. What any policy denies is denied; of the rest is allowed what any policy allows, NetworkPolicies
//! among them.
//! Source: <https://docs.cilium.io/en/stable/security/policy/deny/>,
//! <https://docs.cilium.io/en/stable/security/policy/layer3/>

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, LabelSelectorRequirement};
use serde::Deserialize;
use serde_json::Value;

use super::addresses::Addresses;
use super::direction::Direction;
use super::endpoint::{Endpoint, Selects};
use super::kind::EnginePolicy;
use super::peers::{PeerSet, PodPeers};
use super::ports::{PortSet, Protocol};
use super::rule::{Certainty, Rule, RuleAction, Traffic};
use crate::printable::escaped;
use crate::selector::Selector;

/// A policy, as far as it is understood.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct CiliumPolicyDoc {
    #[serde(default)]
    endpoint_selector: Option<LabelSelector>,
    #[serde(default)]
    ingress: Vec<CiliumRuleDoc>,
    #[serde(default)]
    ingress_deny: Vec<CiliumRuleDoc>,
    #[serde(default)]
    egress: Vec<CiliumRuleDoc>,
    #[serde(default)]
    egress_deny: Vec<CiliumRuleDoc>,
}

/// A rule of either direction.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct CiliumRuleDoc {
    #[serde(default, alias = "fromEndpoints", alias = "toEndpoints")]
    endpoints: Option<Vec<LabelSelector>>,
    #[serde(default, rename = "fromCIDR", alias = "toCIDR")]
    cidr: Option<Vec<String>>,
    #[serde(default, rename = "fromCIDRSet", alias = "toCIDRSet")]
    cidr_set: Option<Vec<CidrSetDoc>>,
    #[serde(default, alias = "fromEntities", alias = "toEntities")]
    entities: Option<Vec<String>>,
    #[serde(default)]
    to_ports: Option<Vec<PortRuleDoc>>,
    #[serde(default)]
    icmps: Option<Value>,
    /// `fromNodes`, `toFQDNs`, `toServices`, `fromGroups`, `fromRequires`, `authentication` and newer ones.
    #[serde(flatten)]
    others: BTreeMap<String, Value>,
}

#[derive(Debug, Clone, Deserialize)]
struct CidrSetDoc {
    #[serde(default)]
    cidr: Option<String>,
    #[serde(default)]
    except: Vec<String>,
}

#[derive(Debug, Clone, Deserialize)]
struct PortRuleDoc {
    #[serde(default)]
    ports: Vec<PortProtocolDoc>,
    #[serde(default)]
    rules: Option<Value>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct PortProtocolDoc {
    #[serde(default)]
    port: String,
    #[serde(default)]
    end_port: u16,
    #[serde(default)]
    protocol: Option<String>,
}

/// The rules of all policies that select the pod: first what they deny, then what they allow.
pub(super) fn rules(
    policies: &[&EnginePolicy],
    endpoint: &Endpoint,
    direction: Direction,
    enforced: Certainty,
    unread: &mut Vec<String>,
) -> Vec<Rule> {
    let (mut denials, mut permissions) = (Vec::new(), Vec::new());
    for policy in policies {
        let doc = match CiliumPolicyDoc::deserialize(&policy.spec) {
            Ok(doc) => doc,
            Err(error) => {
                unread.push(format!("{policy} is not understood: {error}"));
                continue;
            }
        };
        // A policy with a `nodeSelector` alone is about hosts.
        let Some(selector) = &doc.endpoint_selector else {
            continue;
        };
        let selected = match selects(selector, endpoint) {
            Selects::No => continue,
            Selects::Perhaps => Certainty::AtMost,
            Selects::Yes => Certainty::Exactly,
        };
        let certainty = selected.min(enforced);
        let (denied, allowed) = match direction {
            Direction::Ingress => (&doc.ingress_deny, &doc.ingress),
            Direction::Egress => (&doc.egress_deny, &doc.egress),
        };
        denials.extend(
            denied
                .iter()
                .filter_map(|rule| rule.compiled(policy, RuleAction::Deny, certainty)),
        );
        permissions.extend(
            allowed
                .iter()
                .filter_map(|rule| rule.compiled(policy, RuleAction::Allow, certainty)),
        );
    }
    denials.into_iter().chain(permissions).collect()
}

/// Whether a selector of endpoints selects the pod. Its keys may carry the source of the label.
/// Source: <https://docs.cilium.io/en/stable/gettingstarted/terminology/#label-source>
fn selects(selector: &LabelSelector, endpoint: &Endpoint) -> Selects {
    let mut labels = endpoint.labels.clone();
    labels.insert("io.kubernetes.pod.namespace".to_owned(), endpoint.namespace.clone());
    labels.insert(
        "io.cilium.k8s.policy.serviceaccount".to_owned(),
        endpoint.service_account.clone(),
    );
    for (key, value) in endpoint.namespace_labels.iter().flatten() {
        labels.insert(format!("io.cilium.k8s.namespace.labels.{key}"), value.clone());
    }
    let mut known = LabelSelector::default();
    let mut is_understood = true;
    let mut bare = |key: &str| {
        let key = match key.split_once(':') {
            Some(("k8s" | "any", key)) => key,
            // Pods have no labels of other sources but `reserved`, which no pod of a quarantine has.
            Some(("reserved", _)) | None => key,
            Some(_) => {
                is_understood = false;
                return None;
            }
        };
        let is_unread = key == "io.cilium.k8s.policy.cluster"
            || endpoint.namespace_labels.is_none() && key.starts_with("io.cilium.k8s.namespace.labels.");
        if is_unread {
            is_understood = false;
            return None;
        }
        Some(key.to_owned())
    };
    let match_labels = selector.match_labels.iter().flatten();
    known.match_labels = Some(
        match_labels
            .filter_map(|(key, value)| Some((bare(key)?, value.clone())))
            .collect(),
    );
    let expressions = selector.match_expressions.iter().flatten();
    known.match_expressions = Some(
        expressions
            .filter_map(|expression| {
                Some(LabelSelectorRequirement {
                    key: bare(&expression.key)?,
                    ..expression.clone()
                })
            })
            .collect(),
    );
    match Selector::of(&known) {
        Some(selector) if !selector.matches(&labels) => Selects::No,
        Some(_) if is_understood => Selects::Yes,
        Some(_) | None => Selects::Perhaps,
    }
}

impl CiliumRuleDoc {
    /// The rule; `None` for one that matches nothing, which policies have to start the denial of the rest.
    fn compiled(&self, policy: &EnginePolicy, action: RuleAction, certainty: Certainty) -> Option<Rule> {
        let mut conditions: Vec<String> = Vec::new();
        let mut peers = self.peers(policy.kind.is_namespaced());
        for key in self.others.keys() {
            match key.as_str() {
                "fromRequires" | "toRequires" | "authentication" => conditions.push(format!("with {key}")),
                _ => peers
                    .get_or_insert_default()
                    .add_other(format!("its {}", key.escape_debug())),
            }
        }
        let mut ports = self.ports(&mut conditions);
        if let Some(icmps) = self.icmps.as_ref().filter(|icmps| !icmps.is_null()) {
            ports
                .get_or_insert_default()
                .add_other(format!("icmp {}", escaped(&icmps.to_string())));
        }
        // Without peers, all of them, if there are ports; a rule of nothing matches nothing.
        let (peers, ports) = match (peers, ports) {
            (None, None) => return None,
            (None, Some(ports)) => (PeerSet::everybody(), ports),
            (Some(peers), ports) => (peers, ports.unwrap_or_else(PortSet::all)),
        };
        Some(Rule::of(
            policy,
            action,
            Traffic { peers, ports },
            certainty,
            conditions,
        ))
    }

    fn peers(&self, is_namespaced: bool) -> Option<PeerSet> {
        let mut peers: Option<PeerSet> = None;
        for selector in self.endpoints.iter().flatten() {
            // A selector that names a namespace means that one, and its text says so.
            let pods = PodPeers::in_reach_of(selector, is_namespaced);
            peers.get_or_insert_default().add_pods(pods);
        }
        for cidr in self.cidr.iter().flatten() {
            peers.get_or_insert_default().add_block(cidr, &[]);
        }
        for block in self.cidr_set.iter().flatten() {
            let peers = peers.get_or_insert_default();
            match &block.cidr {
                Some(cidr) => peers.add_block(cidr, &block.except),
                None => peers.add_other("a group of addresses".to_owned()),
            }
        }
        for entity in self.entities.iter().flatten() {
            match entity.as_str() {
                "all" => return Some(PeerSet::everybody()),
                "none" => _ = peers.get_or_insert_default(),
                "world" => peers
                    .get_or_insert_default()
                    .add_addresses(&Addresses::all(), "the world"),
                "world-ipv4" => {
                    let addresses = Addresses::all_of_family(false);
                    peers
                        .get_or_insert_default()
                        .add_addresses(&addresses, "the world (IPv4)");
                }
                "world-ipv6" => {
                    let addresses = Addresses::all_of_family(true);
                    peers
                        .get_or_insert_default()
                        .add_addresses(&addresses, "the world (IPv6)");
                }
                entity => peers
                    .get_or_insert_default()
                    .add_other(format!("the entity {}", entity.escape_debug())),
            }
        }
        // An empty list selects nobody, and no list everybody.
        let lists = [
            self.endpoints.is_some(),
            self.cidr.is_some(),
            self.cidr_set.is_some(),
            self.entities.is_some(),
        ];
        peers.or_else(|| lists.contains(&true).then(PeerSet::default))
    }

    fn ports(&self, conditions: &mut Vec<String>) -> Option<PortSet> {
        let rules = self.to_ports.as_ref().filter(|rules| !rules.is_empty())?;
        let mut ports = PortSet::default();
        let mut has_any = false;
        for rule in rules {
            if rule.rules.as_ref().is_some_and(|rules| !rules.is_null()) {
                conditions.push("by rules of its application".to_owned());
            }
            for port in &rule.ports {
                has_any = true;
                port.add_to(&mut ports);
            }
        }
        Some(if has_any { ports } else { PortSet::all() })
    }
}

impl PortProtocolDoc {
    fn add_to(&self, ports: &mut PortSet) {
        let name = self.protocol.as_deref().unwrap_or("ANY");
        let protocols: Vec<Protocol> = match Protocol::of(name) {
            Some(protocol) => vec![protocol],
            None if name.eq_ignore_ascii_case("ANY") => Protocol::ALL.to_vec(),
            None => return ports.add_other(name.escape_debug().to_string()),
        };
        for protocol in protocols {
            match self.port.parse::<u16>() {
                // Port 0 is all ports.
                Ok(0) => ports.add_all_of(protocol),
                Ok(first) => ports.add(protocol, first..=self.end_port.max(first)),
                Err(_) => ports.add_other(format!("{protocol}/{}", self.port.escape_debug())),
            }
        }
    }
}
