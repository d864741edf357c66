//! Protected targets: by the name of their namespace, by its labels, by their controllers, the controller's own pod, the
//! control plane.

use super::context::Context;
use crate::guard::{protected_by_labels, protected_by_name, protected_by_owner, unread_owner};
use crate::node;
use crate::object::Kind;
use crate::refusal::{Refusal, RefusalReason};
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
/// pods, and nodes of the control plane.
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
    if let (Target::Node { .. }, Some(live)) = (target, snapshot.node.found())
        && node::is_control_plane(live)
    {
        let detail = format!("{at} runs the control plane (built-in floor)");
        return refuse(RefusalReason::Protected, detail);
    }
    trace.passed(CheckName::Protection, format!("{at} is not protected"));
    Ok(())
}
