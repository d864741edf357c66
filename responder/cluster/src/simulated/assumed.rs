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
                Ok(Subject::Host { hostname }) => assumed.add_node(Name::new(&hostname), alert.time()),
                Err(_) => {}
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
        self.pods
            .entry((claim.namespace.clone(), claim.name.clone()))
            .or_insert_with(|| AssumedPod::new(alert.time()))
            .add(claim, node, alert);
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
