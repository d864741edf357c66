//! Each expectation with each verdict that it can have.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use responder_core::object::Locator;
use responder_core::port::ReadErrorKind;
use rstest::rstest;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::*;
use crate::execute::Execution;
use crate::testing::{Before, TestWorld, Then, alert, enforced, playbook, pod_at};

/// A world in which a plan of this one step was carried out, with the expectations of it.
async fn done(spec: &str) -> (TestWorld, Vec<OpenExpectation>) {
    let world = TestWorld::new(&playbook("p", spec));
    let plan = world.plan(&alert("p", json!({}))).await;
    let Execution { response, .. } = world.execute(&plan).await;
    let checks = open_expectations(&plan, &response.steps);
    assert_eq!(checks.len(), 1);
    (world, checks)
}

fn step(step: &str) -> String {
    format!("mode: Enforce\nsteps: [{step}]")
}

async fn verdict(world: &TestWorld, checks: &[OpenExpectation]) -> Finding {
    verify(&world.cluster, &checks[0], VerifyLimits::default(), &Semaphore::new(2)).await
}

fn unreadable(world: &TestWorld) {
    world.cluster.before(|cluster, before| {
        if let Before::Read(..) = before {
            cluster.fail_reads([ReadErrorKind::Unavailable]);
        }
        Then::Go
    });
}

fn pod(world: &TestWorld) -> Value {
    world.object("Pod/web/solo-1").unwrap()
}

// --- gone ------------------------------------------------------------------------------------------

const DELETE: &str = "{delete: {gracePeriodSeconds: 20}}";

#[tokio::test(start_paused = true)]
async fn of_a_pod_that_went_at_once_only_its_node_is_asked() {
    let (world, checks) = done(&step("{delete: {gracePeriodSeconds: 0}}")).await;
    let reads = world.cluster.reads();
    assert_eq!(verdict(&world, &checks).await.verdict, Effectiveness::Effective);
    assert_eq!(world.cluster.reads(), reads + 1);
}

/// A pod can vanish from the API server while its containers run on: the node has the last word.
#[rstest]
#[case::that_does_not_answer(Some("Unknown"))]
#[case::that_is_gone(None)]
#[tokio::test(start_paused = true)]
async fn a_pod_that_is_gone_from_a_node_is_inconclusive(
    #[case] ready: Option<&str>,
    #[values("{delete: {gracePeriodSeconds: 0}}", DELETE)] how: &str,
) {
    let (world, checks) = done(&step(how)).await;
    // The node of the plan; the pod may be gone already.
    let Expectation::Gone { node: Some(node), .. } = &checks[0].expectation else {
        panic!("{checks:?}");
    };
    match ready {
        Some(status) => {
            let mut live = world.object(&format!("Node/{node}")).unwrap();
            live["status"]["conditions"] = json!([{"type": "Ready", "status": status}]);
            world.apply(&live.to_string());
        }
        None => assert!(world.cluster.inner.remove(&Locator::node(node.clone()))),
    }
    let finding = verdict(&world, &checks).await;
    assert_eq!(finding.verdict, Effectiveness::Inconclusive, "{finding:?}");
    assert!(finding.detail.contains("may still run"), "{finding:?}");
}

#[rstest]
#[case(DELETE)]
#[case("{evict: {gracePeriodSeconds: 20}}")]
#[tokio::test(start_paused = true)]
async fn a_pod_that_ends_in_its_time_is_waited_for(#[case] how: &str) {
    let (world, checks) = done(&step(how)).await;
    let began = Instant::now();
    assert_eq!(verdict(&world, &checks).await.verdict, Effectiveness::Effective);
    assert!(began.elapsed() >= Duration::from_secs(20) && began.elapsed() < Duration::from_secs(31));
}

#[tokio::test(start_paused = true)]
async fn another_pod_of_the_name_counts_as_gone() {
    let (world, checks) = done(&step(DELETE)).await;
    let at = pod_at("solo-1");
    world.cluster.inner.replace(at.namespace().unwrap(), at.name()).unwrap();
    assert_eq!(verdict(&world, &checks).await.verdict, Effectiveness::Effective);
}

