//! Claims: the one that a response would commit, and one that answers the alert already.

use jiff::Timestamp;

use super::age::{AHEAD, max_age};
use super::context::Context;
use crate::guard::{Claim, ClaimKind, LedgerView, RESERVED_FOR};
use crate::refusal::{Refusal, RefusalReason};
use crate::snapshot::{OwnerChain, Snapshot};
use crate::target::{Subject, Target};
use crate::trace::{CheckName, Trace};

/// The share of the limits that this response would take.
pub(super) fn claim(context: &Context<'_>, snapshot: &Snapshot, target: &Target, claim_kind: ClaimKind) -> Claim {
    let limits = &context.playbook.limits;
    let windows = context.guard.budgets.iter().map(|budget| budget.per);
    let own = limits
        .cooldown
        .map(|cooldown| cooldown.length)
        .into_iter()
        .chain(limits.targets.map(|limit| limit.per));
    // The claim marks the alert as answered for as long as a redelivery would not be too old.
    let longest = windows
        .chain(own)
        .chain([max_age(context), RESERVED_FOR])
        .max()
        .unwrap_or(RESERVED_FOR);
    let owner = match target {
        Target::Owner { owner, .. } => Some(owner.uid.clone()),
        Target::Pod { .. } => snapshot.owners.found().and_then(OwnerChain::counted).cloned(),
        Target::Node { .. } => None,
    };
    Claim {
        claim_kind,
        at: context.now,
        counts_until: context
            .now
            .checked_add(longest.signed() + AHEAD)
            .unwrap_or(Timestamp::MAX),
        playbook: context.playbook.name.clone(),
        alert: context.alert_id,
        class: context.playbook.class(),
        kind: target.at().kind(),
        target: target.object().uid.clone(),
        owner,
        namespace: target.at().namespace().cloned(),
        raised_in: match Subject::of(context.alert) {
            Ok(Subject::Pod(pod)) => Some(pod.namespace),
            Ok(Subject::Host { .. }) | Err(_) => None,
        },
        priority: context.alert.priority(),
        reserves: context.playbook.reserves(),
    }
}

/// The claim with which this playbook has answered the alert.
pub(super) fn answer<'a>(context: &Context<'_>, ledger: &'a LedgerView, claim_kind: ClaimKind) -> Option<&'a Claim> {
    ledger.claims.iter().find(|claim| {
        claim.claim_kind == claim_kind && claim.alert == context.alert_id && claim.playbook == context.playbook.name
    })
}

/// The refusal of an alert that a claim answers.
pub(super) fn answered_by(claim: &Claim, check: CheckName, trace: &mut Trace) -> Refusal {
    let detail = format!("this alert was answered at {}", claim.at);
    trace.refused(check, RefusalReason::Duplicate, detail)
}

/// Refuses an alert that this playbook has already answered.
pub(super) fn duplicate(
    context: &Context<'_>,
    ledger: &LedgerView,
    claim_kind: ClaimKind,
    trace: &mut Trace,
) -> Result<(), Refusal> {
    if let Some(claim) = answer(context, ledger, claim_kind) {
        return Err(answered_by(claim, CheckName::Duplicate, trace));
    }
    trace.passed(CheckName::Duplicate, "not answered before");
    Ok(())
}
