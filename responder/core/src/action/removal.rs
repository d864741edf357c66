//! The shared logic of `delete` and `evict`: a pod is removed, by one of two verbs.

use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;

use super::contract::{Action, ActionContext, ActionInfo, ActionProblem, StepProblem};
use super::ending::PodRemoval;
use crate::object::{Kind, Name, ObjectRef};
use crate::obstacle::{Obstacle, ObstacleKind};
use crate::owner::{Controller, OwnerChain};
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
    daemon_set_pods: bool,
}

impl Removal {
    pub(super) fn compile(
        info: &'static ActionInfo,
        verb: RemovalVerb,
        grace_seconds: Option<u32>,
        blocked_for: Option<Span>,
        daemon_set_pods: bool,
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
            daemon_set_pods,
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
        let mut notes = self.daemon_set(context.snapshot, live, target)?;
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
            requests: vec![PlannedRequest::irreversible(request, finality(context.snapshot, live))],
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

impl Removal {
    /// The obstacle of a pod that a DaemonSet starts again on its node, unless the step removes such pods; a note for a pod
    /// that only claims to have one, which its tenant can write.
    fn daemon_set(&self, snapshot: &Snapshot, live: &Pod, target: &ObjectRef) -> Result<Vec<String>, Obstacle> {
        let claims = |owner: &OwnerReference| pod::controller_kind(owner) == Some(Kind::DaemonSet);
        let Some(claimed) = pod::controller(live).filter(|owner| claims(owner)) else {
            return Ok(Vec::new());
        };
        let name = claimed.name.escape_debug();
        let chain = snapshot.owners.found();
        let is_believed = chain.is_some_and(|chain| {
            chain
                .believed()
                .first()
                .is_some_and(|owner| owner.is_a(Kind::DaemonSet))
        });
        let note = if !is_believed {
            let why = chain.and_then(OwnerChain::doubt).unwrap_or("it was not read");
            format!("its DaemonSet {name} is not believed: {why}")
        } else if self.daemon_set_pods {
            format!("the DaemonSet {name} starts another on the same node")
        } else {
            let detail = format!(
                "{} belongs to the DaemonSet {name}, which starts it again on the same node",
                target.at
            );
            return Err(Obstacle::new(ObstacleKind::DaemonSetPod, detail));
        };
        Ok(vec![note])
    }
}

/// Why a removal can't be undone, and whether another pod comes. A pod's tenant writes its owner reference, so only a
/// controller that was read and is believed makes another.
fn finality(snapshot: &Snapshot, live: &Pod) -> String {
    let gone = "a pod that is gone can't be brought back";
    let Some(named) = pod::controller(live) else {
        return format!("{gone}, and nothing makes another: it has no controller");
    };
    let Some(chain) = snapshot.owners.found() else {
        let (kind, name) = (named.kind.escape_debug(), named.name.escape_debug());
        return format!(
            "{gone}; the {kind} {name} that it names makes another if it is its controller, which was not read"
        );
    };
    match chain.believed().first() {
        Some(Controller::Known(_)) => format!("{gone}; its controller makes another"),
        Some(custom @ Controller::Custom(_)) => format!("{gone}; {custom} may make another"),
        None => {
            let why = chain.doubt().unwrap_or("it was not found");
            format!("{gone}, and nothing is known to make another: its controller is not believed, since {why}")
        }
    }
}
