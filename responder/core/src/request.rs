//! Requests: the closed set of things responder can ask of the API server.
//!
//! An action compiles to these; the executor, the rehearsal, the simulated cluster and the RBAC rules know requests
//! and never actions. A [`Request`] is inert data. Only an [`Armed`] one can be sent, and arming it for real takes the
//! permit that only Enforce hands out.

use std::fmt;
use std::time::Duration;

use serde::Serialize;

use crate::mode::{EnforcePermit, Permit};
use crate::object::{Locator, ObjectRef};
use crate::own::OwnObject;
use crate::patch::Patch;

/// One request, with whatever it must be sure of before it changes anything.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", tag = "verb")]
pub enum Request {
    /// Creates an object of ours. The server refuses it when the name is taken; nothing of others is overwritten.
    Create {
        /// The object.
        object: Box<OwnObject>,
    },
    /// Changes an object that is there, by a merge patch that carries its uid: another object of that name answers
    /// 422, a missing one 404, and none is ever created (server-side apply would).
    Patch {
        /// The object.
        target: ObjectRef,
        /// What changes.
        patch: Patch,
    },
    /// Deletes one object, with `preconditions.uid`.
    Delete {
        /// The object.
        target: ObjectRef,
        /// Seconds to end in; `None` leaves it to the pod's own `terminationGracePeriodSeconds`.
        grace_seconds: Option<u32>,
    },
    /// Evicts one pod, with `preconditions.uid`; PodDisruptionBudgets are respected.
    Evict {
        /// The pod.
        target: ObjectRef,
        /// Seconds to end in; `None` leaves it to the pod's own `terminationGracePeriodSeconds`.
        grace_seconds: Option<u32>,
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
    /// All of them.
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
    /// The verb.
    pub const fn verb(&self) -> Verb {
        match self {
            Self::Create { .. } => Verb::Create,
            Self::Patch { .. } => Verb::Patch,
            Self::Delete { .. } => Verb::Delete,
            Self::Evict { .. } => Verb::Evict,
        }
    }

    /// Where the request goes.
    pub fn at(&self) -> Locator {
        match self {
            Self::Create { object } => object.at().clone(),
            Self::Patch { target, .. } | Self::Delete { target, .. } | Self::Evict { target, .. } => target.at.clone(),
        }
    }

    /// The object that must still be there, with its uid; `None` for a creation.
    pub const fn target(&self) -> Option<&ObjectRef> {
        match self {
            Self::Create { .. } => None,
            Self::Patch { target, .. } | Self::Delete { target, .. } | Self::Evict { target, .. } => Some(target),
        }
    }

    /// The same request to be sent with `dryRun`.
    pub const fn rehearsed(&self) -> Armed<'_> {
        Armed {
            request: self,
            dry_run: true,
        }
    }

    /// The same request to be sent for real.
    pub const fn enforced(&self, _permit: &EnforcePermit) -> Armed<'_> {
        Armed {
            request: self,
            dry_run: false,
        }
    }

    /// The request as far as a permit lets it go; `None` where nothing may be sent.
    pub const fn armed(&self, permit: &Permit) -> Option<Armed<'_>> {
        match permit {
            Permit::Nothing => None,
            Permit::DryRun => Some(self.rehearsed()),
            Permit::Act(enforce) => Some(self.enforced(enforce)),
        }
    }
}

impl fmt::Display for Request {
    /// `delete pod/web/web-0`, as a person reads it in a plan.
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

/// A request that may be sent. There is no other way to make one than [`Request::rehearsed`] and, with the permit,
/// [`Request::enforced`].
#[derive(Debug, Clone, Copy)]
pub struct Armed<'a> {
    request: &'a Request,
    dry_run: bool,
}

impl<'a> Armed<'a> {
    /// What to send.
    pub const fn request(self) -> &'a Request {
        self.request
    }

    /// Whether it must carry `dryRun`.
    pub const fn is_dry_run(self) -> bool {
        self.dry_run
    }
}

/// How long one request may take, connection and answer together. The API server's own limit for ordinary requests is
/// 60 s; a pod that has to go does not wait that long for one answer.
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
