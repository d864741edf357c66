//! The cluster port: reads for the snapshot and for verification, and one way to send an armed request.
//!
//! One conformance suite covers both adapters: the real API server and the simulated cluster.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::{Namespace as NamespaceObject, Node, Pod, Service};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use serde_json::Value;

use crate::custom_kind::CustomLocator;
use crate::network::EnginePolicies;
use crate::node::NodeFacts;
use crate::object::{Locator, Name, Namespace, Uid};
use crate::owner::{CustomOwner, Owner};
use crate::pod::PodOnNode;
use crate::request::Armed;
use crate::serving::ServingNamespaces;

/// Reads. `Ok(None)` means that the object does not exist; an error means that the read failed, and then no response
/// acts. Every method returns within its own deadline (10 s at most).
pub trait ClusterReader: Send + Sync + 'static {
    /// One object of any kind as JSON, read from the store and not from a cache. Undo and verification compare its fields.
    fn object(&self, at: &Locator) -> impl Future<Output = Result<Option<Arc<Value>>, ReadError>> + Send;

    /// One pod, read from the store and not from a cache, because the decision depends on its uid.
    fn pod(
        &self,
        namespace: &Namespace,
        name: &Name,
    ) -> impl Future<Output = Result<Option<Arc<Pod>>, ReadError>> + Send;

    /// All pods with this name, in any namespace: a host alert's `hostname` may be the Falco pod's.
    fn pods_named(&self, name: &Name) -> impl Future<Output = Result<Vec<Pod>, ReadError>> + Send;

    /// One node by name.
    fn node(&self, name: &Name) -> impl Future<Output = Result<Option<Arc<Node>>, ReadError>> + Send;

    /// One namespace object by name.
    fn namespace(
        &self,
        name: &Namespace,
    ) -> impl Future<Output = Result<Option<Arc<NamespaceObject>>, ReadError>> + Send;

    /// One controller, with the reference to the controller above it (the `metadata.ownerReferences` entry with
    /// `controller: true`).
    fn owner(&self, at: &Locator) -> impl Future<Output = Result<Option<OwnerObject>, ReadError>> + Send;

    /// One controller of a custom kind, as far as its metadata and its `scale` subresource say. The kind is looked up in the
    /// API groups that the cluster serves, and an object in a namespace only in that of the reference.
    fn custom_owner(&self, at: &CustomLocator) -> impl Future<Output = Result<CustomOwnerAnswer, ReadError>> + Send;

    /// All pods on a node, with the ids of their containers.
    fn pods_on(&self, node: &Name) -> impl Future<Output = Result<Vec<PodOnNode>, ReadError>> + Send;

    /// All NetworkPolicies of a namespace.
    fn network_policies(
        &self,
        namespace: &Namespace,
    ) -> impl Future<Output = Result<Vec<NetworkPolicy>, ReadError>> + Send;

    /// All NetworkPolicies in any namespace that have this label, with any value.
    fn network_policies_labelled(
        &self,
        label: &str,
    ) -> impl Future<Output = Result<Vec<NetworkPolicy>, ReadError>> + Send;

    /// All Services of a namespace.
    fn services(&self, namespace: &Namespace) -> impl Future<Output = Result<Vec<Service>, ReadError>> + Send;

    /// All nodes of the cluster.
    fn nodes(&self) -> impl Future<Output = Result<Arc<[NodeFacts]>, ReadError>> + Send;

    /// The policies of other kinds than NetworkPolicies that can decide about pods of a namespace, and the engine whose
    /// workload runs. A read that failed is told in the answer: the rest is worth having.
    fn engine_policies(&self, namespace: &Namespace) -> impl Future<Output = EnginePolicies> + Send;

    /// The namespaces that the API server itself calls, by its webhook configurations and APIServices. What was read may be
    /// kept for a minute: a namespace is protected a minute after its webhook at the latest.
    fn serving_namespaces(&self) -> impl Future<Output = Result<Arc<ServingNamespaces>, ReadError>> + Send;
}

/// A controller as read, with its own controller.
#[derive(Debug, Clone, PartialEq)]
pub struct OwnerObject {
    /// The facts about the controller.
    pub owner: Owner,
    /// The reference to the controller above; `None` at the top.
    pub controlled_by: Option<ControllerRef>,
}

/// The answer about a controller of a custom kind.
#[derive(Debug, Clone, PartialEq)]
pub enum CustomOwnerAnswer {
    /// The controller as read.
    Found(Box<CustomOwnerObject>),
    /// The kind is served, and no object of it has the name.
    Missing,
    /// The cluster serves no such kind.
    NotServed,
}

/// A controller of a custom kind as read, with its own controller.
#[derive(Debug, Clone, PartialEq)]
pub struct CustomOwnerObject {
    /// The facts about the controller.
    pub owner: CustomOwner,
    /// The reference to the controller above; `None` at the top.
    pub controlled_by: Option<ControllerRef>,
}

