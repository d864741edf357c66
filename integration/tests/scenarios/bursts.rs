//! Many alerts at once: each is answered, no action is repeated, and no budget is exceeded. Also the loss by a kill in
//! the middle of a burst.

use std::collections::{BTreeMap, BTreeSet};

use integration::responder::{
    alert,
    playbooks::{guard, on_shell},
};
use k8s_openapi::api::core::v1::Pod;
use kube::api::ListParams;
use serde_json::json;

use crate::{
    gate::AdmissionGate,
    scenario::{Scenario, eventually, post, post_shells, start, uid},
};

/// How often the responder deleted each uid.
fn deletions(scenario: &Scenario<'_>) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for event in scenario.mutations().iter().filter(|event| event.verb == "delete") {
        *counts.entry(event.uid_precondition().unwrap().to_owned()).or_default() += 1;
    }
    counts
}

fn each_once(pods: &[Pod]) -> BTreeMap<String, usize> {
    pods.iter().map(|pod| (uid(pod), 1)).collect()
}

#[tokio::test]
async fn a_hundred_pods_at_once_are_deleted_with_one_request_each() {
    let scenario = Scenario::new("hundred").await;
    let pods = scenario.running_many("web", 100).await;
    let bystander = scenario.running("bystander").await;
    let mut responder = scenario.responder(&on_shell("Enforce", &["delete: {}"])).await;

    post_shells(&responder, &pods).await;
    let accounts = responder.wait_until_at_rest(100).await.unwrap();

    assert!(accounts.is_balanced(), "{accounts:?}");
    assert_eq!(accounts.responses, [("Done".to_owned(), 100)].into());
    assert_eq!(deletions(&scenario), each_once(&pods));
    assert_eq!(scenario.writes().len(), 100, "no request twice, with any answer");
    scenario.still_there(&bystander).await;
}

/// Talon drops an alert with the text of a recent one, and would miss 19 of these pods.
#[tokio::test]
async fn twenty_pods_with_one_text_are_twenty_alerts() {
    let scenario = Scenario::new("same-text").await;
    let pods = scenario.running_many("web", 20).await;
    let mut responder = scenario.responder(&on_shell("Enforce", &["delete: {}"])).await;

    let mut first = alert::shell_in(&pods[0]).unwrap();
    for pod in &pods {
        alert::name_pod(&mut first, pod, &integration::fixtures::container_id(pod).unwrap());
        assert_eq!(responder.post(&first).await.unwrap().status, 202);
    }
    responder.wait_until_at_rest(20).await.unwrap();

    assert_eq!(deletions(&scenario), each_once(&pods));
}

#[tokio::test]
async fn of_two_alerts_that_race_for_one_slot_of_a_budget_one_acts() {
    let scenario = Scenario::new("race").await;
    let pods = scenario.running_many("web", 2).await;
    let playbooks = on_shell("Enforce", &["delete: {}"])
        + &guard(
            "mode: Enforce\n  budgets: [{scope: Cluster, class: Destroy, max: 1, per: 10m, perNamespace: unlimited}]",
        );
    let mut responder = scenario.responder(&playbooks).await;

    post_shells(&responder, &pods).await;
    let accounts = responder.wait_until_at_rest(2).await.unwrap();

    assert_eq!(accounts.planned, [("Enforce".to_owned(), 1)].into());
    assert_eq!(accounts.refused, [("BudgetExhausted".to_owned(), 1)].into());
    assert_eq!(scenario.writes().len(), 1);
    assert_eq!(deletions(&scenario).values().sum::<usize>(), 1);
}

/// Many alerts and two scopes, so that the result does not depend on one lucky interleaving.
#[tokio::test]
async fn a_burst_stays_within_every_budget() {
    let scenario = Scenario::new("budgets").await;
    let pods = scenario.running_many("web", 40).await;
    let playbooks = on_shell("Enforce", &["delete: {}"])
        + &guard(
            "mode: Enforce\n  budgets: [{scope: Cluster, class: Destroy, max: 9, per: 10m, perNamespace: unlimited}, {scope: Namespace, class: Annotate, max: 7, per: 10m}]",
        );
    let mut responder = scenario.responder(&playbooks).await;

    post_shells(&responder, &pods).await;
    let accounts = responder.wait_until_at_rest(40).await.unwrap();

    assert_eq!(accounts.planned, [("Enforce".to_owned(), 7)].into());
    assert_eq!(deletions(&scenario).len(), 7);
    assert_eq!(scenario.writes().len(), 7);
}

