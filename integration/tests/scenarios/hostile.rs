//! Promises 7 and 8: an attacker who causes Falco alerts controls their texts, and a flood controls their number.

use integration::responder::{
    alert,
    playbooks::{on_shell, playbook},
};
use kube::ResourceExt as _;
use rstest::rstest;
use serde_json::{Value, json};

use crate::{
    gate::AdmissionGate,
    scenario::{Scenario, expect_refusals, expect_responses, in_words, post, post_shells},
};

#[rstest]
#[case::path("k8s.pod.name", json!("../../../../kube-system/pods/web"))]
#[case::query("k8s.pod.name", json!("web?dryRun=All"))]
#[case::encoded("k8s.pod.name", json!("web%2f..%2fother"))]
#[case::namespace("k8s.ns.name", json!("kube-system/../hostile"))]
#[case::capitals("k8s.ns.name", json!("Kube-System"))]
#[case::lines("k8s.pod.name", json!("web\nother"))]
#[case::list("k8s.pod.name", json!(["web"]))]
#[case::container("container.id", json!("*"))]
#[tokio::test]
async fn an_invalid_name_reaches_no_path(#[case] field: &str, #[case] text: Value) {
    let case = std::thread::current()
        .name()
        .and_then(|name| name.rsplit_once("case_"))
        .unwrap()
        .1
        .replace('_', "-");
    let scenario = Scenario::new(&format!("no-name-{case}")).await;
    let web = scenario.running("web").await;
    let mut responder = scenario.responder(&on_shell("Enforce", &["delete: {}"])).await;

    let mut alert = alert::shell_in(&web).unwrap();
    alert["output_fields"][field] = text;
    post(&responder, &[alert]).await;

    expect_refusals(&mut responder, 1, &[("NoTarget", 1)]).await;
    assert!(
        scenario.requests().iter().all(|event| event.resource != "pods"),
        "{:#?}",
        scenario.requests()
    );
}

#[tokio::test]
async fn alert_text_becomes_a_label_or_an_annotation_and_nothing_else() {
    let scenario = Scenario::new("texts").await;
    let web = scenario.running("web").await;
    let steps = [
        "label: {labels: {process: {field: proc.name}}}",
        "annotate: {annotations: {command: {field: proc.cmdline}}}",
    ];
    let mut responder = scenario.responder(&on_shell("Enforce", &steps)).await;
    let before = responder.get("/metrics").await.unwrap().body.lines().count();

    let command = "sh -c '\"}}, \"spec\": {\"nodeName\": \"x\"}' \u{1b}[2J\n$(reboot) {{ .Env }} 'ä'";
    let mut alert = alert::shell_in(&web).unwrap();
    alert["output_fields"]["proc.name"] = json!("x\": null, \"app\": \"evil\n=,!(a in b)");
    alert["output_fields"]["proc.cmdline"] = json!(command);
    alert["output"] = json!("} responder_alerts_received_total 7\n# HELP");
    post(&responder, &[alert]).await;

    expect_responses(&mut responder, 1, &[("Done", 1)]).await;
    let live = scenario.still_there(&web).await;
    assert_eq!(live.labels()["app"], "web");
    let process = &live.labels()["process"];
    assert!(
        process.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c)),
        "{process}"
    );
    assert_eq!(live.annotations()["command"], command.replace(['\u{1b}', '\n'], " "));
    assert_eq!(live.spec.unwrap().node_name, web.spec.unwrap().node_name);
    // Each log line is one record for any text of the alert, and no metric label contains alert text.
    let log = responder.log();
    assert!(
        log.lines().all(|line| serde_json::from_str::<Value>(line).is_ok()),
        "{log}"
    );
    assert!(!log.contains('\u{1b}'));
    let metrics = responder.get("/metrics").await.unwrap().body;
    assert!(!metrics.contains("evil") && !metrics.contains("reboot"));
    // `responder_requests_total` and the verifications have new series; the alert's texts have none.
    assert!(metrics.lines().count() <= before + 4, "{metrics}");
}

/// Ordinary alerts never get more than six of the eight slots.
#[tokio::test]
async fn a_critical_alert_is_answered_while_a_flood_of_others_is_stuck() {
    let scenario = Scenario::new("flood").await;
    let flooded = scenario.running_many("flooded", 30).await;
    let urgent = scenario.running("urgent").await;
    let gate = AdmissionGate::after(&scenario, 0).await;
    gate.let_pass("urgent");
    let mut responder = scenario.responder(&on_shell("Enforce", &["delete: {}"])).await;

    let ordinary: Vec<Value> = flooded
        .iter()
        .map(|pod| {
            let mut alert = alert::shell_in(pod).unwrap();
            alert["priority"] = json!("Notice");
            alert
        })
        .collect();
    post(&responder, &ordinary).await;
    gate.wait_for(6).await;
    post_shells(&responder, std::slice::from_ref(&urgent)).await;
    integration::fixtures::wait_gone(&scenario.client, &urgent)
        .await
        .unwrap();
    assert_eq!(scenario.mutations().len(), 1, "the flood is still stuck");
    // The critical alert had free slots: no request of the flood had to time out first.
    let others = responder
        .metrics()
        .await
        .unwrap()
        .total("responder_requests_total", &[("result", "no answer in time")]);
    assert!(others < 1.0, "{others} requests have timed out");

    gate.open();

    expect_responses(&mut responder, 31, &[("Done", 31)]).await;
}

#[tokio::test]
async fn a_responder_without_the_right_asks_once_and_says_so() {
    let scenario = Scenario::new("forbidden").await;
    let web = scenario.running("web").await;
    let mut options = scenario.options(&on_shell("Observe", &["delete: {}"])).await;
    options.playbooks = on_shell("Enforce", &["delete: {}"]);
    let mut responder = crate::scenario::start(&options).await;

    post_shells(&responder, std::slice::from_ref(&web)).await;

    expect_responses(&mut responder, 1, &[("Failed", 1)]).await;
    assert!(
        responder.log().contains("cannot delete resource"),
        "{}",
        responder.log()
    );
    let writes = scenario.writes();
    assert_eq!(writes.iter().map(in_words).collect::<Vec<_>>(), ["delete pods"]);
    assert_eq!(writes[0].code, 403);
    scenario.still_there(&web).await;
}

/// If the cluster can't be read, the responder does not guess.
#[tokio::test]
async fn a_responder_that_may_not_read_refuses() {
    let scenario = Scenario::new("blind").await;
    let web = scenario.running("web").await;
    let mut options = scenario.options(&on_shell("Observe", &["delete: {}"])).await;
    let kubeconfig = scenario
        .control_plane
        .kubeconfig_for("responder-without-rights", &[])
        .unwrap();
    options.kubeconfig = Some(kubeconfig);
    options.playbooks = on_shell("Enforce", &["delete: {}"])
        + &playbook(
            "second",
            "mode: Enforce\n  match: {tags: {any: [shell]}}",
            &["label: {labels: {a: b}}"],
        );
    let mut responder = integration::responder::Responder::start(&options).await.unwrap();

    post_shells(&responder, std::slice::from_ref(&web)).await;

    expect_refusals(&mut responder, 2, &[("Unreadable", 2)]).await;
    scenario.still_there(&web).await;
}
