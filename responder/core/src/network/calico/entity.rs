//! One rule of a Calico policy.

use std::fmt;

use serde::Deserialize;
use serde_json::Value;

use super::super::direction::Direction;
use super::super::kind::EnginePolicy;
use super::super::peers::PeerSet;
use super::super::ports::{PortSet, Protocol};
use super::super::rule::{Certainty, Rule, RuleAction, Traffic};
use crate::printable::escaped;

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CalicoRuleDoc {
    #[serde(default)]
    action: String,
    #[serde(default)]
    ip_version: Option<u8>,
    #[serde(default)]
    protocol: Option<NameOrNumber>,
    #[serde(default)]
    not_protocol: Option<NameOrNumber>,
    #[serde(default)]
    icmp: Option<Value>,
    #[serde(default, rename = "notICMP")]
    not_icmp: Option<Value>,
    #[serde(default)]
    http: Option<Value>,
    #[serde(default)]
    source: EntityDoc,
    #[serde(default)]
    destination: EntityDoc,
}

/// One end of the traffic.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct EntityDoc {
    nets: Vec<String>,
    not_nets: Vec<String>,
    selector: Option<String>,
    not_selector: Option<String>,
    namespace_selector: Option<String>,
    ports: Vec<NameOrNumber>,
    not_ports: Vec<NameOrNumber>,
    domains: Vec<String>,
    service_accounts: Option<Value>,
    services: Option<Value>,
}

/// Such as `TCP`, `6`, `80`, `"80:90"`, `http`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(untagged)]
enum NameOrNumber {
    Number(u16),
    Name(String),
}

impl fmt::Display for NameOrNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::Name(name) => name.escape_debug().fmt(f),
        }
    }
}

impl CalicoRuleDoc {
    /// The rule; `None` for one that decides nothing (`Log`).
    pub(super) fn compiled(&self, policy: &EnginePolicy, direction: Direction, certainty: Certainty) -> Option<Rule> {
        let action = match self.action.to_ascii_lowercase().as_str() {
            "allow" => RuleAction::Allow,
            "deny" => RuleAction::Deny,
            "pass" | "next-tier" => RuleAction::Pass,
            // `Log`, and what Calico does not know, go on to the next rule.
            _ => return None,
        };
        let (peer, own) = match direction {
            Direction::Ingress => (&self.source, &self.destination),
            Direction::Egress => (&self.destination, &self.source),
        };
        let mut conditions = Vec::new();
        let mut peers = peer.peers();
        if let Some(version) = self.ip_version {
            conditions.push(format!("of IPv{version}"));
            if peers.addresses().is_empty() {
                peers.add_other(format!("IPv{version}"));
            }
        }
        // The pod's own end may narrow it to addresses or labels, and the client's end to ports.
        let own_end = EntityDoc {
            ports: Vec::new(),
            not_ports: Vec::new(),
            ..own.clone()
        };
        if own_end != EntityDoc::default() {
            conditions.push("for some of the policy's pods".to_owned());
        }
        if !self.source.ports.is_empty() || !self.source.not_ports.is_empty() {
            conditions.push("from some ports of the client".to_owned());
        }
        if peer.not_selector.as_ref().is_some_and(|text| !text.is_empty()) {
            conditions.push("but for some peers".to_owned());
        }
        if self.http.as_ref().is_some_and(|http| !http.is_null()) {
            conditions.push("by rules for HTTP".to_owned());
        }
        if self.not_protocol.is_some() || self.not_icmp.is_some() {
            conditions.push("but for some protocols".to_owned());
        }
        if !self.destination.not_ports.is_empty() {
            conditions.push("but for some ports".to_owned());
        }
        Some(Rule::of(
            policy,
            action,
            Traffic {
                peers,
                ports: self.ports(),
            },
            certainty,
            conditions,
        ))
    }

    fn ports(&self) -> PortSet {
        let protocol = self.protocol.as_ref().map(ToString::to_string);
        let known = protocol.as_deref().and_then(Protocol::of);
        let mut ports = PortSet::default();
        if let (Some(name), None) = (&protocol, known) {
            ports.add_other(name.clone());
        } else if let Some(icmp) = self.icmp.as_ref().filter(|icmp| !icmp.is_null()) {
            ports.add_other(format!("icmp {}", escaped(&icmp.to_string())));
        } else if self.destination.ports.is_empty() {
            match known {
                Some(protocol) => ports.add_all_of(protocol),
                None => return PortSet::all(),
            }
        } else {
            for port in &self.destination.ports {
                port.add_to(known, &mut ports);
            }
        }
        ports
    }
}

impl NameOrNumber {
    fn add_to(&self, protocol: Option<Protocol>, ports: &mut PortSet) {
        let range = match self {
            Self::Number(number) => Some(*number..=*number),
            Self::Name(name) => {
                let (first, last) = name.split_once(':').unwrap_or((name, name));
                let bounds = (first.trim().parse().ok(), last.trim().parse().ok());
                if let (Some(first), Some(last)) = bounds {
                    Some(first..=last)
                } else {
                    None
                }
            }
        };
        match (protocol, range) {
            (Some(protocol), Some(range)) => ports.add(protocol, range),
            // Calico refuses ports without a protocol; who reads them all the same, reads them for each.
            (None, Some(range)) => {
                for protocol in Protocol::ALL {
                    ports.add(protocol, range.clone());
                }
            }
            (_, None) => ports.add_other(format!("port {self}")),
        }
    }
}

impl EntityDoc {
    /// What all of its parts select; each part alone where several narrow one another, which may be more.
    fn peers(&self) -> PeerSet {
        let written = |text: &Option<String>| text.clone().filter(|text| !text.trim().is_empty());
        let mut selected: Vec<String> = Vec::new();
        if let Some(text) = written(&self.namespace_selector) {
            selected.push(format!("namespaces with {}", escaped(&text)));
        }
        if let Some(text) = written(&self.selector) {
            selected.push(escaped(&text));
        }
        if let Some(accounts) = self.service_accounts.as_ref().filter(|part| !part.is_null()) {
            selected.push(format!("service accounts {}", escaped(&accounts.to_string())));
        }
        if let Some(services) = self.services.as_ref().filter(|part| !part.is_null()) {
            selected.push(format!("services {}", escaped(&services.to_string())));
        }
        if !self.domains.is_empty() {
            selected.push(format!("domains {}", escaped(&self.domains.join(", "))));
        }
        let mut peers = PeerSet::default();
        if !self.nets.is_empty() {
            for net in &self.nets {
                peers.add_block(net, &self.not_nets);
            }
        } else if !self.not_nets.is_empty() && selected.is_empty() {
            for family in ["0.0.0.0/0", "::/0"] {
                peers.add_block(family, &self.not_nets);
            }
        } else if selected.is_empty() {
            return PeerSet::everybody();
        }
        if !selected.is_empty() {
            let except = if self.not_nets.is_empty() {
                ""
            } else {
                " outside of some blocks"
            };
            peers.add_other(format!("endpoints with {}{except}", selected.join(", ")));
        }
        peers
    }
}
