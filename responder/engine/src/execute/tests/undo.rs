//! Promise 5: after a failure with `onFailure: Revert`, wherever it comes, the cluster is as it was; and a response that
//! was killed in the middle is completed by the process that gets the alert again.

use std::time::Duration;

use super::*;
use crate::outcome::UndoOutcome;
use crate::testing::{at_rest, guard};

/// Everything that can be undone on a pod, and then its end.
fn everything() -> String {
    let steps = [
        "label: {labels: {suspect: \"yes\", team: null}}",
        "annotate: {annotations: {example.org/seen: \"yes\"}}",
        "quarantine: {ttl: 1h, detach: Always, through: Auto}",
        "delete: {gracePeriodSeconds: 0}",
    ];
    let steps = steps.map(|step| format!("{{{step}, onFailure: Revert}}"));
    enforced("p", &format!("[{}]", steps.join(", ")))
}

const REQUESTS: usize = 6;

/// A world whose network can deny.
fn world_of_everything() -> TestWorld {
    TestWorld::new(&everything()).with_cilium()
}

/// The requests before this one succeed, then comes this.
fn failing_at(place: usize, how: &[Then]) -> Vec<Then> {
    let mut sends = vec![Then::Go; place];
    sends.extend_from_slice(how);
    sends
}

#[tokio::test(start_paused = true)]
async fn whichever_request_fails_the_cluster_is_as_it_was_before() {
    // Refused; carried out with a lost answer; perhaps carried out: each ends with a clear no.
    let ways: [&[Then]; 3] = [&[REFUSED], &[LOST, FORBIDDEN], &[NO_ANSWER, FORBIDDEN]];
    for place in 0..REQUESTS {
        for (way, how) in ways.iter().enumerate() {
            if place == REQUESTS - 1 && way == 1 {
                // A deletion that was carried out can't be undone.
                continue;
            }
            let world = world_of_everything();
            let before = world.objects();
            let plan = world.plan(&solo()).await;
            assert_eq!(plan.requests().count(), REQUESTS);
            world.cluster.script(failing_at(place, how));
            let execution = world.execute(&plan).await;
            assert!(!execution.response.outcome.is_success(), "request {place}, way {way}");
            assert_eq!(
                world.changes_since(&before),
                [""; 0],
                "request {place}, way {way}: {:#?}",
                execution.response
            );
            let is_irreversible = |outcome: &UndoOutcome| matches!(outcome, UndoOutcome::Irreversible { .. });
            let undone = || execution.response.undone.iter().map(|undone| &undone.outcome);
            assert!(
                undone().all(|outcome| outcome.is_clean() || is_irreversible(outcome)),
                "request {place}, way {way}: {:#?}",
                execution.response.undone
            );
            let possible = if way == 0 { place } else { place + 1 };
            assert_eq!(undone().count(), possible, "request {place}, way {way}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_can_not_be_undone_is_told() {
    let world = world_of_everything();
    let plan = world.plan(&solo()).await;
    world.cluster.script(failing_at(REQUESTS - 1, &[LOST, FORBIDDEN]));
    let execution = world.execute(&plan).await;
    assert!(matches!(
        execution.response.undone[0].outcome,
        UndoOutcome::Irreversible { .. }
    ));
    assert!(world.pod("solo-1").is_none());
    assert_eq!(world.quarantines(), [""; 0], "the policies go with their pod");
}

#[tokio::test(start_paused = true)]
async fn what_was_done_is_undone_the_last_first() {
    let world = world_of_everything();
    let plan = world.plan(&solo()).await;
    world.cluster.script(failing_at(REQUESTS - 1, &[REFUSED]));
    let execution = world.execute(&plan).await;
    let sent: Vec<String> = plan.requests().map(|planned| planned.request.to_string()).collect();
    let undone: Vec<&String> = execution.response.undone.iter().map(|undone| &undone.request).collect();
    assert_eq!(undone, sent[..REQUESTS - 1].iter().rev().collect::<Vec<_>>());
}

#[rstest::rstest]
#[case("cordon: {}")]
#[case("taint: {}")]
#[case("taint: {key: example.org/suspect, effect: PreferNoSchedule}")]
#[tokio::test(start_paused = true)]
async fn a_change_of_a_node_is_undone_with_its_annotations(#[case] step: &str) {
    let steps = format!("[{{{step}}}, {{label: {{labels: {{a: b}}}}, onFailure: Revert}}]");
    let world = TestWorld::new(&playbook("p", &format!("mode: Enforce\ntarget: Node\nsteps: {steps}")));
    let before = world.objects();
    let plan = world.plan(&solo()).await;
    world.cluster.script([Then::Go, REFUSED]);
    world.execute(&plan).await;
    assert_eq!(world.changes_since(&before), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_response_whose_alert_became_too_old_in_the_middle_is_undone_where_it_says_so() {
    let world = world_of_everything();
    let before = world.objects();
    let plan = world.plan(&solo()).await;
    // The policy is created after the alert's time; the patch that was to follow is not sent any more.
    world
        .cluster
        .script(failing_at(2, &[Then::After(Duration::from_secs(9))]));
    tokio::time::sleep(Duration::from_secs(295)).await;
    let execution = world.execute(&plan).await;
    assert!(
        matches!(&execution.response.outcome, ResponseOutcome::PartlyDone { step, .. } if step == "quarantine"),
        "{:?}",
        execution.response.outcome
    );
    assert_eq!(world.changes_since(&before), [""; 0]);
}

/// The controller is killed while this request is on its way (and never got there), and comes back with an empty memory.
/// The alert comes again.
#[tokio::test(start_paused = true)]
async fn a_response_that_was_killed_in_the_middle_is_completed_when_its_alert_comes_again() {
    let rules = enforced(
        "p",
        "[{label: {labels: {suspect: \"yes\"}}}, {quarantine: {ttl: 1h, detach: Always, through: Auto}}]",
    ) + &guard("maxAlertAge: 5m");
    let whole = {
        let world = TestWorld::new(&rules).with_cilium();
        world.execute(&world.plan(&solo()).await).await;
        world.pod("solo-1")
    };
    for place in 0..4 {
        let world = TestWorld::new(&rules).with_cilium();
        world.cluster.before(move |_, before| match before {
            Before::Send(_, sent) if sent == place => Then::Never,
            _ => Then::Go,
        });
        let killed = world.engine();
        killed.submit(solo());
        tokio::time::sleep(Duration::from_secs(3)).await;
        killed.shutdown(Duration::ZERO).await;
        assert_ne!(world.pod("solo-1"), whole, "{place}");

        let world = world.restarted();
        let engine = world.engine();
        engine.submit(solo());
        at_rest(&engine).await;
        let responses = world.witness.responses();
        assert_eq!(
            responses[0].outcome,
            ResponseOutcome::Done,
            "request {place}: {responses:#?}"
        );
        assert_eq!(world.pod("solo-1"), whole, "request {place}");
        assert_eq!(world.quarantines().len(), 2, "request {place}");
        engine.shutdown(Duration::ZERO).await;
    }
}
