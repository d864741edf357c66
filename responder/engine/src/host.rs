//! The node of a hostname. Step of the flow: snapshot. Reads only.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use k8s_openapi::api::core::v1::{Node, Pod};
use responder_core::guard::{Guard, is_of_sensors};
use responder_core::node::{NodeFacts, by_hostname};
use responder_core::object::{ContainerId, Name, Namespace};
use responder_core::pod;
use responder_core::port::{ClusterReader, ReadError};
use responder_core::sensor;
use responder_core::snapshot::Part;
use responder_core::target::LocatedPod;
use tokio::time::Instant;

use crate::kept::Kept;
use crate::owner_chain::owner_chain;
use crate::wait::Wait;

mod containers;

use containers::Containers;

/// How long the names of the nodes are kept. An alert of a node that is newer than this is refused where the node has
/// another name than its host.
const TTL: Duration = Duration::from_secs(10);

/// A host as found in the cluster.
pub(crate) struct ResolvedHost {
    pub(crate) node: Option<Arc<Node>>,
    /// The Falco pod of the hostname, where it is the name of one.
    pub(crate) falco_pod: Part<Arc<Pod>>,
}

/// How long the node of a container's host is kept, and of how many hosts. It is read for the key that a response holds and
/// again for the decision, and a flood about containers has one host.
const HOST_TTL: Duration = Duration::from_mins(1);
const MOST_HOSTS: usize = 1024;

/// The most namespaces that are known to have a Falco. One is usual.
const MOST_SENSORS: usize = 64;

/// The names of all nodes, and the pods on some, for a while.
#[derive(Debug)]
pub(crate) struct Hosts {
    nodes: Mutex<Option<(Instant, Arc<[NodeFacts]>)>>,
    /// The nodes of hosts of containers.
    of_containers: Kept<Box<str>, Name>,
    containers: Containers,
    /// Namespaces where a Falco was recognised by its DaemonSet.
    sensors: Mutex<BTreeSet<Namespace>>,
}

/// The names of hosts under a guard, which names namespaces of sensors.
#[derive(Debug, Clone, Copy)]
pub(crate) struct HostLookup<'h> {
    hosts: &'h Hosts,
    guard: &'h Guard,
}

impl Default for Hosts {
    fn default() -> Self {
        Self {
            nodes: Mutex::default(),
            of_containers: Kept::new(HOST_TTL, MOST_HOSTS),
            containers: Containers::default(),
            sensors: Mutex::default(),
        }
    }
}

impl Hosts {
    pub(crate) const fn under<'h>(&'h self, guard: &'h Guard) -> HostLookup<'h> {
        HostLookup { hosts: self, guard }
    }

    async fn nodes<C: ClusterReader>(&self, cluster: &C) -> Result<Arc<[NodeFacts]>, ReadError> {
        if let Some((at, nodes)) = &*self.nodes.lock().unwrap_or_else(PoisonError::into_inner)
            && at.elapsed() < TTL
        {
            return Ok(Arc::clone(nodes));
        }
        let nodes = cluster.nodes().await?;
        *self.nodes.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), Arc::clone(&nodes)));
        Ok(nodes)
    }
}

