//! The cluster that alerts speak of, invented: `--assume-targets` of `explain` and `replay`.
//!
//! Last week's pods are gone, and every alert about them would be refused as `TargetGone`. So the pods that the alerts
//! name are made up: with the container ids that the alerts give, on the node that they come from, older than the first
//! alert about them. What an alert does not say is left out, so that nothing is decided by an invention: a container
//! without an image satisfies no `image`, a pod of the audit log has no node. Two things are guessed: a pod whose name ends
//! as a ReplicaSet's do (`web-6d4cf56db6-x7k2p`) gets that ReplicaSet and its Deployment, and a cluster of which nothing
//! else is known has two nodes more than the alerts name.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use responder_core::alert::Alert;
use responder_core::object::{Name, Namespace, Uid};
use responder_core::target::{PodClaim, Subject};
use serde_json::{Value, json};

/// How much older than its first alert an invented object is.
const OLDER: SignedDuration = SignedDuration::from_hours(1);

/// Nodes that no alert names: without others beside it no node could be cordoned.
const SPARE_NODES: [&str; 2] = ["assumed-spare-1", "assumed-spare-2"];

/// What was invented, as manifests.
#[derive(Debug, Default)]
pub(super) struct Assumed {
    pods: BTreeMap<(Namespace, Name), Pod>,
    nodes: BTreeMap<Name, Timestamp>,
}

#[derive(Debug)]
struct Pod {
    first_named: Timestamp,
    uid: Option<Uid>,
    node: Option<Name>,
    /// By id; each with its name and image, as far as an alert says.
    containers: BTreeMap<String, Container>,
}

#[derive(Debug, Default)]
struct Container {
    name: Option<String>,
    image: Option<String>,
}

impl Assumed {
    /// The targets that these alerts name.
    pub(super) fn of<'a>(alerts: impl IntoIterator<Item = &'a Alert>) -> Self {
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

    fn add_pod(&mut self, claim: &PodClaim, alert: &Alert) {
        // The host name of an audit alert is where the plugin runs.
        let node = alert.hostname().filter(|_| !claim.from_audit).and_then(Name::new);
        self.add_node(node.clone(), alert.time());
        let pod = self
            .pods
            .entry((claim.namespace.clone(), claim.name.clone()))
            .or_insert_with(|| Pod {
                first_named: alert.time(),
                uid: None,
                node: None,
                containers: BTreeMap::new(),
            });
        pod.first_named = pod.first_named.min(alert.time());
        pod.uid = pod.uid.take().or_else(|| claim.uid.clone());
        pod.node = pod.node.take().or(node);
        if let Some(id) = &claim.container {
            let container = pod.containers.entry(id.to_string()).or_default();
            container.name = container.name.take().or_else(|| container_name(alert));
            container.image = container.image.take().or_else(|| image(alert));
        }
    }

    fn add_node(&mut self, name: Option<Name>, time: Timestamp) {
        if let Some(name) = name {
            let first = self.nodes.entry(name).or_insert(time);
            *first = time.min(*first);
        }
    }

    /// Everything as manifests, in an order that depends on the alerts only.
    pub(super) fn manifests(&self) -> Vec<Value> {
        let mut manifests: Vec<Value> = self
            .nodes
            .iter()
            .map(|(name, first)| node_manifest(name, *first))
            .collect();
        manifests.extend(self.namespaces());
        let sets = self.replica_sets();
        let mut deployments: BTreeMap<(&Namespace, &str), (usize, Timestamp)> = BTreeMap::new();
        for ((namespace, set), (pods, first)) in &sets {
            let (all, earliest) = deployments.entry((namespace, set.deployment)).or_insert((0, *first));
            *all += pods;
            *earliest = *first.min(earliest);
        }
        manifests.extend(
            deployments
                .into_iter()
                .map(|((namespace, name), (pods, first))| deployment_manifest(namespace, name, pods, first)),
        );
        manifests.extend(
            sets.into_iter()
                .map(|((namespace, set), (pods, first))| set.manifest(namespace, pods, first)),
        );
        manifests.extend(
            self.pods
                .iter()
                .map(|((namespace, name), pod)| pod.manifest(namespace, name)),
        );
        manifests
    }

    /// Nodes for a cluster that is made of nothing else than what the alerts name.
    pub(super) fn spare_nodes() -> impl Iterator<Item = Value> {
        SPARE_NODES
            .iter()
            .filter_map(|name| Name::new(name))
            .map(|name| node_manifest(&name, Timestamp::UNIX_EPOCH))
    }

    /// What was invented, in a line.
    pub(super) fn describe(&self) -> String {
        let counted = crate::report::counted;
        format!(
            "{}, {} guessed from their names, {}",
            counted(self.pods.len(), "pod"),
            counted(self.replica_sets().len(), "ReplicaSet"),
            counted(self.nodes.len(), "node")
        )
    }

    fn namespaces(&self) -> Vec<Value> {
        let mut first: BTreeMap<&Namespace, Timestamp> = BTreeMap::new();
        for ((namespace, _), pod) in &self.pods {
            let time = first.entry(namespace).or_insert(pod.first_named);
            *time = pod.first_named.min(*time);
        }
        let manifest = |(namespace, time): (&Namespace, Timestamp)| {
            json!({
                "apiVersion": "v1",
                "kind": "Namespace",
                "metadata": {
                    "name": namespace,
                    "uid": assumed_uid(&["namespace", namespace.as_str()]),
                    "creationTimestamp": before(time),
                    "labels": {"kubernetes.io/metadata.name": namespace},
                },
            })
        };
        first.into_iter().map(manifest).collect()
    }

    /// Each ReplicaSet that the pods' names tell of, with how many of them and the time of the first alert.
    fn replica_sets(&self) -> BTreeMap<(&Namespace, ReplicaSet<'_>), (usize, Timestamp)> {
        let mut sets = BTreeMap::new();
        for ((namespace, name), pod) in &self.pods {
            if let Some(set) = ReplicaSet::of_pod(name) {
                let (pods, first) = sets.entry((namespace, set)).or_insert((0, pod.first_named));
                *pods += 1;
                *first = pod.first_named.min(*first);
            }
        }
        sets
    }
}

