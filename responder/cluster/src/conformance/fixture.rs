//! The namespaces and objects of the scenarios, the requests they send, and the comparison of the cluster before and
//! after a request.

use std::collections::BTreeMap;
use std::future::Future;
use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use responder_core::mode::{Mode, Permit};
use responder_core::object::{Kind, Locator, Name, Namespace, ObjectRef, Uid};
use responder_core::port::{ClusterReader, ClusterWriter, Reply, SendErrorKind};
use responder_core::request::{DEFAULT_DEADLINE, Request};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep, timeout};

use super::under_test::{ClusterUnderTest, Violation};

/// How long controllers may take. They need milliseconds; a build on the same two cores adds the rest.
const DEADLINE: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(20);

/// Prefix of the labels and annotations that scenarios set. The node's own controllers set others.
pub(super) const PREFIX: &str = "conformance.responder.dev/";

pub(super) type ScenarioResult = Result<(), Violation>;

/// Fails the scenario with a message unless the condition holds.
macro_rules! ensure {
    ($condition:expr, $($message:tt)+) => {
        if !$condition {
            return Err(Violation::from(format!($($message)+)));
        }
    };
}
pub(super) use ensure;

/// A namespace and a node of a scenario's own.
pub(super) struct Fixture<'c, C: ClusterUnderTest> {
    pub(super) cluster: &'c C,
    pub(super) namespace: Namespace,
    pub(super) node: Name,
}

impl<'c, C: ClusterUnderTest> Fixture<'c, C> {
    /// Creates the namespace `conformance-NAME` and its node, without pods.
    pub(super) async fn bare(cluster: &'c C, name: &str) -> Result<Self, Violation> {
        let name = format!("conformance-{name}");
        let fixture = Self {
            cluster,
            namespace: namespace(&name)?,
            node: self::name(&format!("{name}.node"))?,
        };
        let node = json!({
            "apiVersion": "v1", "kind": "Node",
            "metadata": {"name": fixture.node},
        });
        let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
        fixture.create(&[namespace, node]).await?;
        Ok(fixture)
    }

    /// A name that no namespace and no cluster-scoped object has.
    pub(super) fn nowhere(&self) -> Result<Namespace, Violation> {
        namespace(&format!("{}-else", self.namespace))
    }

    /// Creates the namespace and its node with the pod `web-0`.
    pub(super) async fn with_pod(cluster: &'c C, name: &str) -> Result<Self, Violation> {
        let fixture = Self::bare(cluster, name).await?;
        fixture.create(&[fixture.pod("web-0")]).await?;
        Ok(fixture)
    }

    pub(super) async fn create(&self, manifests: &[Value]) -> ScenarioResult {
        Ok(self.cluster.create(manifests).await?)
    }

