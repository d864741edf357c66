//! Targets that alerts name, assumed to exist: for `--assume-targets` of `explain` and `replay`.
//!
//! Last week's pods are gone, and every alert about them would be refused as `TargetGone`. So each pod that an alert names
//! is assumed: with the container ids that the alerts tell, on the node that they come from, and older than the first of
//! them. What no alert tells is left out, so that no decision rests on an invention: a container without an image satisfies
//! no `image`, and a pod of the audit log has no node. Two things are guesses. A pod whose name ends as a ReplicaSet makes
//! it (`web-6d4cf56db6-x7k2p`) gets that ReplicaSet and its Deployment; and a cluster without other nodes gets two more
//! than the alerts name.

mod manifest;
mod pod;
mod replica_set;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use responder_core::alert::Alert;
use responder_core::object::{Name, Namespace};
use responder_core::target::{PodClaim, Subject};
use serde_json::{Value, json};

use self::pod::AssumedPod;
use self::replica_set::AssumedReplicaSet;
use super::SimulatedCluster;
use super::manifest::ManifestError;

/// Nodes that no alert names: a node can be cordoned only beside others.
const SPARE_NODES: [&str; 2] = ["assumed-spare-1", "assumed-spare-2"];

/// The targets that alerts name.
#[derive(Debug, Default)]
pub struct AssumedTargets {
    pods: BTreeMap<(Namespace, Name), AssumedPod>,
    /// By name, with the time of the first alert.
    nodes: BTreeMap<Name, Timestamp>,
    /// Those that alerts about hosts name.
    hosts: BTreeSet<Name>,
    /// Pairs of hostnames of alerts about one pod. A pod never moves, so both lead to one node.
    aliases: BTreeSet<(Name, Name)>,
}

/// ReplicaSets, each with the number of its pods and the time of the first alert about one of them.
type ReplicaSets<'a> = BTreeMap<(&'a Namespace, AssumedReplicaSet<'a>), (usize, Timestamp)>;

