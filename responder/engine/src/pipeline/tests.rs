//! Alerts on their way through the whole engine; its parts are tested in the modules below.

mod accounting;
mod branches;
mod ending;
mod evidence;
mod floods;
mod story;
mod targets;

use std::sync::Arc;
use std::time::Duration;

use responder_cluster::simulated::SendFault;
use responder_core::alert::{Alert, AlertId};
use responder_core::decide::Outcome;
use responder_core::mode::Mode;
use responder_core::notify::NotifyMoment;
use responder_core::playbook_name::PlaybookName;
use responder_core::port::{Ledger as _, ReadErrorKind, SendErrorKind};
use responder_core::refusal::RefusalReason;
use rstest::rstest;
use serde_json::{Value, json};

use super::*;
use crate::accounting::AccountingSnapshot;
use crate::audit::AuditRecord;
use crate::config::EngineConfig;
use crate::ledger::MemoryLedger;
use crate::outcome::ResponseOutcome;
use crate::queue::{QueueClass, ShedCause};
use crate::testing::{
    Before, TestEngine, TestWorld, Then, alert, at_rest, enforced, guard, playbook, playbook_for, pod_at, shell,
};
use crate::verify::Effectiveness;

const DELETE: &str = "[{delete: {gracePeriodSeconds: 0}}]";

fn solo() -> Alert {
    alert("p", json!({}))
}

/// A playbook of this name and order for the alerts of `p`, which sets a label of its name.
fn labels_with(name: &str, order: i32) -> String {
    let spec = format!("mode: Enforce\norder: {order}\nsteps: [{{label: {{labels: {{{name}: \"1\"}}}}}}]");
    playbook_for("p", name, &spec)
}

/// An alert about one of the pods of [`TestWorld::flood`].
fn flood(rule: &str, place: u32, nth: u32) -> Alert {
    shell(rule, &format!("flood-{place}"), 1000 + place, nth)
}

fn is_accepted(submission: &Submission) -> bool {
    matches!(submission, Submission::Accepted { .. })
}

/// The reasons and modes of the decisions, in order.
fn decided(world: &TestWorld) -> Vec<String> {
    let records = world.witness.records().into_iter();
    records
        .filter_map(|record| match record {
            AuditRecord::Decided { decision, .. } => Some(match crate::testing::reason(&decision) {
                Some(reason) => reason.to_string(),
                None => "acts".to_owned(),
            }),
            _ => None,
        })
        .collect()
}

// --- the way in ------------------------------------------------------------------------------------

