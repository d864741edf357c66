//! The shared logic of `cordon` and `taint`: enough nodes stay schedulable, and the node's annotations name the response.

use k8s_openapi::api::core::v1::Node;

use super::contract::ActionContext;
use super::text::annotation_safe;
use crate::guard::Stock;
use crate::node::NodeFacts;
use crate::object::{ObjectRef, Uid};
use crate::patch::Entry;
use crate::refusal::{Refusal, RefusalReason};
use crate::target::{Target, TargetKind};

/// The kinds of target that both accept.
pub(super) const TARGETS: &[TargetKind] = &[TargetKind::Node];

/// The stock that both draw on.
pub(super) const RESERVES: &[Stock] = &[Stock::SchedulableNodes];

/// The response that tainted a node, as `<playbook>/<incident>`. The key ends in `.<incident>`: the value of the taint.
pub(super) const TAINTED_BY: &str = "responder.dev/tainted-by";

/// The target and its live node.
pub(super) fn node<'a>(context: &ActionContext<'a>) -> Result<(&'a ObjectRef, &'a Node), Refusal> {
    match (context.target, context.snapshot.node.found()) {
        (Target::Node { node: target }, Some(live)) => Ok((target, live)),
        _ => Err(Refusal::new(RefusalReason::PlanUnsound, "the snapshot holds no node")),
    }
}

/// The annotations for the time, the response and the alert's rule, in the order of their keys.
pub(super) fn marks(context: &ActionContext<'_>, [at, by, why]: [&str; 3]) -> [Entry; 3] {
    let set = |key: &str, value: String| Entry::annotation(key, Some(value), None);
    [
        set(at, context.now.to_string()),
        set(by, format!("{}/{}", context.playbook, context.incident)),
        set(why, annotation_safe(context.alert.rule().as_str())),
    ]
}

/// Refuses if too few other nodes would take ordinary pods. Nodes that are cordoned or tainted, by responder or otherwise,
/// that another response has reserved, or that run the control plane do not count.
pub(super) fn keep_enough(context: &ActionContext<'_>, live: &Node) -> Result<(), Refusal> {
    let Some(all) = context.snapshot.nodes.found() else {
        return Err(Refusal::new(RefusalReason::PlanUnsound, "the snapshot holds no nodes"));
    };
    let reserved: Vec<_> = context.reserved.targets(Stock::SchedulableNodes).collect();
    let stays = |node: &&NodeFacts| {
        let uid = node.uid.as_ref();
        let is_reserved = uid.is_some_and(|uid| reserved.contains(&uid));
        node.takes_ordinary_pods && !is_reserved && uid.map(Uid::as_str) != live.metadata.uid.as_deref()
    };
    let left = all.iter().filter(stays).count();
    let workers = all.iter().filter(|node| !node.is_control_plane).count();
    let keep = context.protect.keep_schedulable.of(workers);
    if left >= keep {
        return Ok(());
    }
    let detail = format!("{left} of {workers} nodes would still take ordinary pods, and at least {keep} must");
    Err(Refusal::new(RefusalReason::LastSchedulableNode, detail))
}
