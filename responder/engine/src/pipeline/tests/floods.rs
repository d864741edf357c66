//! Promise 8: a flood delays itself. Decisions are counted, not time.

use responder_core::alert::{AlertOutcome, Sender};
use responder_core::guard::ClaimKind;
use responder_core::trace::CheckName;
use tracing::Span;

use super::*;
use crate::testing::uid_of;

const MARK: &str = "[{annotate: {annotations: {mark: {field: proc.name}}}}]";

/// The `nth` alert of this priority about one of the pods of [`TestWorld::flood`]; no two are repeats of one another.
fn raised(place: u32, nth: u32, priority: &str) -> Alert {
    let fields = json!({
        "k8s.pod.name": format!("flood-{place}"),
        "container.id": &uid_of(1000 + place).replace('-', "")[..12],
        "proc.name": format!("p{nth}"),
    });
    let time = format!("2026-11-24T03:00:00.5{nth:06}Z");
    alert(
        "p",
        json!({"priority": priority, "time": time, "hostname": "falco-qqqqq", "output_fields": fields}),
    )
}

/// An alert about a pod outside of the flood.
fn outside(priority: &str) -> Alert {
    alert("p", json!({"priority": priority}))
}

/// The alerts that were decided, in order.
fn decided_alerts(world: &TestWorld) -> Vec<AlertId> {
    let records = world.witness.records().into_iter();
    records
        .filter_map(|record| match record {
            AuditRecord::Decided { decision, .. } => Some(decision.alert),
            _ => None,
        })
        .collect()
}

/// A world in which `pods` pods have raised `each` alerts of each of these priorities, and each request takes a second.
async fn flooded(pods: u32, each: u32, priorities: &[&str]) -> (TestWorld, TestEngine) {
    let world = TestWorld::new(&enforced("p", MARK));
    world.flood(pods);
    world.cluster.before(|_, before| match before {
        Before::Send(..) => Then::After(Duration::from_secs(1)),
        Before::Read(..) => Then::Go,
    });
    let engine = world.engine();
    for nth in 0..each {
        for place in 0..pods {
            for (step, priority) in (0..).zip(priorities) {
                let nth = nth * 10 + step;
                engine.submit(raised(place, nth, priority));
            }
        }
    }
    // Every pod of the flood has been answered before.
    tokio::time::sleep(Duration::from_secs(10)).await;
    (world, engine)
}

