//! The shared logic of `delete` and `evict`: a pod is removed, by one of two verbs.

use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;

use super::contract::{Action, ActionContext, ActionInfo, ActionProblem, StepProblem};
use super::ending::PodRemoval;
use crate::object::{Kind, Name, ObjectRef};
use crate::obstacle::{Obstacle, ObstacleKind};
use crate::permission::Permission;
use crate::plan::{Expectation, PlannedRequest, StepPlan};
use crate::pod;
use crate::refusal::{Refusal, RefusalReason};
use crate::request::Request;
use crate::snapshot::{Needs, Snapshot};
use crate::span::Span;
use crate::target::{Target, TargetKind};

/// The kinds of target that both accept.
pub(super) const TARGETS: &[TargetKind] = &[TargetKind::Pod];

const IRREVERSIBLE: &str = "a pod that is gone can't be brought back; its controller makes another";

/// The longest grace period, in seconds.
const MOST_GRACE: u32 = 3600;

/// The request of a removal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RemovalVerb {
    /// PodDisruptionBudgets are ignored.
    Delete,
    /// PodDisruptionBudgets are respected.
    Evict,
}

/// `delete` or `evict`, compiled.
#[derive(Debug)]
pub(super) struct Removal {
    info: &'static ActionInfo,
    verb: RemovalVerb,
    grace_seconds: Option<u32>,
    blocked_for: Option<Span>,
}

impl Removal {
    pub(super) fn compile(
        info: &'static ActionInfo,
        verb: RemovalVerb,
        grace_seconds: Option<u32>,
        blocked_for: Option<Span>,
    ) -> Result<Box<dyn Action>, ActionProblem> {
        if let Some(seconds) = grace_seconds.filter(|seconds| *seconds > MOST_GRACE) {
            let message = format!("{seconds} s is more than an hour: what has to go does not get that long");
            return Err(ActionProblem::of("gracePeriodSeconds", message));
        }
        Ok(Box::new(Self {
            info,
            verb,
            grace_seconds,
            blocked_for,
        }))
    }
}

impl Action for Removal {
    fn info(&self) -> &'static ActionInfo {
        self.info
    }

    fn permissions(&self, _: TargetKind) -> Vec<Permission> {
        vec![match self.verb {
            RemovalVerb::Delete => Permission::on(Kind::Pod, "delete"),
            RemovalVerb::Evict => Permission::on_sub(Kind::Pod, "eviction", "create"),
        }]
    }

    fn needs(&self, _: TargetKind) -> Needs {
        Needs {
            removal: true,
            ..Needs::default()
        }
    }

    fn blocked_by(&self) -> Option<&'static str> {
        match self.verb {
            RemovalVerb::Delete => None,
            RemovalVerb::Evict => {
                Some("a PodDisruptionBudget, which a tenant can write, can block an eviction for ever")
            }
        }
    }

    fn patience(&self) -> Option<Span> {
        self.blocked_for
    }

    fn plan(&self, context: &ActionContext<'_>) -> Result<StepPlan, StepProblem> {
        let (target, live) = removable(context)?;
        let mut notes = disbelieved_daemon_set(context.snapshot, live, target)?;
        let (grace_seconds, left) = match PodRemoval::of(self.grace_seconds, live, context.now, context.max_grace) {
            PodRemoval::Sent {
                grace_seconds,
                left,
                notes: cuts,
            } => {
                notes.extend(cuts);
                (grace_seconds, left)
            }
            PodRemoval::Ending { at } => {
                return Ok(StepPlan::noting(format!(
                    "{} is being deleted already and ends at {at}",
                    target.at
                )));
            }
        };
        let target = target.clone();
        let expects = vec![Expectation::Gone {
            target: target.clone(),
            grace_seconds: left,
            node: pod::node_name(live).and_then(Name::new),
        }];
        let request = match self.verb {
            RemovalVerb::Delete => Request::Delete { target, grace_seconds },
            RemovalVerb::Evict => Request::Evict {
                target,
                grace_seconds,
                blocked_for: self.blocked_for,
            },
        };
        Ok(StepPlan {
            requests: vec![PlannedRequest::irreversible(request, IRREVERSIBLE)],
            expects,
            notes,
            ..StepPlan::default()
        })
    }
}

/// The pod to remove, or the refusal of a pod whose removal has no effect.
fn removable<'a>(context: &ActionContext<'a>) -> Result<(&'a ObjectRef, &'a Pod), StepProblem> {
    let Target::Pod { pod: target } = context.target else {
        let detail = format!("{} is not a pod", context.target);
        return Err(Refusal::new(RefusalReason::PlanUnsound, detail).into());
    };
    let Some(live) = context.snapshot.pod.found() else {
        return Err(Refusal::new(RefusalReason::PlanUnsound, "the snapshot holds no pod").into());
    };
    if pod::is_mirror(live) {
        let detail = format!(
            "{} is the mirror of a static pod: deleting it changes nothing on the node",
            target.at
        );
        return Err(Refusal::new(RefusalReason::MirrorPod, detail).into());
    }
    Ok((target, live))
}

/// The obstacle of a pod that a DaemonSet starts again on its node; a note for a pod that only claims to have one, which
/// its tenant can write.
fn disbelieved_daemon_set(snapshot: &Snapshot, live: &Pod, target: &ObjectRef) -> Result<Vec<String>, Obstacle> {
    let claims = |owner: &OwnerReference| pod::controller_kind(owner) == Some(Kind::DaemonSet);
    let Some(claimed) = pod::controller(live).filter(|owner| claims(owner)) else {
        return Ok(Vec::new());
    };
    let name = claimed.name.escape_debug();
    let chain = snapshot.owners.found();
    let why = match chain.map(|chain| (chain.topmost(), &chain.broken)) {
        Some((Some(_), _)) => {
            let detail = format!(
                "{} belongs to the DaemonSet {name}, which starts it again on the same node",
                target.at
            );
            return Err(Obstacle::new(ObstacleKind::DaemonSetPod, detail));
        }
        Some((None, Some(why))) => why.as_str(),
        Some((None, None)) | None => "it was not read",
    };
    Ok(vec![format!("its DaemonSet {name} is not believed: {why}")])
}
