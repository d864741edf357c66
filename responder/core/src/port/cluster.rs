//! The cluster port: reads for the snapshot and the verification, and one way to send an armed request.
//!
//! Two adapters pass one conformance suite: the real API server and the simulated cluster.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::{Namespace as NamespaceObject, Node, Pod, Service};
use k8s_openapi::api::networking::v1::NetworkPolicy;

use crate::object::{Locator, Name, Namespace, Uid};
use crate::request::Armed;
use crate::snapshot::{Owner, PolicyEngine};

/// Reads. A missing object is `Ok(None)`; an error is a reading that could not be done, and then nothing is acted on.
/// Every method answers within a deadline of its own (10 s at most).
pub trait ClusterReader: Send + Sync + 'static {
    /// One pod, read from the store and not from a cache: the decision about it hangs on the answer.
    fn pod(
        &self,
        namespace: &Namespace,
        name: &Name,
    ) -> impl Future<Output = Result<Option<Arc<Pod>>, ReadError>> + Send;

    /// Every pod of this name, in any namespace: a host alert's `hostname` may be the Falco pod's.
    fn pods_named(&self, name: &Name) -> impl Future<Output = Result<Vec<Pod>, ReadError>> + Send;

    /// One node.
    fn node(&self, name: &Name) -> impl Future<Output = Result<Option<Arc<Node>>, ReadError>> + Send;

    /// One namespace.
    fn namespace(
        &self,
        name: &Namespace,
    ) -> impl Future<Output = Result<Option<Arc<NamespaceObject>>, ReadError>> + Send;

    /// One controller with the reference to the controller above it (`metadata.ownerReferences` with `controller: true`).
    fn owner(&self, at: &Locator) -> impl Future<Output = Result<Option<OwnerObject>, ReadError>> + Send;

    /// All NetworkPolicies of a namespace.
    fn network_policies(
        &self,
        namespace: &Namespace,
    ) -> impl Future<Output = Result<Vec<NetworkPolicy>, ReadError>> + Send;

    /// Every NetworkPolicy of any namespace that carries this label, with any value.
    fn network_policies_labelled(
        &self,
        label: &str,
    ) -> impl Future<Output = Result<Vec<NetworkPolicy>, ReadError>> + Send;

    /// All Services of a namespace.
    fn services(&self, namespace: &Namespace) -> impl Future<Output = Result<Vec<Service>, ReadError>> + Send;

    /// All nodes.
    fn nodes(&self) -> impl Future<Output = Result<Vec<Node>, ReadError>> + Send;

    /// The NetworkPolicy engine, if one is recognised.
    fn policy_engine(&self) -> impl Future<Output = Result<Option<PolicyEngine>, ReadError>> + Send;
}

/// A controller as it was read.
#[derive(Debug, Clone, PartialEq)]
pub struct OwnerObject {
    /// The controller.
    pub owner: Owner,
    /// The controller above it: `apiVersion`, `kind`, name and uid as the reference says.
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

/// Writes. The only way to change a cluster.
pub trait ClusterWriter: Send + Sync + 'static {
    /// Sends one request once, within the deadline. No retry happens below this call.
    fn send(&self, request: Armed<'_>, deadline: Duration) -> impl Future<Output = Result<Reply, SendError>> + Send;
}

/// Both: what a program that acts needs. A client that may only read is another type.
pub trait Cluster: ClusterReader + ClusterWriter {}

impl<T: ClusterReader + ClusterWriter> Cluster for T {}

/// How the API server took a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// Created, with this uid.
    Created(Uid),
    /// Patched; the object is at this resource version now.
    Patched {
        /// `metadata.resourceVersion` after the change.
        resource_version: String,
    },
    /// Deleted: the object is gone from the store.
    Gone,
    /// Deletion (or eviction) was accepted; the object is still there, ending.
    Terminating,
    /// A dry run that would have been taken.
    Rehearsed,
}

/// A read that could not be done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("could not read {what}: {kind}; {detail}")]
pub struct ReadError {
    /// What was read, such as `pod/web/web-0`.
    pub what: String,
    /// Its class.
    pub kind: ReadErrorKind,
    /// What the server or the connection said.
    pub detail: String,
}

/// Classes of failed reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ReadErrorKind {
    /// 401 or 403: the controller's role lacks this read.
    Forbidden,
    /// No answer: connection refused or broken, 5xx, 429.
    Unavailable,
    /// No answer in time.
    Timeout,
    /// An answer that could not be understood.
    Malformed,
}

impl ReadErrorKind {
    /// A bounded name for metrics.
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

/// A request that did not succeed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{request} was not carried out: {kind}; {detail}")]
pub struct SendError {
    /// The request as a person reads it.
    pub request: String,
    /// Its class.
    pub kind: SendErrorKind,
    /// What the server or the connection said.
    pub detail: String,
    /// `Retry-After` of the answer.
    pub retry_after: Option<Duration>,
}

/// Classes of failed requests. What the real API server answers when is measured by the conformance suite.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SendErrorKind {
    /// 404: the object is not there.
    NotFound,
    /// 409 of a delete or an eviction: `preconditions.uid` names another object than the one that is there.
    UidMismatch,
    /// 422 of a patch whose `metadata.uid` differs, or an object that is not valid: look again to tell which.
    Invalid,
    /// 409 of a patch whose resource version is old, or any other write conflict.
    Conflict,
    /// 409 `AlreadyExists` of a creation.
    AlreadyExists,
    /// 429 of an eviction: a PodDisruptionBudget does not allow it now. The API server looks at the budget before the
    /// uid, so this says nothing of which pod is there.
    BlockedByBudget,
    /// 500 of an eviction where more than one PodDisruptionBudget selects the pod; it will never work.
    SeveralBudgets,
    /// 429 by load: the server asks to come back.
    Busy,
    /// 401 or 403.
    Forbidden,
    /// 400, 403 by admission, or another refusal that repeating does not change.
    Rejected,
    /// 5xx or a broken connection *before* an answer: it is unknown whether the request was carried out.
    Unknown,
    /// The connection could not be made: nothing was sent.
    Unreachable,
    /// No answer in time: it is unknown whether the request was carried out.
    Timeout,
}

impl SendErrorKind {
    /// A bounded name for metrics and reports.
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

    /// Whether it is certain that the request changed nothing. Where it is not, its budget stays spent.
    pub const fn is_certainly_undone(self) -> bool {
        !matches!(self, Self::Unknown | Self::Timeout)
    }
}

impl fmt::Display for SendErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
