//! Sets of peers: addresses, and what policies select by labels and names.

use std::collections::BTreeSet;
use std::fmt;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;

use super::addresses::Addresses;
use crate::printable::escaped;
use crate::selector::Selector;

/// A set of peers, with its description.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct PeerSet {
    /// Whether every peer is in it but the addresses that [`PeerSet::remove`] took out.
    is_everybody: bool,
    addresses: Addresses,
    pods: BTreeSet<PodPeers>,
    /// PeerSet of other sorts, each by a description that means the same everywhere.
    others: BTreeSet<String>,
    text: Vec<String>,
}

impl PeerSet {
    /// Every peer.
    pub(super) fn everybody() -> Self {
        Self {
            is_everybody: true,
            addresses: Addresses::all(),
            ..Self::default()
        }
    }

    /// Adds a block without its exceptions. A block that is no block counts as a peer of unknown extent.
    pub(super) fn add_block(&mut self, cidr: &str, except: &[String]) {
        let text = if except.is_empty() {
            cidr.escape_debug().to_string()
        } else {
            format!("{} except {}", cidr.escape_debug(), except.join(", ").escape_debug())
        };
        let Some(mut block) = Addresses::block(cidr) else {
            return self.add_other(text);
        };
        for hole in except.iter().filter_map(|hole| Addresses::block(hole)) {
            block.remove(&hole);
        }
        self.addresses.add(&block);
        self.text.push(text);
    }

    /// Adds addresses that have a name.
    pub(super) fn add_addresses(&mut self, addresses: &Addresses, text: &str) {
        self.addresses.add(addresses);
        self.text.push(text.to_owned());
    }

    /// Adds pods.
    pub(super) fn add_pods(&mut self, pods: PodPeers) {
        self.text.push(pods.to_string());
        self.pods.insert(pods);
    }

    /// Adds peers that are neither addresses nor pods.
    pub(super) fn add_other(&mut self, text: String) {
        self.text.push(text.clone());
        self.others.insert(text);
    }

    /// Takes out the peers of another set, as far as they are certainly the same.
    pub(super) fn remove(&mut self, other: &Self) {
        if other.is_everybody && other.addresses == Addresses::all() {
            *self = Self::default();
            return;
        }
        self.addresses.remove(&other.addresses);
        self.pods
            .retain(|pods| !other.pods.iter().any(|others| others.contain(pods)));
        self.others.retain(|peer| !other.others.contains(peer));
    }

    pub(super) fn is_empty(&self) -> bool {
        !self.is_everybody && self.addresses.is_empty() && self.pods.is_empty() && self.others.is_empty()
    }

    pub(super) const fn addresses(&self) -> &Addresses {
        &self.addresses
    }
}

impl fmt::Display for PeerSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_everybody {
            f.write_str("everywhere")
        } else {
            f.write_str(&self.text.join(" or "))
        }
    }
}

/// Pods by two selectors, each by a description that means the same everywhere.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct PodPeers {
    pods: String,
    namespaces: String,
}

const ALL_PODS: &str = "all pods";
const ALL_NAMESPACES: &str = "all namespaces";
const OWN_NAMESPACE: &str = "the namespace";

impl PodPeers {
    /// The pods that Kubernetes' two selectors select; without the one of namespaces, those of the policy's own.
    pub(super) fn of(pods: Option<&LabelSelector>, namespaces: Option<&LabelSelector>) -> Self {
        let pods = pods.map_or(ALL_PODS.to_owned(), |selector| described(selector, "pods", ALL_PODS));
        let namespaces = namespaces.map_or(OWN_NAMESPACE.to_owned(), |selector| {
            described(selector, "namespaces", ALL_NAMESPACES)
        });
        Self { pods, namespaces }
    }

    /// The pods that one selector selects in the policy's own namespace, or in all of them.
    pub(super) fn in_reach_of(pods: &LabelSelector, is_namespaced: bool) -> Self {
        let namespaces = if is_namespaced { OWN_NAMESPACE } else { ALL_NAMESPACES };
        Self {
            pods: described(pods, "pods", ALL_PODS),
            namespaces: namespaces.to_owned(),
        }
    }

    /// Whether all other pods are certainly among these.
    fn contain(&self, other: &Self) -> bool {
        (self.pods == other.pods || self.pods == ALL_PODS)
            && (self.namespaces == other.namespaces || self.namespaces == ALL_NAMESPACES)
    }
}

fn described(selector: &LabelSelector, kind: &str, all: &str) -> String {
    match Selector::of(selector) {
        Some(selector) if selector.is_everything() => all.to_owned(),
        Some(selector) => format!("{kind} with {selector}"),
        // With its text: two of them are not the same.
        None => format!(
            "{kind} with the unreadable selector {}",
            escaped(&format!("{selector:?}"))
        ),
    }
}

impl fmt::Display for PodPeers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}", self.pods, self.namespaces)
    }
}
