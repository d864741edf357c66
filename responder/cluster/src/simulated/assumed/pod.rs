//! A pod that alerts name.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use responder_core::alert::Alert;
use responder_core::object::{Name, Namespace, Uid};
use responder_core::target::PodClaim;
use serde_json::{Value, json};

use super::manifest::{created, uid};
use super::replica_set::AssumedReplicaSet;

/// A pod, as far as alerts tell of it.
#[derive(Debug)]
pub(super) struct AssumedPod {
    pub(super) first_alert: Timestamp,
    uid: Option<Uid>,
    node: Option<Name>,
    /// By id.
    containers: BTreeMap<String, Container>,
}

#[derive(Debug, Default)]
struct Container {
    name: Option<String>,
    image: Option<String>,
}

impl AssumedPod {
    /// A pod of which only the time of an alert is known.
    pub(super) const fn new(alert: Timestamp) -> Self {
        Self {
            first_alert: alert,
            uid: None,
            node: None,
            containers: BTreeMap::new(),
        }
    }

    /// Takes in what one more alert tells; an earlier alert prevails.
    /// The first hostname of its alerts.
    pub(super) const fn node(&self) -> Option<&Name> {
        self.node.as_ref()
    }

    pub(super) fn add(&mut self, claim: &PodClaim, node: Option<Name>, alert: &Alert) {
        self.first_alert = self.first_alert.min(alert.time());
        self.uid = self.uid.take().or_else(|| claim.uid.clone());
        self.node = self.node.take().or(node);
        if let Some(id) = &claim.container {
            let container = self.containers.entry(id.to_string()).or_default();
            container.name = container.name.take().or_else(|| container_name(alert));
            container.image = container.image.take().or_else(|| image(alert));
        }
    }

    pub(super) fn manifest(&self, namespace: &Namespace, name: &Name) -> Value {
        let uid = self
            .uid
            .as_ref()
            .map_or_else(|| uid(&["pod", namespace.as_str(), name.as_str()]), ToString::to_string);
        let created = created(self.first_alert);
        let containers = self.named_containers();
        let spec: Vec<Value> = containers
            .iter()
            .map(|(name, _, image)| json!({"name": name, "image": image}))
            .collect();
        let statuses: Vec<Value> = containers
            .iter()
            .map(|(name, id, image)| {
                json!({
                    "name": name,
                    "image": image.unwrap_or_default(),
                    "imageID": "",
                    "ready": true,
                    "restartCount": 0,
                    "containerID": format!("containerd://{id}"),
                    "state": {"running": {"startedAt": created}},
                })
            })
            .collect();
        let mut metadata = json!({
            "name": name,
            "namespace": namespace,
            "uid": uid,
            "creationTimestamp": created,
        });
        if let Some(set) = AssumedReplicaSet::of_pod(name) {
            metadata["labels"] = set.labels();
            metadata["ownerReferences"] = json!([set.reference(namespace)]);
        }
        let mut spec = json!({"containers": spec});
        if let Some(node) = &self.node {
            spec["nodeName"] = json!(node);
        }
        json!({
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": metadata,
            "spec": spec,
            "status": {"phase": "Running", "containerStatuses": statuses},
        })
    }

    /// Name, id and image of each container. A container that restarted has several ids; each after the first gets a number
    /// in its name.
    fn named_containers(&self) -> Vec<(String, &str, Option<&str>)> {
        let mut taken = BTreeSet::new();
        let mut containers = Vec::new();
        for (id, container) in &self.containers {
            let wanted = container.name.clone().unwrap_or_else(|| "container".to_owned());
            let free = (1..=self.containers.len())
                .map(|number| {
                    if number == 1 {
                        wanted.clone()
                    } else {
                        format!("{wanted}-{number}")
                    }
                })
                .find(|name| !taken.contains(name))
                .unwrap_or_else(|| id.clone());
            taken.insert(free.clone());
            containers.push((free, id.as_str(), container.image.as_deref()));
        }
        containers
    }
}

/// The container's name in its pod. Docker's names have it between underscores:
/// `k8s_controller_ingress-nginx-controller-slszv_ingress-nginx_<uid>_0`.
fn container_name(alert: &Alert) -> Option<String> {
    let written = alert.text("container.name")?;
    let name = written
        .strip_prefix("k8s_")
        .and_then(|rest| rest.split('_').next())
        .unwrap_or(written);
    Name::new(name).map(|name| name.to_string())
}

/// The image as in the spec of a pod.
fn image(alert: &Alert) -> Option<String> {
    let known = |field: &str| alert.text(field).filter(|text| !text.is_empty() && *text != "<NA>");
    let repository = known("container.image.repository")?;
    Some(known("container.image.tag").map_or_else(|| repository.to_owned(), |tag| format!("{repository}:{tag}")))
}