impl Pod {
    fn manifest(&self, namespace: &Namespace, name: &Name) -> Value {
        let uid = self.uid.as_ref().map_or_else(
            || assumed_uid(&["pod", namespace.as_str(), name.as_str()]),
            ToString::to_string,
        );
        let created = before(self.first_named);
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
        if let Some(set) = ReplicaSet::of_pod(name) {
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

    /// Name, id and image of each container. A name that two ids have (the container restarted) is told apart.
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

/// A ReplicaSet as the name of one of its pods tells of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct ReplicaSet<'a> {
    /// `web`: the Deployment's name.
    deployment: &'a str,
    /// `6d4cf56db6`.
    hash: &'a str,
}

impl<'a> ReplicaSet<'a> {
    /// Kubernetes makes the last two parts of the name of letters and digits that spell no words.
    /// Source: `k8s.io/apimachinery/pkg/util/rand`, `SafeEncodeString`.
    fn of_pod(name: &'a Name) -> Option<Self> {
        let safe = |text: &str| text.bytes().all(|byte| b"bcdfghjklmnpqrstvwxz2456789".contains(&byte));
        let (rest, suffix) = name.as_str().rsplit_once('-')?;
        let (deployment, hash) = rest.rsplit_once('-')?;
        let fits = suffix.len() == 5 && (6..=10).contains(&hash.len()) && safe(suffix) && safe(hash);
        fits.then_some(Self { deployment, hash })
    }

    fn name(self) -> String {
        format!("{}-{}", self.deployment, self.hash)
    }

    fn labels(self) -> Value {
        json!({"pod-template-hash": self.hash})
    }

    fn reference(self, namespace: &Namespace) -> Value {
        controller("ReplicaSet", namespace, &self.name())
    }

    fn manifest(self, namespace: &Namespace, pods: usize, first: Timestamp) -> Value {
        let mut manifest = owner_manifest("ReplicaSet", namespace, &self.name(), first);
        manifest["metadata"]["ownerReferences"] = json!([controller("Deployment", namespace, self.deployment)]);
        manifest["spec"] = json!({
            "replicas": pods,
            "selector": {"matchLabels": self.labels()},
            "template": {"metadata": {"labels": self.labels()}, "spec": {"containers": []}},
        });
        manifest
    }
}

fn deployment_manifest(namespace: &Namespace, name: &str, pods: usize, first: Timestamp) -> Value {
    let mut manifest = owner_manifest("Deployment", namespace, name, first);
    // Nothing of a pod's name tells which labels its Deployment selects; only the number of replicas is asked of it.
    manifest["spec"] = json!({
        "replicas": pods,
        "selector": {},
        "template": {"metadata": {}, "spec": {"containers": []}},
    });
    manifest
}

fn owner_manifest(kind: &str, namespace: &Namespace, name: &str, first: Timestamp) -> Value {
    json!({
        "apiVersion": "apps/v1",
        "kind": kind,
        "metadata": {
            "name": name,
            "namespace": namespace,
            "uid": assumed_uid(&[kind, namespace.as_str(), name]),
            "creationTimestamp": before(first),
        },
    })
}

fn controller(kind: &str, namespace: &Namespace, name: &str) -> Value {
    let uid = assumed_uid(&[kind, namespace.as_str(), name]);
    json!({"apiVersion": "apps/v1", "kind": kind, "name": name, "uid": uid, "controller": true})
}

fn node_manifest(name: &Name, first: Timestamp) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": name,
            "uid": assumed_uid(&["node", name.as_str()]),
            "creationTimestamp": before(first),
            "labels": {"kubernetes.io/hostname": name},
        },
        "status": {"conditions": [{"type": "Ready", "status": "True"}]},
    })
}

