//! The node of a hostname. Step of the flow: snapshot. Reads only.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use k8s_openapi::api::core::v1::{Node, Pod};
use responder_core::guard::FALCO_NAMESPACES;
use responder_core::node::{NodeFacts, by_hostname};
use responder_core::object::{ContainerId, Name};
use responder_core::pod;
use responder_core::port::{ClusterReader, ReadError};
use responder_core::snapshot::Part;
use responder_core::target::LocatedPod;
use tokio::time::Instant;

use crate::kept::Kept;
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

/// The names of all nodes, and the pods on some, for a while.
#[derive(Debug)]
pub(crate) struct Hosts {
    nodes: Mutex<Option<(Instant, Arc<[NodeFacts]>)>>,
    /// The nodes of hosts of containers.
    of_containers: Kept<Box<str>, Name>,
    containers: Containers,
}

impl Default for Hosts {
    fn default() -> Self {
        Self {
            nodes: Mutex::default(),
            of_containers: Kept::new(HOST_TTL, MOST_HOSTS),
            containers: Containers::default(),
        }
    }
}

impl Hosts {
    /// A host by its hostname: the node of that name; or else the node of the Falco pod of that name; or else the only
    /// node with that hostname, address or short name. The list of the nodes comes last, since it is the largest read.
    /// Where two of Falco's namespaces have such a pod, the host is unknown.
    pub(crate) async fn find<C: ClusterReader>(&self, cluster: &C, hostname: &str) -> Result<ResolvedHost, ReadError> {
        let mut falco_pod = Part::NotAsked;
        if let Some(name) = Name::new(hostname) {
            if let Some(node) = cluster.node(&name).await? {
                return Ok(ResolvedHost {
                    node: Some(node),
                    falco_pod,
                });
            }
            falco_pod = falco_pod_named(cluster, &name).await?;
            if let Part::Found(falco) = &falco_pod {
                let node = match pod::node_name(falco).and_then(Name::new) {
                    Some(name) => cluster.node(&name).await?,
                    None => None,
                };
                return Ok(ResolvedHost { node, falco_pod });
            }
        }
        let nodes = self.nodes(cluster).await?;
        let node = match by_hostname(nodes.iter().map(|node| &node.names), hostname) {
            Some(name) => cluster.node(name).await?,
            None => None,
        };
        Ok(ResolvedHost { node, falco_pod })
    }

    /// The pod of a container on the node of this hostname.
    pub(crate) async fn locate<C: ClusterReader, R: Wait>(
        &self,
        cluster: &C,
        wait: &R,
        (container, hostname): (&ContainerId, &str),
        patience: Duration,
    ) -> Result<LocatedPod, ReadError> {
        let node = if let Some(node) = self.of_containers.get(hostname) {
            node
        } else if let Some(node) = self.node(cluster, hostname).await? {
            self.of_containers.keep(hostname.into(), node.clone());
            node
        } else {
            let detail = format!("no node is known by the hostname {}", hostname.escape_debug());
            return Ok(LocatedPod::Missing(detail));
        };
        self.containers.locate(cluster, wait, container, node, patience).await
    }

    /// The name of the node of a host.
    pub(crate) async fn node<C: ClusterReader>(&self, cluster: &C, hostname: &str) -> Result<Option<Name>, ReadError> {
        let node = self.find(cluster, hostname).await?.node;
        Ok(node.and_then(|node| Name::new(node.metadata.name.as_deref()?)))
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

async fn falco_pod_named<C: ClusterReader>(cluster: &C, name: &Name) -> Result<Part<Arc<Pod>>, ReadError> {
    let is_falco = |pod: &Pod| {
        let namespace = pod.metadata.namespace.as_deref();
        namespace.is_some_and(|namespace| FALCO_NAMESPACES.contains(&namespace))
    };
    let mut candidates: Vec<Pod> = cluster.pods_named(name).await?.into_iter().filter(is_falco).collect();
    Ok(match (candidates.pop(), candidates.is_empty()) {
        (Some(falco), true) => Part::Found(falco.into()),
        _ => Part::Missing,
    })
}

#[cfg(test)]
mod tests;
