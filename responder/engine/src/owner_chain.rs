//! The controllers above a pod. Step of the flow: snapshot. Reads only.

use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use responder_core::custom_kind::{CustomKind, CustomLocator};
use responder_core::object::{Kind, Locator, Name, Namespace, Uid};
use responder_core::own::{QUARANTINE_LABEL, QuarantinePolicy, QuarantineRecord};
use responder_core::owner::{Controller, OwnerChain};
use responder_core::pod;
use responder_core::port::{ClusterReader, ControllerRef, CustomOwnerAnswer, ReadError};
use responder_core::selector::Selector;

/// The most controllers of a chain that are followed. The longest known chain has five: ReplicaSet, Deployment and Knative's
/// Revision, Configuration and Service.
pub(crate) const MOST_OWNERS: usize = 8;

/// The controllers above a pod, each hop checked by uid and, where the kind has one, by its selector: anyone who writes a
/// pod can name a controller that did not make it. A hop that is not believed is followed all the same, as far as it goes,
/// for the uid by which limits count.
pub(crate) async fn owner_chain<C: ClusterReader>(
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
