//! Shutdown and panics: every accepted alert has an end that is told.

use std::sync::atomic::{AtomicU8, Ordering};

use super::*;
use crate::shutdown::Progress;

#[tokio::test(start_paused = true)]
async fn accepted_alerts_are_finished_before_the_end() {
    let world = TestWorld::new(&enforced("p", DELETE));
    world.flood(30);
    world.cluster.before(|_, _| Then::After(Duration::from_millis(100)));
    let engine = world.engine();
    for place in 0..30 {
        engine.submit(flood("p", place, place));
    }
    let handback = engine.shutdown(Duration::from_secs(30)).await;
    assert_eq!((handback.finished, &handback.handed_back[..]), (30, &[][..]));
    assert_eq!(world.cluster.mutations().len(), 30);
    let accounts = engine.accounts();
    assert!(accounts.is_balanced());
    assert_eq!(accounts.decisions.pending, 0);
}

#[tokio::test(start_paused = true)]
async fn after_the_stop_nothing_is_taken() {
    let world = TestWorld::new(&enforced("p", DELETE));
    let engine = world.engine();
    engine.shutdown(Duration::from_secs(1)).await;
    let stopping = Submission::Shed {
        class: QueueClass::Ordinary,
        cause: ShedCause::Stopping,
    };
    assert_eq!(engine.submit(solo()), stopping);
    assert_eq!(engine.submit(solo()), stopping, "it is not remembered");
    assert!(engine.accounts().is_balanced());
}

/// One acts, one is being decided, one waits behind the first; each has two playbooks.
#[tokio::test(start_paused = true)]
async fn an_alert_that_is_not_finished_in_time_is_handed_back_by_name() {
    let world = two();
    let hangs = Arc::new(AtomicU8::new(0));
    let asked = Arc::clone(&hangs);
    world.cluster.before(move |_, before| match before {
        // The second playbook's request hangs, and later every look at a pod.
        Before::Send(request, _) if request.to_string().contains("second") => Then::Never,
        Before::Read("pod", _) if asked.load(Ordering::Relaxed) == 1 => Then::Never,
        _ => Then::Go,
    });
    let engine = world.engine();
    engine.submit(solo());
    tokio::time::sleep(Duration::from_millis(10)).await;
    hangs.store(1, Ordering::Relaxed);
    engine.submit(shell("p", "solo-2", 18, 2));
    engine.submit(shell("p", "solo-1", 17, 3));
    tokio::time::sleep(Duration::from_millis(10)).await;
    let handback = engine.shutdown(Duration::from_secs(1)).await;
    let told: Vec<String> = handback.handed_back.iter().map(ToString::to_string).collect();
    let ids = [
        solo().id(),
        shell("p", "solo-2", 18, 2).id(),
        shell("p", "solo-1", 17, 3).id(),
    ];
    let expected = [
        format!(
            "\"p\" about pod/web/solo-1 (second; alert {}) was being acted on",
            ids[0]
        ),
        format!(
            "\"p\" about pod/web/solo-2 (first, second; alert {}) was being decided",
            ids[1]
        ),
        format!(
            "\"p\" about pod/web/solo-1 (first, second; alert {}) was waiting",
            ids[2]
        ),
    ];
    assert_eq!(told, expected);
    assert_eq!(handback.finished, 0);

    let accounts = engine.accounts();
    assert!(accounts.is_balanced(), "{accounts:?}");
    assert_eq!(accounts.decisions.pending, 0);
    assert_eq!(accounts.decisions.planned, [(Mode::Enforce, 2)].into());
    assert_eq!(accounts.decisions.refused, [(RefusalReason::ShuttingDown, 4)].into());
    let audited = world.witness.records().into_iter();
    let audited = audited.filter(|record| matches!(record, AuditRecord::HandedBack { .. }));
    assert_eq!(audited.count(), 3);
}

