//! The checks that need no reads: a flood of stale alerts costs the API server nothing.

use super::age;
use super::audited;
use super::claim::{answer, answered_by};
use super::confinement;
use super::context::Context;
use super::exceptions;
use super::protection;
use crate::alert::{Sender, Value};
use crate::guard::{ClaimKind, LedgerView};
use crate::refusal::{Refusal, RefusalReason};
use crate::target::{Subject, TargetKind};
use crate::trace::{CheckName, Trace};

/// The subject of an alert that no check without reads refuses.
pub(super) fn screen(context: &Context<'_>, ledger: &LedgerView, trace: &mut Trace) -> Result<Subject, Refusal> {
    sender(context, trace);
    cluster(context, trace)?;
    let subject = subject(context, trace)?;
    confinement::of_namespace(context, &subject, trace)?;
    audited::request(context, trace)?;
    exceptions::of_the_alert(context, trace)?;
    age::check(context, trace)?;
    // The kind of claim depends on the mode, and the mode may depend on the namespace's labels. An alert that this
    // playbook has answered with both kinds is a duplicate in every mode.
    let answers = [ClaimKind::Real, ClaimKind::Rehearsed].map(|kind| answer(context, ledger, kind));
    if let [Some(claim), Some(_)] = answers {
        return Err(answered_by(claim, CheckName::Answered, trace));
    }
    protection::by_name(context, &subject, trace)?;
    Ok(subject)
}

/// Notes the sender; intake has authenticated it.
fn sender(context: &Context<'_>, trace: &mut Trace) {
    match context.sender {
        None => {}
        Some(Sender::Anonymous) => trace.skipped(CheckName::Sender, "the sender was not authenticated"),
        Some(sender) => trace.passed(CheckName::Sender, sender.to_string()),
    }
}

/// Refuses an alert that names another cluster.
fn cluster(context: &Context<'_>, trace: &mut Trace) -> Result<(), Refusal> {
    let Some(identity) = &context.guard.cluster else {
        return Ok(());
    };
    let Some(field) = &identity.field else { return Ok(()) };
    match context.alert.field(field) {
        None | Some(Value::Null) => trace.skipped(CheckName::Cluster, format!("the alert has no {field}")),
        Some(Value::String(name)) if *name == identity.name => trace.passed(CheckName::Cluster, name.clone()),
        Some(other) => {
            let detail = format!(
                "the alert's {field} is {}, and this is {}",
                other.to_string().escape_debug(),
                identity.name
            );
            return Err(trace.refused(CheckName::Cluster, RefusalReason::ForeignCluster, detail));
        }
    }
    Ok(())
}

/// Refuses an alert that names no object, and one about a host process unless the playbook acts on nodes.
fn subject(context: &Context<'_>, trace: &mut Trace) -> Result<Subject, Refusal> {
    let subject = Subject::of(context.alert)
        .map_err(|none| trace.refused(CheckName::Subject, RefusalReason::NoTarget, none.to_string()))?;
    let wanted = context.playbook.target;
    if matches!(subject, Subject::Host { .. }) && wanted != TargetKind::Node {
        let detail = format!("the alert is about a process of the host, and the playbook acts on a {wanted}");
        return Err(trace.refused(CheckName::Subject, RefusalReason::HostProcess, detail));
    }
    trace.passed(CheckName::Subject, subject.to_string());
    Ok(subject)
}