    pub(super) fn pod(&self, name: &str) -> Value {
        let mut spec = self.pod_spec();
        spec["nodeName"] = self.node.as_str().into();
        json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": name, "namespace": self.namespace, "labels": {"app": "web"}},
            "spec": spec,
        })
    }

    fn pod_spec(&self) -> Value {
        json!({"nodeName": self.node, "containers": [{"name": "web", "image": "web:1"}]})
    }

    /// A ReplicaSet or StatefulSet with all its pods on the fixture's node.
    pub(super) fn set(&self, kind: &str, name: &str, replicas: u32) -> Value {
        let mut spec = json!({
            "replicas": replicas,
            "selector": {"matchLabels": {"app": "web"}},
            "template": {"metadata": {"labels": {"app": "web"}}, "spec": self.pod_spec()},
        });
        if kind == "StatefulSet" {
            spec["serviceName"] = "web".into();
        }
        json!({
            "apiVersion": "apps/v1", "kind": kind,
            "metadata": {"name": name, "namespace": self.namespace},
            "spec": spec,
        })
    }

    /// A Job that creates no pods: a kwok node would complete them at once.
    pub(super) fn job(&self, name: &str) -> Value {
        let mut spec = self.pod_spec();
        spec["restartPolicy"] = "Never".into();
        json!({
            "apiVersion": "batch/v1", "kind": "Job",
            "metadata": {"name": name, "namespace": self.namespace},
            "spec": {"suspend": true, "template": {"spec": spec}},
        })
    }

    /// A budget over all pods with `app: web`.
    pub(super) fn budget(&self, name: &str, available: u32) -> Value {
        json!({
            "apiVersion": "policy/v1", "kind": "PodDisruptionBudget",
            "metadata": {"name": name, "namespace": self.namespace},
            "spec": {"minAvailable": available, "selector": {"matchLabels": {"app": "web"}}},
        })
    }

    /// The pod as the adapter reads it.
    pub(super) async fn read(&self, pod: &str) -> Result<Option<std::sync::Arc<Pod>>, Violation> {
        let read = self.cluster.adapter().pod(&self.namespace, &name(pod)?).await;
        read.map_err(|error| Violation::from(error.to_string()))
    }

    /// The pod with its uid, as the adapter reads it.
    pub(super) async fn target(&self, pod: &str) -> Result<ObjectRef, Violation> {
        let read = self
            .read(pod)
            .await?
            .ok_or_else(|| Violation::from(format!("pod {pod} does not exist")))?;
        Ok(ObjectRef {
            at: self.at(pod)?,
            uid: self::uid(read.metadata.uid.as_deref().unwrap_or_default())?,
        })
    }

    pub(super) async fn node_target(&self) -> Result<ObjectRef, Violation> {
        let node = self
            .cluster
            .adapter()
            .node(&self.node)
            .await
            .map_err(|error| Violation::from(error.to_string()))?;
        let found = node
            .as_ref()
            .and_then(|node| node.metadata.uid.as_deref())
            .unwrap_or_default();
        Ok(ObjectRef {
            at: Locator::node(self.node.clone()),
            uid: self::uid(found)?,
        })
    }

    pub(super) fn at(&self, pod: &str) -> Result<Locator, Violation> {
        Ok(Locator::pod(self.namespace.clone(), name(pod)?))
    }

    pub(super) fn place(&self, kind: Kind, of: &str) -> Result<Locator, Violation> {
        Locator::namespaced(kind, self.namespace.clone(), name(of)?)
            .ok_or_else(|| Violation::from(format!("{kind} is not namespaced")))
    }

    /// Sends a request for real or as a dry run.
    pub(super) async fn send(&self, request: &Request, dry_run: bool) -> Result<Reply, SendErrorKind> {
        let mode = if dry_run { Mode::Rehearse } else { Mode::Enforce };
        let permit: Permit = Permit::to_give_back(mode);
        // Both modes permit a request.
        let armed = request.armed(&permit).unwrap_or_else(|| request.rehearsed());
        self.cluster
            .adapter()
            .send(armed, DEFAULT_DEADLINE)
            .await
            .map_err(|error| error.kind)
    }

    /// Sends a request and fails unless the answer is the expected one.
    pub(super) async fn answers(
        &self,
        request: &Request,
        dry_run: bool,
        expected: Result<&Reply, SendErrorKind>,
    ) -> ScenarioResult {
        let answer = self.send(request, dry_run).await;
        ensure!(
            answer.as_ref().map_err(|kind| *kind) == expected,
            "{request} (dry run: {dry_run}) answered {answer:?} and not {expected:?}"
        );
        Ok(())
    }

    /// Sends a request as a dry run and for real. Both must be refused with this error, and must change and create
    /// nothing.
    pub(super) async fn refuses(&self, request: &Request, kind: SendErrorKind) -> ScenarioResult {
        let before = self.state().await?;
        for dry_run in [true, false] {
            self.answers(request, dry_run, Err(kind)).await?;
            self.unchanged(&before, &request.to_string()).await?;
        }
        Ok(())
    }

    /// Sends a request as a dry run. It must be accepted, and must change and create nothing.
    pub(super) async fn rehearses(&self, request: &Request) -> ScenarioResult {
        let before = self.state().await?;
        self.answers(request, true, Ok(&Reply::Rehearsed)).await?;
        self.unchanged(&before, &format!("the dry run of {request}")).await
    }

    /// The fixture's objects, without the fields that change by themselves.
    pub(super) async fn state(&self) -> Result<BTreeMap<String, Value>, Violation> {
        let objects = self.cluster.objects(&self.namespace).await?;
        let own = |object: &Value| {
            let text = |pointer: &str| {
                object
                    .pointer(pointer)
                    .and_then(Value::as_str)
                    .unwrap_or_default()
                    .to_owned()
            };
            let cluster_scoped = text("/metadata/namespace").is_empty();
            // Other scenarios have their own nodes and namespaces.
            let (name, own) = (text("/metadata/name"), self.namespace.as_str());
            !cluster_scoped || name == own || name == self.node.as_str() || name == format!("{own}-else")
        };
        Ok(objects
            .into_iter()
            .filter(|(_, object)| own(object))
            .map(|(key, object)| (key, at_rest(object)))
            .collect())
    }

    pub(super) async fn unchanged(&self, before: &BTreeMap<String, Value>, by: &str) -> ScenarioResult {
        let after = self.state().await?;
        for (key, object) in before {
            ensure!(
                after.get(key) == Some(object),
                "{by} changed {key}\nfrom {object}\nto   {:?}",
                after.get(key)
            );
        }
        let created: Vec<_> = after.keys().filter(|key| !before.contains_key(*key)).collect();
        ensure!(created.is_empty(), "{by} created {created:?}");
        Ok(())
    }

    /// The pods of the namespace that are not terminating, by name.
    pub(super) async fn living_pods(&self) -> Result<BTreeMap<String, Value>, Violation> {
        let objects = self.cluster.objects(&self.namespace).await?;
        let living = |key: &str, object: &Value| {
            key.starts_with("Pod/") && object.pointer("/metadata/deletionTimestamp").is_none()
        };
        let name = |object: &Value| {
            object
                .pointer("/metadata/name")
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned()
        };
        Ok(objects
            .into_iter()
            .filter(|(key, object)| living(key, object))
            .map(|(_, object)| (name(&object), object))
            .collect())
    }
}