#[tokio::test]
async fn a_kill_in_mid_burst_loses_waiting_alerts_and_repeats_no_action() {
    const BEFORE: usize = 20;
    let scenario = Scenario::new("killed").await;
    let pods = scenario.running_many("web", 60).await;
    let bystanders = scenario.running_many("bystander", 5).await;
    let gate = AdmissionGate::after(&scenario, BEFORE).await;
    let options = scenario.options(&on_shell("Enforce", &["delete: {}"])).await;

    let first = start(&options).await;
    let alerts: Vec<_> = pods.iter().map(|pod| alert::shell_in(pod).unwrap()).collect();
    post(&first, &alerts).await;
    // Some are done, some have a request in flight, the others wait.
    eventually("the first are done", async || {
        (deletions(&scenario).len() == BEFORE).then_some(())
    })
    .await;
    gate.wait_for(1).await;
    first.kill().unwrap();
    gate.open();

    let mut second = start(&options).await;
    second.wait_until_at_rest(0).await.unwrap();
    let done = gone_at_rest(&scenario, &pods).await;
    let lost = pods.len() - done;
    eprintln!(
        "killed in mid-burst: {} alerts were accepted, {done} acted on, {lost} lost",
        pods.len()
    );
    assert!(lost > 0 && done >= BEFORE, "{done} done, {lost} lost");

    // The sender does not know which alerts were lost, so it sends all of them again.
    post(&second, &alerts).await;
    let accounts = second.wait_until_at_rest(alerts.len() as u64).await.unwrap();
    assert!(accounts.is_balanced(), "{accounts:?}");
    assert_eq!(accounts.responses, [("Done".to_owned(), lost as u64)].into());
    assert_eq!(accounts.refused, [("TargetGone".to_owned(), done as u64)].into());
    let live = scenario.pods().list(&ListParams::default()).await.unwrap();
    assert_eq!(live.items.len(), bystanders.len(), "each pod that was named is gone");
    let deleted = deletions(&scenario);
    assert!(deleted.values().all(|&times| times == 1), "{deleted:?}");
    for bystander in &bystanders {
        assert!(scenario.get(bystander).await.is_some());
    }
}

/// The number of these pods that are gone, once the API server has finished the requests of the killed process.
async fn gone_at_rest(scenario: &Scenario<'_>, pods: &[Pod]) -> usize {
    let named: BTreeSet<String> = pods.iter().map(uid).collect();
    let mut before = 0;
    eventually("the held requests are finished", async || {
        tokio::time::sleep(std::time::Duration::from_millis(500)).await;
        let live = scenario.pods().list(&ListParams::default()).await.unwrap();
        let gone = named.len() - live.iter().filter(|pod| named.contains(&uid(pod))).count();
        let is_at_rest = gone == before;
        before = gone;
        is_at_rest.then_some(gone)
    })
    .await
}

/// A second delivery is the same alert, however it arrives.
#[tokio::test]
async fn an_alert_that_comes_by_several_ways_is_answered_once() {
    let scenario = Scenario::new("twice").await;
    let pod = scenario.running("web").await;
    let mut responder = scenario
        .responder(&on_shell("Enforce", &["label: {labels: {incident: open}}"]))
        .await;
    let alert = alert::shell_in(&pod).unwrap();

    let outcomes = [
        responder.post(&alert).await.unwrap().outcome(),
        responder.post(&alert).await.unwrap().outcome(),
        responder
            .post_body(alert::by_falcosidekick(&alert, "2435103e-c7ec-4118-b737-5f9979c00310"))
            .await
            .unwrap()
            .outcome(),
    ];
    assert_eq!(outcomes, ["accepted", "duplicate", "duplicate"]);
    responder.wait_until_at_rest(1).await.unwrap();
    assert_eq!(scenario.mutations().len(), 1);

    let mut other = alert;
    other["output_fields"]["container.id"] = json!("000000000000");
    assert_eq!(responder.post(&other).await.unwrap().outcome(), "accepted");
}

#[tokio::test]
async fn a_responder_that_is_told_to_stop_finishes_what_it_has_accepted() {
    let scenario = Scenario::new("stopped").await;
    let pods = scenario.running_many("web", 20).await;
    let responder = scenario.responder(&on_shell("Enforce", &["delete: {}"])).await;

    post_shells(&responder, &pods).await;
    let status = responder.stop().await.unwrap();

    assert!(status.success(), "{status}");
    assert_eq!(deletions(&scenario), each_once(&pods));
}
