//! The conditions of `match` and `except` on the live object.

use super::context::Context;
use super::exceptions;
use crate::refusal::{Refusal, RefusalReason};
use crate::snapshot::Snapshot;
use crate::target::Subject;
use crate::trace::Trace;

/// Refuses a live object that the match does not select, and one that an exception does.
pub(super) fn check(
    context: &Context<'_>,
    subject: &Subject,
    snapshot: &Snapshot,
    trace: &mut Trace,
) -> Result<(), Refusal> {
    let container = match subject {
        Subject::Pod(claim) => claim.container.as_ref(),
        Subject::Container { .. } | Subject::Host { .. } => None,
    };
    context
        .playbook
        .live_match
        .holds(context.alert, snapshot, container, trace)
        .map_err(|why| Refusal::new(RefusalReason::NotSelected, why))?;
    exceptions::of_the_live_object(context, snapshot, container, trace)
}
