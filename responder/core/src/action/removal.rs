//! The shared logic of `delete` and `evict`: a pod is removed, by one of two verbs.

use k8s_openapi::api::core::v1::Pod;

use super::contract::{Action, ActionContext, ActionInfo, ActionProblem};
use crate::object::{Kind, ObjectRef};
use crate::permission::Permission;
use crate::plan::{Expectation, PlannedRequest, StepPlan};
use crate::pod;
use crate::refusal::{Refusal, RefusalReason};
use crate::request::Request;
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
}

impl Removal {
    pub(super) fn compile(
        info: &'static ActionInfo,
        verb: RemovalVerb,
        grace_seconds: Option<u32>,
    ) -> Result<Box<dyn Action>, ActionProblem> {
        if let Some(seconds) = grace_seconds.filter(|seconds| *seconds > MOST_GRACE) {
            let message = format!("{seconds} s is more than an hour: what has to go does not get that long");
            return Err(ActionProblem::of("gracePeriodSeconds", message));
        }
        Ok(Box::new(Self {
            info,
            verb,
            grace_seconds,
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

    fn plan(&self, context: &ActionContext<'_>) -> Result<StepPlan, Refusal> {
        let target = removable(context)?.clone();
        let expects = vec![Expectation::Gone { target: target.clone() }];
        let grace_seconds = self.grace_seconds;
        let request = match self.verb {
            RemovalVerb::Delete => Request::Delete { target, grace_seconds },
            RemovalVerb::Evict => Request::Evict { target, grace_seconds },
        };
        Ok(StepPlan {
            requests: vec![PlannedRequest::irreversible(request, IRREVERSIBLE)],
            expects,
            ..StepPlan::default()
        })
    }
}

/// The pod to remove, or the refusal of a pod whose removal has no effect.
fn removable<'a>(context: &ActionContext<'a>) -> Result<&'a ObjectRef, Refusal> {
    let Target::Pod { pod: target } = context.target else {
        return Err(Refusal::new(
            RefusalReason::PlanUnsound,
            format!("{} is not a pod", context.target),
        ));
    };
    let Some(pod) = context.snapshot.pod.found() else {
        return Err(Refusal::new(RefusalReason::PlanUnsound, "the snapshot holds no pod"));
    };
    refuse_futile(pod, target)?;
    Ok(target)
}

fn refuse_futile(pod: &Pod, target: &ObjectRef) -> Result<(), Refusal> {
    if pod::is_mirror(pod) {
        let detail = format!(
            "{} is the mirror of a static pod: deleting it changes nothing on the node",
            target.at
        );
        return Err(Refusal::new(RefusalReason::MirrorPod, detail));
    }
    match pod::controller(pod) {
        Some(controller) if pod::controller_kind(controller) == Some(Kind::DaemonSet) => {
            let detail = format!(
                "{} belongs to the DaemonSet {}, which starts it again on the same node",
                target.at, controller.name
            );
            Err(Refusal::new(RefusalReason::DaemonSetPod, detail))
        }
        _ => Ok(()),
    }
}
