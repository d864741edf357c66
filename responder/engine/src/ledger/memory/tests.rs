//! Versions, ids, expiry and the bound.

use responder_core::alert::Priority;
use responder_core::class::ActionClass;
use responder_core::object::{Kind, Uid};
use responder_core::playbook_name::PlaybookName;

use super::*;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_795_000_000 + second).unwrap()
}

/// A claim on a target of this name, made at one second and counting until another.
fn claim(target: &str, made: i64, until: i64) -> Claim {
    Claim {
        claim_kind: ClaimKind::Real,
        at: at(made),
        counts_until: at(until),
        playbook: PlaybookName::new("p").unwrap(),
        alert: format!("{:064x}", 7).parse().ok(),
        class: ActionClass::Destroy,
        kind: Kind::Pod,
        target: Uid::new(target).unwrap(),
        owner: None,
        namespace: None,
        raised_in: None,
        priority: Priority::Notice,
        reserves: Vec::new(),
    }
}

async fn commit(ledger: &MemoryLedger, claim: Claim) -> Result<ClaimId, CommitError> {
    let seen = ledger.view().await.unwrap().version;
    ledger.commit(claim, seen).await
}

async fn targets(ledger: &MemoryLedger) -> Vec<String> {
    let view = ledger.view().await.unwrap();
    view.claims.iter().map(|claim| claim.target.to_string()).collect()
}

#[tokio::test]
async fn a_commit_with_an_old_version_is_a_conflict_and_leaves_nothing() {
    let ledger = MemoryLedger::default();
    let seen = ledger.view().await.unwrap().version;
    ledger.commit(claim("a", 0, 60), seen).await.unwrap();
    assert_eq!(ledger.commit(claim("b", 0, 60), seen).await, Err(CommitError::Conflict));
    assert_eq!(targets(&ledger).await, ["a"]);
    commit(&ledger, claim("b", 0, 60)).await.unwrap();
    assert_eq!(targets(&ledger).await, ["a", "b"]);
}

#[tokio::test]
async fn a_refund_takes_back_its_own_claim_and_makes_older_looks_conflict() {
    let ledger = MemoryLedger::default();
    commit(&ledger, claim("a", 0, 60)).await.unwrap();
    let middle = commit(&ledger, claim("b", 0, 60)).await.unwrap();
    commit(&ledger, claim("c", 0, 60)).await.unwrap();
    let seen = ledger.view().await.unwrap().version;
    ledger.refund(middle).await.unwrap();
    assert_eq!(targets(&ledger).await, ["a", "c"]);
    assert_eq!(ledger.commit(claim("d", 0, 60), seen).await, Err(CommitError::Conflict));
}

#[tokio::test]
async fn a_claim_is_refunded_once_and_an_unknown_one_never() {
    let ledger = MemoryLedger::default();
    let first = commit(&ledger, claim("a", 0, 60)).await.unwrap();
    commit(&ledger, claim("b", 0, 60)).await.unwrap();
    for id in [first, first, ClaimId(99)] {
        ledger.refund(id).await.unwrap();
    }
    assert_eq!(targets(&ledger).await, ["b"]);
}

#[tokio::test]
async fn a_claim_counts_until_its_end_and_not_longer() {
    let ledger = MemoryLedger::default();
    commit(&ledger, claim("short", 0, 60)).await.unwrap();
    commit(&ledger, claim("long", 0, 600)).await.unwrap();
    commit(&ledger, claim("before", 59, 600)).await.unwrap();
    assert_eq!(targets(&ledger).await, ["short", "long", "before"]);
    commit(&ledger, claim("after", 60, 600)).await.unwrap();
    assert_eq!(targets(&ledger).await, ["long", "before", "after"]);
}

#[tokio::test]
async fn the_id_of_a_claim_is_its_own_when_others_have_expired_or_were_taken_back() {
    let ledger = MemoryLedger::default();
    let gone = commit(&ledger, claim("gone", 0, 10)).await.unwrap();
    let kept = commit(&ledger, claim("kept", 0, 600)).await.unwrap();
    let last = commit(&ledger, claim("last", 30, 600)).await.unwrap();
    assert_eq!(targets(&ledger).await, ["kept", "last"]);
    // An expired claim's refund must not hit the claim in its place.
    ledger.refund(gone).await.unwrap();
    assert_eq!(targets(&ledger).await, ["kept", "last"]);
    ledger.refund(last).await.unwrap();
    let next = commit(&ledger, claim("next", 31, 600)).await.unwrap();
    assert!(kept < last && last < next, "{kept:?} {last:?} {next:?}");
    ledger.refund(last).await.unwrap();
    assert_eq!(targets(&ledger).await, ["kept", "next"]);
}