/// How many decisions are taken from the acceptance of this alert on, up to its own.
async fn decisions_until(world: &TestWorld, engine: &TestEngine, alert: Alert) -> usize {
    let id = alert.id();
    let before = decided_alerts(world).len();
    let submission = engine.submit(alert);
    assert!(is_accepted(&submission), "{submission:?}");
    loop {
        let after = decided_alerts(world).split_off(before);
        if let Some(place) = after.iter().position(|decided| *decided == id) {
            return place + 1;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[rstest]
#[case::a_warning_past_eight_pods_at_notice(8, &["Notice"], "Warning")]
#[case::a_notice_past_eight_pods_at_notice(8, &["Notice"], "Notice")]
#[case::a_warning_past_eight_pods_at_error(8, &["Error"], "Warning")]
#[case::an_emergency_past_ten_pods_at_critical(10, &["Critical"], "Emergency")]
#[case::an_emergency_past_ten_pods_at_emergency(10, &["Emergency"], "Emergency")]
#[case::a_warning_past_ten_pods_at_critical(10, &["Critical"], "Warning")]
#[case::an_emergency_past_pods_at_every_priority(10, &["Notice", "Warning", "Critical", "Alert", "Emergency"], "Emergency")]
#[tokio::test(start_paused = true)]
async fn an_alert_about_a_pod_outside_of_a_flood_is_among_the_next_five_decisions(
    #[case] pods: u32,
    #[case] flood: &[&str],
    #[case] priority: &str,
) {
    let (world, engine) = flooded(pods, 60, flood).await;
    let waited = decisions_until(&world, &engine, outside(priority)).await;
    assert!(waited <= 5, "it was decision {waited}");
}

/// A repeat is told by name, and the decision that answers it says how many there were.
#[tokio::test(start_paused = true)]
async fn repeats_that_wait_are_decided_with_the_first_and_each_is_told() {
    let world = TestWorld::new(&enforced("p", MARK));
    let engine = world.engine();
    let hold = world.cluster.inner.hold();
    engine.submit(outside("Notice"));
    tokio::time::sleep(Duration::from_millis(50)).await;
    // The first is at work; of the others, which differ in their time only, one waits.
    let repeats: Vec<_> = (1..=4)
        .map(|nth| alert("p", json!({"time": format!("2026-11-24T03:00:01.{nth}Z")})))
        .collect();
    let ids: Vec<_> = repeats.iter().map(Alert::id).collect();
    for repeat in repeats {
        let (submission, settlement) = engine.submit_and_follow(repeat, &Sender::Anonymous, |_, _| Span::none());
        assert!(is_accepted(&submission) && settlement.is_some());
    }
    drop(hold);
    let accounts = at_rest(&engine).await;
    assert!(accounts.is_balanced(), "{accounts:?}");
    assert_eq!((accounts.alerts.matched, accounts.decisions.pending), (5, 0));
    assert_eq!(
        accounts.decisions.refused,
        [(RefusalReason::AlreadyDone, 1), (RefusalReason::Joined, 3)].into()
    );
    let mut told = Vec::new();
    for record in world.witness.records() {
        if let AuditRecord::Decided { decision, repeats, .. } = record {
            let queue = decision
                .trace
                .checks
                .iter()
                .find(|check| check.name == CheckName::Queue);
            told.push((decision.alert, repeats, queue.map(|check| check.detail.clone())));
        }
    }
    let joined = format!(
        "it repeats alert {}, which waits; one decision is taken for both",
        ids[0]
    );
    let expected = [
        (ids[1], 0, Some(joined.clone())),
        (ids[2], 0, Some(joined.clone())),
        (ids[3], 0, Some(joined)),
        (outside("Notice").id(), 0, None),
        (
            ids[0],
            3,
            Some("decided for 4 alerts: 3 repeats waited with it".to_owned()),
        ),
    ];
    assert_eq!(told, expected);
    // None of them is taken for a new one.
    let again = alert("p", json!({"time": "2026-11-24T03:00:01.3Z"}));
    assert_eq!(engine.submit(again), Submission::Duplicate { id: ids[2] });
}

/// What was accepted and gives way is refused by name, and may come again.
#[tokio::test(start_paused = true)]
async fn an_alert_that_gives_way_is_told_and_can_be_sent_again() {
    let world = TestWorld::new(&enforced("p", MARK));
    world.flood(2);
    let mut config = world.config();
    config.queue.ordinary.alerts = 4;
    config.queue.namespace_percent = 100;
    let engine = world.engine_with(config);
    let hold = world.cluster.inner.hold();
    let mut settlements = Vec::new();
    for nth in 0..4 {
        let (_, settlement) =
            engine.submit_and_follow(raised(0, nth, "Notice"), &Sender::Anonymous, |_, _| Span::none());
        settlements.push(settlement.unwrap());
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert!(is_accepted(&engine.submit(outside("Warning"))));
    let newest = settlements.pop().unwrap().settled().await;
    assert_eq!(newest, AlertOutcome::SendAgain(RefusalReason::Displaced));
    assert_eq!(decided(&world), ["Displaced"]);
    assert!(engine.accounts().is_balanced());
    drop(hold);
    at_rest(&engine).await;
    assert!(is_accepted(&engine.submit(raised(0, 3, "Notice"))));
    let accounts = at_rest(&engine).await;
    assert_eq!(accounts.decisions.refused, [(RefusalReason::Displaced, 1)].into());
    assert_eq!(accounts.decisions.planned, [(Mode::Enforce, 5)].into());
    assert!(accounts.is_balanced());
}

#[tokio::test(start_paused = true)]
async fn five_pods_that_fill_the_critical_lane_take_no_room_from_an_emergency() {
    let (world, engine) = flooded(5, 256, &["Critical"]).await;
    // What was answered since has made room for more of the same.
    for nth in 10_000..10_100 {
        for place in 0..5 {
            engine.submit(raised(place, nth, "Critical"));
        }
    }
    let waited = decisions_until(&world, &engine, outside("Emergency")).await;
    assert!(waited <= 5, "it was decision {waited}");
    let accounts = engine.accounts();
    assert!(accounts.is_balanced(), "{accounts:?}");
    assert!(accounts.alerts.shed.contains_key(&QueueClass::Critical), "{accounts:?}");
}

#[tokio::test(start_paused = true)]
async fn a_ledger_that_is_three_quarters_full_is_told_once() {
    let notify = "notify: [{to: [soc], on: [Failed]}]";
    let mut world = TestWorld::new(&playbook("p", &format!("mode: Enforce\nsteps: {MARK}\n{notify}")));
    world.flood(8);
    world.ledger = Arc::new(MemoryLedger::new(8, 8));
    let engine = world.engine();
    let mut told = Vec::new();
    for place in 0..8 {
        engine.submit(raised(place, place, "Notice"));
        at_rest(&engine).await;
        told.push(world.witness.notifications().len());
    }
    assert_eq!(told, [0, 0, 0, 0, 0, 1, 1, 1]);
    let page = &world.witness.notifications()[0];
    assert_eq!(
        (&page.to[..], page.moment),
        (&["soc".to_owned()][..], NotifyMoment::Failed)
    );
    assert!(
        page.message.starts_with("the ledger holds 6 of at most 8 real claims"),
        "{page:?}"
    );
    let usage = engine.accounts().ledger[&ClaimKind::Real];
    assert_eq!((usage.claims, usage.bound), (8, 8));
}

/// One pod that is answered all the time.
#[tokio::test(start_paused = true)]
async fn one_pod_does_not_fill_the_ledger() {
    let mut world = TestWorld::new(&enforced("p", MARK));
    world.flood(1);
    world.ledger = Arc::new(MemoryLedger::new(8, 8));
    let engine = world.engine();
    for nth in 0..40 {
        engine.submit(raised(0, nth, "Notice"));
        at_rest(&engine).await;
    }
    engine.submit(outside("Notice"));
    let accounts = at_rest(&engine).await;
    assert_eq!(accounts.decisions.planned, [(Mode::Enforce, 41)].into());
    assert!(world.witness.notifications().is_empty());
}
