//! Reads the parts of the cluster that a decision asks for, and no others. Step of the flow: snapshot. Reads only.
//!
//! The pod comes first, because the rest hangs on it and a flood about pods that are gone should cost one GET each; then
//! everything else at once. A delete asks for the pod alone: one GET.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::OptionFuture;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use responder_core::custom_kind::{CustomKind, CustomLocator};
use responder_core::network::Policies;
use responder_core::object::{Kind, Locator, Name, Namespace, Uid};
use responder_core::own::{QUARANTINE_LABEL, QuarantinePolicy, QuarantineRecord};
use responder_core::owner::{Controller, OwnerChain};
use responder_core::pod;
use responder_core::port::{Clock, ClusterReader, ControllerRef, CustomOwnerAnswer, ReadError};
use responder_core::selector::Selector;
use responder_core::snapshot::{Needs, Part, Snapshot};
use responder_core::target::{LocatedPod, PodClaim, Subject, TargetKind};

use crate::host::Hosts;
use crate::queue::TargetKey;
use crate::wait::Wait;

/// The most controllers of a chain that are followed. The longest known chain has five: ReplicaSet, Deployment and Knative's
/// Revision, Configuration and Service.
const MOST_OWNERS: usize = 8;

/// Reads the parts that are needed.
pub(crate) async fn snapshot<C: ClusterReader, R: Wait>(
    cluster: &C,
    clock: &dyn Clock,
    wait: &R,
    hosts: &Hosts,
    subject: &Subject,
    needs: Needs,
    patience: Duration,
) -> Result<Snapshot, ReadError> {
    let mut snapshot = Snapshot::empty(clock.now());
    match subject {
        Subject::Pod(claim) => of_pod(cluster, wait, claim, needs, patience, &mut snapshot).await?,
        Subject::Container {
            container, hostname, ..
        } => {
            let named = (container, hostname.as_str());
            snapshot.located = hosts.locate(cluster, wait, named, patience).await?;
            if let LocatedPod::Found { claim, .. } = snapshot.located.clone() {
                of_pod(cluster, wait, &claim, needs, patience, &mut snapshot).await?;
            }
        }
        Subject::Host { hostname } => of_host(cluster, hosts, hostname, needs, &mut snapshot).await?,
    }
    Ok(snapshot)
}

async fn of_pod<C: ClusterReader, R: Wait>(
    cluster: &C,
    wait: &R,
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
    let owners = needs.owners || needs.removal && names_a_daemon_set();
    let (owners, node, object, policies, services, nodes) = tokio::join!(
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
    );
    snapshot.owners = owners?.map_or(Part::NotAsked, Part::Found);
    snapshot.node = node?.map_or(Part::NotAsked, Part::from);
    snapshot.namespace = object?.map_or(Part::NotAsked, Part::from);
    snapshot.policies = policies?.map_or(Part::NotAsked, Part::Found);
    snapshot.services = services?.map_or(Part::NotAsked, Part::Found);
    snapshot.nodes = nodes?.map_or(Part::NotAsked, Part::Found);
    Ok(())
}

async fn asked<T>(is_asked: bool, read: impl Future<Output = Result<T, ReadError>>) -> Result<Option<T>, ReadError> {
    OptionFuture::from(is_asked.then_some(read)).await.transpose()
}