#[tokio::test(start_paused = true)]
async fn an_alert_that_nothing_matches_is_only_counted() {
    let world = TestWorld::new(&enforced("p", DELETE));
    let engine = world.engine();
    assert_eq!(engine.submit(alert("something else", json!({}))), Submission::Unmatched);
    let accounts = at_rest(&engine).await;
    assert_eq!((accounts.alerts.received, accounts.alerts.unmatched), (1, 1));
    assert!(world.witness.records().is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_alert_is_answered_by_each_playbook_in_their_order() {
    let world = TestWorld::new(&(labels_with("a", 0) + &labels_with("b", 5) + &labels_with("c", 0)));
    let engine = world.engine();
    let Submission::Accepted { playbooks, id } = engine.submit(solo()) else {
        panic!()
    };
    let names: Vec<&str> = playbooks.iter().map(PlaybookName::as_str).collect();
    assert_eq!(names, ["b", "a", "c"]);
    assert_eq!(id, solo().id());
    at_rest(&engine).await;
    let sent: Vec<String> = world.cluster.mutations().iter().map(ToString::to_string).collect();
    let expected = ["b", "a", "c"].map(|key| format!("patch pod/web/solo-1 [label {key}=1]"));
    assert_eq!(sent, expected);
}

#[tokio::test(start_paused = true)]
async fn a_second_delivery_is_a_duplicate_while_the_first_is_on_its_way_and_afterwards() {
    let world = TestWorld::new(&enforced("p", DELETE));
    let engine = world.engine();
    let hold = world.cluster.inner.hold();
    assert!(is_accepted(&engine.submit(solo())));
    tokio::time::sleep(Duration::from_millis(50)).await;
    let duplicate = Submission::Duplicate { id: solo().id() };
    assert_eq!(engine.submit(solo()), duplicate);
    drop(hold);
    at_rest(&engine).await;
    assert_eq!(engine.submit(solo()), duplicate);
    let accounts = at_rest(&engine).await;
    assert_eq!((accounts.alerts.matched, accounts.alerts.duplicate), (1, 2));
    assert_eq!(world.cluster.mutations().len(), 1);
}

/// An alert that could not be decided may be sent again, and then it is decided.
#[tokio::test(start_paused = true)]
async fn an_alert_that_is_asked_for_again_is_no_duplicate() {
    let world = TestWorld::new(&enforced("p", DELETE));
    let engine = world.engine();
    world.cluster.before(|cluster, before| {
        if let Before::Read("pod", 0) = before {
            cluster.fail_reads([ReadErrorKind::Forbidden]);
        }
        Then::Go
    });
    assert!(is_accepted(&engine.submit(solo())));
    at_rest(&engine).await;
    assert!(is_accepted(&engine.submit(solo())));
    at_rest(&engine).await;
    assert_eq!(decided(&world), ["Unreadable", "acts"]);
    assert_eq!(world.cluster.mutations().len(), 1);
}

/// Falco does not send again: an alert that comes while the API server is away is decided once it is back.
#[tokio::test(start_paused = true)]
async fn an_alert_that_comes_while_the_cluster_is_away_is_decided_when_it_is_back() {
    let world = TestWorld::new(&enforced("p", DELETE));
    let engine = world.engine();
    let away = [
        ReadErrorKind::Unavailable,
        ReadErrorKind::Timeout,
        ReadErrorKind::Forbidden,
    ];
    world.cluster.inner.fail_reads(away);
    assert!(is_accepted(&engine.submit(solo())));
    let accounts = at_rest(&engine).await;
    assert_eq!(decided(&world), ["acts"]);
    assert_eq!(accounts.decisions.planned.values().sum::<u64>(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_alert_is_refused_as_stale_when_the_cluster_stays_away_for_too_long() {
    let world = TestWorld::new(&enforced("p", DELETE));
    let engine = world.engine();
    world.cluster.inner.fail_reads([ReadErrorKind::Unavailable; 10_000]);
    assert!(is_accepted(&engine.submit(solo())));
    at_rest(&engine).await;
    assert_eq!(decided(&world), ["Stale"]);
    assert_eq!(world.cluster.mutations(), []);
}

#[tokio::test(start_paused = true)]
async fn an_alert_for_which_the_ledger_had_no_room_is_no_duplicate() {
    let mut world = TestWorld::new(&enforced("p", DELETE));
    world.ledger = Arc::new(MemoryLedger::new(0, 0));
    let engine = world.engine();
    for _ in 0..2 {
        assert!(is_accepted(&engine.submit(solo())));
        at_rest(&engine).await;
    }
    assert_eq!(decided(&world), ["LedgerUnavailable", "LedgerUnavailable"]);
}

#[rstest]
#[case::protected(json!({"output_fields": {"k8s.ns.name": "kube-system"}}), "Protected")]
#[case::stale(json!({"time": "2026-11-24T02:00:00Z"}), "Stale")]
#[case::gone(json!({"output_fields": {"k8s.pod.name": "solo-9"}}), "TargetGone")]
#[case::nothing(json!({"output_fields": {"k8s.pod.name": null, "container.id": null}}), "NoTarget")]
#[tokio::test(start_paused = true)]
async fn an_alert_that_was_refused_for_good_is_a_duplicate(#[case] over: Value, #[case] reason: &str) {
    let world = TestWorld::new(&enforced("p", DELETE));
    let engine = world.engine();
    assert!(is_accepted(&engine.submit(alert("p", over.clone()))));
    at_rest(&engine).await;
    assert!(matches!(engine.submit(alert("p", over)), Submission::Duplicate { .. }));
    assert_eq!(decided(&world), [reason]);
    assert!(world.cluster.mutations().is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_alert_that_was_shed_can_come_again() {
    let world = TestWorld::new(&enforced("p", DELETE));
    let mut config = world.config();
    config.queue.ordinary.alerts = 1;
    let engine = world.engine_with(config);
    let hold = world.cluster.inner.hold();
    assert!(is_accepted(&engine.submit(shell("p", "solo-2", 18, 2))));
    let shed = Submission::Shed {
        class: QueueClass::Ordinary,
        cause: ShedCause::NamespaceFull,
    };
    assert_eq!(engine.submit(solo()), shed);
    drop(hold);
    at_rest(&engine).await;
    assert!(is_accepted(&engine.submit(solo())));
    at_rest(&engine).await;
    assert_eq!(world.cluster.mutations().len(), 2);
}

// --- what is told --------------------------------------------------------------------------------------

#[tokio::test(start_paused = true)]
async fn the_plan_is_in_the_audit_trail_before_the_first_request() {
    let world = TestWorld::new(&enforced("p", DELETE));
    let witness = world.witness.clone();
    world.cluster.before(move |_, before| {
        if let Before::Send(..) = before {
            let [AuditRecord::Decided { decision, claim, .. }] = &witness.records()[..] else {
                panic!()
            };
            assert!(matches!(&decision.outcome, Outcome::Act { plan, .. } if plan.requests().count() == 1));
            assert!(claim.is_some());
        }
        Then::Go
    });
    let engine = world.engine();
    engine.submit(solo());
    assert_eq!(at_rest(&engine).await.panics, 0);
    assert_eq!(world.witness.responses()[0].outcome, ResponseOutcome::Done);
}

#[rstest]
#[case::acted(json!({}), &[], NotifyMoment::Acted)]
#[case::refused(json!({"time": "2026-11-24T02:00:00Z"}), &[], NotifyMoment::Refused)]
#[case::failed(json!({}), &[SendErrorKind::Forbidden], NotifyMoment::Failed)]
#[tokio::test(start_paused = true)]
async fn a_receiver_that_asks_for_a_moment_is_told_of_it_once(
    #[case] over: Value,
    #[case] failures: &[SendErrorKind],
    #[case] moment: NotifyMoment,
) {
    let receivers = "notify: [{to: [soc], on: [Acted, Refused, Failed]}, {to: [other], on: [Expired]}]";
    let world = TestWorld::new(&playbook("p", &format!("mode: Enforce\nsteps: {DELETE}\n{receivers}")));
    world
        .cluster
        .script(failures.iter().map(|&kind| Then::Fail(SendFault::Refused(kind))));
    let engine = world.engine();
    engine.submit(alert("p", over));
    at_rest(&engine).await;
    let told = world.witness.notifications();
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!((told[0].moment, &told[0].to[..]), (moment, &["soc".to_owned()][..]));
    assert_eq!(told[0].target.as_deref(), Some("pod/web/solo-1"));
}

#[tokio::test(start_paused = true)]
async fn a_claim_is_taken_back_when_nothing_was_changed_for_it() {
    let world = TestWorld::new(
        &(enforced("p", DELETE) + &guard("budgets: [{scope: Cluster, class: Destroy, max: 1, per: 10m}]")),
    );
    world
        .cluster
        .script([Then::Fail(SendFault::Refused(SendErrorKind::Forbidden))]);
    let engine = world.engine();
    engine.submit(solo());
    assert_eq!(at_rest(&engine).await.refunds, 1);
    engine.submit(shell("p", "solo-2", 18, 2));
    engine.submit(shell("p", "solo-3", 19, 3));
    at_rest(&engine).await;
    assert_eq!(decided(&world), ["acts", "acts", "BudgetExhausted"]);
}

#[tokio::test(start_paused = true)]
async fn the_verification_is_told_afterwards() {
    let world = TestWorld::new(&enforced("p", "[{delete: {gracePeriodSeconds: 20}}]"));
    let engine = world.engine();
    engine.submit(solo());
    at_rest(&engine).await;
    assert!(world.witness.verifications().is_empty(), "the pod is still ending");
    tokio::time::sleep(Duration::from_mins(1)).await;
    let verdicts: Vec<Effectiveness> = world.witness.verifications().iter().map(|seen| seen.verdict).collect();
    assert_eq!(verdicts, [Effectiveness::Effective]);
    assert_eq!(engine.accounts().verifications, [("effective", 1)].into());
}

#[tokio::test(start_paused = true)]
async fn a_response_that_did_not_work_is_told_as_a_failure() {
    let spec = "mode: Enforce\nsteps: [{label: {labels: {a: \"1\"}}}]\nnotify: [{to: [soc], on: [Failed]}]";
    let world = TestWorld::new(&playbook("p", spec));
    // Another client takes the label away before the first look.
    world.cluster.before(|cluster, before| {
        let object = cluster.objects().remove("Pod/web/solo-1").unwrap();
        if let Before::Read(..) = before
            && object["metadata"]["labels"].get("a").is_some()
        {
            let mut edited = object;
            edited["metadata"]["labels"].as_object_mut().unwrap().remove("a");
            cluster.apply(&edited.to_string()).unwrap();
        }
        Then::Go
    });
    let engine = world.engine();
    engine.submit(solo());
    // The second look comes after two seconds.
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(engine.accounts().verifications, [("ineffective", 1)].into());
    let told = world.witness.notifications();
    assert!(
        matches!(&told[..], [told] if told.moment == NotifyMoment::Failed),
        "{told:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn more_verifications_than_may_be_under_way_are_inconclusive_at_once() {
    let world = TestWorld::new(&enforced("p", "[{delete: {gracePeriodSeconds: 20}}]"));
    let mut config = world.config();
    config.verify.pending = 1;
    let engine = world.engine_with(config);
    for place in 1..=3 {
        engine.submit(shell("p", &format!("solo-{place}"), 16 + place, place));
    }
    at_rest(&engine).await;
    assert_eq!(engine.accounts().verifications, [("inconclusive", 2)].into());
    tokio::time::sleep(Duration::from_mins(1)).await;
    assert_eq!(
        engine.accounts().verifications,
        [("effective", 1), ("inconclusive", 2)].into()
    );
    assert_eq!(engine.shared.verifications.available_permits(), 1);
}

// --- modes and questions ---------------------------------------------------------------------------------

#[tokio::test(start_paused = true)]
async fn below_a_ceiling_of_observe_nothing_is_sent() {
    let world = TestWorld::new(&enforced("p", DELETE));
    let engine = world.engine_with(EngineConfig::default());
    engine.submit(solo());
    let accounts = at_rest(&engine).await;
    assert_eq!(accounts.decisions.planned, [(Mode::Observe, 1)].into());
    assert_eq!(accounts.responses, [("Observed", 1)].into());
    assert!(world.cluster.inner.requests().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_question_changes_nothing_and_is_not_counted() {
    let world = TestWorld::new(&(enforced("p", DELETE) + &enforced("q", DELETE)));
    let engine = world.engine();
    let before = world.objects();
    let alert = solo();
    for _ in 0..2 {
        let explanation = engine.explain(&alert).await;
        assert!(matches!(explanation.matched[0].outcome, Outcome::Act { .. }));
        let unmatched: Vec<&str> = explanation
            .unmatched
            .iter()
            .map(|other| other.playbook.as_str())
            .collect();
        assert_eq!(unmatched, ["q"]);
    }
    assert_eq!(world.changes_since(&before), [""; 0]);
    assert!(world.ledger.view().await.unwrap().claims.is_empty());
    assert_eq!(engine.accounts().alerts.received, 0);
    assert!(world.witness.records().is_empty());
}

// --- the queue -----------------------------------------------------------------------------------------------

/// Promise 8. Two slots, one of them for critical alerts; each request takes a second.
#[tokio::test(start_paused = true)]
async fn a_critical_alert_is_answered_while_a_flood_waits() {
    let world = TestWorld::new(&enforced("p", DELETE));
    world.flood(40);
    world.cluster.before(|_, before| match before {
        Before::Send(..) => Then::After(Duration::from_secs(1)),
        Before::Read(..) => Then::Go,
    });
    let mut config = world.config();
    config.queue.concurrency = 2;
    config.queue.critical_share = 1;
    let engine = world.engine_with(config);
    for place in 0..40 {
        assert!(is_accepted(&engine.submit(flood("p", place, place))));
    }
    tokio::time::sleep(Duration::from_millis(100)).await;
    engine.submit(alert("p", json!({"priority": "Critical"})));
    tokio::time::sleep(Duration::from_millis(1100)).await;
    let gone = world.pod("solo-1").is_none();
    assert!(gone && engine.accounts().depths[&QueueClass::Ordinary].accepted >= 38);
    let accounts = at_rest(&engine).await;
    assert_eq!(accounts.responses, [("Done", 41)].into());
}

/// Each ordinary slot is held by a response that pauses between two tries: others work meanwhile.
#[tokio::test(start_paused = true)]
async fn slow_targets_delay_themselves_and_no_others() {
    let world = TestWorld::new(&enforced("p", "[{evict: {gracePeriodSeconds: 0}}]"));
    world.flood(20);
    world.apply(
        "{apiVersion: policy/v1, kind: PodDisruptionBudget, metadata: {name: solo, namespace: web}, \
         spec: {minAvailable: 4, selector: {matchLabels: {app: solo}}}}",
    );
    let mut config = world.config();
    config.queue.concurrency = 3;
    let engine = world.engine_with(config);
    for place in 1..=4 {
        engine.submit(shell("p", &format!("solo-{place}"), 16 + place, place));
    }
    for place in 0..20 {
        engine.submit(flood("p", place, 100 + place));
    }
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(
        engine.accounts().responses,
        [("Done", 20)].into(),
        "the four are blocked and wait"
    );
    let accounts = at_rest(&engine).await;
    assert_eq!(accounts.responses, [("Done", 20), ("Failed", 4)].into());
    assert_eq!(accounts.refunds, 4);
}
