//! Reads the parts of the cluster that a decision asks for, and no others. Step of the flow: snapshot. Reads only.
//!
//! The pod comes first, because the rest hangs on it and a flood about pods that are gone should cost one GET each; then
//! everything else at once. A delete asks for the pod alone: one GET.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::OptionFuture;
use k8s_openapi::api::core::v1::Pod;
use responder_core::network::Policies;
use responder_core::object::{Kind, Name, Namespace};
use responder_core::owner::Controller;
use responder_core::pod;
use responder_core::port::{Clock, ClusterReader, ReadError};
use responder_core::sensor;
use responder_core::snapshot::{Needs, Part, Snapshot};
use responder_core::target::{LocatedPod, PodClaim, Subject, TargetKind};

use crate::host::HostLookup;
use crate::owner_chain::owner_chain;
use crate::queue::TargetKey;
use crate::wait::Wait;

/// Reads the parts that are needed.
pub(crate) async fn snapshot<C: ClusterReader, R: Wait>(
    cluster: &C,
    clock: &dyn Clock,
    wait: &R,
    hosts: HostLookup<'_>,
    subject: &Subject,
    needs: Needs,
    patience: Duration,
) -> Result<Snapshot, ReadError> {
    let mut snapshot = Snapshot::empty(clock.now());
    match subject {
        Subject::Pod(claim) => of_pod(cluster, wait, hosts, claim, needs, patience, &mut snapshot).await?,
        Subject::Container {
            container, hostname, ..
        } => {
            let named = (container, hostname.as_str());
            snapshot.located = hosts.locate(cluster, wait, named, patience).await?;
            if let LocatedPod::Found { claim, .. } = snapshot.located.clone() {
                of_pod(cluster, wait, hosts, &claim, needs, patience, &mut snapshot).await?;
            }
        }
        Subject::Host { hostname } => of_host(cluster, hosts, hostname, needs, &mut snapshot).await?,
    }
    Ok(snapshot)
}

async fn of_pod<C: ClusterReader, R: Wait>(
    cluster: &C,
    wait: &R,
    hosts: HostLookup<'_>,
    claim: &PodClaim,
    needs: Needs,
    patience: Duration,
    snapshot: &mut Snapshot,
) -> Result<(), ReadError> {
    snapshot.pod = settled_pod(cluster, wait, claim, patience).await?.into();
    let Some(live) = snapshot.pod.found().cloned() else {
        return Ok(());
    };
    let namespace = &claim.namespace;
    let node = pod::node_name(&live).and_then(Name::new);
    let names_a_daemon_set =
        || pod::controller(&live).is_some_and(|owner| pod::controller_kind(owner) == Some(Kind::DaemonSet));
    let owners = needs.owners || needs.removal && names_a_daemon_set() || sensor::may_watch_its_node(&live);
    let (owners, node, object, policies, services, nodes, serving) = tokio::join!(
        asked(owners, owner_chain(cluster, &live, namespace)),
        asked(needs.node, async {
            match &node {
                Some(name) => cluster.node(name).await,
                None => Ok(None),
            }
        }),
        asked(needs.namespace, cluster.namespace(namespace)),
        asked(needs.policies, policies(cluster, namespace)),
        asked(needs.services, cluster.services(namespace)),
        asked(needs.nodes, cluster.nodes()),
        asked(needs.serving, cluster.serving_namespaces()),
    );
    let owners = owners?;
    if owners
        .as_ref()
        .is_some_and(|chain| sensor::falcos_daemon_set(&live, chain).is_some())
    {
        hosts.recognised(namespace);
    }
    snapshot.has_sensor = hosts.has_sensor(namespace);
    snapshot.owners = owners.map_or(Part::NotAsked, Part::Found);
    snapshot.node = node?.map_or(Part::NotAsked, Part::from);
    snapshot.namespace = object?.map_or(Part::NotAsked, Part::from);
    snapshot.policies = policies?.map_or(Part::NotAsked, Part::Found);
    snapshot.services = services?.map_or(Part::NotAsked, Part::Found);
    snapshot.nodes = nodes?.map_or(Part::NotAsked, Part::Found);
    snapshot.serving = serving?.map_or(Part::NotAsked, Part::Found);
    Ok(())
}

