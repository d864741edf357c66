use std::collections::BTreeSet;

use proptest::prelude::*;
use rstest::rstest;

use super::*;
use crate::alert::{Alert, AlertId, Bounds, Priority};
use crate::guard::{ClaimKind, NamespaceShare, Reserve};
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
        alert: Some(alert_id()),
        class: ActionClass::Destroy,
        kind: Kind::Pod,
        target: Uid::new(target).unwrap(),
        owner: Some(Uid::new("owner").unwrap()),
        namespace: Namespace::new("web"),
        raised_in: Namespace::new("web"),
        priority: Priority::Notice,
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
        per_namespace: NamespaceShare::Half,
        reserve: None,
    }
}

/// A claim of an alert of this namespace and priority.
fn raised(target: &str, namespace: &str, priority: Priority) -> Claim {
    Claim {
        raised_in: Namespace::new(namespace),
        priority,
        ..claim(target, 0)
    }
}

#[rstest]
#[case::half_of_an_even_number(4, NamespaceShare::Half, Some(2))]
#[case::half_is_rounded_up(5, NamespaceShare::Half, Some(3))]
#[case::of_one(1, NamespaceShare::Half, Some(1))]
#[case::as_the_guard_says(5, NamespaceShare::Targets(4), Some(4))]
#[case::all_of_it(5, NamespaceShare::Unlimited, None)]
fn one_namespace_takes_half_of_a_budget_of_the_cluster_unless_the_guard_says_more(
    #[case] max: u32,
    #[case] per_namespace: NamespaceShare,
    #[case] most: Option<usize>,
) {
    let budget = Budget {
        per_namespace,
        ..budget(BudgetScope::Cluster, max)
    };
    let claims: Vec<Claim> = (0..most.unwrap_or(9))
        .map(|number| raised(&format!("t{number}"), "flood", Priority::Notice))
        .collect();
    let count = count_namespace_share(&budget, &raised("next", "flood", Priority::Notice), &claims);
    assert_eq!(
        count.map(|count| (count.limit, count.has_room())),
        most.map(|most| (most, false))
    );
    let other = count_namespace_share(&budget, &raised("next", "web", Priority::Notice), &claims);
    assert!(other.is_none_or(Count::has_room));
}

/// A node is in no namespace; the alert that led to it is.
#[test]
fn a_namespace_takes_no_more_than_its_half_of_the_nodes() {
    let budget = Budget {
        kind: Some(Kind::Node),
        ..budget(BudgetScope::Cluster, 4)
    };
    let node = |name: &str, namespace: &str| Claim {
        kind: Kind::Node,
        namespace: None,
        owner: None,
        ..raised(name, namespace, Priority::Emergency)
    };
    let claims = [node("a", "flood"), node("b", "flood")];
    let has_room = |claim: &Claim| count_namespace_share(&budget, claim, &claims).is_none_or(Count::has_room);
    assert!(!has_room(&node("c", "flood")) && has_room(&node("c", "web")));
    let of_a_host = Claim {
        raised_in: None,
        ..node("c", "flood")
    };
    assert!(has_room(&of_a_host));
}

#[test]
fn what_is_reserved_is_kept_for_alerts_of_that_priority() {
    let budget = Budget {
        reserve: Some(Reserve {
            min_priority: Priority::Critical,
            slots: 2,
        }),
        ..budget(BudgetScope::Cluster, 5)
    };
    let mut claims: Vec<Claim> = ["a", "b", "c"]
        .map(|target| raised(target, "flood", Priority::Error))
        .into();
    let unreserved = |claims: &[Claim], target: &str, priority| {
        count_unreserved(&budget, &raised(target, "web", priority), claims).map(Count::has_room)
    };
    assert_eq!(unreserved(&claims, "d", Priority::Error), Some(false));
    assert_eq!(
        unreserved(&claims, "a", Priority::Error),
        Some(true),
        "it is counted already"
    );
    assert_eq!(unreserved(&claims, "d", Priority::Critical), None);
    // What urgent alerts take of the reserve gives the others nothing more.
    claims.push(raised("d", "web", Priority::Emergency));
    assert_eq!(unreserved(&claims, "e", Priority::Error), Some(false));
    assert_eq!(unreserved(&claims[1..], "e", Priority::Error), Some(true));
    assert!(count_budget(&budget, &raised("e", "web", Priority::Critical), &claims, None).has_room());
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
