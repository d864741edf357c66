//! The exceptions of a playbook: those that read the alert only, and those that read the live object.

use super::context::Context;
use crate::object::ContainerId;
use crate::playbook::Exception;
use crate::refusal::{Refusal, RefusalReason};
use crate::snapshot::Snapshot;
use crate::trace::{CheckName, Trace};

/// Refuses an alert that matches an exception without conditions on the live object.
pub(super) fn of_the_alert(context: &Context<'_>, trace: &mut Trace) -> Result<(), Refusal> {
    for (index, exception) in context.playbook.except.iter().enumerate() {
        if exception.live_match.is_empty() {
            except(context, exception, CheckName::AlertException(index), true, trace)?;
        }
    }
    Ok(())
}

/// Refuses an alert that matches an exception with conditions on the live object.
pub(super) fn of_the_live_object(
    context: &Context<'_>,
    snapshot: &Snapshot,
    container: Option<&ContainerId>,
    trace: &mut Trace,
) -> Result<(), Refusal> {
    for (index, exception) in context.playbook.except.iter().enumerate() {
        if exception.live_match.is_empty() {
            continue;
        }
        // The conditions of an exception get a trace of their own: failing them does not fail the decision.
        let holds = exception
            .live_match
            .holds(context.alert, snapshot, container, &mut Trace::default())
            .is_ok();
        except(context, exception, CheckName::LiveException(index), holds, trace)?;
    }
    Ok(())
}

/// Refuses an alert that matches an exception. `live` says whether the exception's conditions on the live object hold.
fn except(
    context: &Context<'_>,
    exception: &Exception,
    check: CheckName,
    live: bool,
    trace: &mut Trace,
) -> Result<(), Refusal> {
    if let Some(expired) = exception.expires_at.filter(|&expires| expires <= context.now) {
        trace.skipped(check, format!("it expired at {expired}"));
        return Ok(());
    }
    if live && exception.alert_match.matches(context.alert) {
        return Err(trace.refused(check, RefusalReason::Excepted, exception.reason.clone()));
    }
    trace.passed(check, "does not hold");
    Ok(())
}
