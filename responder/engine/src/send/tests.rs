//! One request against a cluster that answers badly, and the looks in between. The bounds of time and tries are in `bounds`.

mod bounds;

use responder_cluster::simulated::SendFault;
use responder_core::alert::Alert;
use responder_core::plan::Plan;
use responder_core::port::ReadErrorKind;
use rstest::rstest;
use serde_json::json;

use super::*;
use crate::testing::{Before, TestWorld, Then, alert, enforced, playbook, pod_at};

const HOUR: Duration = Duration::from_hours(1);

fn solo() -> Alert {
    alert("p", json!({}))
}

fn refused(kind: SendErrorKind) -> Then {
    Then::Fail(SendFault::Refused(kind))
}

/// A world and the plan of this one step in it.
async fn planned(step: &str) -> (TestWorld, Plan) {
    let world = TestWorld::new(&enforced("p", &format!("[{step}]")));
    let plan = world.plan(&solo()).await;
    (world, plan)
}

const LABEL: &str = "{label: {labels: {a: \"1\"}}}";
const DELETE: &str = "{delete: {gracePeriodSeconds: 0}}";
const EVICT: &str = "{evict: {gracePeriodSeconds: 0}}";

fn options(world: &TestWorld, length: Duration) -> SendOptions {
    let valid = world.clock.now().checked_add(HOUR).unwrap();
    SendOptions {
        deadline: Instant::now() + length,
        valid_until: Some(valid),
        undoes: false,
    }
}

fn assert_failed(report: &RequestReport, kind: SendErrorKind, certain: bool) {
    let RequestOutcome::Failed {
        because, is_certain, ..
    } = &report.outcome
    else {
        panic!("{:?}", report.outcome)
    };
    assert_eq!((*because, *is_certain), (FailureReason::Answer(kind), certain));
}

/// Sends the only request of a plan.
async fn send(world: &TestWorld, plan: &Plan) -> RequestReport {
    let request = &plan.requests().next().unwrap().request;
    let options = options(world, Duration::from_secs(30));
    world.sender().send(request, &plan.permit(), options).await
}

/// Another pod takes the name before this send.
fn replaced_before(world: &TestWorld, place: usize, mut then: impl FnMut(usize) -> Then + Send + 'static) {
    world.cluster.before(move |cluster, before| match before {
        Before::Send(_, sent) => {
            if sent == place {
                let at = pod_at("solo-1");
                cluster.replace(at.namespace().unwrap(), at.name()).unwrap();
            }
            then(sent)
        }
        Before::Read(..) => Then::Go,
    });
}

// --- gone and replaced ---------------------------------------------------------------------------

#[rstest]
#[tokio::test(start_paused = true)]
async fn a_target_that_is_gone_is_reported_as_gone(#[values(LABEL, DELETE, EVICT)] step: &str) {
    let (world, plan) = planned(step).await;
    world.cluster.inner.remove(&pod_at("solo-1"));
    let before = world.objects();
    let report = send(&world, &plan).await;
    assert_eq!(report.outcome, RequestOutcome::TargetGone { is_certain: true });
    assert_eq!(report.tries, 1);
    assert_eq!(world.changes_since(&before), [""; 0], "nothing is created");
}