impl HostLookup<'_> {
    /// A host by its hostname: the node of that name; or else the node of the Falco pod of that name; or else the only
    /// node with that hostname, address or short name. The list of the nodes comes last, since it is the largest read.
    /// Where two Falco pods have the name, the host is unknown.
    pub(crate) async fn find<C: ClusterReader>(self, cluster: &C, hostname: &str) -> Result<ResolvedHost, ReadError> {
        let mut falco_pod = Part::NotAsked;
        if let Some(name) = Name::new(hostname) {
            if let Some(node) = cluster.node(&name).await? {
                return Ok(ResolvedHost {
                    node: Some(node),
                    falco_pod,
                });
            }
            falco_pod = self.falco_pod(cluster, &name).await?;
            if let Part::Found(falco) = &falco_pod {
                let node = match pod::node_name(falco).and_then(Name::new) {
                    Some(name) => cluster.node(&name).await?,
                    None => None,
                };
                return Ok(ResolvedHost { node, falco_pod });
            }
        }
        let nodes = self.hosts.nodes(cluster).await?;
        let node = match by_hostname(nodes.iter().map(|node| &node.names), hostname) {
            Some(name) => cluster.node(name).await?,
            None => None,
        };
        Ok(ResolvedHost { node, falco_pod })
    }

    /// The pod of a container on the node of this hostname.
    pub(crate) async fn locate<C: ClusterReader, R: Wait>(
        self,
        cluster: &C,
        wait: &R,
        (container, hostname): (&ContainerId, &str),
        patience: Duration,
    ) -> Result<LocatedPod, ReadError> {
        let node = if let Some(node) = self.hosts.of_containers.get(hostname) {
            node
        } else if let Some(node) = self.node(cluster, hostname).await? {
            self.hosts.of_containers.keep(hostname.into(), node.clone());
            node
        } else {
            let detail = format!("no node is known by the hostname {}", hostname.escape_debug());
            return Ok(LocatedPod::Missing(detail));
        };
        self.hosts
            .containers
            .locate(cluster, wait, container, node, patience)
            .await
    }

    /// The name of the node of a host.
    pub(crate) async fn node<C: ClusterReader>(self, cluster: &C, hostname: &str) -> Result<Option<Name>, ReadError> {
        let node = self.find(cluster, hostname).await?.node;
        Ok(node.and_then(|node| Name::new(node.metadata.name.as_deref()?)))
    }

    /// Whether a Falco was recognised by its DaemonSet in this namespace, which is none of sensors.
    pub(crate) fn has_sensor(self, namespace: &Namespace) -> bool {
        let sensors = self.hosts.sensors.lock().unwrap_or_else(PoisonError::into_inner);
        sensors.contains(namespace) && !is_of_sensors(self.guard, namespace)
    }

    /// Notes that a Falco was recognised by its DaemonSet in this namespace, and warns once if it is none of sensors: the
    /// pods beside it are not protected.
    pub(crate) fn recognised(self, namespace: &Namespace) {
        if is_of_sensors(self.guard, namespace) {
            return;
        }
        let mut sensors = self.hosts.sensors.lock().unwrap_or_else(PoisonError::into_inner);
        if sensors.len() < MOST_SENSORS && sensors.insert(namespace.clone()) {
            tracing::warn!(
                "Falco runs in the namespace {namespace}, and only its own pods are protected there: to protect its relays \
                 too, write `sensors: {{namespaces: [{namespace}]}}` into the guard"
            );
        }
    }

    /// The Falco pod of this name: in a namespace of sensors, or else under a DaemonSet that runs Falco on the nodes. A
    /// tenant's pod of that name is neither.
    async fn falco_pod<C: ClusterReader>(self, cluster: &C, name: &Name) -> Result<Part<Arc<Pod>>, ReadError> {
        let namespace = |pod: &Pod| pod.metadata.namespace.as_deref().and_then(Namespace::new);
        let named = cluster.pods_named(name).await?;
        let (of_sensors, others): (Vec<Pod>, Vec<Pod>) = named
            .into_iter()
            .partition(|pod| namespace(pod).is_some_and(|namespace| is_of_sensors(self.guard, &namespace)));
        if !of_sensors.is_empty() {
            return Ok(only(of_sensors));
        }
        let mut recognised = Vec::new();
        for pod in others.into_iter().filter(sensor::may_watch_its_node) {
            let Some(namespace) = namespace(&pod) else { continue };
            let chain = owner_chain(cluster, &pod, &namespace).await?;
            if sensor::falcos_daemon_set(&pod, &chain).is_some() {
                self.recognised(&namespace);
                recognised.push(pod);
            }
        }
        Ok(only(recognised))
    }
}

/// The pod, if there is one and no other.
fn only(mut pods: Vec<Pod>) -> Part<Arc<Pod>> {
    match (pods.pop(), pods.is_empty()) {
        (Some(pod), true) => Part::Found(pod.into()),
        _ => Part::Missing,
    }
}

#[cfg(test)]
mod tests;