#[tokio::test(start_paused = true)]
async fn after_the_end_nothing_is_sent() {
    let world = TestWorld::new(&enforced("p", DELETE));
    world.flood(20);
    let hold = world.cluster.inner.hold();
    let engine = world.engine();
    for place in 0..20 {
        engine.submit(flood("p", place, place));
    }
    let handback = engine.shutdown(Duration::ZERO).await;
    assert_eq!(handback.handed_back.len(), 20);
    assert!(
        handback
            .handed_back
            .iter()
            .all(|alert| alert.progress != Progress::Acting)
    );
    drop(hold);
    tokio::time::sleep(Duration::from_mins(1)).await;
    assert!(world.cluster.mutations().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_second_call_to_end_counts_nothing_twice() {
    let world = TestWorld::new(&enforced("p", DELETE));
    let _hold = world.cluster.inner.hold();
    let engine = world.engine();
    engine.submit(solo());
    let first = engine.shutdown(Duration::ZERO).await;
    let second = engine.shutdown(Duration::ZERO).await;
    assert_eq!(first.handed_back, second.handed_back);
    let accounts = engine.accounts();
    assert!(accounts.is_balanced(), "{accounts:?}");
    assert_eq!(accounts.decisions.refused, [(RefusalReason::ShuttingDown, 1)].into());
}

#[tokio::test(start_paused = true)]
async fn verifications_that_are_under_way_end_as_inconclusive() {
    let world = TestWorld::new(&enforced("p", "[{delete: {gracePeriodSeconds: 20}}]"));
    let engine = world.engine();
    engine.submit(solo());
    let handback = engine.shutdown(Duration::from_secs(5)).await;
    assert_eq!((handback.finished, handback.handed_back.len()), (1, 0));
    assert_eq!(engine.accounts().verifications, [("inconclusive", 1)].into());
}

// --- panics ------------------------------------------------------------------------------------------------

fn two() -> TestWorld {
    TestWorld::new(&(labels_with("first", 1) + &labels_with("second", 0)))
}

fn labels(world: &TestWorld) -> Value {
    world.pod("solo-1").unwrap()["metadata"]["labels"].clone()
}

#[tokio::test(start_paused = true)]
async fn a_panic_while_deciding_is_counted_and_the_next_playbook_answers() {
    let world = two();
    world.cluster.before(|_, before| {
        assert!(!matches!(before, Before::Read("pod", 0)), "as the test asked for");
        Then::Go
    });
    let engine = world.engine();
    engine.submit(solo());
    let accounts = at_rest(&engine).await;
    assert_eq!(accounts.panics, 1);
    assert_eq!(accounts.decisions.refused, [(RefusalReason::PlanUnsound, 1)].into());
    assert_eq!(accounts.decisions.planned, [(Mode::Enforce, 1)].into());
    assert!(accounts.is_balanced());
    assert_eq!(labels(&world), json!({"app": "solo", "team": "shop", "second": "1"}));
}

#[tokio::test(start_paused = true)]
async fn a_panic_while_acting_is_counted_and_its_decision_is_not_counted_twice() {
    let world = two();
    world.cluster.before(|_, before| {
        assert!(!matches!(before, Before::Send(_, 0)), "as the test asked for");
        Then::Go
    });
    let engine = world.engine();
    engine.submit(solo());
    let accounts = at_rest(&engine).await;
    assert_eq!((accounts.panics, accounts.decisions.pending), (1, 0));
    assert_eq!(accounts.decisions.planned, [(Mode::Enforce, 2)].into());
    assert!(accounts.decisions.refused.is_empty() && accounts.is_balanced());
    assert_eq!(accounts.responses, [("Done", 1)].into());
    // Its claim stays: what the response has done is unknown.
    assert_eq!(world.ledger.view().await.unwrap().claims.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn after_a_panic_its_slot_and_its_target_are_free() {
    let world = two();
    world.cluster.before(|_, before| {
        assert!(!matches!(before, Before::Read("pod", 0..20)), "as the test asked for");
        Then::Go
    });
    let engine = world.engine();
    for nth in 0..10 {
        engine.submit(alert("p", json!({"time": format!("2026-11-24T03:00:00.5{nth:06}Z"), "output_fields": {"proc.name": format!("m{nth}")}})));
    }
    assert_eq!(at_rest(&engine).await.panics, 20);
    for (place, nth) in [(1, 50), (2, 51), (3, 52), (4, 53)] {
        engine.submit(shell("p", &format!("solo-{place}"), 16 + place, nth));
    }
    let accounts = at_rest(&engine).await;
    assert_eq!(accounts.responses, [("Done", 8)].into());
    assert!(accounts.depths.values().all(|depth| depth.running == 0));
    assert!(accounts.is_balanced());
}