/// 422 of a patch, 409 of a delete, and of an eviction 429 by a budget, which the server looks at before the uid.
#[rstest]
#[case::patch(LABEL, None)]
#[case::delete(DELETE, None)]
#[case::evict(EVICT, None)]
#[case::blocked(EVICT, Some(1))]
#[case::blocked_by_several(EVICT, Some(2))]
#[tokio::test(start_paused = true)]
async fn a_replaced_target_is_never_touched(#[case] step: &str, #[case] budgets: Option<u32>) {
    let (world, plan) = planned(step).await;
    for budget in 0..budgets.unwrap_or_default() {
        let manifest = format!(
            "{{apiVersion: policy/v1, kind: PodDisruptionBudget, metadata: {{name: all-{budget}, namespace: web}}, \
             spec: {{minAvailable: 100, selector: {{matchLabels: {{app: solo}}}}}}}}"
        );
        world.cluster.inner.apply(&manifest).unwrap();
    }
    let at = pod_at("solo-1");
    let new = world.cluster.inner.replace(at.namespace().unwrap(), at.name()).unwrap();
    let before = world.objects();
    let report = send(&world, &plan).await;
    let expected = RequestOutcome::TargetReplaced {
        found: new,
        is_certain: true,
    };
    assert_eq!((report.outcome, report.tries), (expected, 1));
    assert_eq!(world.changes_since(&before), [""; 0]);
}

#[rstest]
#[case::patch(LABEL)]
#[case::delete(DELETE)]
#[case::evict(EVICT)]
#[tokio::test(start_paused = true)]
async fn a_target_that_is_replaced_between_two_tries_is_never_touched(#[case] step: &str) {
    let (world, plan) = planned(step).await;
    replaced_before(&world, 1, |sent| match sent {
        0 => refused(SendErrorKind::Busy),
        _ => Then::Go,
    });
    let report = send(&world, &plan).await;
    assert!(
        matches!(report.outcome, RequestOutcome::TargetReplaced { is_certain: true, .. }),
        "{:?}",
        report.outcome
    );
    let pod = world.pod("solo-1").unwrap();
    assert_eq!(pod["metadata"]["labels"], json!({"app": "solo", "team": "shop"}));
    assert!(pod["metadata"].get("deletionTimestamp").is_none());
}

// --- 409, 422, 429 -------------------------------------------------------------------------------

#[tokio::test(start_paused = true)]
async fn a_conflict_on_a_target_that_is_still_the_same_is_tried_again() {
    let (world, plan) = planned(LABEL).await;
    world
        .cluster
        .script([refused(SendErrorKind::Conflict), refused(SendErrorKind::Conflict)]);
    let report = send(&world, &plan).await;
    assert!(matches!(
        report.outcome,
        RequestOutcome::Done {
            reply: Reply::Patched { .. }
        }
    ));
    assert_eq!((report.tries, world.cluster.reads()), (3, 2));
}

/// A world with a node that has another taint, and the plan to taint it.
async fn tainting() -> (TestWorld, Plan) {
    let world = TestWorld::new(&playbook("p", "mode: Enforce\ntarget: Node\nsteps: [{taint: {}}]"));
    add_taint(&world.cluster.inner, "first");
    let plan = world.plan(&solo()).await;
    (world, plan)
}

/// Another writer adds a taint to the node.
fn add_taint(cluster: &responder_cluster::SimulatedCluster, key: &str) {
    let mut node = cluster.objects().remove("Node/worker-1").unwrap();
    let mut taints = node["spec"]["taints"].as_array().cloned().unwrap_or_default();
    taints.push(json!({"key": key, "effect": "NoSchedule"}));
    node["spec"]["taints"] = taints.into();
    cluster
        .apply(&node.to_string())
        .unwrap_or_else(|error| panic!("{error}"));
}

fn taint_keys(world: &TestWorld) -> Vec<String> {
    let node = world.object("Node/worker-1").unwrap();
    let taints = node["spec"]["taints"].as_array().cloned().unwrap_or_default();
    let keys = taints
        .iter()
        .map(|taint| taint["key"].as_str().unwrap_or_default().to_owned());
    keys.collect()
}

/// After a conflict the node is read again and the list is computed again.
#[tokio::test(start_paused = true)]
async fn a_taint_that_another_writer_adds_before_ours_stays() {
    let (world, plan) = tainting().await;
    world.cluster.before(|cluster, before| {
        if let Before::Send(_, place @ 0..2) = before {
            add_taint(cluster, ["second", "third"][place]);
        }
        Then::Go
    });
    let report = send(&world, &plan).await;
    assert!(report.outcome.is_success(), "{:?}", report.outcome);
    assert_eq!((report.tries, world.cluster.reads()), (3, 2));
    assert_eq!(
        taint_keys(&world),
        ["first", "second", "third", "responder.dev/incident"]
    );
}