async fn asked<T>(is_asked: bool, read: impl Future<Output = Result<T, ReadError>>) -> Result<Option<T>, ReadError> {
    OptionFuture::from(is_asked.then_some(read)).await.transpose()
}

async fn of_host<C: ClusterReader>(
    cluster: &C,
    hosts: HostLookup<'_>,
    hostname: &str,
    needs: Needs,
    snapshot: &mut Snapshot,
) -> Result<(), ReadError> {
    let host = hosts.find(cluster, hostname).await?;
    snapshot.node = host.node.into();
    snapshot.falco_pod = host.falco_pod;
    snapshot.nodes = asked(needs.nodes, cluster.nodes())
        .await?
        .map_or(Part::NotAsked, Part::Found);
    Ok(())
}

/// The pod, read again for a while when its status does not show the alert's container yet.
///
/// A shell in a container's first second raises an alert before the kubelet has reported the container's id. So the pod
/// is read again, after 100 ms and then twice as long each time up to 1 s, while all of these hold: the alert names a
/// container, no current or last one of the pod is it, the status is behind (a container has no id, or is waiting), the
/// alert's uid, if any, is the pod's, the pod is not ending, and the patience (3 s in `run`) is not used up.
async fn settled_pod<C: ClusterReader, R: Wait>(
    cluster: &C,
    wait: &R,
    claim: &PodClaim,
    patience: Duration,
) -> Result<Option<Arc<Pod>>, ReadError> {
    let mut pause = Duration::from_millis(100);
    let mut left = patience;
    loop {
        let live = cluster.pod(&claim.namespace, &claim.name).await?;
        let is_behind = live.as_ref().is_some_and(|live| is_behind(live, claim));
        if !is_behind || left.is_zero() {
            return Ok(live);
        }
        let length = pause.min(left);
        wait.wait(length).await;
        left -= length;
        pause = (pause * 2).min(Duration::from_secs(1));
    }
}

fn is_behind(live: &Pod, claim: &PodClaim) -> bool {
    let is_other = claim
        .uid
        .as_ref()
        .is_some_and(|uid| live.metadata.uid.as_deref() != Some(uid.as_str()));
    claim
        .container
        .as_ref()
        .is_some_and(|id| pod::container(live, id).is_none())
        && pod::has_unreported_container(live)
        && !is_other
        && !pod::is_terminating(live)
}

async fn policies<C: ClusterReader>(cluster: &C, namespace: &Namespace) -> Result<Policies, ReadError> {
    let (network_policies, others) =
        tokio::join!(cluster.network_policies(namespace), cluster.engine_policies(namespace));
    Ok(Policies {
        network_policies: network_policies?,
        others,
    })
}

/// The key of the object that a playbook acts on, so that it is held before the snapshot is taken. `None` where there is
/// none to hold: decide will refuse.
pub(crate) async fn key_of_target<C: ClusterReader, R: Wait>(
    cluster: &C,
    wait: &R,
    hosts: HostLookup<'_>,
    subject: &Subject,
    target: TargetKind,
    patience: Duration,
) -> Result<Option<TargetKey>, ReadError> {
    let located;
    let claim = match subject {
        Subject::Pod(claim) => claim,
        Subject::Container {
            container, hostname, ..
        } => {
            located = hosts.locate(cluster, wait, (container, hostname), patience).await?;
            let LocatedPod::Found { claim, .. } = &located else {
                return Ok(None);
            };
            claim
        }
        Subject::Host { hostname } if target == TargetKind::Node => {
            return Ok(hosts.node(cluster, hostname).await?.map(TargetKey::Node));
        }
        Subject::Host { .. } => return Ok(None),
    };
    if target == TargetKind::Pod {
        return Ok(Some(TargetKey::Pod(claim.namespace.clone(), claim.name.clone())));
    }
    let Some(live) = cluster.pod(&claim.namespace, &claim.name).await? else {
        return Ok(None);
    };
    if target == TargetKind::Node {
        return Ok(pod::node_name(&live).and_then(Name::new).map(TargetKey::Node));
    }
    let chain = owner_chain(cluster, &live, &claim.namespace).await?;
    let owner = chain.topmost().and_then(Controller::known);
    Ok(owner.map(|owner| TargetKey::Owner(owner.object.uid.clone())))
}

#[cfg(test)]
mod tests;
