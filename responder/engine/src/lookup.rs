//! The second look: the object that has the name now to which a request went. Reads only.

use std::collections::BTreeMap;

use k8s_openapi::api::networking::v1::NetworkPolicy;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use responder_core::action::QuarantineRecord;
use responder_core::object::{Kind, Locator, ObjectRef, Uid};
use responder_core::port::{ClusterReader, ReadError};
use responder_core::request::OwnObject;

/// An object as it is now, as far as undo and verification compare it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LiveObject {
    pub(crate) uid: Uid,
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) annotations: BTreeMap<String, String>,
    /// Nodes only.
    pub(crate) unschedulable: bool,
    /// Unknown for controllers: the port reads them without it.
    pub(crate) resource_version: Option<String>,
    pub(crate) is_ending: bool,
}

impl LiveObject {
    fn of(metadata: &ObjectMeta) -> Option<Self> {
        Some(Self {
            uid: Uid::new(metadata.uid.as_deref()?)?,
            labels: metadata.labels.clone().unwrap_or_default(),
            annotations: metadata.annotations.clone().unwrap_or_default(),
            unschedulable: false,
            resource_version: metadata.resource_version.clone(),
            is_ending: metadata.deletion_timestamp.is_some(),
        })
    }
}

/// The object that has the name now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Lookup {
    /// The same object.
    Same(LiveObject),
    /// No object has it.
    Gone,
    /// Another object has it.
    Replaced(Uid),
}

/// Looks for one particular object.
pub(crate) async fn lookup<C: ClusterReader>(cluster: &C, object: &ObjectRef) -> Result<Lookup, ReadError> {
    Ok(match seen(cluster, &object.at).await? {
        None => Lookup::Gone,
        Some(seen) if seen.uid == object.uid => Lookup::Same(seen),
        Some(seen) => Lookup::Replaced(seen.uid),
    })
}

async fn seen<C: ClusterReader>(cluster: &C, at: &Locator) -> Result<Option<LiveObject>, ReadError> {
    match (at.kind(), at.namespace()) {
        (Kind::Pod, Some(namespace)) => Ok(cluster
            .pod(namespace, at.name())
            .await?
            .and_then(|pod| LiveObject::of(&pod.metadata))),
        (Kind::Node, _) => Ok(cluster.node(at.name()).await?.and_then(|node| {
            let unschedulable = node.spec.as_ref().and_then(|spec| spec.unschedulable).unwrap_or(false);
            LiveObject::of(&node.metadata).map(|seen| LiveObject { unschedulable, ..seen })
        })),
        (Kind::NetworkPolicy, _) => Ok(policy(cluster, at)
            .await?
            .and_then(|policy| LiveObject::of(&policy.metadata))),
        _ => Ok(cluster.owner(at).await?.map(|object| LiveObject {
            uid: object.owner.object.uid,
            labels: object.owner.labels,
            annotations: object.owner.annotations,
            unschedulable: false,
            resource_version: None,
            is_ending: false,
        })),
    }
}

/// One NetworkPolicy.
pub(crate) async fn policy<C: ClusterReader>(cluster: &C, at: &Locator) -> Result<Option<NetworkPolicy>, ReadError> {
    let Some(namespace) = at.namespace() else {
        return Ok(None);
    };
    let policies = cluster.network_policies(namespace).await?;
    Ok(policies
        .into_iter()
        .find(|policy| policy.metadata.name.as_deref() == Some(at.name().as_str())))
}

/// The uid of an object of ours that is there already, if it is really the one that we wanted to create: the same marks
/// and the same content. An object of that name without our marks is not ours, and one of ours that was changed by hand
/// does not do what the plan says.
///
/// A quarantine's end may be sooner than planned: then an earlier run of the same response, which was killed before it
/// came to the pod, has made the policy, and counted from its own decision.
pub(crate) async fn our_own<C: ClusterReader>(cluster: &C, object: &OwnObject) -> Result<Option<Uid>, ReadError> {
    match object {
        OwnObject::NetworkPolicy { at, manifest } => {
            let live = policy(cluster, at).await?;
            Ok(live
                .filter(|live| is_same_policy(live, manifest))
                .and_then(|live| Uid::new(live.metadata.uid.as_deref()?)))
        }
    }
}

fn is_same_policy(live: &NetworkPolicy, ours: &NetworkPolicy) -> bool {
    let has_all = |live: &Option<BTreeMap<String, String>>, ours: &Option<BTreeMap<String, String>>| {
        ours.iter()
            .flatten()
            .all(|(key, value)| live.as_ref().and_then(|live| live.get(key)) == Some(value))
    };
    let (Some(live_spec), Some(our_spec)) = (&live.spec, &ours.spec) else {
        return false;
    };
    let (Some(Ok(live_record)), Some(Ok(our_record))) = (QuarantineRecord::of(live), QuarantineRecord::of(ours)) else {
        return false;
    };
    let is_no_later = match (live_record.expires_at, our_record.expires_at) {
        (None, None) => true,
        (Some(live), Some(ours)) => live <= ours,
        _ => false,
    };
    let live_record = QuarantineRecord {
        expires_at: our_record.expires_at,
        ..live_record
    };
    // The API server leaves out empty lists.
    has_all(&live.metadata.labels, &ours.metadata.labels)
        && live_record == our_record
        && is_no_later
        && live.metadata.deletion_timestamp.is_none()
        && live_spec.pod_selector == our_spec.pod_selector
        && live_spec.policy_types == our_spec.policy_types
        && live_spec.ingress.as_deref().unwrap_or_default() == our_spec.ingress.as_deref().unwrap_or_default()
        && live_spec.egress.as_deref().unwrap_or_default() == our_spec.egress.as_deref().unwrap_or_default()
}