#[rstest]
#[case::that_run(json!({"running": {"startedAt": "2026-11-24T01:00:00Z"}}), Effectiveness::Ineffective)]
#[case::that_have_ended(json!({"terminated": {"exitCode": 137}}), Effectiveness::Effective)]
#[tokio::test(start_paused = true)]
async fn a_pod_that_is_still_ending_after_its_time_counts_by_its_containers(
    #[case] state: Value,
    #[case] expected: Effectiveness,
) {
    let (world, checks) = done(&step(DELETE)).await;
    let mut held = pod(&world);
    held["metadata"]["finalizers"] = json!(["example.org/hold"]);
    held["status"]["containerStatuses"][0]["state"] = state;
    world.apply(&held.to_string());
    let began = Instant::now();
    let finding = verdict(&world, &checks).await;
    assert_eq!(finding.verdict, expected, "{finding:?}");
    let time = Duration::from_secs(20) + VerifyLimits::default().slack;
    assert!(began.elapsed() >= time && began.elapsed() < time + Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn a_pod_that_is_there_and_does_not_end_shows_that_it_did_not_work() {
    let (world, checks) = done(&step(DELETE)).await;
    let mut again = pod(&world);
    for field in ["deletionTimestamp", "deletionGracePeriodSeconds"] {
        again["metadata"].as_object_mut().unwrap().remove(field);
    }
    let again = again.to_string();
    // After each deletion the object is there again, with the same uid.
    world.cluster.before(move |cluster, _| {
        cluster.apply(&again).unwrap();
        Then::Go
    });
    let finding = verdict(&world, &checks).await;
    assert_eq!(finding.verdict, Effectiveness::Ineffective, "{finding:?}");
}

#[tokio::test(start_paused = true)]
async fn a_pod_that_can_not_be_read_to_the_end_is_inconclusive() {
    let (world, checks) = done(&step(DELETE)).await;
    unreadable(&world);
    assert_eq!(verdict(&world, &checks).await.verdict, Effectiveness::Inconclusive);
}

#[tokio::test(start_paused = true)]
async fn a_read_that_fails_in_between_is_read_again() {
    let (world, checks) = done(&step(DELETE)).await;
    world.cluster.inner.fail_reads(vec![ReadErrorKind::Timeout; 3]);
    assert_eq!(verdict(&world, &checks).await.verdict, Effectiveness::Effective);
}

// --- patched ---------------------------------------------------------------------------------------

const LABELS: &str = "{label: {labels: {suspect: \"yes\", team: null}}}";

#[tokio::test(start_paused = true)]
async fn labels_that_are_as_patched_have_worked() {
    let (world, checks) = done(&step(LABELS)).await;
    assert_eq!(verdict(&world, &checks).await.verdict, Effectiveness::Effective);
}

#[rstest]
#[case::another_value("suspect", json!("no"))]
#[case::taken_away("suspect", Value::Null)]
#[case::back_again("team", json!("shop"))]
#[tokio::test(start_paused = true)]
async fn labels_that_are_not_as_patched_are_named(#[case] key: &str, #[case] value: Value) {
    let (world, checks) = done(&step(LABELS)).await;
    let mut edited = pod(&world);
    let labels = edited["metadata"]["labels"].as_object_mut().unwrap();
    match value {
        Value::Null => drop(labels.remove(key)),
        value => drop(labels.insert(key.to_owned(), value)),
    }
    world.apply(&edited.to_string());
    let finding = verdict(&world, &checks).await;
    assert_eq!(finding.verdict, Effectiveness::Ineffective);
    assert!(finding.detail.contains(&format!("label {key}")), "{}", finding.detail);
}

#[tokio::test(start_paused = true)]
async fn the_effect_on_an_object_that_is_gone_since_is_inconclusive() {
    let (world, checks) = done(&step(LABELS)).await;
    let at = pod_at("solo-1");
    world.cluster.inner.replace(at.namespace().unwrap(), at.name()).unwrap();
    assert_eq!(verdict(&world, &checks).await.verdict, Effectiveness::Inconclusive);
    world.cluster.inner.remove(&at);
    assert_eq!(verdict(&world, &checks).await.verdict, Effectiveness::Inconclusive);
}

#[tokio::test(start_paused = true)]
async fn what_can_not_be_read_is_inconclusive() {
    for how in [LABELS, "{quarantine: {}}"] {
        let (world, checks) = done(&step(how)).await;
        unreadable(&world);
        assert_eq!(
            verdict(&world, &checks).await.verdict,
            Effectiveness::Inconclusive,
            "{how}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_cordon_holds_until_another_writer_removes_it() {
    let (world, checks) = done("mode: Enforce\ntarget: Node\nsteps: [{cordon: {}}]").await;
    assert_eq!(verdict(&world, &checks).await.verdict, Effectiveness::Effective);
    let mut node = world.object("Node/worker-1").unwrap();
    node["spec"] = json!({});
    world.apply(&node.to_string());
    let finding = verdict(&world, &checks).await;
    assert_eq!(finding.verdict, Effectiveness::Ineffective);
    assert!(finding.detail.contains("spec.unschedulable"), "{}", finding.detail);
}

#[tokio::test(start_paused = true)]
async fn a_taint_is_effective_until_another_writer_removes_it() {
    let (world, checks) = done("mode: Enforce\ntarget: Node\nsteps: [{taint: {}}]").await;
    let mut node = world.object("Node/worker-1").unwrap();
    let foreign = json!({"key": "example.org/gpu", "effect": "NoSchedule"});
    node["spec"]["taints"]
        .as_array_mut()
        .unwrap()
        .insert(0, foreign.clone());
    world.apply(&node.to_string());
    assert_eq!(verdict(&world, &checks).await.verdict, Effectiveness::Effective);
    node["spec"]["taints"] = json!([foreign]);
    world.apply(&node.to_string());
    let finding = verdict(&world, &checks).await;
    assert_eq!(finding.verdict, Effectiveness::Ineffective);
    assert!(
        finding.detail.contains("taint responder.dev/incident:NoSchedule"),
        "{}",
        finding.detail
    );
}

#[tokio::test(start_paused = true)]
async fn a_controller_is_looked_at_too() {
    let spec = "mode: Enforce\ntarget: Owner\nsteps: [{annotate: {annotations: {seen: \"yes\"}}}]";
    let world = TestWorld::new(&playbook("p", spec));
    let plan = world.plan(&crate::testing::shell("p", "web-1", 1, 0)).await;
    let execution = world.execute(&plan).await;
    let checks = open_expectations(&plan, &execution.response.steps);
    assert_eq!(verdict(&world, &checks).await.verdict, Effectiveness::Effective);
}

// --- isolated --------------------------------------------------------------------------------------

async fn quarantined() -> (TestWorld, Vec<OpenExpectation>) {
    done(&step("{quarantine: {}}")).await
}

fn policy(world: &TestWorld) -> Value {
    let name = world.quarantines().remove(0);
    world.object(&name).unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_pod_that_nothing_reaches_is_isolated() {
    let (world, checks) = quarantined().await;
    let finding = verdict(&world, &checks).await;
    assert_eq!(finding.verdict, Effectiveness::Effective, "{finding:?}");
}

#[tokio::test(start_paused = true)]
async fn a_policy_that_is_gone_isolates_nothing() {
    let (world, checks) = quarantined().await;
    let at = Locator::namespaced(
        responder_core::object::Kind::NetworkPolicy,
        pod_at("x").namespace().unwrap().clone(),
        responder_core::object::Name::new(policy(&world)["metadata"]["name"].as_str().unwrap()).unwrap(),
    );
    world.cluster.inner.remove(&at.unwrap());
    let finding = verdict(&world, &checks).await;
    assert_eq!(finding.verdict, Effectiveness::Ineffective);
    assert!(finding.detail.contains("is not there"), "{}", finding.detail);
}

#[tokio::test(start_paused = true)]
async fn a_policy_that_isolates_one_direction_only_is_no_quarantine() {
    let (world, checks) = quarantined().await;
    let mut edited = policy(&world);
    edited["spec"]["policyTypes"] = json!(["Ingress"]);
    world.apply(&edited.to_string());
    let finding = verdict(&world, &checks).await;
    assert_eq!(finding.verdict, Effectiveness::Ineffective);
    assert!(finding.detail.contains("both ways"), "{}", finding.detail);
}

#[tokio::test(start_paused = true)]
async fn a_pod_without_the_label_is_not_selected() {
    let (world, checks) = quarantined().await;
    let mut edited = pod(&world);
    edited["metadata"]["labels"] = json!({"app": "solo"});
    world.apply(&edited.to_string());
    let finding = verdict(&world, &checks).await;
    assert_eq!(finding.verdict, Effectiveness::Ineffective);
    assert!(finding.detail.contains("does not select"), "{}", finding.detail);
}

#[tokio::test(start_paused = true)]
async fn a_policy_of_others_that_lets_more_through_than_predicted_is_named() {
    let (world, checks) = quarantined().await;
    world.apply(
        "{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: open, namespace: web}, \
         spec: {podSelector: {matchLabels: {app: solo}}, policyTypes: [Egress], egress: [{}]}}",
    );
    let finding = verdict(&world, &checks).await;
    assert_eq!(finding.verdict, Effectiveness::Ineffective);
    assert!(finding.detail.contains("open"), "{}", finding.detail);
}

#[tokio::test(start_paused = true)]
async fn a_policy_that_a_lagging_list_does_not_have_yet_is_there() {
    let world = TestWorld::new(&enforced("p", "[{quarantine: {}}]"));
    let plan = world.plan(&alert("p", json!({}))).await;
    world.cluster.inner.freeze_lists();
    let execution = world.execute(&plan).await;
    let finding = verdict(&world, &open_expectations(&plan, &execution.response.steps)).await;
    assert_eq!(finding.verdict, Effectiveness::Effective, "{finding:?}");
}

#[tokio::test(start_paused = true)]
async fn a_leak_that_a_lagging_list_shows_for_a_moment_gets_a_second_look() {
    let (world, checks) = quarantined().await;
    let open = "{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: open, namespace: web}, \
                spec: {podSelector: {}, policyTypes: [Egress], egress: [{}]}}";
    world.apply(open);
    world.cluster.inner.freeze_lists();
    let at = Locator::namespaced(
        responder_core::object::Kind::NetworkPolicy,
        pod_at("x").namespace().unwrap().clone(),
        responder_core::object::Name::new("open").unwrap(),
    );
    world.cluster.inner.remove(&at.unwrap());
    let thaw = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        world.cluster.inner.thaw_lists();
    };
    let (finding, ()) = tokio::join!(verdict(&world, &checks), thaw);
    assert_eq!(finding.verdict, Effectiveness::Effective, "{finding:?}");
}

#[tokio::test(start_paused = true)]
async fn what_was_predicted_to_leak_is_no_failure() {
    let world = TestWorld::new(&enforced("p", "[{quarantine: {}}]"));
    world.apply(
        "{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: dns, namespace: web}, \
         spec: {podSelector: {}, policyTypes: [Egress], egress: [{ports: [{port: 53, protocol: UDP}]}]}}",
    );
    let plan = world.plan(&alert("p", json!({}))).await;
    let execution = world.execute(&plan).await;
    let finding = verdict(&world, &open_expectations(&plan, &execution.response.steps)).await;
    assert_eq!(finding.verdict, Effectiveness::Effective);
    assert!(finding.detail.contains("dns"), "{}", finding.detail);
}

#[tokio::test(start_paused = true)]
async fn without_a_known_network_isolation_is_inconclusive() {
    let (world, checks) = quarantined().await;
    let at = Locator::namespaced(
        responder_core::object::Kind::DaemonSet,
        responder_core::object::Namespace::new("kube-system").unwrap(),
        responder_core::object::Name::new("kube-router").unwrap(),
    );
    world.cluster.inner.remove(&at.unwrap());
    assert_eq!(verdict(&world, &checks).await.verdict, Effectiveness::Inconclusive);
}

#[tokio::test(start_paused = true)]
async fn a_quarantined_pod_that_is_gone_is_isolated() {
    let (world, checks) = quarantined().await;
    world.cluster.inner.remove(&pod_at("solo-1"));
    assert_eq!(verdict(&world, &checks).await.verdict, Effectiveness::Effective);
}

/// A quarantine that denies, beside a policy that allows everything.
async fn denied() -> (TestWorld, Plan, Vec<OpenExpectation>) {
    let world = TestWorld::new(&enforced("p", "[{quarantine: {through: Auto}}]")).with_cilium();
    world.apply(
        "{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: open, namespace: web}, \
         spec: {podSelector: {}, policyTypes: [Ingress, Egress], ingress: [{}], egress: [{}]}}",
    );
    let plan = world.plan(&alert("p", json!({}))).await;
    world.cluster.inner.freeze_lists();
    let execution = world.execute(&plan).await;
    let checks = open_expectations(&plan, &execution.response.steps);
    (world, plan, checks)
}

fn denial_of(plan: &Plan) -> Locator {
    plan.requests().nth(1).unwrap().request.at()
}

#[tokio::test(start_paused = true)]
async fn a_denial_that_a_lagging_list_does_not_have_yet_isolates() {
    let (world, _, checks) = denied().await;
    let finding = verdict(&world, &checks).await;
    assert_eq!(finding.verdict, Effectiveness::Effective, "{finding:?}");
    assert_eq!(finding.detail, "Isolated");
}

#[tokio::test(start_paused = true)]
async fn a_denial_that_is_gone_denies_nothing() {
    let (world, plan, checks) = denied().await;
    world.cluster.inner.thaw_lists();
    world.cluster.inner.remove(&denial_of(&plan));
    let finding = verdict(&world, &checks).await;
    assert_eq!(finding.verdict, Effectiveness::Ineffective);
    assert!(
        finding.detail.starts_with("ciliumnetworkpolicy.cilium.io/web/") && finding.detail.ends_with(" is not there"),
        "{finding:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_denial_that_was_changed_lets_through_what_it_does_not_deny() {
    let (world, plan, checks) = denied().await;
    world.cluster.inner.thaw_lists();
    let at = denial_of(&plan);
    let key = format!("CiliumNetworkPolicy.cilium.io/web/{}", at.name());
    let mut changed = world.object(&key).unwrap();
    changed["spec"].as_object_mut().unwrap().remove("egressDeny");
    world.apply(&changed.to_string());
    let finding = verdict(&world, &checks).await;
    assert_eq!(finding.verdict, Effectiveness::Ineffective);
    assert!(
        finding.detail.contains("leaks more than predicted: egress") && !finding.detail.contains("ingress"),
        "{finding:?}"
    );
}

// --- as a whole --------------------------------------------------------------------------------------

#[tokio::test(start_paused = true)]
async fn only_steps_that_were_carried_out_are_looked_at() {
    let steps = "[{label: {labels: {a: \"1\"}}, onFailure: Continue}, {annotate: {annotations: {b: \"2\"}}}]";
    let world = TestWorld::new(&enforced("p", steps));
    let plan = world.plan(&alert("p", json!({}))).await;
    let refused = responder_cluster::simulated::SendFault::Refused(responder_core::port::SendErrorKind::Rejected);
    world.cluster.script([Then::Fail(refused)]);
    let execution = world.execute(&plan).await;
    let checks = open_expectations(&plan, &execution.response.steps);
    let [
        OpenExpectation {
            expectation: Expectation::Patched { .. },
            patches,
            ..
        },
    ] = &checks[..]
    else {
        panic!("{checks:?}")
    };
    assert_eq!(
        patches.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["[annotation b=2]"]
    );
}

#[test]
fn the_worst_finding_is_the_verdict_of_the_whole() {
    let finding = |verdict| Finding::new(verdict, verdict.as_str());
    let (good, unknown, bad) = (
        finding(Effectiveness::Effective),
        finding(Effectiveness::Inconclusive),
        finding(Effectiveness::Ineffective),
    );
    let verdict =
        |findings: &[&Finding]| Verification::of(findings.iter().map(|&finding| finding.clone()).collect()).verdict;
    assert_eq!(verdict(&[]), Effectiveness::Effective);
    assert_eq!(verdict(&[&good, &unknown, &good]), Effectiveness::Inconclusive);
    assert_eq!(verdict(&[&unknown, &bad, &good]), Effectiveness::Ineffective);
    let whole = Verification::of(vec![good, bad]);
    assert_eq!(whole.to_string(), "ineffective: effective; ineffective");
}

#[tokio::test(start_paused = true)]
async fn no_more_read_at_a_time_than_may() {
    let (world, checks) = done(&step(LABELS)).await;
    let (reading, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let readers = Semaphore::new(2);
    let looks = (0..10).map(|_| async {
        let look = async {
            let now = reading.fetch_add(1, Ordering::Relaxed) + 1;
            most.fetch_max(now, Ordering::Relaxed);
            tokio::time::sleep(Duration::from_millis(10)).await;
            reading.fetch_sub(1, Ordering::Relaxed);
        };
        self::reading(&readers, look).await;
    });
    futures_util::future::join_all(looks).await;
    assert_eq!(most.load(Ordering::Relaxed), 2);
    assert_eq!(verdict(&world, &checks).await.verdict, Effectiveness::Effective);
}
