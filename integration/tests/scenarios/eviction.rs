//! Evictions that a PodDisruptionBudget blocks: answered within the step's time, and never again by name.

use integration::fixtures::{create, pod_disruption_budget};
use k8s_openapi::api::{core::v1::Pod, policy::v1::PodDisruptionBudget};
use kube::{Api, ResourceExt as _};

use crate::stage::{Stage, eventually, in_words, on_shell, post_shells};

/// A budget that blocks every eviction of `app=web-0`.
async fn block(stage: &Stage<'_>) {
    create(
        &stage.client,
        &pod_disruption_budget(&stage.name, "keep", &[("app", "web-0")], 1),
    )
    .await
    .unwrap();
    let budgets: Api<PodDisruptionBudget> = Api::namespaced(stage.client.clone(), &stage.name);
    eventually("the disruption controller sees the budget", async || {
        let status = budgets.get("keep").await.unwrap().status.unwrap_or_default();
        (status.observed_generation.is_some() && status.current_healthy > 0).then_some(())
    })
    .await;
}

async fn blocked(name: &str) -> (Stage<'static>, Pod) {
    let stage = Stage::new(name).await;
    let pod = stage.running("web-0").await;
    block(&stage).await;
    (stage, pod)
}

/// With kube's own retry this took more than 240 s.
#[tokio::test]
async fn an_eviction_that_a_budget_blocks_fails_within_its_steps_time_and_says_so() {
    let (stage, pod) = blocked("pdb-blocked").await;
    let mut responder = stage
        .responder(&on_shell("Enforce", &["{evict: {}, timeout: 5s}"]))
        .await;

    post_shells(&responder, std::slice::from_ref(&pod)).await;
    let accounts = responder.wait_until_at_rest(1).await.unwrap();

    assert_eq!(
        accounts.responses,
        [("Failed".to_owned(), 1)].into(),
        "{:#?}",
        responder.trail()
    );
    let settled = responder
        .wait_for("settled", 1, |record| record.event() == "settled")
        .await
        .unwrap();
    let text = settled[0].value()["response"].to_string();
    assert!(
        text.contains("disruption budget") || text.contains("BlockedByBudget") || text.contains("PodDisruptionBudget"),
        "{text}"
    );
    stage.still_there(&pod).await;
    let writes = stage.writes();
    assert!(!writes.is_empty());
    assert!(
        writes
            .iter()
            .all(|event| in_words(event) == "create pods/eviction" && event.code == 429),
        "{writes:#?}"
    );
}

/// The API server looks at the budget first and never at the uid: only a look at the pod tells.
#[tokio::test]
async fn an_eviction_that_was_blocked_ends_when_its_pod_is_replaced() {
    let (stage, first) = blocked("pdb-replaced").await;
    let mut responder = stage
        .responder(&on_shell("Enforce", &["{evict: {}, timeout: 50s}"]))
        .await;

    post_shells(&responder, std::slice::from_ref(&first)).await;
    eventually("the eviction is blocked", async || {
        stage.writes().iter().any(|event| event.code == 429).then_some(())
    })
    .await;
    let second = stage.replace(&first).await;
    let accounts = responder.wait_until_at_rest(1).await.unwrap();

    assert_eq!(
        accounts.responses,
        [("TargetReplaced".to_owned(), 1)].into(),
        "{:#?}",
        responder.trail()
    );
    assert_eq!(stage.still_there(&second).await.uid(), second.uid());
    assert_eq!(stage.mutations(), []);
}

#[tokio::test]
async fn an_eviction_that_was_blocked_is_done_when_the_budget_allows_it() {
    let (stage, pod) = blocked("pdb-freed").await;
    let mut responder = stage
        .responder(&on_shell("Enforce", &["{evict: {}, timeout: 50s}"]))
        .await;

    post_shells(&responder, std::slice::from_ref(&pod)).await;
    eventually("the eviction is blocked", async || {
        stage.writes().iter().any(|event| event.code == 429).then_some(())
    })
    .await;
    let budgets: Api<PodDisruptionBudget> = Api::namespaced(stage.client.clone(), &stage.name);
    budgets
        .delete("keep", &kube::api::DeleteParams::default())
        .await
        .unwrap();
    let accounts = responder.wait_until_at_rest(1).await.unwrap();

    assert_eq!(
        accounts.responses,
        [("Done".to_owned(), 1)].into(),
        "{:#?}",
        responder.trail()
    );
    assert!(stage.get(&pod).await.is_none());
    assert_eq!(stage.mutations().len(), 1);
}

/// It will never work: there is nothing to wait for.
#[tokio::test]
async fn an_eviction_under_two_budgets_is_given_up_at_once() {
    let (stage, pod) = blocked("pdb-two").await;
    create(
        &stage.client,
        &pod_disruption_budget(&stage.name, "keep-too", &[("app", "web-0")], 1),
    )
    .await
    .unwrap();
    let mut responder = stage
        .responder(&on_shell("Enforce", &["{evict: {}, timeout: 50s}"]))
        .await;

    post_shells(&responder, std::slice::from_ref(&pod)).await;
    let accounts = responder.wait_until_at_rest(1).await.unwrap();

    assert_eq!(
        accounts.responses,
        [("Failed".to_owned(), 1)].into(),
        "{:#?}",
        responder.trail()
    );
    let writes = stage.writes();
    assert_eq!(writes.len(), 1, "{writes:#?}");
    stage.still_there(&pod).await;
}
