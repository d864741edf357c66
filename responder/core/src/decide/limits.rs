//! The limits that a response must stay within.

use super::context::Context;
use crate::guard::budget::{
    Count, applies, cooling, count_budget, count_namespace_share, count_targets, count_unreserved,
};
use crate::guard::{Budget, Claim, LedgerView, Reserve};
use crate::limit::{BudgetScope, CooldownScope};
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
    let topmost = snapshot.owners.found().and_then(|chain| chain.topmost());
    let replicas = topmost.and_then(|owner| owner.replicas);
    known_owner(context, snapshot, trace)?;

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
        for count in count_targets(limit, claim, &ledger.claims, replicas)
            .into_iter()
            .flatten()
        {
            let detail = format!("{} of {} targets in {}", count.used, count.limit, limit.per);
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
    for budget in context
        .guard
        .budgets
        .iter()
        .filter(|budget| applies(budget, claim.class, claim))
    {
        let check = CheckName::Budget(budget.scope, budget.class);
        for (count, counted) in counts(budget, claim, &ledger.claims, replicas) {
            let detail = format!("{} of {} {counted} in {}", count.used, count.limit, budget.per);
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

/// Refuses if a limit counts by owner and the chain of controllers is broken: each pod would count as its own owner.
fn known_owner(context: &Context<'_>, snapshot: &Snapshot, trace: &mut Trace) -> Result<(), Refusal> {
    let limits = &context.playbook.limits;
    let class = context.playbook.class();
    let by_owner = limits
        .cooldown
        .is_some_and(|cooldown| cooldown.per == CooldownScope::Owner)
        || limits.targets.is_some_and(|limit| limit.percent_of_owner.is_some())
        || context
            .guard
            .budgets
            .iter()
            .any(|budget| budget.scope == BudgetScope::Owner && class >= budget.class);
    let broken = snapshot.owners.found().and_then(|chain| chain.broken.as_ref());
    match broken {
        Some(why) if by_owner => {
            trace.failed(CheckName::CountedOwner, why.clone());
            Err(Refusal::new(
                RefusalReason::OwnerUnknown,
                format!("a limit counts by owner, and {why}"),
            ))
        }
        _ => Ok(()),
    }
}
