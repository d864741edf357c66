//! Claims: the one that a response would commit, and one that answers the alert already.

use jiff::Timestamp;

use super::age::{AHEAD, max_age};
use super::context::Context;
use super::limits::budgets;
use crate::alert::Priority;
use crate::class::ActionClass;
use crate::guard::{Claim, ClaimKind, Guard, LedgerView, RESERVED_FOR};
use crate::limit::Limits;
use crate::own::QuarantineRecord;
use crate::owner::{OwnerChain, Uncounted};
use crate::playbook_name::PlaybookName;
use crate::refusal::{Refusal, RefusalReason};
use crate::snapshot::Snapshot;
use crate::span::Span;
use crate::target::{Subject, Target};
use crate::trace::{CheckName, Trace};

/// The share of the limits that this response would take.
pub(super) fn claim(
    context: &Context<'_>,
    subject: &Subject,
    snapshot: &Snapshot,
    target: &Target,
    claim_kind: ClaimKind,
) -> Claim {
    // The claim marks the alert as answered for as long as a redelivery would not be too old.
    let longest = longest_window(context.guard, Some(&context.playbook.limits)).max(max_age(context));
    let owner = match target {
        Target::Owner { owner, .. } => Some(owner.uid.clone()),
        Target::Pod { .. } => snapshot.owners.found().and_then(OwnerChain::counted).cloned(),
        Target::Node { .. } => None,
    };
    Claim {
        claim_kind,
        at: context.now,
        counts_until: until(context.now, longest),
        playbook: context.playbook.name.clone(),
        alert: Some(context.alert_id),
        class: context.playbook.class(),
        kind: target.at().kind(),
        target: target.object().uid.clone(),
        owner,
        namespace: target.at().namespace().cloned(),
        raised_in: match subject {
            Subject::Pod(pod) => Some(pod.namespace.clone()),
            Subject::Container { .. } | Subject::Host { .. } => None,
        },
        priority: context.alert.priority(),
        reserves: context.playbook.reserves(),
    }
}

/// The claim of a deletion at the end of a quarantine, if the guard's budgets have room for it. The response that began
/// the quarantine has a claim of its own, for what it did then.
pub fn end_claim(
    guard: &Guard,
    ledger: &LedgerView,
    record: &QuarantineRecord,
    limits: Option<&Limits>,
    now: Timestamp,
) -> Result<Claim, Refusal> {
    let playbook = PlaybookName::new(&record.playbook).ok_or_else(|| {
        let name = record.playbook.escape_debug();
        Refusal::new(
            RefusalReason::PlanUnsound,
            format!("`{name}` can't be the name of a playbook"),
        )
    })?;
    let namespace = record.pod.at.namespace().cloned();
    let claim = Claim {
        claim_kind: ClaimKind::Real,
        at: now,
        counts_until: until(now, longest_window(guard, limits)),
        playbook,
        alert: None,
        class: ActionClass::Destroy,
        kind: record.pod.at.kind(),
        target: record.pod.uid.clone(),
        owner: record.owner.clone(),
        raised_in: namespace.clone(),
        namespace,
        priority: Priority::Debug,
        reserves: Vec::new(),
    };
    let replicas = Err(Uncounted("a quarantine's record has no number of replicas".to_owned()));
    budgets(guard, ledger, &claim, &replicas, &mut Trace::default())?;
    Ok(claim)
}

/// The longest window that counts a claim of a playbook with these limits.
fn longest_window(guard: &Guard, limits: Option<&Limits>) -> Span {
    let of_guard = guard.budgets.iter().map(|budget| budget.per);
    let cooldown = limits
        .and_then(|limits| limits.cooldown)
        .map(|cooldown| cooldown.length);
    let targets = limits.and_then(|limits| limits.targets).map(|limit| limit.per);
    of_guard.chain(cooldown).chain(targets).fold(RESERVED_FOR, Ord::max)
}

fn until(now: Timestamp, longest: Span) -> Timestamp {
    now.checked_add(longest.signed() + AHEAD).unwrap_or(Timestamp::MAX)
}

/// The claim with which this playbook has answered the alert.
pub(super) fn answer<'a>(context: &Context<'_>, ledger: &'a LedgerView, claim_kind: ClaimKind) -> Option<&'a Claim> {
    ledger.claims.iter().find(|claim| {
        claim.claim_kind == claim_kind
            && claim.alert == Some(context.alert_id)
            && claim.playbook == context.playbook.name
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
