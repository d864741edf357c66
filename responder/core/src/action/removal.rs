//! What `delete` and `evict` share: the pods that can't be taken away to any use, and why it can't be undone.

use k8s_openapi::api::core::v1::Pod;

use super::ActionContext;
use crate::object::{Kind, ObjectRef};
use crate::pod;
use crate::refusal::{Refusal, RefusalReason};
use crate::target::Target;

/// Nothing brings a pod back.
pub(super) const IRREVERSIBLE: &str = "a pod that is gone can't be brought back; its controller makes another";

/// The pod to take away, or why it would be of no use.
pub(super) fn removable<'a>(context: &ActionContext<'a>) -> Result<&'a ObjectRef, Refusal> {
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
