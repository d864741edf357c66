//! Evictions that a PodDisruptionBudget blocks: they end within the step's timeout and never affect another pod of the
//! name.

use integration::{
    fixtures::{create, pod_disruption_budget},
    responder::playbooks::on_shell,
};
use k8s_openapi::api::{core::v1::Pod, policy::v1::PodDisruptionBudget};
use kube::{Api, ResourceExt as _};

use crate::scenario::{Scenario, eventually, expect_responses, in_words, post_shells};

async fn blocked(name: &str) -> (Scenario<'static>, Pod) {
    let scenario = Scenario::new(name).await;
    let pod = scenario.running("web-0").await;
    scenario.block_evictions("keep", "web-0").await;
    (scenario, pod)
}

/// Waits until a budget has blocked an eviction.
async fn until_blocked(scenario: &Scenario<'_>) {
    eventually("the eviction is blocked", async || {
        scenario.writes().iter().any(|event| event.code == 429).then_some(())
    })
    .await;
}

/// With kube's own retry, the failure took more than 240 s.
#[tokio::test]
async fn an_eviction_that_a_budget_blocks_fails_within_its_steps_time_and_says_so() {
    let (scenario, pod) = blocked("pdb-blocked").await;
    let mut responder = scenario
        .responder(&on_shell("Enforce", &["{evict: {}, timeout: 5s}"]))
        .await;

    post_shells(&responder, std::slice::from_ref(&pod)).await;

    expect_responses(&mut responder, 1, &[("Failed", 1)]).await;
    let settled = responder
        .wait_for("settled", 1, |record| record.event() == "settled")
        .await
        .unwrap();
    let text = settled[0].value()["response"].to_string();
    assert!(
        text.contains("disruption budget") || text.contains("BlockedByBudget") || text.contains("PodDisruptionBudget"),
        "{text}"
    );
    scenario.still_there(&pod).await;
    let writes = scenario.writes();
    assert!(!writes.is_empty());
    assert!(
        writes
            .iter()
            .all(|event| in_words(event) == "create pods/eviction" && event.code == 429),
        "{writes:#?}"
    );
}

/// The API server checks the budget first and does not report the uid, so the responder must read the pod.
#[tokio::test]
async fn an_eviction_that_was_blocked_ends_when_its_pod_is_replaced() {
    let (scenario, first) = blocked("pdb-replaced").await;
    let mut responder = scenario
        .responder(&on_shell("Enforce", &["{evict: {}, timeout: 50s}"]))
        .await;

    post_shells(&responder, std::slice::from_ref(&first)).await;
    until_blocked(&scenario).await;
    let second = scenario.replace(&first).await;

    expect_responses(&mut responder, 1, &[("TargetReplaced", 1)]).await;
    assert_eq!(scenario.still_there(&second).await.uid(), second.uid());
    assert_eq!(scenario.mutations(), []);
}

#[tokio::test]
async fn an_eviction_that_was_blocked_is_done_when_the_budget_allows_it() {
    let (scenario, pod) = blocked("pdb-freed").await;
    let mut responder = scenario
        .responder(&on_shell("Enforce", &["{evict: {}, timeout: 50s}"]))
        .await;

    post_shells(&responder, std::slice::from_ref(&pod)).await;
    until_blocked(&scenario).await;
    let budgets: Api<PodDisruptionBudget> = Api::namespaced(scenario.client.clone(), &scenario.name);
    budgets
        .delete("keep", &kube::api::DeleteParams::default())
        .await
        .unwrap();

    expect_responses(&mut responder, 1, &[("Done", 1)]).await;
    assert!(scenario.get(&pod).await.is_none());
    assert_eq!(scenario.mutations().len(), 1);
}

/// The eviction can never succeed, so waiting is pointless.
#[tokio::test]
async fn an_eviction_under_two_budgets_is_given_up_at_once() {
    let (scenario, pod) = blocked("pdb-two").await;
    create(
        &scenario.client,
        &pod_disruption_budget(&scenario.name, "keep-too", &[("app", "web-0")], 1),
    )
    .await
    .unwrap();
    let mut responder = scenario
        .responder(&on_shell("Enforce", &["{evict: {}, timeout: 50s}"]))
        .await;

    post_shells(&responder, std::slice::from_ref(&pod)).await;

    expect_responses(&mut responder, 1, &[("Failed", 1)]).await;
    let writes = scenario.writes();
    assert_eq!(writes.len(), 1, "{writes:#?}");
    scenario.still_there(&pod).await;
}
