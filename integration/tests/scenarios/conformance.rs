//! The conformance suite of the cluster ports on a real API server. `responder-cluster` runs the same scenarios on the
//! simulated cluster. Where the two differ, the real one is right.

use std::collections::BTreeMap;
use std::future::Future;
use std::time::Duration;

use integration::control_plane::shared;
use k8s_openapi::api::apps::v1::{ReplicaSet, StatefulSet};
use k8s_openapi::api::core::v1::{Namespace as NamespaceObject, Node, Pod, Service, ServiceAccount};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::api::{ApiResource, DeleteParams, DynamicObject, GroupVersionKind, ListParams, PostParams};
use kube::{Api, Client, Resource};
use responder_cluster::conformance::{
    ClusterUnderTest, answers, controllers, creations, denials, owners, patches, reads, serving,
};
use responder_cluster::{ConnectOptions, KubeCluster};
use responder_core::object::{Locator, Name, Namespace, Uid};
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::time::{Instant, sleep};

const DEADLINE: Duration = Duration::from_mins(1);
const POLL: Duration = Duration::from_millis(20);

/// The shared API server: the adapter under test, and an administrator's client that sets up scenarios.
struct RealCluster {
    cluster: KubeCluster,
    admin: Client,
}

impl RealCluster {
    async fn new() -> Self {
        let control_plane = shared().await;
        let options = ConnectOptions {
            kubeconfig: Some(control_plane.kubeconfig().to_owned()),
            context: None,
        };
        Self {
            cluster: KubeCluster::connect(&options).await.unwrap(),
            admin: control_plane.retrying_client(),
        }
    }

    fn api(&self, api_version: &str, kind: &str, namespace: Option<&str>) -> Api<DynamicObject> {
        let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
        let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind));
        match namespace {
            Some(namespace) => Api::namespaced_with(self.admin.clone(), namespace, &resource),
            None => Api::all_with(self.admin.clone(), &resource),
        }
    }

    async fn list<K>(&self, namespace: Option<&str>, objects: &mut BTreeMap<String, Value>)
    where
        K: Resource<DynamicType = ()> + DeserializeOwned + Clone + std::fmt::Debug,
    {
        for item in self
            .api(&K::api_version(&()), &K::kind(&()), namespace)
            .list(&ListParams::default())
            .await
            .unwrap()
        {
            let mut value = serde_json::to_value(&item).unwrap();
            value["kind"] = K::kind(&()).into_owned().into();
            let name = item.metadata.name.as_deref().unwrap();
            objects.insert(
                format!("{}/{}/{name}", K::kind(&()), namespace.unwrap_or_default()),
                value,
            );
        }
    }

    async fn all(&self, namespace: &str) -> BTreeMap<String, Value> {
        let mut objects = BTreeMap::new();
        self.list::<Pod>(Some(namespace), &mut objects).await;
        self.list::<ReplicaSet>(Some(namespace), &mut objects).await;
        self.list::<StatefulSet>(Some(namespace), &mut objects).await;
        self.list::<Service>(Some(namespace), &mut objects).await;
        self.list::<PodDisruptionBudget>(Some(namespace), &mut objects).await;
        self.list::<NetworkPolicy>(Some(namespace), &mut objects).await;
        self.list::<Node>(None, &mut objects).await;
        self.list::<NamespaceObject>(None, &mut objects).await;
        objects
    }

    async fn settle(&self, namespace: &str) -> Result<(), String> {
        eventually(&format!("{namespace} is at rest"), || async {
            let objects = self.all(namespace).await;
            objects.values().all(|object| is_at_rest(object, &objects))
        })
        .await
    }
}

/// Whether the controllers have finished with an object.
fn is_at_rest(object: &Value, objects: &BTreeMap<String, Value>) -> bool {
    let number = |pointer: &str| object.pointer(pointer).and_then(Value::as_u64).unwrap_or_default();
    let seen = || number("/status/observedGeneration") == number("/metadata/generation");
    let of_kind = |kind: &'static str| objects.values().filter(move |other| other["kind"] == kind);
    match object["kind"].as_str().unwrap() {
        "Pod" => is_ready(object),
        "Node" => is_ready(object) || !object["metadata"]["name"].as_str().unwrap().starts_with("conformance-"),
        "ReplicaSet" | "StatefulSet" => seen() && number("/status/readyReplicas") == number("/spec/replicas"),
        // If several budgets select a pod, the disruption controller recounts only one of them when the pod changes
        // (`getPdbForPod` in its `disruption.go`), so the others can't be waited for.
        "PodDisruptionBudget" if of_kind("PodDisruptionBudget").count() > 1 => seen(),
        "PodDisruptionBudget" => {
            let pods = of_kind("Pod")
                .filter(|pod| pod["metadata"]["labels"]["app"] == "web")
                .count();
            let pods = u64::try_from(pods).unwrap();
            seen() && number("/status/expectedPods") == pods && number("/status/currentHealthy") == pods
        }
        _ => true,
    }
}