async fn of_host<C: ClusterReader>(
    cluster: &C,
    hosts: &Hosts,
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

/// The controllers above a pod, each hop checked by uid and, where the kind has one, by its selector: anyone who writes a
/// pod can name a controller that did not make it. A hop that is not believed is followed all the same, as far as it goes,
/// for the uid by which limits count.
async fn owner_chain<C: ClusterReader>(
    cluster: &C,
    live: &Pod,
    namespace: &Namespace,
) -> Result<OwnerChain, ReadError> {
    let mut chain = OwnerChain::default();
    if let Some(recorded) = recorded_owner(cluster, live, namespace).await? {
        chain.disbelieve("a quarantine has detached it from its controller".to_owned());
        chain.claimed = Some(recorded);
        return Ok(chain);
    }
    let mut next = pod::controller(live).map(as_written);
    let mut labels = pod::labels(live);
    while let Some(reference) = next {
        let shown = format!(
            "the {} {}",
            reference.kind.escape_debug(),
            reference.name.escape_debug()
        );
        chain.claimed = Uid::new(&reference.uid).or(chain.claimed);
        if chain.owners.len() >= MOST_OWNERS {
            chain.disbelieve(format!("more than {MOST_OWNERS} controllers are above it"));
            break;
        }
        let found = match followed(&reference, namespace) {
            Some(Followed::Known(at)) => known(cluster, &at, &shown).await?,
            Some(Followed::Custom(at)) => custom(cluster, at, &shown).await,
            None => Link::Doubted(format!(
                "{shown} ({}) is of a kind that is not followed",
                reference.api_version.escape_debug()
            )),
        };
        let (controller, above) = match found {
            Link::Found(controller, above) => (*controller, above),
            Link::Doubted(why) => {
                chain.disbelieve(why);
                break;
            }
            Link::Unread(at, why) => {
                chain.could_not_read(at, why);
                break;
            }
        };
        if chain.claimed.as_ref() != Some(controller.uid()) {
            let uid = controller.uid();
            chain.disbelieve(format!("{shown} has the uid {uid}, and the reference says another"));
            break;
        }
        let selector = controller.known().and_then(|owner| owner.selector.as_ref());
        let selector = selector.and_then(Selector::of);
        if selector.is_some_and(|selector| !selector.matches(&labels)) {
            chain.disbelieve(format!("{shown} does not select it"));
        }
        labels.clone_from(controller.labels());
        chain.owners.push(controller);
        next = above;
    }
    Ok(chain)
}

/// The owner that the record of a quarantine names, for a pod that wears its label: its controller has let it go, and it
/// still counts against the limits of that owner. The label alone proves nothing: an untouched policy of ours must name
/// this very pod.
async fn recorded_owner<C: ClusterReader>(
    cluster: &C,
    live: &Pod,
    namespace: &Namespace,
) -> Result<Option<Uid>, ReadError> {
    let labels = live.metadata.labels.as_ref();
    let (Some(incident), Some(object)) = (
        labels.and_then(|labels| labels.get(QUARANTINE_LABEL)),
        pod::reference(live),
    ) else {
        return Ok(None);
    };
    let policies = cluster.network_policies(namespace).await?;
    let untouched = policies.iter().filter(|policy| QuarantinePolicy::is_untouched(policy));
    let mut records = untouched.filter_map(|policy| QuarantineRecord::of(policy)?.ok());
    let ours =
        records.find(|record| record.incident == *incident && record.pod == object && !record.detached.is_empty());
    Ok(ours.and_then(|record| record.owner))
}

fn as_written(owner: &OwnerReference) -> ControllerRef {
    ControllerRef {
        api_version: owner.api_version.clone(),
        kind: owner.kind.clone(),
        name: owner.name.clone(),
        uid: owner.uid.clone(),
    }
}

/// A controller that a reference names, as read.
enum Link {
    /// It is there, with the reference to the controller above it.
    Found(Box<Controller>, Option<ControllerRef>),
    /// It is not there.
    Doubted(String),
    /// It may be there: the read has failed.
    Unread(CustomLocator, String),
}

async fn known<C: ClusterReader>(cluster: &C, at: &Locator, shown: &str) -> Result<Link, ReadError> {
    Ok(match cluster.owner(at).await? {
        Some(found) => Link::Found(Box::new(Controller::Known(found.owner)), found.controlled_by),
        None => Link::Doubted(format!("{shown} is gone")),
    })
}

/// A failed read of a custom kind is no failure of the snapshot: a pod's tenant chooses the kind that its reference names,
/// and would choose one that the role can't read, or an API group whose server is down.
async fn custom<C: ClusterReader>(cluster: &C, at: CustomLocator, shown: &str) -> Link {
    match cluster.custom_owner(&at).await {
        Ok(CustomOwnerAnswer::Found(found)) => {
            Link::Found(Box::new(Controller::Custom(found.owner)), found.controlled_by)
        }
        Ok(CustomOwnerAnswer::Missing) => Link::Doubted(format!("{shown} is gone")),
        Ok(CustomOwnerAnswer::NotServed) => Link::Doubted(format!(
            "{shown} is of a kind that the cluster does not serve ({})",
            at.kind.api_version()
        )),
        Err(error) => Link::Unread(at, error.to_string()),
    }
}

/// Where a controller is.
enum Followed {
    Known(Locator),
    Custom(CustomLocator),
}

/// Where a controller is, if it is of a kind that controls pods or their controllers, or of a custom kind, which may.
fn followed(reference: &ControllerRef, namespace: &Namespace) -> Option<Followed> {
    let name = Name::new(&reference.name)?;
    if let Some(kind) = CustomKind::new(&reference.api_version, &reference.kind) {
        let namespace = namespace.clone();
        return Some(Followed::Custom(CustomLocator { kind, namespace, name }));
    }
    let kind = Kind::of(&reference.api_version, &reference.kind).filter(|kind| Kind::OWNERS.contains(kind))?;
    Locator::namespaced(kind, namespace.clone(), name).map(Followed::Known)
}

/// The key of the object that a playbook acts on, so that it is held before the snapshot is taken. `None` where there is
/// none to hold: decide will refuse.
pub(crate) async fn key_of_target<C: ClusterReader, R: Wait>(
    cluster: &C,
    wait: &R,
    hosts: &Hosts,
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