/// An owner reference with `controller: true`, as written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ControllerRef {
    /// `apiVersion`.
    pub api_version: String,
    /// `kind`.
    pub kind: String,
    /// `name`.
    pub name: String,
    /// `uid`.
    pub uid: String,
}

/// Writes: the only way to change a cluster.
pub trait ClusterWriter: Send + Sync + 'static {
    /// Sends a request once, within the deadline. Adapters do not retry.
    fn send(&self, request: Armed<'_>, deadline: Duration) -> impl Future<Output = Result<Reply, SendError>> + Send;
}

/// Reads and writes, for a process that acts. A client that may only read has another type.
pub trait Cluster: ClusterReader + ClusterWriter {}

impl<T: ClusterReader + ClusterWriter> Cluster for T {}

/// The API server's response to a request that it accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// Created with this uid.
    Created(Uid),
    /// Patched.
    Patched {
        /// `metadata.resourceVersion` after the patch.
        resource_version: String,
    },
    /// Deleted: the object is gone from the store.
    Gone,
    /// The deletion or eviction is accepted; the object still exists and is terminating.
    Terminating,
    /// The dry run succeeded; nothing has changed.
    Rehearsed,
}

/// A failed read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("could not read {what}: {kind}; {detail}")]
pub struct ReadError {
    /// The object or list, such as `pod/web/web-0`.
    pub what: String,
    /// The class of error.
    pub kind: ReadErrorKind,
    /// The message of the API server or the connection.
    pub detail: String,
}

/// Classes of failed reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ReadErrorKind {
    /// 401 or 403: the controller's role lacks this read.
    Forbidden,
    /// No response, or one that asks for patience: connection refused or broken, 5xx, 429.
    Unavailable,
    /// No response within the deadline.
    Timeout,
    /// A response that can't be parsed.
    Malformed,
}

impl ReadErrorKind {
    /// The name in metrics, from a bounded set.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Forbidden => "forbidden",
            Self::Unavailable => "unavailable",
            Self::Timeout => "timeout",
            Self::Malformed => "malformed",
        }
    }
}

impl fmt::Display for ReadErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A request that failed, or whose effect is unknown.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{request} was not carried out: {kind}; {detail}")]
pub struct SendError {
    /// The request in words, for messages.
    pub request: String,
    /// The class of error.
    pub kind: SendErrorKind,
    /// The message of the API server or the connection.
    pub detail: String,
    /// The response's `Retry-After`.
    pub retry_after: Option<Duration>,
}

/// Classes of failed requests. The conformance suite measures which class the real API server gives when.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SendErrorKind {
    /// 404: the object does not exist.
    NotFound,
    /// 409 to a delete or an eviction: the object with this name has another uid than `preconditions.uid`.
    UidMismatch,
    /// 422 to a patch with another `metadata.uid`, or an invalid object: read the object to tell which.
    Invalid,
    /// 409 to a patch with an old resource version, or another write conflict.
    Conflict,
    /// 409 `AlreadyExists` to a create.
    AlreadyExists,
    /// 429 to an eviction: a PodDisruptionBudget does not allow it at present. The API server checks the budget before
    /// the uid, so this does not say which pod has the name.
    BlockedByBudget,
    /// 500 to an eviction of a pod that several PodDisruptionBudgets select; repeating never helps.
    SeveralBudgets,
    /// 429 under load: the API server asks for a later retry.
    Busy,
    /// 401 or 403.
    Forbidden,
    /// 400, 403 by admission, or another response that repeating does not change.
    Rejected,
    /// 5xx, or a connection that broke before the response: the request may have been carried out.
    Unknown,
    /// The connection failed: nothing was sent.
    Unreachable,
    /// No response within the deadline: the request may have been carried out.
    Timeout,
}

impl SendErrorKind {
    /// The name in metrics and reports, from a bounded set.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotFound => "not found",
            Self::UidMismatch => "another object has its name",
            Self::Invalid => "invalid",
            Self::Conflict => "conflict",
            Self::AlreadyExists => "already exists",
            Self::BlockedByBudget => "blocked by a PodDisruptionBudget",
            Self::SeveralBudgets => "several PodDisruptionBudgets select the pod",
            Self::Busy => "the API server is busy",
            Self::Forbidden => "forbidden",
            Self::Rejected => "rejected",
            Self::Unknown => "no clear answer",
            Self::Unreachable => "unreachable",
            Self::Timeout => "no answer in time",
        }
    }

    /// Whether the request certainly changed nothing. Otherwise its budget stays spent.
    pub const fn is_certainly_undone(self) -> bool {
        !matches!(self, Self::Unknown | Self::Timeout)
    }
}

impl fmt::Display for SendErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