fn is_ready(object: &Value) -> bool {
    let conditions = object.pointer("/status/conditions").and_then(Value::as_array);
    conditions
        .into_iter()
        .flatten()
        .any(|condition| condition["type"] == "Ready" && condition["status"] == "True")
}

async fn eventually<F: Future<Output = bool>>(what: &str, mut ask: impl FnMut() -> F) -> Result<(), String> {
    let started = Instant::now();
    while started.elapsed() < DEADLINE {
        if ask().await {
            return Ok(());
        }
        sleep(POLL).await;
    }
    Err(format!("timed out waiting until {what}"))
}

impl ClusterUnderTest for RealCluster {
    type Adapter = KubeCluster;

    fn adapter(&self) -> &KubeCluster {
        &self.cluster
    }

    async fn create(&self, manifests: &[Value]) -> Result<(), String> {
        for manifest in manifests {
            let namespace = manifest["metadata"]["namespace"].as_str();
            let kind = manifest["kind"].as_str().unwrap();
            let api = self.api(manifest["apiVersion"].as_str().unwrap(), kind, namespace);
            let object = serde_json::from_value(manifest.clone()).unwrap();
            match api.create(&PostParams::default(), &object).await {
                Ok(_) => {}
                // Another test of this process may need the same one.
                Err(kube::Error::Api(status)) if kind == "CustomResourceDefinition" && status.is_already_exists() => {}
                Err(error) => return Err(error.to_string()),
            }
            let name = manifest["metadata"]["name"].as_str().unwrap();
            if kind == "Namespace" {
                let accounts: Api<ServiceAccount> = Api::namespaced(self.admin.clone(), name);
                // Without it, the API server refuses pods in the namespace.
                eventually("the service account exists", || async {
                    accounts.get_opt("default").await.unwrap().is_some()
                })
                .await?;
            }
            if let Some(namespace) = namespace {
                self.settle(namespace).await?;
            }
        }
        Ok(())
    }

    async fn replace_pod(&self, namespace: &Namespace, name: &Name) -> Result<Uid, String> {
        let pods = self.api("v1", "Pod", Some(namespace.as_str()));
        let old = pods.get(name.as_str()).await.unwrap();
        self.delete(&Locator::pod(namespace.clone(), name.clone())).await?;
        // Otherwise a budget that still counts the old pod looks at rest with the new one, and changes later.
        self.settle(namespace.as_str()).await?;
        let mut new = serde_json::to_value(&old).unwrap();
        new["metadata"] = serde_json::json!({"name": name, "namespace": namespace, "labels": old.metadata.labels});
        new.as_object_mut().unwrap().remove("status");
        let new = pods
            .create(&PostParams::default(), &serde_json::from_value(new).unwrap())
            .await
            .unwrap();
        self.settle(namespace.as_str()).await?;
        Ok(Uid::new(new.metadata.uid.as_deref().unwrap()).unwrap())
    }

    async fn delete(&self, at: &Locator) -> Result<(), String> {
        let namespace = at.namespace().map(Namespace::as_str);
        let api = self.api(&at.kind().api_version(), at.kind().as_str(), namespace);
        api.delete(at.name().as_str(), &DeleteParams::default().grace_period(0))
            .await
            .map_err(|error| error.to_string())?;
        eventually(&format!("{at} is gone"), || async {
            api.get_opt(at.name().as_str()).await.unwrap().is_none()
        })
        .await
    }

    async fn objects(&self, namespace: &Namespace) -> Result<BTreeMap<String, Value>, String> {
        Ok(self.all(namespace.as_str()).await)
    }
}

macro_rules! on_the_real_api_server {
    ($($module:ident::$scenario:ident)*) => {
        $(
            #[tokio::test]
            async fn $scenario() {
                let cluster = RealCluster::new().await;
                if let Err(violation) = $module::$scenario(&cluster).await {
                    panic!("{violation}");
                }
            }
        )*
    };
}

responder_cluster::for_each_scenario!(on_the_real_api_server);