#[tokio::test(start_paused = true)]
async fn a_taint_whose_answer_was_lost_is_not_added_twice() {
    let (world, plan) = tainting().await;
    world.cluster.script([Then::Fail(SendFault::AnswerLost)]);
    let report = send(&world, &plan).await;
    assert!(report.outcome.is_success(), "{:?}", report.outcome);
    assert_eq!(taint_keys(&world), ["first", "responder.dev/incident"]);
}

#[tokio::test(start_paused = true)]
async fn a_taint_of_another_writer_with_our_key_is_not_overwritten() {
    let (world, plan) = tainting().await;
    world.cluster.before(|cluster, before| {
        if let Before::Send(_, 0) = before {
            add_taint(cluster, "responder.dev/incident");
        }
        Then::Go
    });
    let report = send(&world, &plan).await;
    let RequestOutcome::Failed {
        because: FailureReason::Answer(SendErrorKind::Conflict),
        detail,
        is_certain: true,
    } = &report.outcome
    else {
        panic!("{:?}", report.outcome)
    };
    assert!(detail.contains("not overwritten"), "{detail}");
    assert_eq!(taint_keys(&world), ["first", "responder.dev/incident"]);
}

#[tokio::test(start_paused = true)]
async fn a_node_that_keeps_changing_is_given_up_and_loses_no_taint() {
    let (world, plan) = tainting().await;
    world.cluster.before(|cluster, before| {
        if let Before::Send(_, place) = before {
            add_taint(cluster, &format!("more-{place}"));
        }
        Then::Go
    });
    let began = Instant::now();
    let report = send(&world, &plan).await;
    assert!(
        matches!(
            report.outcome,
            RequestOutcome::Failed {
                because: FailureReason::Answer(SendErrorKind::Conflict),
                is_certain: true,
                ..
            }
        ),
        "{:?}",
        report.outcome
    );
    assert!(report.tries <= MOST_TRIES && began.elapsed() <= Duration::from_secs(30));
    assert_eq!(taint_keys(&world).len(), 1 + report.tries as usize);
}

