//! Finds the live object that an alert's subject means, in the snapshot.

use std::sync::Arc;

use k8s_openapi::api::core::v1::{Node, Pod};

use super::context::Context;
use crate::guard::corroborate::corroborate;
use crate::node;
use crate::object::ObjectRef;
use crate::pod;
use crate::refusal::{Refusal, RefusalReason};
use crate::snapshot::{Part, Snapshot};
use crate::target::{PodClaim, Subject, Target, TargetKind};
use crate::trace::{CheckName, Trace};

/// The corroborated target.
pub(super) fn target(
    context: &Context<'_>,
    subject: &Subject,
    snapshot: &Snapshot,
    trace: &mut Trace,
) -> Result<Target, Refusal> {
    match subject {
        Subject::Pod(claim) => {
            let (live, reference) = live_pod(context, claim, snapshot, trace)?;
            of_pod(context, live, reference, snapshot, trace)
        }
        Subject::Host { hostname } => of_host(context, hostname, snapshot, trace),
    }
}

fn live_pod<'a>(
    context: &Context<'_>,
    claim: &PodClaim,
    snapshot: &'a Snapshot,
    trace: &mut Trace,
) -> Result<(&'a Arc<Pod>, ObjectRef), Refusal> {
    let live = match &snapshot.pod {
        Part::Found(live) => live,
        Part::Missing => {
            return Err(gone(
                CheckName::Pod,
                trace,
                format!("there is no pod {}/{}", claim.namespace, claim.name),
            ));
        }
        Part::NotAsked => return Err(unread("the pod")),
    };
    let reference = pod::reference(live).ok_or_else(|| unread("the pod's identity"))?;
    trace.passed(CheckName::Pod, format!("{reference} is there"));
    corroborate(
        claim,
        context.alert,
        live,
        &snapshot.sensor,
        context.playbook.corroboration,
        trace,
    )?;
    Ok((live, reference))
}

fn of_pod(
    context: &Context<'_>,
    live: &Pod,
    reference: ObjectRef,
    snapshot: &Snapshot,
    trace: &mut Trace,
) -> Result<Target, Refusal> {
    let kind = context.playbook.target;
    // A pod that has ended can still lead to its node or its owner, but is not itself a target.
    if kind == TargetKind::Pod {
        refuse_ending(live, &reference, trace)?;
    }
    match kind {
        TargetKind::Pod => Ok(Target::Pod { pod: reference }),
        TargetKind::Owner => owner_of(reference, live, snapshot, trace),
        TargetKind::Node => {
            let Some(name) = pod::node_name(live) else {
                return Err(gone(
                    CheckName::Node,
                    trace,
                    format!("{} runs on no node", reference.at),
                ));
            };
            node_named(name, snapshot, trace)
        }
    }
}

fn refuse_ending(live: &Pod, reference: &ObjectRef, trace: &mut Trace) -> Result<(), Refusal> {
    let (reason, what) = if pod::is_terminating(live) {
        (RefusalReason::Terminating, "is being deleted already")
    } else if pod::is_completed(live) {
        (RefusalReason::Completed, "has ended")
    } else {
        return Ok(());
    };
    let detail = format!("{} {what}", reference.at);
    Err(trace.refused(CheckName::Ending, reason, detail))
}

fn owner_of(reference: ObjectRef, live: &Pod, snapshot: &Snapshot, trace: &mut Trace) -> Result<Target, Refusal> {
    let Some(chain) = snapshot.owners.found() else {
        return Err(unread("the pod's controllers"));
    };
    if pod::controller(live).is_none() {
        let detail = format!("{} has no controller", reference.at);
        return Err(trace.refused(CheckName::Owner, RefusalReason::NoOwner, detail));
    }
    let Some(owner) = chain.topmost() else {
        let why = chain
            .broken
            .clone()
            .unwrap_or_else(|| "its controller was not found".to_owned());
        return Err(trace.refused(CheckName::Owner, RefusalReason::OwnerUnknown, why));
    };
    trace.passed(CheckName::Owner, owner.object.to_string());
    Ok(Target::Owner {
        owner: owner.object.clone(),
        pod: reference,
    })
}

fn of_host(context: &Context<'_>, hostname: &str, snapshot: &Snapshot, trace: &mut Trace) -> Result<Target, Refusal> {
    // `hostname` names the node or the Falco pod on it; the snapshot contains either.
    let name = match snapshot.falco_pod.found() {
        Some(falco) => {
            let node = pod::node_name(falco).unwrap_or_default();
            trace.passed(
                CheckName::Host,
                format!("{} is a Falco pod on {node}", hostname.escape_debug()),
            );
            node
        }
        None => hostname,
    };
    let target = node_named(name, snapshot, trace)?;
    let made = snapshot
        .node
        .found()
        .and_then(|node| node.metadata.creation_timestamp.as_ref())
        .map(|time| time.0);
    match made {
        Some(made) if made <= context.alert.time() => Ok(target),
        Some(made) => {
            let detail = format!(
                "the live node was made at {made}, after the alert of {}",
                context.alert.time()
            );
            Err(trace.refused(CheckName::NodeAge, RefusalReason::TargetReplaced, detail))
        }
        None => Err(unread("the node's creation time")),
    }
}

fn node_named(name: &str, snapshot: &Snapshot, trace: &mut Trace) -> Result<Target, Refusal> {
    let named = |node: &&Arc<Node>| node.metadata.name.as_deref() == Some(name);
    match &snapshot.node {
        Part::NotAsked => Err(unread("the node")),
        Part::Missing => Err(gone(
            CheckName::Node,
            trace,
            format!("there is no node {}", name.escape_debug()),
        )),
        Part::Found(node) => {
            let node = Some(node)
                .filter(named)
                .ok_or_else(|| unread("the node of that name"))?;
            let reference = node::reference(node).ok_or_else(|| unread("the node's identity"))?;
            trace.passed(CheckName::Node, format!("{reference} is there"));
            Ok(Target::Node { node: reference })
        }
    }
}

fn gone(check: CheckName, trace: &mut Trace, detail: String) -> Refusal {
    trace.refused(check, RefusalReason::TargetGone, detail)
}

/// The refusal for a part that decide needs and the snapshot lacks.
fn unread(what: &str) -> Refusal {
    Refusal::new(RefusalReason::Unreadable, format!("{what} was not read"))
}
