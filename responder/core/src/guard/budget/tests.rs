use std::collections::BTreeSet;

use proptest::prelude::*;
use rstest::rstest;

use super::*;
use crate::alert::{Alert, AlertId, Bounds};
use crate::guard::ClaimKind;
use crate::object::{Kind, Namespace, Uid};
use crate::playbook_name::PlaybookName;

fn alert_id() -> AlertId {
    let body = br#"{"rule":"r","priority":"Notice","time":"2026-11-24T03:00:00Z","output_fields":{"container.id":"ee97d9c4186f"}}"#;
    Alert::decode(body, &Bounds::default()).unwrap().id()
}

fn claim(target: &str, second: i64) -> Claim {
    Claim {
        claim_kind: ClaimKind::Real,
        at: Timestamp::from_second(second).unwrap(),
        counts_until: Timestamp::MAX,
        playbook: PlaybookName::new("p").unwrap(),
        alert: alert_id(),
        class: ActionClass::Destroy,
        kind: Kind::Pod,
        target: Uid::new(target).unwrap(),
        owner: Some(Uid::new("owner").unwrap()),
        namespace: Namespace::new("web"),
        reserves: Vec::new(),
    }
}

fn budget(scope: BudgetScope, max: u32) -> Budget {
    Budget {
        scope,
        class: ActionClass::Destroy,
        kind: None,
        max,
        per: Span::minutes::<10>(),
        percent: None,
        at_least: 1,
    }
}

#[rstest]
#[case::rounds_down(34, 1, 5, 1)]
#[case::of_three(34, 1, 3, 1)]
#[case::never_below_at_least(10, 2, 3, 2)]
#[case::the_absolute_number_wins_when_smaller(100, 1, 50, 4)]
#[case::of_an_owner_scaled_to_nothing(50, 1, 0, 1)]
fn a_percentage_of_an_owner_is_rounded_down(
    #[case] percent: u32,
    #[case] at_least: u32,
    #[case] replicas: u32,
    #[case] limit: usize,
) {
    let budget = Budget {
        percent: Some(percent),
        at_least,
        ..budget(BudgetScope::Owner, 4)
    };
    assert_eq!(count_budget(&budget, &claim("a", 0), &[], Some(replicas)).limit, limit);
}

#[test]
fn a_target_that_is_counted_already_takes_no_second_slot() {
    let claims = [claim("a", 0)];
    assert!(count_budget(&budget(BudgetScope::Cluster, 1), &claim("a", 1), &claims, None).has_room());
    assert!(!count_budget(&budget(BudgetScope::Cluster, 1), &claim("b", 1), &claims, None).has_room());
}

#[test]
fn rehearsals_take_no_slot_from_real_responses() {
    let shadow = Claim {
        claim_kind: ClaimKind::Rehearsed,
        ..claim("a", 0)
    };
    assert!(count_budget(&budget(BudgetScope::Cluster, 1), &claim("b", 1), &[shadow], None).has_room());
}

#[test]
fn a_budget_counts_its_class_and_the_stronger_ones() {
    let contain = Budget {
        class: ActionClass::Contain,
        ..budget(BudgetScope::Cluster, 1)
    };
    let mild = Claim {
        class: ActionClass::Annotate,
        ..claim("a", 0)
    };
    assert!(count_budget(&contain, &claim("b", 1), &[mild], None).has_room());
    assert!(!count_budget(&contain, &claim("b", 1), &[claim("a", 0)], None).has_room());
    assert!(!applies(&contain, ActionClass::Annotate, &claim("a", 0)));
}

#[test]
fn a_cooldown_per_owner_covers_the_replacement_pod() {
    let cooldown = Cooldown {
        per: CooldownScope::Owner,
        length: Span::minutes::<10>(),
    };
    let claims = [claim("a", 0)];
    assert!(cooling(cooldown, &claim("replacement", 599), &claims).is_some());
    assert!(cooling(cooldown, &claim("replacement", 600), &claims).is_none());
    let per_target = Cooldown {
        per: CooldownScope::Target,
        ..cooldown
    };
    assert!(cooling(per_target, &claim("replacement", 599), &claims).is_none());
}

#[derive(Debug, Clone)]
struct Attempt {
    target: u8,
    namespace: bool,
    after: i64,
}

fn attempts() -> impl Strategy<Value = Vec<Attempt>> {
    let attempt = (0..12_u8, any::<bool>(), 0..240_i64).prop_map(|(target, namespace, after)| Attempt {
        target,
        namespace,
        after,
    });
    prop::collection::vec(attempt, 0..60)
}

proptest! {
    /// Against a naive model: in any order of attempts, the distinct targets allowed in any window never exceed the
    /// budget.
    #[test]
    fn distinct_targets_in_any_window_stay_within_the_budget(attempts in attempts(), max in 0..4_u32, by_namespace in any::<bool>()) {
        let scope = if by_namespace { BudgetScope::Namespace } else { BudgetScope::Cluster };
        let budget = budget(scope, max);
        let (mut now, mut committed) = (0, Vec::new());
        for attempt in attempts {
            now += attempt.after;
            let namespace = Namespace::new(if attempt.namespace { "web" } else { "db" });
            let candidate = Claim { namespace, ..claim(&format!("t{}", attempt.target), now) };
            if count_budget(&budget, &candidate, &committed, None).has_room() {
                committed.push(candidate);
            }
        }
        for namespace in ["web", "db"] {
            for first in &committed {
                let window: BTreeSet<&str> = committed
                    .iter()
                    .filter(|claim| !by_namespace || claim.namespace.as_ref().is_some_and(|name| name.as_str() == namespace))
                    .filter(|claim| claim.at >= first.at && claim.at < end(first.at, budget.per))
                    .map(|claim| claim.target.as_str())
                    .collect();
                prop_assert!(window.len() <= max as usize, "{window:?}");
            }
        }
    }
}