#[tokio::test(start_paused = true)]
async fn a_node_that_is_replaced_before_its_taint_stays_unchanged() {
    let (world, plan) = tainting().await;
    world.cluster.before(|cluster, before| {
        if let Before::Send(_, 0) = before {
            let node = "{apiVersion: v1, kind: Node, metadata: {name: worker-1, uid: another}, spec: {}}";
            cluster.remove(&responder_core::object::Locator::node(
                responder_core::object::Name::new("worker-1").unwrap(),
            ));
            cluster.apply(node).unwrap();
        }
        Then::Go
    });
    let report = send(&world, &plan).await;
    assert!(
        matches!(report.outcome, RequestOutcome::TargetReplaced { is_certain: true, .. }),
        "{:?}",
        report.outcome
    );
    assert_eq!(taint_keys(&world), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn an_invalid_patch_on_a_target_that_is_still_the_same_is_not_tried_again() {
    let (world, plan) = planned(LABEL).await;
    world.cluster.script([refused(SendErrorKind::Invalid)]);
    let report = send(&world, &plan).await;
    assert_failed(&report, SendErrorKind::Invalid, true);
    assert_eq!((report.tries, world.cluster.reads()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn an_eviction_waits_for_its_budget_and_looks_each_time() {
    let (world, plan) = planned(EVICT).await;
    world.cluster.script(vec![refused(SendErrorKind::BlockedByBudget); 3]);
    let began = Instant::now();
    let report = send(&world, &plan).await;
    assert_eq!(
        report.outcome,
        RequestOutcome::Done {
            reply: Reply::Terminating
        }
    );
    assert_eq!((report.tries, world.cluster.reads()), (4, 3));
    assert!(began.elapsed() >= Duration::from_secs(9));
}

#[tokio::test(start_paused = true)]
async fn an_eviction_that_stays_blocked_says_so_at_the_end_of_its_time() {
    let (world, plan) = planned(EVICT).await;
    world.cluster.script(vec![refused(SendErrorKind::BlockedByBudget); 99]);
    let began = Instant::now();
    let report = send(&world, &plan).await;
    assert_failed(&report, SendErrorKind::BlockedByBudget, true);
    assert!(began.elapsed() <= Duration::from_secs(30));
    assert!(world.pod("solo-1").is_some());
}

#[tokio::test(start_paused = true)]
async fn where_the_look_fails_the_answer_counts_as_it_was() {
    let (world, plan) = planned(DELETE).await;
    world.cluster.script([refused(SendErrorKind::UidMismatch)]);
    world.cluster.inner.fail_reads([ReadErrorKind::Unavailable]);
    let report = send(&world, &plan).await;
    assert!(
        matches!(
            report.outcome,
            RequestOutcome::Failed {
                because: FailureReason::Answer(SendErrorKind::UidMismatch),
                ..
            }
        ),
        "{:?}",
        report.outcome
    );
    assert!(world.pod("solo-1").is_some());
}

// --- answers that never came -----------------------------------------------------------------------

#[rstest]
#[case::delete(DELETE)]
#[case::evict(EVICT)]
#[tokio::test(start_paused = true)]
async fn a_deletion_whose_answer_was_lost_is_counted_as_ours(#[case] step: &str) {
    let (world, plan) = planned(step).await;
    world.cluster.script([Then::Fail(SendFault::AnswerLost)]);
    let report = send(&world, &plan).await;
    assert_eq!(report.outcome, RequestOutcome::Done { reply: Reply::Gone });
    assert_eq!(report.tries, 2);
}

#[tokio::test(start_paused = true)]
async fn a_deletion_whose_answer_was_lost_and_whose_name_is_taken_again_is_ours_and_the_new_pod_stays() {
    let (world, plan) = planned(DELETE).await;
    let number = crate::testing::uid_of(77);
    world.cluster.before(move |cluster, before| match before {
        Before::Send(_, 0) => Then::Fail(SendFault::AnswerLost),
        Before::Send(_, 1) => {
            let pod = format!(
                "{{apiVersion: v1, kind: Pod, metadata: {{name: solo-1, namespace: web, uid: {number}}}, spec: {{containers: []}}}}"
            );
            cluster.apply(&pod).unwrap();
            Then::Go
        }
        _ => Then::Go,
    });
    let report = send(&world, &plan).await;
    assert_eq!(report.outcome, RequestOutcome::Done { reply: Reply::Gone });
    assert_eq!(
        world.pod("solo-1").unwrap()["metadata"]["uid"],
        crate::testing::uid_of(77)
    );
}

#[tokio::test(start_paused = true)]
async fn a_deletion_without_an_answer_is_not_ours_before_it_is_certain_to_have_been_sent() {
    let (world, plan) = planned(DELETE).await;
    world.cluster.before(|cluster, before| match before {
        // Nothing went out, and meanwhile another client deletes it.
        Before::Send(_, 0) => Then::Fail(SendFault::Refused(SendErrorKind::Unreachable)),
        Before::Send(_, 1) => {
            cluster.remove(&pod_at("solo-1"));
            Then::Go
        }
        _ => Then::Go,
    });
    let report = send(&world, &plan).await;
    assert_eq!(report.outcome, RequestOutcome::TargetGone { is_certain: true });
}

#[tokio::test(start_paused = true)]
async fn a_cluster_that_does_not_answer_is_asked_until_the_time_is_over() {
    let (world, plan) = planned(DELETE).await;
    let hold = world.cluster.inner.hold();
    let began = Instant::now();
    let report = send(&world, &plan).await;
    assert_failed(&report, SendErrorKind::Timeout, false);
    // Each try has ten seconds of the thirty.
    assert_eq!(report.tries, 3);
    assert!(began.elapsed() <= Duration::from_secs(30) + ADAPTER_GRACE);
    drop(hold);
    assert!(world.pod("solo-1").is_some());
}

#[tokio::test(start_paused = true)]
async fn an_adapter_that_never_comes_back_is_given_up() {
    let (world, plan) = planned(DELETE).await;
    world.cluster.script([Then::Never]);
    let began = Instant::now();
    let report = send(&world, &plan).await;
    assert_eq!(
        (report.outcome, report.tries),
        (RequestOutcome::Done { reply: Reply::Gone }, 2)
    );
    assert!(began.elapsed() >= DEFAULT_DEADLINE);
}

#[tokio::test(start_paused = true)]
async fn a_deletion_that_was_slow_to_be_answered_and_is_under_way_counts_as_done() {
    let (world, plan) = planned("{delete: {gracePeriodSeconds: 20}}").await;
    world
        .cluster
        .script([Then::Fail(SendFault::AnswerLost), refused(SendErrorKind::Conflict)]);
    let report = send(&world, &plan).await;
    assert_eq!(
        report.outcome,
        RequestOutcome::Done {
            reply: Reply::Terminating
        }
    );
}

#[tokio::test(start_paused = true)]
async fn a_policy_whose_creation_was_not_answered_is_recognised_as_our_own() {
    let (world, plan) = planned("{quarantine: {ttl: 1h}}").await;
    world.cluster.script([Then::Fail(SendFault::AnswerLost)]);
    let report = send(&world, &plan).await;
    assert!(
        matches!(
            report.outcome,
            RequestOutcome::Done {
                reply: Reply::Created(_)
            }
        ),
        "{:?}",
        report.outcome
    );
    assert_eq!((report.tries, world.quarantines().len()), (2, 1));
}

#[rstest]
#[case::of_somebody_else("metadata", json!({"labels": null, "annotations": null}))]
#[case::for_another_pod("metadata", json!({"annotations": {"responder.dev/pod-uid": "other"}}))]
#[case::with_a_later_end("metadata", json!({"annotations": {"responder.dev/expires-at": "2027-01-01T00:00:00Z"}}))]
#[case::without_an_end("metadata", json!({"annotations": {"responder.dev/expires-at": null}}))]
#[case::with_a_hole("spec", json!({"egress": [{}]}))]
#[case::for_all_pods("spec", json!({"podSelector": {}}))]
#[tokio::test(start_paused = true)]
async fn a_policy_that_has_the_name_and_is_not_what_we_meant_is_left_alone(
    #[case] part: &'static str,
    #[case] change: serde_json::Value,
) {
    let (world, plan) = planned("{quarantine: {ttl: 1h}}").await;
    let policy = serde_json::to_value(&plan.requests().next().unwrap().request).unwrap();
    let mut policy = policy["object"]["manifest"].clone();
    for (key, value) in change.as_object().unwrap() {
        match value.as_object().filter(|map| !map.is_empty()) {
            Some(entries) if part == "metadata" => {
                for (entry, value) in entries {
                    policy[part][key][entry] = value.clone();
                    if value.is_null() {
                        policy[part][key].as_object_mut().unwrap().remove(entry);
                    }
                }
            }
            _ => policy[part][key] = value.clone(),
        }
    }
    world.cluster.inner.apply(&policy.to_string()).unwrap();
    let before = world.objects();
    let report = send(&world, &plan).await;
    assert_failed(&report, SendErrorKind::AlreadyExists, true);
    assert_eq!(world.changes_since(&before), [""; 0]);
}
