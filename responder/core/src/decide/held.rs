//! Evidence: a pod that another response holds in quarantine.

use super::context::Context;
use crate::guard::{LedgerView, PodHold};
use crate::pod;
use crate::quarantined::QuarantinedPods;
use crate::refusal::{Refusal, RefusalReason};
use crate::snapshot::Snapshot;
use crate::target::Target;
use crate::trace::{CheckName, Trace};

/// Refuses a pod that the response of another playbook holds, unless the playbook asks for such pods.
pub(super) fn check(
    context: &Context<'_>,
    snapshot: &Snapshot,
    ledger: &LedgerView,
    target: &Target,
    trace: &mut Trace,
) -> Result<(), Refusal> {
    let (Target::Pod { pod: target }, Some(live)) = (target, snapshot.pod.found()) else {
        return Ok(());
    };
    let is_of_another = |hold: &&PodHold| hold.playbook != context.playbook.name;
    let hold = ledger
        .holds
        .get(&target.uid)
        .filter(is_of_another)
        .filter(|hold| hold.is_worn(&pod::labels(live)));
    let Some(hold) = hold else { return Ok(()) };
    let holder = format!("{} keeps {} in quarantine {}", hold.playbook, target.at, hold.incident);
    match context.playbook.quarantined {
        QuarantinedPods::Include => {
            trace.passed(
                CheckName::Held,
                format!("{holder}, and this playbook includes such pods"),
            );
            Ok(())
        }
        QuarantinedPods::Exclude => Err(trace.refused(CheckName::Held, RefusalReason::Held, holder)),
    }
}
