//! Quarantines from their beginning to the end of their time. Those with a policy that denies are in `denials`, ends that are
//! not allowed in `doubts`.

mod denials;
mod doubts;

use responder_cluster::simulated::SendFault;
use responder_core::mode::Mode;
use responder_core::notify::NotifyMoment;
use responder_core::port::{ReadErrorKind, SendErrorKind};
use responder_core::request::Verb;
use serde_json::{Value, json};

use super::*;
use crate::config::EngineConfig;
use crate::testing::{Before, TestEngine, TestWorld, Then, alert, at_rest, guard, playbook, pod_at};

const MINUTE: Duration = Duration::from_mins(1);

fn rules(on_expiry: &str) -> String {
    playbook(
        "p",
        &format!(
            "mode: Enforce\nsteps: [{{quarantine: {{ttl: 1m, onExpiry: {on_expiry}, detach: Always}}}}]\n\
             notify: [{{to: [soc], on: [Expired]}}]"
        ),
    )
}

/// A world with an engine in which `solo-1` has gone into quarantine for a minute.
async fn quarantined(on_expiry: &str) -> (TestWorld, TestEngine) {
    let world = TestWorld::new(&rules(on_expiry));
    let engine = world.engine();
    engine.submit(alert("p", json!({})));
    at_rest(&engine).await;
    assert_eq!(world.quarantines().len(), 1);
    assert!(
        world.pod("solo-1").unwrap()["metadata"]["labels"]
            .get(QUARANTINE_LABEL)
            .is_some()
    );
    (world, engine)
}

/// The incident of the only quarantine.
fn incident(world: &TestWorld) -> String {
    let name = world.quarantines().remove(0);
    name.rsplit_once('-').unwrap().1.to_owned()
}

fn expiries(engine: &TestEngine) -> Vec<(&'static str, u64)> {
    engine.accounts().expiries.into_iter().collect()
}

fn assert_held(world: &TestWorld) {
    let ends = world.witness.ends();
    assert!(matches!(&ends[..], [QuarantineEnd::Held { .. }]), "{ends:?}");
}

fn released() -> QuarantineEnd {
    QuarantineEnd::Released { left: Vec::new() }
}

#[tokio::test(start_paused = true)]
async fn nothing_ends_before_its_time() {
    let (world, _engine) = quarantined("Delete").await;
    let before = world.objects();
    tokio::time::sleep(Duration::from_secs(59)).await;
    assert_eq!(world.changes_since(&before), [""; 0]);
    assert_eq!(world.witness.ends(), []);
}

#[tokio::test(start_paused = true)]
async fn a_quarantine_on_hold_stays_and_is_reported_once() {
    let (world, engine) = quarantined("Hold").await;
    let before = world.objects();
    tokio::time::sleep(10 * MINUTE).await;
    assert_held(&world);
    assert_eq!(world.changes_since(&before), [""; 0]);
    assert_eq!(expiries(&engine), [("held", 1)]);
    let told = world.witness.notifications();
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(
        (told[0].moment, told[0].target.as_deref()),
        (NotifyMoment::Expired, Some("pod/web/solo-1"))
    );
}

#[tokio::test(start_paused = true)]
async fn a_released_pod_has_its_labels_again_and_the_policy_is_gone() {
    let before = TestWorld::new(&rules("Release")).objects();
    let (world, engine) = quarantined("Release").await;
    tokio::time::sleep(2 * MINUTE).await;
    assert_eq!(world.witness.ends(), [released()]);
    assert!(world.witness.requests().last().unwrap().undoes);
    assert_eq!(world.changes_since(&before), [""; 0]);
    assert_eq!(expiries(&engine), [("released", 1)]);
}

#[tokio::test(start_paused = true)]
async fn a_label_that_a_person_has_changed_meanwhile_is_left_alone_and_told() {
    let (world, _engine) = quarantined("Release").await;
    let mut edited = world.pod("solo-1").unwrap();
    edited["metadata"]["labels"]["app"] = "forensics".into();
    world.apply(&edited.to_string());
    tokio::time::sleep(2 * MINUTE).await;
    let left = vec!["label app".to_owned()];
    assert_eq!(world.witness.ends(), [QuarantineEnd::Released { left }]);
    let labels = world.pod("solo-1").unwrap()["metadata"]["labels"].clone();
    assert_eq!(labels, json!({"app": "forensics", "team": "shop"}));
}