impl AssumedTargets {
    /// The targets that these alerts name.
    pub fn of<'a>(alerts: impl IntoIterator<Item = &'a Alert>) -> Self {
        let mut assumed = Self::default();
        for alert in alerts {
            match Subject::of(alert) {
                Ok(Subject::Pod(claim)) => assumed.add_pod(&claim, alert),
                Ok(Subject::Host { hostname }) => {
                    let name = Name::new(&hostname);
                    assumed.hosts.extend(name.clone());
                    assumed.add_node(name, alert.time());
                }
                // No name can be assumed for its pod.
                Ok(Subject::Container { .. }) | Err(_) => {}
            }
        }
        assumed
    }

    /// How many pods there are.
    pub fn pods(&self) -> usize {
        self.pods.len()
    }

    /// How many ReplicaSets the names of the pods tell of.
    pub fn replica_sets(&self) -> usize {
        self.sets().len()
    }

    /// How many nodes the alerts name.
    pub fn nodes(&self) -> usize {
        self.nodes.len()
    }

    /// A cluster with the targets that `cluster` lacks, and with spare nodes if it has no node.
    pub fn complete(&self, cluster: Option<&SimulatedCluster>) -> Result<SimulatedCluster, ManifestError> {
        let written: Vec<Value> = cluster
            .iter()
            .flat_map(|cluster| cluster.objects().into_values())
            .collect();
        let places: BTreeSet<_> = written.iter().map(place).collect();
        let mut missing = self.manifests();
        missing.retain(|manifest| !places.contains(&place(manifest)));
        let is_node = |name: &Name| {
            let is_written =
                |manifest: &Value| manifest["kind"] == "Node" && manifest["metadata"]["name"] == name.as_str();
            self.hosts.contains(name) || written.iter().any(is_written)
        };
        let nodes = self.node_of_each_alias(is_node);
        for manifest in &mut missing {
            let named = manifest["spec"]["nodeName"].as_str().and_then(Name::new);
            if let Some(node) = named.and_then(|named| nodes.get(&named)) {
                manifest["spec"]["nodeName"] = json!(node);
            }
        }
        // The node of a pod that is there is known; the hostname of its alerts may be that of a Falco pod.
        let of_pods = missing
            .iter()
            .filter_map(|manifest| manifest["spec"]["nodeName"].as_str());
        let needed: BTreeSet<String> = of_pods
            .map(str::to_owned)
            .chain(self.hosts.iter().map(ToString::to_string))
            .collect();
        let is_needed = |name: &str| needed.contains(name);
        missing.retain(|manifest| {
            manifest["kind"] != "Node" || manifest["metadata"]["name"].as_str().is_some_and(is_needed)
        });
        if !written.iter().any(|manifest| manifest["kind"] == "Node") {
            let spare = SPARE_NODES.iter().filter_map(|name| Name::new(name));
            missing.extend(spare.map(|name| manifest::node(&name, Timestamp::UNIX_EPOCH)));
        }
        let list = |items: Vec<Value>| json!({"apiVersion": "v1", "kind": "List", "items": items}).to_string();
        SimulatedCluster::from_manifests([
            ("the cluster", &*list(written)),
            ("what the alerts name", &*list(missing)),
        ])
    }

    fn add_pod(&mut self, claim: &PodClaim, alert: &Alert) {
        // The host of an audit alert is the one of Falco's plugin.
        let node = alert.hostname().filter(|_| !claim.from_audit).and_then(Name::new);
        self.add_node(node.clone(), alert.time());
        let pod = self
            .pods
            .entry((claim.namespace.clone(), claim.name.clone()))
            .or_insert_with(|| AssumedPod::new(alert.time()));
        if let (Some(first), Some(other)) = (pod.node(), &node)
            && first != other
        {
            self.aliases.insert((first.clone(), other.clone()));
        }
        pod.add(claim, node, alert);
    }

    /// The hostname that stands for the node of each that shares one with others: one that is a node for certain, or else
    /// the last in the order of the alphabet, where `falco-…` comes before `worker-…`.
    fn node_of_each_alias(&self, is_node: impl Fn(&Name) -> bool) -> BTreeMap<Name, Name> {
        let mut nodes: BTreeMap<Name, Name> = BTreeMap::new();
        for (one, other) in &self.aliases {
            let of = |name: &Name| nodes.get(name).unwrap_or(name).clone();
            let both = [of(one), of(other)];
            let Some(node) = both.iter().max_by_key(|name| (is_node(name), (*name).clone())).cloned() else {
                continue;
            };
            nodes.insert(one.clone(), node.clone());
            nodes.insert(other.clone(), node.clone());
            for known in nodes.values_mut().filter(|known| both.contains(known)) {
                *known = node.clone();
            }
        }
        nodes
    }

    fn add_node(&mut self, name: Option<Name>, time: Timestamp) {
        if let Some(name) = name {
            let first = self.nodes.entry(name).or_insert(time);
            *first = time.min(*first);
        }
    }

    /// The manifests of all targets, their namespaces and their owners.
    fn manifests(&self) -> Vec<Value> {
        let mut namespaces: BTreeMap<&Namespace, Timestamp> = BTreeMap::new();
        for ((namespace, _), pod) in &self.pods {
            let first = namespaces.entry(namespace).or_insert(pod.first_alert);
            *first = pod.first_alert.min(*first);
        }
        let sets = self.sets();
        let mut deployments: BTreeMap<(&Namespace, &str), (usize, Timestamp)> = BTreeMap::new();
        for ((namespace, set), (pods, first)) in &sets {
            let (all, earliest) = deployments.entry((namespace, set.deployment)).or_insert((0, *first));
            *all += pods;
            *earliest = *first.min(earliest);
        }
        let nodes = self.nodes.iter().map(|(name, first)| manifest::node(name, *first));
        let namespaces = namespaces
            .into_iter()
            .map(|(name, first)| manifest::namespace(name, first));
        let deployments = deployments
            .into_iter()
            .map(|((namespace, name), (pods, first))| manifest::deployment(namespace, name, pods, first));
        let sets = sets
            .into_iter()
            .map(|((namespace, set), (pods, first))| set.manifest(namespace, pods, first));
        let pods = self
            .pods
            .iter()
            .map(|((namespace, name), pod)| pod.manifest(namespace, name));
        nodes
            .chain(namespaces)
            .chain(deployments)
            .chain(sets)
            .chain(pods)
            .collect()
    }

    fn sets(&self) -> ReplicaSets<'_> {
        let mut sets = ReplicaSets::new();
        for ((namespace, name), pod) in &self.pods {
            if let Some(set) = AssumedReplicaSet::of_pod(name) {
                let (pods, first) = sets.entry((namespace, set)).or_insert((0, pod.first_alert));
                *pods += 1;
                *first = pod.first_alert.min(*first);
            }
        }
        sets
    }
}

/// Kind, namespace and name of an object.
fn place(manifest: &Value) -> [String; 3] {
    ["/kind", "/metadata/namespace", "/metadata/name"].map(|pointer| {
        manifest
            .pointer(pointer)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    })
}

#[cfg(test)]
mod tests;
