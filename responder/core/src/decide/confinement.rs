//! The part of the cluster that the alert's sender may report on.

use super::context::Context;
use crate::alert::{Confinement, Sender};
use crate::pod;
use crate::refusal::{Refusal, RefusalReason};
use crate::snapshot::Snapshot;
use crate::target::{LocatedPod, Subject, Target};
use crate::trace::{CheckName, Trace};

fn confinement<'a>(context: &Context<'a>) -> Option<(&'a Sender, &'a Confinement)> {
    let sender = context.sender?;
    Some((sender, sender.confinement()?))
}

/// Refuses an alert about a pod of a namespace that the sender may not report on; with namespaces of its own, a sender may
/// not report on hosts.
pub(super) fn of_namespace(context: &Context<'_>, subject: &Subject, trace: &mut Trace) -> Result<(), Refusal> {
    let Some((sender, to)) = confinement(context).filter(|(_, to)| to.namespaces.is_some()) else {
        return Ok(());
    };
    let outside = match subject {
        Subject::Pod(claim) if to.allows_namespace(&claim.namespace) => {
            trace.passed(
                CheckName::SenderNamespace,
                format!("{sender} may report on {}", claim.namespace),
            );
            return Ok(());
        }
        // The pod is looked up later.
        Subject::Container { .. } => return Ok(()),
        Subject::Pod(claim) => format!("the namespace {}", claim.namespace),
        Subject::Host { .. } => "a host".to_owned(),
    };
    let detail = format!("{sender} is confined to other namespaces, and the alert is about {outside}");
    Err(trace.refused(CheckName::SenderNamespace, RefusalReason::OutsideSender, detail))
}

/// Refuses an alert about a live pod or a host on a node that the sender may not report on, and one about a container of a
/// pod in a namespace that it may not report on.
pub(super) fn of_target(
    context: &Context<'_>,
    snapshot: &Snapshot,
    target: &Target,
    trace: &mut Trace,
) -> Result<(), Refusal> {
    let Some((sender, to)) = confinement(context) else {
        return Ok(());
    };
    if let LocatedPod::Found { claim, .. } = &snapshot.located
        && !to.allows_namespace(&claim.namespace)
    {
        let detail = format!(
            "{sender} is confined to other namespaces, and the alert leads to {}",
            claim.namespace
        );
        return Err(trace.refused(CheckName::SenderNode, RefusalReason::OutsideSender, detail));
    }
    if to.nodes.is_none() {
        return Ok(());
    }
    let node = match (snapshot.pod.found(), target) {
        (Some(live), _) => pod::node_name(live).map(str::to_owned),
        (None, Target::Node { node }) => Some(node.at.name().to_string()),
        (None, Target::Pod { .. } | Target::Owner { .. }) => None,
    };
    let detail = match node {
        Some(node) if to.allows_node(&node) => {
            trace.passed(CheckName::SenderNode, format!("{sender} may report on {node}"));
            return Ok(());
        }
        Some(node) => format!("{sender} is confined to other nodes, and the alert leads to {node}"),
        None => format!("{sender} is confined to nodes, and the pod runs on none"),
    };
    Err(trace.refused(CheckName::SenderNode, RefusalReason::OutsideSender, detail))
}
