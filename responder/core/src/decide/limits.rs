//! The limits that a response must stay within.

use jiff::Timestamp;

use super::context::Context;
use crate::class::ActionClass;
use crate::guard::budget::{
    Count, applies, cooling, count_budget, count_namespace_share, count_targets, count_unreserved,
};
use crate::guard::{Budget, Claim, Guard, LedgerView, Reserve};
use crate::limit::BudgetScope;
use crate::owner::{Controller, OwnerChain, Uncounted};
use crate::refusal::{Refusal, RefusalReason};
use crate::snapshot::Snapshot;
use crate::trace::{CheckName, Trace};

/// Checks the cooldown, the playbook's limit and the guard's budgets.
pub(super) fn check(
    context: &Context<'_>,
    snapshot: &Snapshot,
    ledger: &LedgerView,
    claim: &Claim,
    trace: &mut Trace,
) -> Result<(), Refusal> {
    let limits = &context.playbook.limits;
    let replicas = replicas(snapshot);
    let uncounted = |help: &str| match &replicas {
        Ok(_) => String::new(),
        Err(Uncounted(why)) => uncounted(why, help),
    };
    note_owner(snapshot, trace);

    if let Some(cooldown) = limits.cooldown {
        if let Some((earlier, until)) = cooling(cooldown, claim, &ledger.claims) {
            let detail = format!("it was answered at {}, and is left alone until {until}", earlier.at);
            return Err(trace.refused(CheckName::Cooldown, RefusalReason::Cooldown, detail));
        }
        trace.passed(
            CheckName::Cooldown,
            format!("none runs ({} per {:?})", cooldown.length, cooldown.per),
        );
    }
    if let Some(limit) = limits.targets {
        let [absolute, share] = count_targets(limit, claim, &ledger.claims, replicas.clone().ok());
        let absolute = absolute.map(|count| (count, String::new()));
        let share = share.map(|count| {
            (
                count,
                uncounted("write `max` instead of `percentOfOwner`, or raise `atLeast`"),
            )
        });
        for (count, note) in [absolute, share].into_iter().flatten() {
            let detail = format!("{} of {} targets in {}{note}", count.used, count.limit, limit.per);
            if !count.has_room() {
                trace.failed(CheckName::Targets, detail.clone());
                return Err(Refusal::new(
                    RefusalReason::LimitExhausted,
                    format!("the playbook has acted on {detail}"),
                ));
            }
            trace.passed(CheckName::Targets, detail);
        }
    }
    budgets(context.guard, ledger, claim, &replicas, trace)
}

/// The claim of a step that runs instead of one that failed: that of the response, with the step's class, if the guard's
/// budgets have room for it. Cooldown and the playbook's own limit count targets, and have counted this one.
pub fn branch_claim(
    guard: &Guard,
    ledger: &LedgerView,
    response: &Claim,
    class: ActionClass,
    replicas: Option<u32>,
    now: Timestamp,
) -> Result<Claim, Refusal> {
    let lasts = response.counts_until.duration_since(response.at);
    let claim = Claim {
        class,
        at: now,
        counts_until: now.checked_add(lasts).unwrap_or(Timestamp::MAX),
        ..response.clone()
    };
    let replicas = replicas.ok_or_else(|| Uncounted("no number was to be had at the decision".to_owned()));
    budgets(guard, ledger, &claim, &replicas, &mut Trace::default())?;
    Ok(claim)
}

/// The number of the pod's owner of which a percentage is counted.
pub(super) fn replicas(snapshot: &Snapshot) -> Result<u32, Uncounted> {
    let chain = snapshot.owners.found();
    chain.map_or_else(
        || Err(Uncounted("its controllers were not read".to_owned())),
        OwnerChain::replicas,
    )
}

/// The note of a count that would be a percentage, and is `atLeast`.
fn uncounted(why: &str, help: &str) -> String {
    format!("; a percentage of its owner can't be counted, since {why}, so `atLeast` holds: {help}")
}

pub(super) fn budgets(
    guard: &Guard,
    ledger: &LedgerView,
    claim: &Claim,
    replicas: &Result<u32, Uncounted>,
    trace: &mut Trace,
) -> Result<(), Refusal> {
    for budget in guard
        .budgets
        .iter()
        .filter(|budget| applies(budget, claim.class, claim))
    {
        let check = CheckName::Budget(budget.scope, budget.class);
        let note = match replicas {
            Err(Uncounted(why)) if budget.percent.is_some() && claim.owner.is_some() => {
                uncounted(why, "leave out `percent`, or raise `atLeast`")
            }
            Ok(_) | Err(_) => String::new(),
        };
        for (count, counted) in counts(budget, claim, &ledger.claims, replicas.as_ref().ok().copied()) {
            let detail = format!("{} of {} {counted} in {}{note}", count.used, count.limit, budget.per);
            if !count.has_room() {
                trace.failed(check, detail.clone());
                return Err(Refusal::new(
                    RefusalReason::BudgetExhausted,
                    format!(
                        "the guard's budget {:?}/{} stands at {detail}",
                        budget.scope, budget.class
                    ),
                ));
            }
            trace.passed(check.clone(), detail);
        }
    }
    Ok(())
}

/// The counts of a budget that limit a claim, each with what was counted.
fn counts(budget: &Budget, claim: &Claim, claims: &[Claim], replicas: Option<u32>) -> Vec<(Count, String)> {
    let targets = budget
        .kind
        .map_or("targets".to_owned(), |kind| format!("targets of kind {kind}"));
    let place = match (budget.scope, &claim.namespace) {
        (BudgetScope::Cluster, _) => "in the cluster".to_owned(),
        (BudgetScope::Namespace, Some(namespace)) => format!("in namespace {namespace}"),
        (BudgetScope::Namespace, None) => "in no namespace".to_owned(),
        (BudgetScope::Owner, _) => "under its owner".to_owned(),
    };
    let mut counts = vec![(
        count_budget(budget, claim, claims, replicas),
        format!("{targets} {place}"),
    )];
    if let (Some(count), Some(namespace)) = (count_namespace_share(budget, claim, claims), &claim.raised_in) {
        counts.push((count, format!("{targets} for alerts of namespace {namespace}")));
    }
    if let (Some(count), Some(reserve)) = (count_unreserved(budget, claim, claims), budget.reserve) {
        let Reserve { min_priority, slots } = reserve;
        counts.push((
            count,
            format!("{targets} for alerts below {min_priority} ({slots} are reserved)"),
        ));
    }
    counts
}

/// Notes a controller of a custom kind, and one that is not believed. A tenant can write such a reference, so it refuses
/// nothing; the limits count the response by the uid that it claims.
fn note_owner(snapshot: &Snapshot, trace: &mut Trace) {
    if let Some(why) = snapshot.owners.found().and_then(OwnerChain::doubt) {
        trace.skipped(
            CheckName::CountedOwner,
            format!("counted as its references claim: {why}"),
        );
    }
    if let Some(custom @ Controller::Custom(_)) = snapshot.owners.found().and_then(OwnerChain::topmost) {
        trace.passed(CheckName::CountedOwner, format!("counted by {custom}"));
    }
}