#[tokio::test(start_paused = true)]
async fn a_pod_that_is_deleted_stays_cut_off_until_it_is_gone() {
    let (world, engine) = quarantined("Delete").await;
    let mut slow = world.pod("solo-1").unwrap();
    slow["spec"]["terminationGracePeriodSeconds"] = 300.into();
    world.apply(&slow.to_string());
    tokio::time::sleep(2 * MINUTE).await;
    assert_eq!(world.witness.ends(), [QuarantineEnd::Deleted]);
    assert!(
        world.pod("solo-1").unwrap()["metadata"]
            .get("deletionTimestamp")
            .is_some()
    );
    assert_eq!(world.quarantines().len(), 1, "the pod still runs");

    tokio::time::sleep(10 * MINUTE).await;
    assert!(world.pod("solo-1").is_none());
    assert_eq!(world.quarantines(), [""; 0]);
    let deletions = world.cluster.mutations().into_iter();
    let deletions = deletions.filter(|request| request.verb() == Verb::Delete && request.at() == pod_at("solo-1"));
    assert_eq!(deletions.count(), 1);
    let recorded = world.witness.requests().into_iter();
    let recorded: Vec<_> = recorded
        .filter(|request| request.verb == Verb::Delete)
        .map(|request| (request.object, request.undoes))
        .collect();
    assert_eq!(
        recorded[0],
        (pod_at("solo-1").to_string(), false),
        "a deletion gives nothing back"
    );
    assert_eq!(world.witness.ends(), [QuarantineEnd::Deleted]);
    assert_eq!(expiries(&engine), [("deleted", 1)]);
}

