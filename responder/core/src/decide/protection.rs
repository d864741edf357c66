//! Protected targets: by the name of their namespace, by its labels, by their controllers, the controller's own pod, Falco,
//! the control plane, what the API server calls.

use super::context::Context;
use crate::guard::{is_of_sensors, protected_by_labels, protected_by_name, protected_by_owner, unread_owner};
use crate::node;
use crate::object::{Kind, Locator, Namespace};
use crate::refusal::{Refusal, RefusalReason};
use crate::sensor;
use crate::snapshot::Snapshot;
use crate::target::{Subject, Target};
use crate::trace::{CheckName, Trace};

/// Refuses a pod in a namespace that is protected by its name.
pub(super) fn by_name(context: &Context<'_>, subject: &Subject, trace: &mut Trace) -> Result<(), Refusal> {
    let why = match subject {
        Subject::Pod(claim) => protected_by_name(context.guard, context.own.namespace.as_ref(), &claim.namespace),
        // A container's pod is looked up later.
        Subject::Container { .. } | Subject::Host { .. } => None,
    };
    why.map_or(Ok(()), |why| {
        Err(trace.refused(CheckName::ProtectedName, RefusalReason::Protected, why))
    })
}

/// Refuses the controller's own pod, namespaces protected by their names or their labels, protected controllers with their
/// pods, Falco on the nodes, and nodes of the control plane.
pub(super) fn of_target(
    context: &Context<'_>,
    snapshot: &Snapshot,
    target: &Target,
    trace: &mut Trace,
) -> Result<(), Refusal> {
    let mut refuse = |reason, detail: String| Err(trace.refused(CheckName::Protection, reason, detail));
    let own = context.own;
    let at = target.at();
    if own.pod.as_ref() == Some(at.name()) && own.namespace.as_ref() == at.namespace() && at.kind() == Kind::Pod {
        return refuse(RefusalReason::OwnPod, format!("{at} is the controller itself"));
    }
    let by_name = at
        .namespace()
        .and_then(|namespace| protected_by_name(context.guard, own.namespace.as_ref(), namespace));
    if let Some(why) = by_name {
        return refuse(RefusalReason::Protected, why);
    }
    let namespace = snapshot.namespace.found();
    if let Some(why) = namespace.and_then(|live| protected_by_labels(context.guard, live)) {
        return refuse(RefusalReason::Protected, why);
    }
    // The labels to check are missing: the namespace was deleted between two reads.
    let checks_labels = !context.guard.protect.selectors.is_empty() && at.namespace().is_some();
    if checks_labels && namespace.is_none() {
        let detail = "the target's namespace was not read".to_owned();
        return refuse(RefusalReason::Unreadable, detail);
    }
    if let Some(namespace) = at.namespace() {
        let Some(serving) = snapshot.serving.found() else {
            let detail = "the webhook configurations and APIServices were not read".to_owned();
            return refuse(RefusalReason::Unreadable, detail);
        };
        if let Some(named_by) = serving.named_by(namespace) {
            let detail = format!("the API server calls {namespace}, by {named_by} (built-in floor)");
            return refuse(RefusalReason::Protected, detail);
        }
    }
    let checks_owners = !context.guard.protect.owners.is_empty() && !matches!(target, Target::Node { .. });
    if checks_owners {
        let Some(chain) = snapshot.owners.found() else {
            return refuse(
                RefusalReason::Unreadable,
                "the pod's controllers were not read".to_owned(),
            );
        };
        if let Some(why) = protected_by_owner(context.guard, chain) {
            return refuse(RefusalReason::Protected, why);
        }
        if let Some(why) = unread_owner(context.guard, chain) {
            return refuse(RefusalReason::Unreadable, why);
        }
    }
    if !matches!(target, Target::Node { .. }) {
        of_sensor(snapshot, at, trace)?;
    }
    let mut refuse = |reason, detail: String| Err(trace.refused(CheckName::Protection, reason, detail));
    if let (Target::Node { .. }, Some(live)) = (target, snapshot.node.found())
        && node::is_control_plane(live)
    {
        let detail = format!("{at} runs the control plane (built-in floor)");
        return refuse(RefusalReason::Protected, detail);
    }
    trace.passed(CheckName::Protection, format!("{at} is not protected"));
    note_companion(context, snapshot, at, trace);
    Ok(())
}

/// Refuses the pods of a Falco that watches its node, with their DaemonSet.
fn of_sensor(snapshot: &Snapshot, at: &Locator, trace: &mut Trace) -> Result<(), Refusal> {
    let Some(live) = snapshot.pod.found().filter(|live| sensor::may_watch_its_node(live)) else {
        return Ok(());
    };
    let Some(chain) = snapshot.owners.found() else {
        let detail = "the controllers of a pod that looks like Falco's were not read".to_owned();
        return Err(trace.refused(CheckName::Protection, RefusalReason::Unreadable, detail));
    };
    let Some(set) = sensor::falcos_daemon_set(live, chain) else {
        return Ok(());
    };
    let mut detail = format!(
        "{at} belongs to the DaemonSet {}, which runs Falco on the nodes (built-in floor)",
        set.object.at.name()
    );
    if let Some(namespace) = at.namespace() {
        detail += &format!("; to protect what runs beside it, {}", line_for_sensors(namespace));
    }
    Err(trace.refused(CheckName::Protection, RefusalReason::Protected, detail))
}

/// Notes a pod that is not protected and looks as if it belonged to the way of the alerts: it has an image of Falco's
/// organisation, or Falco runs in its namespace. Every author of pods can write the image, so it protects nothing.
fn note_companion(context: &Context<'_>, snapshot: &Snapshot, at: &Locator, trace: &mut Trace) {
    let (Some(namespace), Some(live)) = (at.namespace(), snapshot.pod.found()) else {
        return;
    };
    let image = live.spec.as_ref().and_then(sensor::image_of_falcos);
    let why = match (image, snapshot.has_sensor) {
        (Some(image), _) => format!("it has the image {}", image.escape_debug()),
        (None, true) => format!("Falco runs in {namespace}"),
        (None, false) => return,
    };
    if !is_of_sensors(context.guard, namespace) {
        let detail = format!("{why}: if it relays alerts, {}", line_for_sensors(namespace));
        trace.skipped(CheckName::Protection, detail);
    }
}

/// The line of the guard that protects a namespace of sensors.
fn line_for_sensors(namespace: &Namespace) -> String {
    format!("write `sensors: {{namespaces: [{namespace}]}}` into the guard")
}