/// Asks until the answer is yes, and fails after 30 s.
pub(super) async fn eventually<F>(what: &str, mut ask: impl FnMut() -> F) -> ScenarioResult
where
    F: Future<Output = Result<bool, Violation>>,
{
    let started = Instant::now();
    while started.elapsed() < DEADLINE {
        let asked = timeout(DEADLINE, ask()).await;
        if asked.map_err(|_| Violation::from(format!("timed out waiting until {what}")))?? {
            return Ok(());
        }
        sleep(POLL).await;
    }
    Err(Violation::from(format!("timed out waiting until {what}")))
}

/// An object without status, versions and managed fields; of a node, only its uid, the scenario's own labels, annotations
/// and taints, and whether it is cordoned.
fn at_rest(mut object: Value) -> Value {
    if object.get("kind").and_then(Value::as_str) == Some("Node") {
        let ours = |field: &str| -> BTreeMap<String, Value> {
            let entries = object.pointer(&format!("/metadata/{field}")).and_then(Value::as_object);
            let ours = entries.into_iter().flatten().filter(|(key, _)| key.starts_with(PREFIX));
            ours.map(|(key, value)| (key.clone(), value.clone())).collect()
        };
        return json!({
            "uid": object["metadata"]["uid"],
            "labels": ours("labels"),
            "annotations": ours("annotations"),
            "unschedulable": object.pointer("/spec/unschedulable"),
            "taints": our_taints(&object),
        });
    }
    if let Some(fields) = object.as_object_mut() {
        fields.remove("status");
    }
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        for field in ["resourceVersion", "managedFields", "generation"] {
            metadata.remove(field);
        }
    }
    object
}

/// The taints of the scenarios, in order; the node's controllers add and remove others.
fn our_taints(node: &Value) -> Vec<Value> {
    let taints = node.pointer("/spec/taints").and_then(Value::as_array);
    let ours = taints.into_iter().flatten().filter(|taint| {
        let key = taint.get("key").and_then(Value::as_str);
        key.is_some_and(|key| key.starts_with(PREFIX))
    });
    ours.cloned().collect()
}

pub(super) fn name(text: &str) -> Result<Name, Violation> {
    Name::new(text).ok_or_else(|| Violation::from(format!("`{text}` is not a name")))
}

pub(super) fn namespace(text: &str) -> Result<Namespace, Violation> {
    Namespace::new(text).ok_or_else(|| Violation::from(format!("`{text}` is not a namespace")))
}

pub(super) fn uid(text: &str) -> Result<Uid, Violation> {
    Uid::new(text).ok_or_else(|| Violation::from(format!("`{text}` is not a uid")))
}

/// A uid that no object has.
pub(super) fn other_uid() -> Result<Uid, Violation> {
    uid("00000000-0000-4000-8000-000000000000")
}
