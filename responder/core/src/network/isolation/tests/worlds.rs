//! Small worlds in which every connection can be tried, under each engine, by an evaluator that knows one connection at a
//! time.

mod agreement;

use super::*;

/// A peer of one connection. An address is the number of its `/3` block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Peer {
    V4(u8),
    V6,
    Pod(&'static str),
}

/// A port of one connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Port {
    Http,
    Dns,
    Other,
}

#[derive(Debug, Clone)]
enum Peers {
    Everybody,
    /// Blocks, by the lengths of their prefixes (1 to 3) and their numbers.
    Blocks(Vec<(u8, u8)>),
    BlockExcept((u8, u8), u8),
    Tier(&'static str),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Act {
    Allow,
    Deny,
    Pass,
}

#[derive(Debug, Clone)]
struct SmallRule {
    act: Act,
    peers: Peers,
    port: Option<Port>,
}

#[derive(Debug, Clone)]
struct SmallPolicy {
    is_of_engine: bool,
    selects: bool,
    is_in_first_tier: bool,
    order: Option<u32>,
    ingress: Option<Vec<SmallRule>>,
    egress: Option<Vec<SmallRule>>,
}

const ENGINES: [PolicyEngine; 4] = [
    PolicyEngine::Plain("kube-router"),
    PolicyEngine::Calico,
    PolicyEngine::Cilium,
    PolicyEngine::OvnKubernetes,
];

fn cidr((length, number): (u8, u8)) -> String {
    format!("{}.0.0.0/{length}", u32::from(number) << (8 - length))
}

impl Peers {
    fn has(&self, peer: Peer) -> bool {
        let is_in = |(length, number): (u8, u8), address: u8| address >> (3 - length) == number;
        match (self, peer) {
            (Self::Everybody, _) => true,
            (Self::Blocks(blocks), Peer::V4(address)) => blocks.iter().any(|block| is_in(*block, address)),
            (Self::BlockExcept(block, hole), Peer::V4(address)) => is_in(*block, address) && address != *hole,
            (Self::Tier(tier), Peer::Pod(of)) => *tier == of,
            _ => false,
        }
    }

    fn of_kubernetes(&self) -> Value {
        match self {
            Self::Everybody => json!([]),
            Self::Blocks(blocks) => blocks
                .iter()
                .map(|block| json!({"ipBlock": {"cidr": cidr(*block)}}))
                .collect(),
            Self::BlockExcept(block, hole) => {
                json!([{"ipBlock": {"cidr": cidr(*block), "except": [cidr((3, *hole))]}}])
            }
            Self::Tier(tier) => json!([{"podSelector": {"matchLabels": {"tier": tier}}}]),
        }
    }

    fn of_calico(&self) -> Value {
        match self {
            Self::Everybody => json!({}),
            Self::Blocks(blocks) => json!({"nets": blocks.iter().map(|block| cidr(*block)).collect::<Vec<_>>()}),
            Self::BlockExcept(block, hole) => json!({"nets": [cidr(*block)], "notNets": [cidr((3, *hole))]}),
            Self::Tier(tier) => json!({"selector": format!("tier == '{tier}'")}),
        }
    }

    fn of_cilium(&self, way: &str) -> (String, Value) {
        match self {
            Self::Everybody => (format!("{way}Entities"), json!(["all"])),
            Self::Blocks(blocks) => {
                let blocks: Vec<String> = blocks.iter().map(|block| cidr(*block)).collect();
                (format!("{way}CIDR"), json!(blocks))
            }
            Self::BlockExcept(block, hole) => {
                let set = json!([{"cidr": cidr(*block), "except": [cidr((3, *hole))]}]);
                (format!("{way}CIDRSet"), set)
            }
            Self::Tier(tier) => (format!("{way}Endpoints"), json!([{"matchLabels": {"tier": tier}}])),
        }
    }

    fn of_administrator(&self) -> Value {
        match self {
            Self::Blocks(blocks) => json!([{"networks": blocks.iter().map(|block| cidr(*block)).collect::<Vec<_>>()}]),
            Self::Tier(tier) => {
                json!([{"pods": {"namespaceSelector": {}, "podSelector": {"matchLabels": {"tier": tier}}}}])
            }
            Self::Everybody | Self::BlockExcept(..) => json!([]),
        }
    }
}

impl Port {
    const fn number(self) -> Option<(&'static str, u16)> {
        match self {
            Self::Http => Some(("TCP", 80)),
            Self::Dns => Some(("UDP", 53)),
            Self::Other => None,
        }
    }
}

impl SmallRule {
    fn matches(&self, peer: Peer, port: Port) -> bool {
        self.peers.has(peer) && self.port.is_none_or(|only| only == port)
    }

    fn number(&self) -> Option<(&'static str, u16)> {
        self.port.and_then(Port::number)
    }
}

impl SmallPolicy {
    fn rules(&self, direction: Direction) -> Option<&Vec<SmallRule>> {
        match direction {
            Direction::Ingress => self.ingress.as_ref(),
            Direction::Egress => self.egress.as_ref(),
        }
    }

    fn types(&self) -> Vec<&'static str> {
        let ways = [("Ingress", &self.ingress), ("Egress", &self.egress)];
        ways.into_iter()
            .filter(|(_, rules)| rules.is_some())
            .map(|(way, _)| way)
            .collect()
    }

