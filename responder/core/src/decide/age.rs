//! The age of an alert: too old to act on, or ahead of the controller's clock.

use jiff::SignedDuration;

use super::context::Context;
use crate::refusal::{Refusal, RefusalReason};
use crate::span::Span;
use crate::trace::{CheckName, Trace};

/// How far an alert may be ahead of our clock: the nodes' clocks differ from ours.
pub(super) const AHEAD: SignedDuration = SignedDuration::from_secs(30);

/// The greatest age of an alert that is acted on: the smaller of the playbook's and the guard's.
pub(super) fn max_age(context: &Context<'_>) -> Span {
    let guard = context.guard.max_alert_age;
    context
        .playbook
        .limits
        .max_alert_age
        .map_or(guard, |own| own.min(guard))
}

/// Refuses an alert that is too old or too far ahead.
pub(super) fn check(context: &Context<'_>, trace: &mut Trace) -> Result<(), Refusal> {
    let age = context.now.duration_since(context.alert.time());
    let most = max_age(context);
    if age > most.signed() {
        let detail = format!("the alert is {} s old, and the most is {most}", age.as_secs());
        return Err(trace.refused(CheckName::Age, RefusalReason::Stale, detail));
    }
    if age < -AHEAD {
        let detail = format!("the alert is {} s ahead of our clock", -age.as_secs());
        return Err(trace.refused(CheckName::Age, RefusalReason::Future, detail));
    }
    trace.passed(
        CheckName::Age,
        format!("{} ms, and the most is {most}", age.as_millis()),
    );
    Ok(())
}
