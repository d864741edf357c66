//! Requests: the closed set of writes that responder can send to the API server.
//!
//! Actions compile to requests; the executor, the rehearsal and the cluster adapters know requests only. A [`Request`] is
//! plain data. Only an [`Armed`] request can be sent, and one without `dryRun` needs the permit of Enforce.

use std::fmt;
use std::time::Duration;

use serde::Serialize;

use crate::mode::{EnforcePermit, Permit};
use crate::object::{Locator, ObjectRef};
use crate::own::OwnObject;
use crate::patch::Patch;
use crate::span::Span;

/// One request, with its preconditions.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", tag = "verb")]
pub enum Request {
    /// Creates an object. The API server answers 409 if the name is taken.
    Create {
        /// The object to create.
        object: Box<OwnObject>,
    },
    /// Changes an existing object by a merge patch with its uid. The API server answers 422 for another object of this
    /// name and 404 for a missing one; server-side apply would create it.
    Patch {
        /// The object with its uid.
        target: ObjectRef,
        /// The changes.
        patch: Patch,
    },
    /// Deletes one object, with `preconditions.uid`.
    Delete {
        /// The object with its uid.
        target: ObjectRef,
        /// The grace period; `None` for the pod's own `terminationGracePeriodSeconds`.
        grace_seconds: Option<u32>,
    },
    /// Evicts one pod, with `preconditions.uid`; PodDisruptionBudgets are respected.
    Evict {
        /// The pod with its uid.
        target: ObjectRef,
        /// The grace period; `None` for the pod's own `terminationGracePeriodSeconds`.
        grace_seconds: Option<u32>,
        /// How long a PodDisruptionBudget may block it; `None` for as long as its step lasts.
        #[serde(skip_serializing_if = "Option::is_none")]
        blocked_for: Option<Span>,
    },
}

/// The verbs of [`Request`], for retry policies, metrics and reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Verb {
    /// See [`Request::Create`].
    Create,
    /// See [`Request::Patch`].
    Patch,
    /// See [`Request::Delete`].
    Delete,
    /// See [`Request::Evict`].
    Evict,
}

impl Verb {
    /// All four.
    pub const ALL: [Self; 4] = [Self::Create, Self::Patch, Self::Delete, Self::Evict];

    /// The verb in lower case.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Patch => "patch",
            Self::Delete => "delete",
            Self::Evict => "evict",
        }
    }
}

impl fmt::Display for Verb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Request {
    /// The verb of the request.
    pub const fn verb(&self) -> Verb {
        match self {
            Self::Create { .. } => Verb::Create,
            Self::Patch { .. } => Verb::Patch,
            Self::Delete { .. } => Verb::Delete,
            Self::Evict { .. } => Verb::Evict,
        }
    }

    /// The place of the object.
    pub fn at(&self) -> Locator {
        match self {
            Self::Create { object } => object.at().clone(),
            Self::Patch { target, .. } | Self::Delete { target, .. } | Self::Evict { target, .. } => target.at.clone(),
        }
    }

    /// The existing object that the request changes; `None` for a creation.
    pub const fn target(&self) -> Option<&ObjectRef> {
        match self {
            Self::Create { .. } => None,
            Self::Patch { target, .. } | Self::Delete { target, .. } | Self::Evict { target, .. } => Some(target),
        }
    }

    /// The request, to be sent with `dryRun`.
    pub const fn rehearsed(&self) -> Armed<'_> {
        Armed {
            request: self,
            dry_run: true,
        }
    }

    /// The request, to be sent without `dryRun`.
    pub const fn enforced(&self, _permit: &EnforcePermit) -> Armed<'_> {
        Armed {
            request: self,
            dry_run: false,
        }
    }

    /// The request as a permit allows it; `None` if nothing may be sent.
    pub const fn armed(&self, permit: &Permit) -> Option<Armed<'_>> {
        match permit {
            Permit::Nothing => None,
            Permit::DryRun => Some(self.rehearsed()),
            Permit::Act(enforce) => Some(self.enforced(enforce)),
        }
    }
}

impl fmt::Display for Request {
    /// `delete pod/web/web-0`, for operators.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.verb(), self.at())?;
        match self {
            Self::Patch { patch, .. } => write!(f, " {patch}"),
            Self::Delete {
                grace_seconds: Some(seconds),
                ..
            }
            | Self::Evict {
                grace_seconds: Some(seconds),
                ..
            } => {
                write!(f, " (grace {seconds} s)")
            }
            _ => Ok(()),
        }
    }
}

/// A request that may be sent. Only [`Request::rehearsed`] and, with the permit, [`Request::enforced`] create one.
#[derive(Debug, Clone, Copy)]
pub struct Armed<'a> {
    request: &'a Request,
    dry_run: bool,
}

impl<'a> Armed<'a> {
    /// The request.
    pub const fn request(self) -> &'a Request {
        self.request
    }

    /// Whether the request must carry `dryRun`.
    pub const fn is_dry_run(self) -> bool {
        self.dry_run
    }
}

/// The limit for one request, connection and answer together. The API server's own limit for ordinary requests is 60 s,
/// which is too long for a pod that has to be stopped.
pub const DEFAULT_DEADLINE: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object::{Name, Namespace, Uid};

    fn target() -> ObjectRef {
        let (namespace, name) = (Namespace::new("web").unwrap(), Name::new("web-0").unwrap());
        ObjectRef {
            at: Locator::pod(namespace, name),
            uid: Uid::new("1d3a").unwrap(),
        }
    }

    #[test]
    fn a_permit_to_rehearse_arms_a_dry_run_only() {
        let request = Request::Delete {
            target: target(),
            grace_seconds: None,
        };
        assert!(request.armed(&Permit::Nothing).is_none());
        assert!(request.armed(&Permit::DryRun).is_some_and(Armed::is_dry_run));
    }
}