#[tokio::test]
async fn a_full_ledger_refuses_until_a_claim_expires() {
    let ledger = MemoryLedger::new(2, 0);
    commit(&ledger, claim("a", 0, 60)).await.unwrap();
    commit(&ledger, claim("b", 0, 90)).await.unwrap();
    // Less than a second after the last look for expired claims, too.
    for made in [0, 59] {
        assert_eq!(
            commit(&ledger, claim("c", made, 600)).await,
            Err(CommitError::Ledger(LedgerError::Full {
                kind: ClaimKind::Real,
                bound: 2
            }))
        );
    }
    assert_eq!(targets(&ledger).await, ["a", "b"]);
    commit(&ledger, claim("c", 60, 600)).await.unwrap();
    assert_eq!(targets(&ledger).await, ["b", "c"]);
}

#[tokio::test]
async fn a_full_ledger_has_room_again_after_a_refund() {
    let ledger = MemoryLedger::new(1, 0);
    let id = commit(&ledger, claim("a", 0, 60)).await.unwrap();
    ledger.refund(id).await.unwrap();
    commit(&ledger, claim("b", 0, 60)).await.unwrap();
    assert_eq!(targets(&ledger).await, ["b"]);
}

#[tokio::test]
async fn a_view_keeps_the_claims_that_it_was_made_of() {
    let ledger = MemoryLedger::default();
    commit(&ledger, claim("a", 0, 60)).await.unwrap();
    let view = ledger.view().await.unwrap();
    commit(&ledger, claim("b", 0, 60)).await.unwrap();
    assert_eq!(view.claims.len(), 1);
    assert_ne!(view.version, ledger.view().await.unwrap().version);
}

/// One pod whose alerts are answered all the time.
#[tokio::test]
async fn a_target_that_is_acted_on_all_the_time_takes_two_places() {
    let ledger = MemoryLedger::default();
    let mut last = commit(&ledger, claim("quiet", 0, 600)).await.unwrap();
    for second in 0..1000 {
        last = commit(&ledger, claim("loud", second / 100, 600)).await.unwrap();
    }
    assert_eq!(targets(&ledger).await, ["quiet", "loud", "loud"]);
    assert_eq!(ledger.usage(ClaimKind::Real).claims, 3);
    // The one before counts again.
    ledger.refund(last).await.unwrap();
    assert_eq!(targets(&ledger).await, ["quiet", "loud"]);
    ledger.refund(last).await.unwrap();
    assert_eq!(targets(&ledger).await, ["quiet", "loud"]);
}

#[tokio::test]
async fn claims_that_count_for_something_else_are_all_kept() {
    let ledger = MemoryLedger::default();
    let base = claim("a", 0, 600);
    let others = [
        base.clone(),
        Claim {
            class: ActionClass::Contain,
            ..base.clone()
        },
        Claim {
            priority: Priority::Critical,
            ..base.clone()
        },
        Claim {
            playbook: PlaybookName::new("q").unwrap(),
            ..base.clone()
        },
        Claim {
            claim_kind: ClaimKind::Rehearsed,
            ..base
        },
    ];
    for _ in 0..3 {
        for claim in &others {
            commit(&ledger, claim.clone()).await.unwrap();
        }
    }
    assert_eq!(targets(&ledger).await.len(), 2 * others.len());
}

#[tokio::test]
async fn rehearsals_fill_a_part_of_their_own() {
    let ledger = MemoryLedger::new(4, 2);
    let rehearsed = |target: &str| Claim {
        claim_kind: ClaimKind::Rehearsed,
        ..claim(target, 0, 600)
    };
    commit(&ledger, rehearsed("a")).await.unwrap();
    commit(&ledger, rehearsed("b")).await.unwrap();
    let full = LedgerError::Full {
        kind: ClaimKind::Rehearsed,
        bound: 2,
    };
    assert_eq!(commit(&ledger, rehearsed("c")).await, Err(CommitError::Ledger(full)));
    for target in ["a", "b", "c", "d"] {
        commit(&ledger, claim(target, 0, 600)).await.unwrap();
    }
    let usage = |kind| ledger.usage(kind);
    assert_eq!(
        (usage(ClaimKind::Real).claims, usage(ClaimKind::Rehearsed).claims),
        (4, 2)
    );
}

#[test]
fn three_quarters_are_high_and_less_than_half_is_low() {
    let of = |claims| LedgerUsage { claims, bound: 8 };
    let high: Vec<usize> = (0..=8).filter(|&claims| of(claims).is_high()).collect();
    let low: Vec<usize> = (0..=8).filter(|&claims| of(claims).is_low()).collect();
    assert_eq!((high, low), (vec![6, 7, 8], vec![0, 1, 2, 3]));
    assert!(!LedgerUsage::default().is_high());
}
