//! Plans as they run: their order, their failures, and how far each mode goes. What is undone is in `undo`.

mod branches;
mod undo;

use responder_cluster::simulated::SendFault;
use responder_core::port::{Reply, SendErrorKind};
use responder_core::request::{Request, Verb};
use rstest::rstest;
use serde_json::json;

use super::*;
use crate::outcome::FailureReason;
use crate::testing::{Before, TestWorld, Then, alert, enforced, playbook, pod_at};

const REFUSED: Then = Then::Fail(SendFault::Refused(SendErrorKind::Rejected));
const LOST: Then = Then::Fail(SendFault::AnswerLost);
const FORBIDDEN: Then = Then::Fail(SendFault::Refused(SendErrorKind::Forbidden));
const NO_ANSWER: Then = Then::Fail(SendFault::Refused(SendErrorKind::Unknown));

fn solo() -> responder_core::alert::Alert {
    alert("p", json!({}))
}

/// Three labels, one a step, each going on so after a failure.
fn three(on_failure: &str) -> TestWorld {
    let step = |key: &str| format!("{{name: {key}, label: {{labels: {{{key}: \"1\"}}}}, onFailure: {on_failure}}}");
    TestWorld::new(&enforced(
        "p",
        &format!("[{}, {}, {}]", step("a"), step("b"), step("c")),
    ))
}

/// Whether each of the three labels is on the pod.
fn labelled(world: &TestWorld) -> [bool; 3] {
    let pod = world.pod("solo-1").unwrap();
    ["a", "b", "c"].map(|key| pod["metadata"]["labels"].get(key).is_some())
}

fn outcomes(execution: &Execution) -> Vec<&RequestOutcome> {
    let steps = execution.response.steps.iter();
    steps
        .flat_map(|step| &step.requests)
        .map(|request| &request.outcome)
        .collect()
}

#[tokio::test(start_paused = true)]
async fn every_request_of_every_step_is_sent_in_order() {
    let world = TestWorld::new(&enforced(
        "p",
        "[{label: {labels: {a: \"1\"}}}, {quarantine: {}}, {delete: {gracePeriodSeconds: 0}}]",
    ));
    let plan = world.plan(&solo()).await;
    let execution = world.execute(&plan).await;
    let verbs: Vec<Verb> = world.cluster.mutations().iter().map(Request::verb).collect();
    assert_eq!(verbs, [Verb::Patch, Verb::Create, Verb::Patch, Verb::Delete]);
    assert_eq!(execution.response.outcome, ResponseOutcome::Done);
    assert!(
        execution
            .response
            .steps
            .iter()
            .flat_map(|step| &step.requests)
            .all(|request| request.tries == 1)
    );
    let names: Vec<&str> = execution.response.steps.iter().map(|step| step.name.as_str()).collect();
    assert_eq!(names, ["label", "quarantine", "delete"]);
    assert!(!execution.is_refundable);
    assert!(world.pod("solo-1").is_none());
}

#[rstest]
#[case::stop("Stop", [true, false, false])]
#[case::carry_on("Continue", [true, false, true])]
#[case::revert("Revert", [false, false, false])]
#[tokio::test(start_paused = true)]
async fn a_failed_step_ends_the_plan_as_it_says(#[case] on_failure: &str, #[case] expected: [bool; 3]) {
    let world = three(on_failure);
    let plan = world.plan(&solo()).await;
    world.cluster.script([Then::Go, REFUSED]);
    let execution = world.execute(&plan).await;
    assert_eq!(labelled(&world), expected);
    let ResponseOutcome::PartlyDone { step, because } = &execution.response.outcome else {
        panic!("{:?}", execution.response.outcome)
    };
    assert_eq!(step, "b");
    assert!(
        because.contains("patch pod/web/solo-1") && because.contains("rejected"),
        "{because}"
    );
    assert!(!execution.is_refundable);
}