/// A uid that shows what it is: `assumed.pod.web.storefront-0`. A long name is cut, since a uid has 253 characters at most.
fn assumed_uid(parts: &[&str]) -> String {
    let mut uid = format!("assumed.{}", parts.join(".")).to_ascii_lowercase();
    uid.truncate(250);
    uid.trim_end_matches(['.', '-']).to_owned()
}

/// A creation time, to the second as the API server keeps it.
fn before(time: Timestamp) -> String {
    let created = time.checked_sub(OLDER).unwrap_or(Timestamp::UNIX_EPOCH);
    created.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// The container's name in its pod. Docker's names carry it between underscores:
/// `k8s_controller_ingress-nginx-controller-slszv_ingress-nginx_<uid>_0`.
fn container_name(alert: &Alert) -> Option<String> {
    let written = alert.text("container.name")?;
    let name = written
        .strip_prefix("k8s_")
        .and_then(|rest| rest.split('_').next())
        .unwrap_or(written);
    Name::new(name).map(|name| name.to_string())
}

/// The image as a pod's spec would name it.
fn image(alert: &Alert) -> Option<String> {
    let known = |field: &str| alert.text(field).filter(|text| !text.is_empty() && *text != "<NA>");
    let repository = known("container.image.repository")?;
    Some(known("container.image.tag").map_or_else(|| repository.to_owned(), |tag| format!("{repository}:{tag}")))
}

#[cfg(test)]
mod tests {
    use responder_cluster::SimulatedCluster;
    use responder_core::alert::Bounds;
    use responder_core::object::{Kind, Locator};
    use responder_core::pod;
    use responder_core::port::ClusterReader as _;
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    fn alert(time: &str, hostname: &str, fields: &Value) -> Alert {
        let alert = json!({"rule": "r", "priority": "Notice", "time": time, "hostname": hostname, "source": "syscall", "output_fields": fields});
        Alert::decode(alert.to_string().as_bytes(), &Bounds::default()).unwrap()
    }

    fn of(pod: &str, container: &str) -> Value {
        json!({
            "k8s.ns.name": "web",
            "k8s.pod.name": pod,
            "container.id": container,
            "container.name": "app",
            "container.image.repository": "example/app",
            "container.image.tag": "1.0",
        })
    }

    async fn pod(cluster: &SimulatedCluster, name: &str) -> std::sync::Arc<k8s_openapi::api::core::v1::Pod> {
        cluster
            .pod(&Namespace::new("web").unwrap(), &Name::new(name).unwrap())
            .await
            .unwrap()
            .unwrap()
    }

    fn cluster(alerts: &[Alert]) -> SimulatedCluster {
        let list = json!({"apiVersion": "v1", "kind": "List", "items": Assumed::of(alerts).manifests()}).to_string();
        SimulatedCluster::from_manifests([("assumed", &*list)]).unwrap()
    }

    #[tokio::test]
    async fn a_pod_is_older_than_its_first_alert_and_has_every_container_that_alerts_name() {
        let cluster = cluster(&[
            alert("2026-07-14T03:00:00.5Z", "worker-1", &of("web-0", "bbbbbbbbbbbb")),
            alert("2026-07-13T03:00:00.5Z", "worker-1", &of("web-0", "aaaaaaaaaaaa")),
        ]);
        let live = pod(&cluster, "web-0").await;
        assert_eq!(pod::created_at(&live).unwrap().to_string(), "2026-07-13T02:00:00Z");
        assert_eq!(pod::node_name(&live), Some("worker-1"));
        let containers: Vec<_> = pod::container_statuses(&live)
            .map(|status| {
                (
                    status.name.as_str(),
                    status.image.as_str(),
                    status.container_id.as_deref().unwrap(),
                )
            })
            .collect();
        let image = "example/app:1.0";
        assert_eq!(
            containers,
            [
                ("app", image, "containerd://aaaaaaaaaaaa"),
                ("app-2", image, "containerd://bbbbbbbbbbbb")
            ]
        );
        assert!(cluster.node(&Name::new("worker-1").unwrap()).await.unwrap().is_some());
    }

    #[tokio::test]
    async fn what_no_alert_says_is_not_made_up() {
        let bare = json!({"k8s.ns.name": "web", "k8s.pod.name": "web-0", "container.id": "aaaaaaaaaaaa", "container.image.repository": null});
        let live = pod(&cluster(&[alert("2026-07-14T03:00:00Z", "not a name", &bare)]), "web-0").await;
        assert_eq!(pod::node_name(&live), None);
        assert_eq!(live.spec.as_ref().unwrap().containers[0].image, None);
        assert!(pod::controller(&live).is_none());
    }

    #[tokio::test]
    async fn pods_of_one_deployment_share_their_owners_and_count_as_its_replicas() {
        let alerts = ["web-6d4cf56db6-x7k2p", "web-6d4cf56db6-4xkzq", "web-7c9d8b5f6d-hn7tb"]
            .map(|name| alert("2026-07-14T03:00:00Z", "worker-1", &of(name, "aaaaaaaaaaaa")));
        let cluster = cluster(&alerts);
        let owner = async |kind, name| {
            let at = Locator::namespaced(kind, Namespace::new("web").unwrap(), Name::new(name).unwrap()).unwrap();
            cluster.owner(&at).await.unwrap().unwrap()
        };
        let set = owner(Kind::ReplicaSet, "web-6d4cf56db6").await;
        assert_eq!(set.owner.replicas, Some(2));
        let above = set.controlled_by.unwrap();
        let deployment = owner(Kind::Deployment, "web").await;
        assert_eq!(
            (above.name.as_str(), above.uid.as_str()),
            ("web", deployment.owner.object.uid.as_str())
        );
        assert_eq!(deployment.owner.replicas, Some(3));
        let live = pod(&cluster, "web-6d4cf56db6-x7k2p").await;
        assert_eq!(pod::controller(&live).unwrap().uid, set.owner.object.uid.as_str());
    }

    #[rstest]
    #[case("web-6d4cf56db6-x7k2p", Some(("web", "6d4cf56db6")))]
    #[case("a-b-c-7c9d8b5f6-zz9s8", Some(("a-b-c", "7c9d8b5f6")))]
    #[case("web-0", None)]
    #[case("cart-db-0", None)]
    #[case("my-cron-job-name", None)]
    #[case("falco-xczjd", None)]
    fn a_replica_set_is_told_by_letters_that_spell_no_words(#[case] pod: &str, #[case] parts: Option<(&str, &str)>) {
        let name = Name::new(pod).unwrap();
        assert_eq!(ReplicaSet::of_pod(&name).map(|set| (set.deployment, set.hash)), parts);
    }

    #[test]
    fn nothing_hangs_on_the_order_of_the_alerts() {
        let mut alerts = [
            ("web-0", "bbbbbbbbbbbb"),
            ("web-1", "cccccccccccc"),
            ("web-0", "aaaaaaaaaaaa"),
        ]
        .map(|(name, id)| alert("2026-07-14T03:00:00Z", "worker-1", &of(name, id)));
        let before = Assumed::of(&alerts).manifests();
        alerts.reverse();
        assert_eq!(Assumed::of(&alerts).manifests(), before);
    }
}