    fn tier(&self) -> &'static str {
        if self.selects { "web" } else { "db" }
    }

    fn network_policy(&self, name: &str) -> NetworkPolicy {
        let rules = |rules: &Option<Vec<SmallRule>>, key: &str| -> Value {
            let rules = rules.iter().flatten().filter(|rule| rule.act == Act::Allow);
            rules
                .map(|rule| {
                    let ports: Vec<Value> = rule
                        .number()
                        .map(|(protocol, port)| json!({"protocol": protocol, "port": port}))
                        .into_iter()
                        .collect();
                    json!({key: rule.peers.of_kubernetes(), "ports": ports})
                })
                .collect()
        };
        policy(
            name,
            json!({
                "podSelector": {"matchLabels": {"tier": self.tier()}},
                "policyTypes": self.types(),
                "ingress": rules(&self.ingress, "from"),
                "egress": rules(&self.egress, "to"),
            }),
        )
    }

    fn of_calico(&self, name: &str) -> EnginePolicy {
        let rules = |rules: &Option<Vec<SmallRule>>, direction: Direction| -> Value {
            let rule = |rule: &SmallRule| {
                let action = match rule.act {
                    Act::Allow => "Allow",
                    Act::Deny => "Deny",
                    Act::Pass => "Pass",
                };
                let mut object = json!({"action": action, "source": {}, "destination": {}});
                let end = if direction == Direction::Ingress {
                    "source"
                } else {
                    "destination"
                };
                object[end] = rule.peers.of_calico();
                if let Some((protocol, port)) = rule.number() {
                    object["protocol"] = json!(protocol);
                    object["destination"]["ports"] = json!([port]);
                }
                object
            };
            rules.iter().flatten().map(rule).collect()
        };
        let kind = if self.is_in_first_tier {
            PolicyKind::CalicoGlobalNetworkPolicy
        } else {
            PolicyKind::CalicoNetworkPolicy
        };
        let spec = json!({
            "tier": if self.is_in_first_tier { "first" } else { "default" },
            "order": self.order,
            "selector": format!("tier == '{}'", self.tier()),
            "types": self.types(),
            "ingress": rules(&self.ingress, Direction::Ingress),
            "egress": rules(&self.egress, Direction::Egress),
        });
        of(kind, name, spec)
    }

    fn of_cilium(&self, name: &str) -> EnginePolicy {
        let rules = |rules: &Option<Vec<SmallRule>>, way: &str, act: Act| -> Value {
            let rule = |rule: &SmallRule| {
                let (key, peers) = rule.peers.of_cilium(way);
                let mut object = json!({key: peers});
                if let Some((protocol, port)) = rule.number() {
                    object["toPorts"] = json!([{"ports": [{"port": port.to_string(), "protocol": protocol}]}]);
                }
                object
            };
            rules
                .iter()
                .flatten()
                .filter(|rule| rule.act == act)
                .map(rule)
                .collect()
        };
        let spec = json!({
            "endpointSelector": {"matchLabels": {"tier": self.tier()}},
            "ingress": rules(&self.ingress, "from", Act::Allow),
            "ingressDeny": rules(&self.ingress, "from", Act::Deny),
            "egress": rules(&self.egress, "to", Act::Allow),
            "egressDeny": rules(&self.egress, "to", Act::Deny),
        });
        of(PolicyKind::CiliumNetworkPolicy, name, spec)
    }

    fn of_administrator(&self, name: &str, priority: usize) -> EnginePolicy {
        let rules = |rules: &Option<Vec<SmallRule>>, key: &str| -> Value {
            let rule = |rule: &SmallRule| {
                let action = match rule.act {
                    Act::Allow => "Accept",
                    Act::Deny => "Deny",
                    Act::Pass => "Pass",
                };
                let mut object = json!({"action": action, key: rule.peers.of_administrator()});
                if let Some((protocol, port)) = rule.number() {
                    let protocol = protocol.to_ascii_lowercase();
                    object["protocols"] = json!([{protocol: {"destinationPort": {"number": port}}}]);
                }
                object
            };
            rules
                .iter()
                .flatten()
                .filter(|rule| is_written_by_administrators(rule))
                .map(rule)
                .collect()
        };
        let spec = json!({
            "tier": "Admin",
            "priority": priority,
            "subject": {"pods": {"namespaceSelector": {}, "podSelector": {"matchLabels": {"tier": self.tier()}}}},
            "ingress": rules(&self.ingress, "from"),
            "egress": rules(&self.egress, "to"),
        });
        of(PolicyKind::ClusterNetworkPolicy, name, spec)
    }
}

/// Administrators' policies have no peer that is everybody, and no exceptions.
fn is_written_by_administrators(rule: &SmallRule) -> bool {
    matches!(rule.peers, Peers::Blocks(_) | Peers::Tier(_))
}

fn name(index: usize) -> String {
    format!("p{index}")
}

/// The kind with which a quarantine denies under an engine.
fn denying_kind(engine: PolicyEngine) -> Option<DenyingKind> {
    match engine {
        PolicyEngine::Calico => Some(DenyingKind::Calico),
        PolicyEngine::Cilium => Some(DenyingKind::Cilium),
        _ => None,
    }
}