/// Nothing collects what belonged to the pod here: another has its name.
#[tokio::test(start_paused = true)]
async fn a_policy_whose_pod_is_gone_is_removed_and_the_pod_that_has_the_name_is_not_touched() {
    for on_expiry in ["Hold", "Release", "Delete"] {
        let (world, engine) = quarantined(on_expiry).await;
        let at = pod_at("solo-1");
        world.cluster.inner.replace(at.namespace().unwrap(), at.name()).unwrap();
        let before = world.pod("solo-1").unwrap();
        tokio::time::sleep(2 * MINUTE).await;
        assert_eq!(world.witness.ends(), [QuarantineEnd::PodGone], "{on_expiry}");
        assert_eq!(world.quarantines(), [""; 0], "{on_expiry}");
        assert_eq!(world.pod("solo-1").unwrap(), before, "{on_expiry}");
        assert_eq!(expiries(&engine), [("pod gone", 1)], "{on_expiry}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_end_is_kept_over_a_restart() {
    for (on_expiry, end) in [("Release", "released"), ("Delete", "deleted"), ("Hold", "held")] {
        let (world, engine) = quarantined(on_expiry).await;
        engine.shutdown(Duration::ZERO).await;
        tokio::time::sleep(2 * MINUTE).await;
        assert_eq!(world.witness.ends(), [], "no engine was there");

        // Its playbook is gone, too: what counts stands on the policy.
        let world = world.restarted_with("");
        let engine = world.engine();
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(expiries(&engine), [(end, 1)], "at once");
        assert_eq!(world.witness.ends().len(), 1, "{on_expiry}");
    }
}

/// Promise 5 for the way out: the labels are back, and then the controller dies.
#[tokio::test(start_paused = true)]
async fn a_release_that_was_killed_in_the_middle_is_completed() {
    let before = TestWorld::new(&rules("Release")).objects();
    for place in 0..2 {
        let (world, engine) = quarantined("Release").await;
        world.cluster.before(move |_, before| match before {
            Before::Send(_, sent) if sent == place => Then::Never,
            _ => Then::Go,
        });
        tokio::time::sleep(MINUTE + Duration::from_secs(5)).await;
        engine.shutdown(Duration::ZERO).await;
        assert_eq!(world.quarantines().len(), 1);

        let world = world.restarted();
        let _engine = world.engine();
        tokio::time::sleep(MINUTE).await;
        assert_eq!(world.witness.ends(), [released()], "killed at request {place}");
        assert_eq!(world.changes_since(&before), [""; 0], "killed at request {place}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_end_that_fails_is_told_once_and_tried_again() {
    let before = TestWorld::new(&rules("Release")).objects();
    for place in 0..2 {
        let (world, engine) = quarantined("Release").await;
        // Three looks in a row in which this request is refused.
        let mut refusals = 3;
        world.cluster.before(move |_, before| {
            let Before::Send(request, _) = before else {
                return Then::Go;
            };
            let is_meant = (request.verb() == Verb::Delete) == (place == 1);
            if is_meant && refusals > 0 {
                refusals -= 1;
                return Then::Fail(SendFault::Refused(SendErrorKind::Forbidden));
            }
            Then::Go
        });
        tokio::time::sleep(5 * MINUTE).await;
        let ends = world.witness.ends();
        assert!(
            matches!(&ends[..], [QuarantineEnd::Failed { .. }, QuarantineEnd::Released { left }] if left.is_empty()),
            "request {place}: {ends:?}"
        );
        assert_eq!(world.changes_since(&before), [""; 0]);
        assert_eq!(expiries(&engine), [("failed", 1), ("released", 1)]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_cluster_that_can_not_be_read_is_read_again() {
    let (world, _engine) = quarantined("Release").await;
    world.cluster.before(|cluster, before| {
        if let Before::Read(_, 0..3) = before {
            cluster.fail_reads([ReadErrorKind::Unavailable]);
        }
        Then::Go
    });
    tokio::time::sleep(3 * MINUTE).await;
    assert_eq!(world.witness.ends().last(), Some(&released()));
    assert_eq!(world.quarantines(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn the_end_waits_for_the_response_that_is_at_work_on_the_pod() {
    let (world, engine) = quarantined("Release").await;
    let world = TestWorld {
        rules: TestWorld::new(&playbook(
            "q",
            "mode: Enforce\nquarantined: Include\nsteps: [{label: {labels: {a: \"1\", app: \"2\"}}}]",
        ))
        .rules,
        ..world
    };
    let other = world.engine_with(EngineConfig {
        process_mode: Mode::Enforce,
        ..world.config()
    });
    engine.shutdown(Duration::ZERO).await;
    world.cluster.before(|_, before| match before {
        Before::Send(request, _) if request.to_string().contains("label a=1") => Then::After(Duration::from_secs(8)),
        _ => Then::Go,
    });
    tokio::time::sleep(Duration::from_secs(55)).await;
    other.submit(alert("q", json!({})));
    tokio::time::sleep(2 * MINUTE).await;
    // The end came second: it saw the label that the response had left, and left it alone.
    let left = vec!["label app".to_owned()];
    assert_eq!(world.witness.ends(), [QuarantineEnd::Released { left }]);
    assert_eq!(
        world.pod("solo-1").unwrap()["metadata"]["labels"],
        json!({"a": "1", "app": "2", "team": "shop"})
    );
}

#[tokio::test(start_paused = true)]
async fn a_controller_that_does_not_enforce_ends_nothing() {
    for process_mode in [Mode::Observe, Mode::Rehearse] {
        let (world, engine) = quarantined("Delete").await;
        engine.shutdown(Duration::ZERO).await;
        let world = world.restarted();
        let before = world.objects();
        let engine = world.engine_with(EngineConfig {
            process_mode,
            ..world.config()
        });
        tokio::time::sleep(5 * MINUTE).await;
        assert_eq!(world.changes_since(&before), [""; 0]);
        assert_eq!(expiries(&engine), []);
    }
}

#[tokio::test(start_paused = true)]
async fn a_panic_is_not_the_end_of_all_ends() {
    for method in ["network_policies_labelled", "object"] {
        let (world, engine) = quarantined("Release").await;
        tokio::time::sleep(Duration::from_secs(59)).await;
        world.cluster.before(move |_, before| {
            let panics = matches!(before, Before::Read(asked, 0..3) if asked == method);
            assert!(!panics, "as the test asked for");
            Then::Go
        });
        tokio::time::sleep(2 * MINUTE).await;
        assert_eq!(engine.accounts().panics, 3, "{method}");
        assert_eq!(world.witness.ends(), [released()], "{method}");
        // The pod is free for its next response.
        engine.submit(crate::testing::shell("p", "solo-1", 17, 2));
        at_rest(&engine).await;
    }
}