#[tokio::test(start_paused = true)]
async fn what_a_stopped_plan_leaves_out_is_reported_as_not_sent() {
    let world = three("Stop");
    let plan = world.plan(&solo()).await;
    world.cluster.script([REFUSED]);
    let execution = world.execute(&plan).await;
    let stopped = RequestOutcome::NotSent {
        because: NotSentReason::Stopped,
    };
    assert_eq!(outcomes(&execution)[1..], [&stopped, &stopped]);
    assert_eq!(world.cluster.mutations().len(), 1);
    assert!(matches!(&execution.response.outcome, ResponseOutcome::Failed { step, .. } if step == "a"));
}

#[tokio::test(start_paused = true)]
async fn of_two_failures_the_first_is_told() {
    let world = three("Continue");
    let plan = world.plan(&solo()).await;
    world.cluster.script([REFUSED, FORBIDDEN, REFUSED]);
    let execution = world.execute(&plan).await;
    assert!(matches!(&execution.response.outcome, ResponseOutcome::Failed { step, .. } if step == "a"));
    assert!(execution.is_refundable);
}

#[rstest]
#[case::refused(vec![REFUSED], true)]
#[case::forbidden(vec![FORBIDDEN], true)]
#[case::lost_and_then_forbidden(vec![LOST, FORBIDDEN], false)]
#[case::without_an_answer_and_then_forbidden(vec![NO_ANSWER, FORBIDDEN], false)]
#[case::busy_and_then_forbidden(vec![Then::Fail(SendFault::Refused(SendErrorKind::Busy)), FORBIDDEN], true)]
#[tokio::test(start_paused = true)]
async fn a_claim_is_taken_back_only_where_nothing_was_changed_for_certain(
    #[case] sends: Vec<Then>,
    #[case] is_refundable: bool,
) {
    let world = TestWorld::new(&enforced("p", "[{label: {labels: {a: \"1\"}}}]"));
    let plan = world.plan(&solo()).await;
    world.cluster.script(sends);
    assert_eq!(world.execute(&plan).await.is_refundable, is_refundable);
}

