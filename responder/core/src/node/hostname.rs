//! The node that a hostname means. Falco reports the name that its host or its container has, which need not be the node's.

use std::fmt;
use std::net::IpAddr;

use k8s_openapi::api::core::v1::Node;

use crate::object::Name;

/// The label in which the kubelet writes the host's name.
/// Source: <https://kubernetes.io/docs/reference/labels-annotations-taints/#kubernetesiohostname>
const HOSTNAME_LABEL: &str = "kubernetes.io/hostname";

/// How a hostname names a node, the firmest first. The kubelet writes names in lower case, so case never counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Naming {
    /// It is the node's name.
    Name,
    /// It is the node's label `kubernetes.io/hostname`.
    Label,
    /// It is one of the node's addresses.
    Address,
    /// One of them is the other's part before the first dot: `ip-10-0-7-9.eu-west-1.compute.internal`.
    Short,
}

impl fmt::Display for Naming {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Name => "by its name",
            Self::Label => "by its label kubernetes.io/hostname",
            Self::Address => "by one of its addresses",
            Self::Short => "by its short name",
        })
    }
}

/// The names of a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeNames {
    /// The node's name; `None` where it is not valid.
    pub name: Option<Name>,
    label: Option<Box<str>>,
    addresses: Box<[Box<str>]>,
}

impl NodeNames {
    /// The names of a live node.
    pub fn of(node: &Node) -> Self {
        let addresses = node.status.iter().flat_map(|status| status.addresses.iter().flatten());
        let label = node
            .metadata
            .labels
            .as_ref()
            .and_then(|labels| labels.get(HOSTNAME_LABEL));
        Self {
            name: node.metadata.name.as_deref().and_then(Name::new),
            label: label.map(|label| label.as_str().into()),
            addresses: addresses.map(|address| address.address.as_str().into()).collect(),
        }
    }

    /// How the hostname names the node.
    pub fn naming(&self, hostname: &str) -> Option<Naming> {
        let is = |name: &str| name.eq_ignore_ascii_case(hostname);
        let name = self.name.as_ref().map(Name::as_str);
        let label = self.label.as_deref();
        if name.is_some_and(is) {
            return Some(Naming::Name);
        }
        if label.is_some_and(is) {
            return Some(Naming::Label);
        }
        if self.addresses.iter().any(|address| is(address)) {
            return Some(Naming::Address);
        }
        let names = name
            .into_iter()
            .chain(label)
            .chain(self.addresses.iter().map(AsRef::as_ref));
        names
            .into_iter()
            .any(|name| is_short(name, hostname))
            .then_some(Naming::Short)
    }
}

/// Whether one of two names is the other's part before the first dot. An address has no such part.
fn is_short(one: &str, other: &str) -> bool {
    let is_address = |name: &str| name.parse::<IpAddr>().is_ok();
    if is_address(one) || is_address(other) {
        return false;
    }
    match (one.split_once('.'), other.split_once('.')) {
        (Some((short, _)), None) => short.eq_ignore_ascii_case(other),
        (None, Some((short, _))) => short.eq_ignore_ascii_case(one),
        (None, None) | (Some(_), Some(_)) => false,
    }
}

/// The node that the hostname names most firmly; `None` where it names none, or two equally firmly.
pub fn by_hostname<'n>(nodes: impl Iterator<Item = &'n NodeNames> + Clone, hostname: &str) -> Option<&'n Name> {
    let namings = nodes.filter_map(|names| Some((names.naming(hostname)?, names.name.as_ref()?)));
    let firmest = namings.clone().map(|(naming, _)| naming).min()?;
    let mut named = namings.filter(|(naming, _)| *naming == firmest).map(|(_, name)| name);
    named.next().filter(|_| named.next().is_none())
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::{Value, json};

    use super::*;

    fn nodes() -> Vec<NodeNames> {
        let node = |name: &str, label: &str, addresses: Value| {
            let node = json!({
                "metadata": {"name": name, "uid": name, "labels": {HOSTNAME_LABEL: label}},
                "status": {"addresses": addresses},
            });
            NodeNames::of(&serde_json::from_value(node).unwrap())
        };
        let ip = |ip: &str| json!({"type": "InternalIP", "address": ip});
        vec![
            node("worker-1", "worker-1", json!([ip("10.0.0.1")])),
            node(
                "ip-10-0-7-9.eu-west-1.compute.internal",
                "ip-10-0-7-9",
                json!([
                    ip("10.0.7.9"), {"type": "InternalDNS", "address": "ip-10-0-7-9.eu-west-1.compute.internal"},
                    {"type": "ExternalDNS", "address": "ec2-1-2-3-4.compute.amazonaws.com"},
                ]),
            ),
            node(
                "gke-pool-ab12",
                "gke-pool-ab12",
                json!([{"type": "Hostname", "address": "gke-pool-ab12.internal"}]),
            ),
            // Two clusters' names in two zones; a label that another node's name has.
            node("db.zone-a", "db.zone-a", json!([])),
            node("db.zone-b", "db.zone-b", json!([])),
            node("renamed", "worker-1", json!([])),
            // A proxy's address that two nodes report.
            node("edge-1", "edge-1", json!([ip("192.0.2.7")])),
            node("edge-2", "edge-2", json!([ip("192.0.2.7")])),
        ]
    }

    /// Source: falcosecurity/falco #2315, #2530, #1726; falcosecurity/falcosidekick #469.
    #[rstest]
    #[case::its_name("worker-1", Some("worker-1"))]
    #[case::the_operating_systems_spelling("Worker-1", Some("worker-1"))]
    #[case::the_label_of_eks("ip-10-0-7-9", Some("ip-10-0-7-9.eu-west-1.compute.internal"))]
    #[case::the_label_in_capitals("IP-10-0-7-9", Some("ip-10-0-7-9.eu-west-1.compute.internal"))]
    #[case::an_internal_address("10.0.7.9", Some("ip-10-0-7-9.eu-west-1.compute.internal"))]
    #[case::an_external_name("ec2-1-2-3-4.compute.amazonaws.com", Some("ip-10-0-7-9.eu-west-1.compute.internal"))]
    #[case::short_of_an_external_name("ec2-1-2-3-4", Some("ip-10-0-7-9.eu-west-1.compute.internal"))]
    #[case::a_longer_name_than_the_nodes("worker-1.corp.example", None)]
    #[case::a_longer_name_of_one_node("edge-1.corp.example", Some("edge-1"))]
    #[case::an_address_of_type_hostname("gke-pool-ab12.internal", Some("gke-pool-ab12"))]
    #[case::short_of_two("db", None)]
    #[case::an_address_of_two("192.0.2.7", None)]
    #[case::the_id_of_a_container("ff5809b3eaba", None)]
    #[case::a_part_of_an_address("10", None)]
    #[case::nothing("", None)]
    fn a_hostname_names_the_only_node_that_has_it(#[case] hostname: &str, #[case] expected: Option<&str>) {
        assert_eq!(by_hostname(nodes().iter(), hostname).map(Name::as_str), expected);
    }
}
