//! Counted limits: the guard's budgets and the playbook's cooldown and targets, over distinct targets in a window.

use std::collections::HashSet;

use jiff::Timestamp;

use super::{Budget, Claim};
use crate::class::ActionClass;
use crate::limit::{BudgetScope, Cooldown, CooldownScope, TargetLimit};
use crate::span::Span;

/// The state of a limit: distinct targets so far, and how many are allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Count {
    /// Distinct targets in the window, without this one.
    pub used: usize,
    /// The number of distinct targets allowed.
    pub limit: usize,
    /// Whether the window already contains this target, which then takes no further slot.
    pub is_counted: bool,
}

impl Count {
    /// Whether the limit allows a response on this target.
    pub const fn has_room(self) -> bool {
        self.is_counted || self.used < self.limit
    }
}

/// Whether a budget covers a response of this class on this target.
pub fn applies(budget: &Budget, class: ActionClass, candidate: &Claim) -> bool {
    class >= budget.class
        && budget.kind.is_none_or(|kind| kind == candidate.kind)
        // Nodes have no namespace and no owner: only budgets over the cluster count them.
        && (budget.scope == BudgetScope::Cluster || candidate.namespace.is_some())
}

/// The state of a budget for this response.
pub fn count_budget(budget: &Budget, candidate: &Claim, claims: &[Claim], replicas: Option<u32>) -> Count {
    let limit = with_percentage(
        Some(budget.max),
        budget.percent.filter(|_| budget.scope == BudgetScope::Owner),
        budget.at_least,
        replicas,
    );
    count(candidate, claims, budget.per, limit, |claim| {
        is_counted_by(budget, claim)
            && match budget.scope {
                BudgetScope::Cluster => true,
                BudgetScope::Namespace => claim.namespace == candidate.namespace,
                BudgetScope::Owner => owner(claim) == owner(candidate),
            }
    })
}

/// The state of the share that the alert's namespace may take of a budget of the cluster. `None` where there is no such
/// limit, and for an alert about a host.
pub fn count_namespace_share(budget: &Budget, candidate: &Claim, claims: &[Claim]) -> Option<Count> {
    let most = budget.most_per_namespace()?;
    candidate.raised_in.as_ref()?;
    Some(count(candidate, claims, budget.per, most as usize, |claim| {
        is_counted_by(budget, claim) && claim.raised_in == candidate.raised_in
    }))
}

/// The state of the part of a budget that less urgent alerts may take: all but its reserve. `None` where nothing is
/// reserved, and for an alert that the reserve is for.
///
/// A target that both have acted on counts here: what is kept is never less than the reserve.
pub fn count_unreserved(budget: &Budget, candidate: &Claim, claims: &[Claim]) -> Option<Count> {
    let reserve = budget.reserve?;
    if candidate.priority >= reserve.min_priority {
        return None;
    }
    let most = budget.max.saturating_sub(reserve.slots) as usize;
    Some(count(candidate, claims, budget.per, most, |claim| {
        is_counted_by(budget, claim) && claim.priority < reserve.min_priority
    }))
}

fn is_counted_by(budget: &Budget, claim: &Claim) -> bool {
    claim.class >= budget.class && budget.kind.is_none_or(|kind| kind == claim.kind)
}

/// The state of a playbook's own limit for this response: the absolute number, and the percentage of the owner. `None`
/// where the playbook does not set it.
pub fn count_targets(
    limit: TargetLimit,
    candidate: &Claim,
    claims: &[Claim],
    replicas: Option<u32>,
) -> [Option<Count>; 2] {
    let of_playbook = |claim: &Claim| claim.playbook == candidate.playbook;
    let absolute = limit
        .max
        .map(|max| count(candidate, claims, limit.per, max as usize, of_playbook));
    let share = limit.percent_of_owner.and_then(|percent| {
        // A bare pod is no part of anything.
        candidate.owner.as_ref()?;
        let most = with_percentage(None, Some(percent), limit.at_least, replicas);
        Some(count(candidate, claims, limit.per, most, |claim| {
            of_playbook(claim) && owner(claim) == owner(candidate)
        }))
    });
    [absolute, share]
}

/// The latest claim whose cooldown still runs, and the end of that cooldown.
pub fn cooling<'a>(cooldown: Cooldown, candidate: &Claim, claims: &'a [Claim]) -> Option<(&'a Claim, Timestamp)> {
    claims
        .iter()
        .rev()
        .filter(|claim| claim.claim_kind == candidate.claim_kind && claim.playbook == candidate.playbook)
        .filter(|claim| match cooldown.per {
            CooldownScope::Target => claim.target == candidate.target,
            CooldownScope::Owner => owner(claim) == owner(candidate),
        })
        .map(|claim| (claim, end(claim.at, cooldown.length)))
        .find(|&(_, until)| until > candidate.at)
}

fn end(start: Timestamp, length: Span) -> Timestamp {
    start.checked_add(length.signed()).unwrap_or(Timestamp::MAX)
}

/// A target without a controller is its own owner.
fn owner(claim: &Claim) -> &crate::object::Uid {
    claim.owner.as_ref().unwrap_or(&claim.target)
}

fn count(candidate: &Claim, claims: &[Claim], per: Span, limit: usize, in_scope: impl Fn(&Claim) -> bool) -> Count {
    let in_window = |claim: &&Claim| {
        claim.claim_kind == candidate.claim_kind && end(claim.at, per) > candidate.at && in_scope(claim)
    };
    let targets: HashSet<&str> = claims
        .iter()
        .filter(in_window)
        .map(|claim| claim.target.as_str())
        .collect();
    let is_counted = targets.contains(candidate.target.as_str());
    Count {
        used: targets.len() - usize::from(is_counted),
        limit,
        is_counted,
    }
}

/// The smaller of the absolute number and the percentage. The percentage is rounded down, to no less than `at_least`. Of an
/// unknown number it is no more than that: the owner's tenant can hide its number, and gets by it neither a larger limit
/// nor an end of all responses.
fn with_percentage(max: Option<u32>, percent: Option<u32>, at_least: u32, replicas: Option<u32>) -> usize {
    let share = percent.map(|percent| {
        let share = u64::from(percent) * u64::from(replicas.unwrap_or(0)) / 100;
        share.max(u64::from(at_least))
    });
    let limit = match (max.map(u64::from), share) {
        (Some(max), Some(share)) => max.min(share),
        (Some(limit), None) | (None, Some(limit)) => limit,
        (None, None) => u64::MAX,
    };
    usize::try_from(limit).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests;
