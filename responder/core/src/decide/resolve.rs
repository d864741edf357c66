//! Finds the live object that an alert's subject means, in the snapshot.

use std::sync::Arc;

use k8s_openapi::api::core::v1::{Node, Pod};

use super::context::Context;
use crate::corroboration::Corroboration;
use crate::guard::corroborate::corroborate;
use crate::node::{self, NodeNames};
use crate::object::ObjectRef;
use crate::obstacle::{Obstacle, ObstacleKind};
use crate::owner::Controller;
use crate::pod;
use crate::refusal::{Refusal, RefusalReason};
use crate::snapshot::{Part, Snapshot};
use crate::target::{LocatedPod, PodClaim, Subject, Target, TargetKind};
use crate::trace::{CheckName, Trace};

/// The live object that the alert means.
pub(super) struct Resolved {
    /// The corroborated target.
    pub(super) target: Target,
    /// How certainly the live pod is the alert's; `None` for a host.
    pub(super) corroboration: Option<Corroboration>,
    /// Why no step of the playbook can be done: it acts on controllers, and the pod has none that is believed. The pod's
    /// tenant can bring that about, so it refuses nothing; the target is the pod then.
    pub(super) obstacle: Option<Obstacle>,
}

/// The subject of the alert, with the pod that was looked up for a container.
pub(super) fn located(subject: Subject, snapshot: &Snapshot, trace: &mut Trace) -> Result<Subject, Refusal> {
    let Subject::Container { container, uid, .. } = &subject else {
        return Ok(subject);
    };
    match &snapshot.located {
        LocatedPod::Found { claim, node } => {
            let detail = format!(
                "{container} is a container of pod/{}/{}, one of the pods on {node}",
                claim.namespace, claim.name
            );
            trace.passed(CheckName::Located, detail);
            Ok(Subject::Pod(PodClaim {
                uid: uid.clone().or_else(|| claim.uid.clone()),
                ..claim.clone()
            }))
        }
        LocatedPod::Missing(tried) => {
            let detail = format!("the alert names no pod, only the container {container}, and {tried}");
            Err(trace.refused(CheckName::Located, RefusalReason::UnknownContainer, detail))
        }
        LocatedPod::NotAsked => Err(unread("the pod of the container")),
    }
}

/// Resolves the target.
pub(super) fn target(
    context: &Context<'_>,
    subject: &Subject,
    snapshot: &Snapshot,
    trace: &mut Trace,
) -> Result<Resolved, Refusal> {
    match subject {
        Subject::Pod(claim) => {
            let (live, reference, level) = live_pod(context, claim, snapshot, trace)?;
            let (target, obstacle) = of_pod(context, live, reference, snapshot, trace)?;
            Ok(Resolved {
                target,
                corroboration: Some(level),
                obstacle,
            })
        }
        Subject::Container { .. } => Err(unread("the pod of the container")),
        Subject::Host { hostname } => Ok(Resolved {
            target: of_host(context, hostname, snapshot, trace)?,
            corroboration: None,
            obstacle: None,
        }),
    }
}

fn live_pod<'a>(
    context: &Context<'_>,
    claim: &PodClaim,
    snapshot: &'a Snapshot,
    trace: &mut Trace,
) -> Result<(&'a Arc<Pod>, ObjectRef, Corroboration), Refusal> {
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
    let level = corroborate(
        claim,
        context.alert,
        live,
        &snapshot.sensor,
        context.playbook.corroboration,
        trace,
    )?;
    Ok((live, reference, level))
}

fn of_pod(
    context: &Context<'_>,
    live: &Pod,
    reference: ObjectRef,
    snapshot: &Snapshot,
    trace: &mut Trace,
) -> Result<(Target, Option<Obstacle>), Refusal> {
    let kind = context.playbook.target;
    // A pod that has ended can still lead to its node or its owner, but is not itself a target. A pod that is being
    // deleted is one: its containers run until its end, which its tenant may have put years away.
    if kind == TargetKind::Pod && pod::is_completed(live) {
        let detail = format!("{} has ended", reference.at);
        return Err(trace.refused(CheckName::Ending, RefusalReason::Completed, detail));
    }
    match kind {
        TargetKind::Pod => Ok((Target::Pod { pod: reference }, None)),
        TargetKind::Owner => owner_of(reference, live, snapshot, trace),
        TargetKind::Node => {
            let Some(name) = pod::node_name(live) else {
                return Err(gone(
                    CheckName::Node,
                    trace,
                    format!("{} runs on no node", reference.at),
                ));
            };
            Ok((node_named(name, snapshot, trace)?, None))
        }
    }
}

fn owner_of(
    reference: ObjectRef,
    live: &Pod,
    snapshot: &Snapshot,
    trace: &mut Trace,
) -> Result<(Target, Option<Obstacle>), Refusal> {
    let Some(chain) = snapshot.owners.found() else {
        return Err(unread("the pod's controllers"));
    };
    let obstacle = match (pod::controller(live), chain.topmost()) {
        (None, _) => Obstacle::new(ObstacleKind::NoOwner, format!("{} names no controller", reference.at)),
        (Some(_), None) => {
            let why = chain.doubt().unwrap_or("its controller was not found");
            Obstacle::new(ObstacleKind::OwnerUnknown, why)
        }
        (Some(_), Some(custom @ Controller::Custom(_))) => {
            let detail = format!("{custom} is of a kind that is counted by, and never changed");
            Obstacle::new(ObstacleKind::OwnerUnknown, detail)
        }
        (Some(_), Some(Controller::Known(owner))) => {
            trace.passed(CheckName::Owner, owner.object.to_string());
            let target = Target::Owner {
                owner: owner.object.clone(),
                pod: reference,
            };
            return Ok((target, None));
        }
    };
    trace.failed(CheckName::Owner, obstacle.to_string());
    Ok((Target::Pod { pod: reference }, Some(obstacle)))
}

fn of_host(context: &Context<'_>, hostname: &str, snapshot: &Snapshot, trace: &mut Trace) -> Result<Target, Refusal> {
    // `hostname` names the node or the Falco pod on it; the snapshot contains either.
    let shown = hostname.escape_debug();
    let name = match (snapshot.falco_pod.found(), snapshot.node.found()) {
        (Some(falco), _) => {
            let node = pod::node_name(falco).unwrap_or_default();
            trace.passed(CheckName::Host, format!("{shown} is a Falco pod on {node}"));
            node
        }
        (None, Some(node)) => {
            let naming = NodeNames::of(node).naming(hostname);
            let (Some(naming), Some(name)) = (naming, node.metadata.name.as_deref()) else {
                return Err(unread("the node of that name"));
            };
            trace.passed(CheckName::Host, format!("{shown} is the node {name} {naming}"));
            name
        }
        (None, None) if matches!(snapshot.node, Part::Missing) => {
            let detail = format!(
                "{shown} is neither a Falco pod nor the name, hostname label, address or short name of exactly one node"
            );
            return Err(trace.refused(CheckName::Host, RefusalReason::UnknownHost, detail));
        }
        (None, None) => hostname,
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
