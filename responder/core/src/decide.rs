//! Decide: the pure function from (alert, playbook, guard, snapshot, ledger, now) to a plan or a refusal.

use jiff::Timestamp;
use ring::digest;

use crate::guard::{Claim, ClaimKind, Guard, LedgerView};
use crate::limit::BudgetScope;
use crate::mode::Mode;
use crate::plan::{Plan, lint};
use crate::playbook::Playbook;
use crate::port::ReadError;
use crate::refusal::{Refusal, RefusalReason};
use crate::snapshot::{Needs, Snapshot};
use crate::target::{Subject, Target, TargetKind};
use crate::trace::{CheckName, Trace};

mod age;
mod audited;
mod ceilings;
mod claim;
mod confinement;
mod context;
mod decision;
mod exceptions;
mod held;
mod limits;
mod protection;
mod resolve;
mod screen;
mod selection;
mod steps;

use steps::StepInput;

pub use claim::end_claim;
pub use context::{Context, OwnIdentity};
pub use decision::{Decision, Outcome};
pub use limits::branch_claim;

/// The parts of the snapshot that the playbook reads, and those that the guard needs for a response of its class.
pub fn needs(playbook: &Playbook, guard: &Guard) -> Needs {
    let mut needs = playbook.needs();
    needs.namespace |= !guard.namespaces.is_empty() || !guard.protect.selectors.is_empty();
    // A node is in no namespace.
    needs.serving |= playbook.target != TargetKind::Node;
    needs.owners |= !guard.protect.owners.is_empty() && playbook.target != TargetKind::Node;
    needs.owners |= guard
        .budgets
        .iter()
        .any(|budget| budget.scope == BudgetScope::Owner && playbook.strongest_class() >= budget.class);
    needs
}

/// The refusals that need no reads: a flood of stale alerts costs the API server nothing.
pub fn screen(context: &Context<'_>, ledger: &LedgerView) -> Option<Decision> {
    let mut trace = Trace::default();
    let refusal = screen::screen(context, ledger, &mut trace).err()?;
    Some(refused(context, None, refusal, trace))
}

/// Decides. A part of the cluster that could not be read is refused as `Unreadable`.
///
/// The checks run in the order of [`CheckName`], and the first that does not hold is the refusal.
pub fn decide(context: &Context<'_>, snapshot: Result<&Snapshot, &ReadError>, ledger: &LedgerView) -> Decision {
    let mut trace = Trace::default();
    let mut target = None;
    match act(context, snapshot, ledger, &mut target, &mut trace) {
        Ok((plan, claim)) => Decision {
            playbook: context.playbook.name.clone(),
            alert: context.alert_id,
            subject: Subject::of(context.alert).ok(),
            target,
            outcome: Outcome::Act {
                plan: Box::new(plan),
                claim: Box::new(claim),
            },
            trace,
        },
        Err(refusal) => refused(context, target, refusal, trace),
    }
}

/// A refusal from outside of [`decide`]: the ledger is unavailable, or the controller is shutting down.
pub fn refused(context: &Context<'_>, target: Option<Target>, refusal: Refusal, trace: Trace) -> Decision {
    Decision {
        playbook: context.playbook.name.clone(),
        alert: context.alert_id,
        subject: Subject::of(context.alert).ok(),
        target,
        outcome: Outcome::Refuse(refusal),
        trace,
    }
}

fn act(
    context: &Context<'_>,
    snapshot: Result<&Snapshot, &ReadError>,
    ledger: &LedgerView,
    resolved: &mut Option<Target>,
    trace: &mut Trace,
) -> Result<(Plan, Claim), Refusal> {
    let subject = screen::screen(context, ledger, trace)?;
    let snapshot =
        snapshot.map_err(|error| trace.refused(CheckName::Readings, RefusalReason::Unreadable, error.to_string()))?;
    let subject = resolve::located(subject, snapshot, trace)?;
    let resolve::Resolved {
        target,
        corroboration,
        obstacle,
    } = resolve::target(context, &subject, snapshot, trace)?;
    *resolved = Some(target.clone());
    confinement::of_target(context, snapshot, &target, trace)?;
    protection::of_target(context, snapshot, &target, trace)?;
    selection::check(context, &subject, snapshot, trace)?;
    held::check(context, snapshot, ledger, &target, trace)?;

    let mode = ceilings::mode(context, snapshot, &target, trace);
    let claim_kind = if mode.mode() == Mode::Enforce {
        ClaimKind::Real
    } else {
        ClaimKind::Rehearsed
    };
    claim::duplicate(context, ledger, claim_kind, trace)?;
    let claim = claim::claim(context, &subject, snapshot, &target, claim_kind);
    let incident = incident(context, &target);
    let input = StepInput {
        context,
        snapshot,
        target: &target,
        corroboration,
        obstacle: obstacle.as_ref(),
        ledger,
        claim: &claim,
        incident: &incident,
    };
    let steps = steps::plan(&input, trace)?;
    let class = steps.iter().map(|step| step.class).max().unwrap_or(claim.class);
    let claim = Claim { class, ..claim };
    limits::check(context, snapshot, ledger, &claim, trace)?;

    let valid_until = context
        .alert
        .time()
        .checked_add(age::max_age(context).signed())
        .unwrap_or(Timestamp::MAX);
    let plan = Plan {
        incident,
        target,
        mode,
        steps,
        decided_at: context.now,
        valid_until,
        owner_replicas: limits::replicas(snapshot).ok(),
    };
    if let Some(fault) = lint(&plan) {
        return Err(trace.refused(CheckName::Plan, RefusalReason::PlanUnsound, fault.to_string()));
    }
    trace.passed(
        CheckName::Plan,
        format!("{} requests in {} steps", plan.requests().count(), plan.steps.len()),
    );
    Ok((plan, claim))
}

/// The name of a response in labels and object names: ten characters, derived from alert, playbook and target, so one
/// response never has two names.
fn incident(context: &Context<'_>, target: &Target) -> String {
    const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
    let mut hash = digest::Context::new(&digest::SHA256);
    for part in [
        &context.alert_id.to_string(),
        context.playbook.name.as_str(),
        target.object().uid.as_str(),
    ] {
        hash.update(&(part.len() as u64).to_be_bytes());
        hash.update(part.as_bytes());
    }
    let digest = hash.finish();
    // A label value starts with a letter or a digit, and the alphabet has no other characters.
    digest
        .as_ref()
        .iter()
        .take(10)
        .map(|byte| char::from(ALPHABET[usize::from(byte % 32)]))
        .collect()
}

#[cfg(test)]
mod tests;