#[tokio::test(start_paused = true)]
async fn a_target_that_is_gone_ends_the_plan_whatever_the_steps_say() {
    for on_failure in ["Stop", "Continue", "Revert"] {
        let world = three(on_failure);
        let plan = world.plan(&solo()).await;
        world.cluster.inner.remove(&pod_at("solo-1"));
        let execution = world.execute(&plan).await;
        assert_eq!(execution.response.outcome, ResponseOutcome::TargetGone, "{on_failure}");
        assert_eq!(world.cluster.mutations().len(), 1, "{on_failure}");
        assert!(execution.is_refundable, "{on_failure}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_target_that_is_replaced_is_not_touched_and_what_was_created_for_it_is_removed() {
    let world = TestWorld::new(&enforced("p", "[{quarantine: {}}, {label: {labels: {a: \"1\"}}}]"));
    let plan = world.plan(&solo()).await;
    world.cluster.before(|cluster, before| {
        if let Before::Send(_, 1) = before {
            let at = pod_at("solo-1");
            cluster.replace(at.namespace().unwrap(), at.name()).unwrap();
        }
        Then::Go
    });
    let execution = world.execute(&plan).await;
    assert_eq!(execution.response.outcome, ResponseOutcome::TargetReplaced);
    assert_eq!(world.quarantines(), [""; 0]);
    assert!(execution.response.undone.iter().all(|undone| undone.outcome.is_clean()));
    assert_eq!(execution.response.undone.len(), 1);
    let pod = world.pod("solo-1").unwrap();
    assert_eq!(pod["metadata"]["labels"], json!({"app": "solo", "team": "shop"}));
    // Something was created meanwhile: the slot stays taken.
    assert!(!execution.is_refundable);
}

#[tokio::test(start_paused = true)]
async fn in_observe_nothing_is_sent() {
    let world = TestWorld::new(&playbook("p", "mode: Observe\nsteps: [{quarantine: {}}, {delete: {}}]"));
    let before = world.objects();
    let plan = world.plan(&solo()).await;
    let execution = world.execute(&plan).await;
    assert_eq!(execution.response.outcome, ResponseOutcome::Observed);
    assert_eq!(world.cluster.inner.requests(), []);
    assert_eq!(world.changes_since(&before), [""; 0]);
    let observed = RequestOutcome::NotSent {
        because: NotSentReason::Observed,
    };
    assert_eq!(outcomes(&execution), [&observed; 3]);
    assert!(
        !execution.is_refundable,
        "an observation takes its slot, as the response would"
    );
}

#[tokio::test(start_paused = true)]
async fn a_rehearsal_sends_dry_runs_only_and_changes_nothing() {
    let steps = "[{label: {labels: {a: \"1\"}}}, {annotate: {annotations: {b: \"2\"}}}, {quarantine: {detach: Always}}, {evict: {}}, {delete: {}}]";
    let rules = playbook("p", &format!("mode: Rehearse\nsteps: {steps}"));
    // A plan with two ends of one target is refused, so each has its own.
    for left_out in ["{evict: {}}, ", ", {delete: {}}"] {
        let world = TestWorld::new(&rules.replace(left_out, ""));
        let before = world.cluster.inner.objects();
        let plan = world.plan(&solo()).await;
        let execution = world.execute(&plan).await;
        assert_eq!(execution.response.outcome, ResponseOutcome::Rehearsed);
        assert_eq!(world.cluster.inner.requests().len(), 5);
        assert!(world.cluster.inner.requests().iter().all(|request| request.dry_run));
        assert_eq!(world.cluster.inner.objects(), before);
        assert!(!execution.is_refundable);
    }
}

#[tokio::test(start_paused = true)]
async fn a_rehearsal_that_fails_undoes_nothing_and_gives_its_slot_back() {
    let steps = "[{label: {labels: {a: \"1\"}}, onFailure: Revert}]";
    let world = TestWorld::new(&playbook("p", &format!("mode: Rehearse\nsteps: {steps}")));
    let plan = world.plan(&solo()).await;
    world.cluster.script([NO_ANSWER, FORBIDDEN]);
    let execution = world.execute(&plan).await;
    assert!(matches!(execution.response.outcome, ResponseOutcome::Failed { .. }));
    assert_eq!(execution.response.undone, []);
    assert!(execution.is_refundable);
    assert!(world.cluster.mutations().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_step_has_its_time_and_the_next_one_its_own() {
    let rules =
        "[{label: {labels: {a: \"1\"}}, timeout: 5s, onFailure: Continue}, {annotate: {annotations: {b: \"2\"}}}]";
    let world = TestWorld::new(&enforced("p", rules));
    let plan = world.plan(&solo()).await;
    world.cluster.before(|_, before| match before {
        Before::Send(request, _) if request.to_string().contains("label a") => {
            Then::Fail(SendFault::Refused(SendErrorKind::Busy))
        }
        _ => Then::Go,
    });
    let began = Instant::now();
    let execution = world.execute(&plan).await;
    let [first, second] = outcomes(&execution)[..] else {
        panic!("{execution:?}")
    };
    assert!(
        matches!(
            first,
            RequestOutcome::Failed {
                because: FailureReason::Answer(SendErrorKind::Busy),
                is_certain: true,
                ..
            }
        ),
        "{first:?}"
    );
    assert!(
        matches!(
            second,
            RequestOutcome::Done {
                reply: Reply::Patched { .. }
            }
        ),
        "{second:?}"
    );
    assert!(
        began.elapsed() <= std::time::Duration::from_secs(5),
        "{:?}",
        began.elapsed()
    );
}

#[tokio::test(start_paused = true)]
async fn a_plan_of_an_alert_that_has_become_too_old_sends_nothing_more() {
    let world = three("Continue");
    let plan = world.plan(&solo()).await;
    world.cluster.script([Then::After(std::time::Duration::from_secs(301))]);
    tokio::time::sleep(std::time::Duration::from_secs(301)).await;
    let execution = world.execute(&plan).await;
    assert_eq!(execution.response.outcome, ResponseOutcome::Expired);
    assert!(world.cluster.mutations().is_empty());
    assert!(execution.is_refundable);
}
