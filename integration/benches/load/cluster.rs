//! The control plane with pods to delete, plain deletions, and a watch for the ends of pods.

use std::{
    collections::{HashMap, HashSet},
    path::PathBuf,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail, ensure};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use integration::{
    control_plane::ControlPlane,
    fixtures::{ObjectExt as _, PodExt as _, create, is_ready, namespace, node, pod, pods},
};
use k8s_openapi::api::core::v1::Pod;
use kube::{
    Api, Client, ResourceExt as _,
    api::{DeleteParams, ListParams, Preconditions, WatchEvent, WatchParams},
};
use tokio::{
    sync::mpsc,
    task::JoinSet,
    time::{sleep, timeout},
};

pub(crate) const NAMESPACE: &str = "burst";
const NODES: usize = 4;
/// kwok needs about ten seconds for a thousand pods.
const READY_DEADLINE: Duration = Duration::from_mins(3);
/// Deadline for the next deleted pod, not for all.
const GONE_DEADLINE: Duration = Duration::from_mins(1);
/// The API server ends a watch after this many seconds: longer than any measurement. kube allows at most 295.
const WATCH_SECONDS: u32 = 290;

/// A control plane with nodes and a namespace for the measured pods.
pub(crate) struct BenchCluster {
    client: Client,
    /// A separate client, so that its connection carries only the watch.
    watcher: Client,
    control_plane: ControlPlane,
}

impl BenchCluster {
    pub(crate) async fn start() -> anyhow::Result<Self> {
        let control_plane = ControlPlane::start().await?;
        let (client, watcher) = (control_plane.client(), control_plane.client());
        for number in 0..NODES {
            create(&client, &node(&format!("bench-{number}"))).await?;
        }
        create(&client, &namespace(NAMESPACE, &[])).await?;
        Ok(Self {
            client,
            watcher,
            control_plane,
        })
    }

    /// The kubeconfig of the responder's own user.
    pub(crate) fn kubeconfig(&self) -> anyhow::Result<PathBuf> {
        Ok(self.control_plane.kubeconfig_for("responder", &["system:masters"])?)
    }

    fn pods(&self) -> Api<Pod> {
        Api::namespaced(self.client.clone(), NAMESPACE)
    }

    /// Creates `count` pods and waits until they are Ready.
    pub(crate) async fn make_pods(&self, batch: &str, count: usize) -> anyhow::Result<Vec<Pod>> {
        let labels = [("batch", batch)];
        stream::iter(0..count)
            .map(|number| {
                let pod = pod(NAMESPACE, &format!("{batch}-{number}"))
                    .on_node(&format!("bench-{}", number % NODES))
                    .labelled(&labels);
                async move { create(&self.client, &pod).await }
            })
            .buffer_unordered(16)
            .try_for_each(async |_| Ok(()))
            .await?;
        let started = Instant::now();
        loop {
            let found = pods(&self.client, NAMESPACE, &labels).await?;
            let ready = found.iter().filter(|pod| is_ready(pod)).count();
            if ready == count {
                return Ok(found);
            }
            ensure!(
                started.elapsed() < READY_DEADLINE,
                "{ready} of {count} pods became ready"
            );
            sleep(Duration::from_millis(if count > 100 { 500 } else { 50 })).await;
        }
    }

    /// A plain deletion without grace and with a uid precondition.
    pub(crate) async fn delete(&self, pod: &Pod) -> anyhow::Result<()> {
        let parameters = DeleteParams {
            grace_period_seconds: Some(0),
            preconditions: Some(Preconditions {
                uid: pod.uid(),
                resource_version: None,
            }),
            ..DeleteParams::default()
        };
        self.pods()
            .delete(&pod.name_any(), &parameters)
            .await
            .context("a plain deletion failed")?;
        Ok(())
    }

    /// Deletes all pods, `at_once` at a time.
    pub(crate) async fn delete_all(&self, pods: &[Pod], at_once: usize) -> anyhow::Result<()> {
        stream::iter(pods)
            .map(|pod| self.delete(pod))
            .buffer_unordered(at_once)
            .try_for_each(async |()| Ok(()))
            .await
    }

    /// Starts a watch.
    pub(crate) async fn watch(&self) -> anyhow::Result<Deletions> {
        let api: Api<Pod> = Api::namespaced(self.watcher.clone(), NAMESPACE);
        let one = api.list_metadata(&ListParams::default().limit(1)).await?;
        let version = one.metadata.resource_version.context("a list without a version")?;
        let parameters = WatchParams::default().timeout(WATCH_SECONDS);
        let mut stream = api.watch_metadata(&parameters, &version).await?.boxed();
        let (send, events) = mpsc::channel(16);
        let mut task = JoinSet::new();
        task.spawn(async move {
            while let Some(Ok(event)) = stream.next().await {
                let at = Instant::now();
                if let WatchEvent::Deleted(pod) = event
                    && send.send((pod.uid().unwrap_or_default(), at)).await.is_err()
                {
                    return;
                }
            }
        });
        Ok(Deletions { events, _task: task })
    }
}

/// The deleted pods and the times of their watch events.
pub(crate) struct Deletions {
    events: mpsc::Receiver<(String, Instant)>,
    _task: JoinSet<()>,
}

impl Deletions {
    /// Waits until these pods are deleted and returns the time of each, by uid.
    pub(crate) async fn of(&mut self, pods: &[Pod]) -> anyhow::Result<HashMap<String, Instant>> {
        let mut missing: HashSet<_> = pods.iter().filter_map(kube::ResourceExt::uid).collect();
        let mut gone = HashMap::new();
        while !missing.is_empty() {
            match timeout(GONE_DEADLINE, self.events.recv()).await {
                Ok(Some((uid, at))) => {
                    if missing.remove(&uid) {
                        gone.insert(uid, at);
                    }
                }
                Ok(None) => bail!("the watch ended with {} pods left", missing.len()),
                Err(_) => bail!("{} of {} pods are still there", missing.len(), pods.len()),
            }
        }
        Ok(gone)
    }

    /// Waits until these pods are deleted and returns the time of the last.
    pub(crate) async fn last_of(&mut self, pods: &[Pod]) -> anyhow::Result<Instant> {
        self.of(pods).await?.into_values().max().context("no pods were given")
    }
}
