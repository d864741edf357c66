//! `cordon` and `taint`: new pods are kept off a node, enough others stay, and who did it and why stands on the node.

use k8s_openapi::api::core::v1::Node;

use super::contract::ActionContext;
use super::text::annotation_safe;
use crate::guard::Stock;
use crate::node;
use crate::object::ObjectRef;
use crate::patch::Entry;
use crate::refusal::{Refusal, RefusalReason};
use crate::target::{Target, TargetKind};

/// What they act on.
pub(super) const TARGETS: &[TargetKind] = &[TargetKind::Node];

/// What they draw on.
pub(super) const RESERVES: &[Stock] = &[Stock::SchedulableNodes];

/// Which response tainted a node, as `<playbook>/<incident>`; the key ends in `.<incident>`, which is the taint's value.
pub(super) const TAINTED_BY: &str = "responder.dev/tainted-by";

/// The target, and the node as it is.
pub(super) fn node<'a>(context: &ActionContext<'a>) -> Result<(&'a ObjectRef, &'a Node), Refusal> {
    match (context.target, context.snapshot.node.found()) {
        (Target::Node { node: target }, Some(live)) => Ok((target, live)),
        _ => Err(Refusal::new(RefusalReason::PlanUnsound, "the snapshot holds no node")),
    }
}

/// The annotations that say since when, by which response and for which rule.
pub(super) fn marks(context: &ActionContext<'_>, [at, by, why]: [&str; 3]) -> [Entry; 3] {
    let set = |key: &str, value: String| Entry::annotation(key, Some(value), None);
    [
        set(at, context.now.to_string()),
        set(by, format!("{}/{}", context.playbook, context.incident)),
        set(why, annotation_safe(context.alert.rule().as_str())),
    ]
}

/// Refuses what would leave too few nodes that take pods. Who cordoned the others is all the same; nodes that another
/// response has reserved, or has tainted, count as gone too.
pub(super) fn keep_enough(context: &ActionContext<'_>, live: &Node) -> Result<(), Refusal> {
    let Some(all) = context.snapshot.nodes.found() else {
        return Err(Refusal::new(RefusalReason::PlanUnsound, "the snapshot holds no nodes"));
    };
    let reserved: Vec<_> = context.reserved.targets(Stock::SchedulableNodes).collect();
    let is_reserved = |node: &Node| {
        let uid = node.metadata.uid.as_deref();
        uid.is_some_and(|uid| reserved.iter().any(|reserved| reserved.as_str() == uid))
    };
    let stays = |node: &&Node| {
        node.metadata.uid != live.metadata.uid
            && node::takes_pods(node)
            && !is_reserved(node)
            && !is_tainted_by_response(node)
    };
    let left = all.iter().filter(stays).count();
    let keep = context.protect.keep_schedulable.of(all.len());
    if left >= keep {
        return Ok(());
    }
    let detail = format!(
        "{left} of {} nodes would still take pods, and at least {keep} must",
        all.len()
    );
    Err(Refusal::new(RefusalReason::LastSchedulableNode, detail))
}

/// Whether a response keeps new pods off it by a taint. Taints of others say for which pods a node is meant, and not that
/// it takes none.
fn is_tainted_by_response(live: &Node) -> bool {
    let taints = live.spec.iter().flat_map(|spec| spec.taints.iter().flatten());
    let mut values = taints
        .filter(|taint| taint.effect == "NoSchedule")
        .filter_map(|taint| taint.value.as_deref());
    values.any(|value| node::annotation(live, &format!("{TAINTED_BY}.{value}")).is_some())
}
