//! Whoever can make Falco write an alert chooses its texts, and whoever floods chooses its number. Promises 7 and 8.

use integration::responder::alert;
use kube::ResourceExt as _;
use rstest::rstest;
use serde_json::{Value, json};

use crate::{
    gate::Gate,
    stage::{Stage, in_words, on_shell, playbook, post, post_shells},
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
async fn a_text_that_is_no_name_reaches_no_path(#[case] field: &str, #[case] text: Value) {
    let case = std::thread::current()
        .name()
        .and_then(|name| name.rsplit_once("case_"))
        .unwrap()
        .1
        .replace('_', "-");
    let stage = Stage::new(&format!("no-name-{case}")).await;
    let web = stage.running("web").await;
    let mut responder = stage.responder(&on_shell("Enforce", &["delete: {}"])).await;

    let mut alert = alert::shell_in(&web).unwrap();
    alert["output_fields"][field] = text;
    post(&responder, &[alert]).await;
    let accounts = responder.wait_until_at_rest(1).await.unwrap();

    assert_eq!(
        accounts.refused,
        [("NoTarget".to_owned(), 1)].into(),
        "{:#?}",
        responder.trail()
    );
    assert!(
        stage.asked().iter().all(|event| event.resource != "pods"),
        "{:#?}",
        stage.asked()
    );
}

#[tokio::test]
async fn text_of_an_alert_becomes_a_label_a_string_and_nothing_else() {
    let stage = Stage::new("texts").await;
    let web = stage.running("web").await;
    let steps = [
        "label: {labels: {process: {field: proc.name}}}",
        "annotate: {annotations: {command: {field: proc.cmdline}}}",
    ];
    let mut responder = stage.responder(&on_shell("Enforce", &steps)).await;
    let before = responder.get("/metrics").await.unwrap().body.lines().count();

    let command = "sh -c '\"}}, \"spec\": {\"nodeName\": \"x\"}' \u{1b}[2J\n$(reboot) {{ .Env }} 'ä'";
    let mut alert = alert::shell_in(&web).unwrap();
    alert["output_fields"]["proc.name"] = json!("x\": null, \"app\": \"evil\n=,!(a in b)");
    alert["output_fields"]["proc.cmdline"] = json!(command);
    alert["output"] = json!("} responder_alerts_received_total 7\n# HELP");
    post(&responder, &[alert]).await;
    let accounts = responder.wait_until_at_rest(1).await.unwrap();

    assert_eq!(
        accounts.responses,
        [("Done".to_owned(), 1)].into(),
        "{:#?}",
        responder.trail()
    );
    let live = stage.still_there(&web).await;
    assert_eq!(live.labels()["app"], "web");
    let process = &live.labels()["process"];
    assert!(
        process.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c)),
        "{process}"
    );
    assert_eq!(live.annotations()["command"], command.replace(['\u{1b}', '\n'], " "));
    assert_eq!(live.spec.unwrap().node_name, web.spec.unwrap().node_name);
    // A line of the log is a record, whatever the text says; and no metric has a label of the alert's.
    let log = responder.log();
    assert!(
        log.lines().all(|line| serde_json::from_str::<Value>(line).is_ok()),
        "{log}"
    );
    assert!(!log.contains('\u{1b}'));
    let metrics = responder.get("/metrics").await.unwrap().body;
    assert!(!metrics.contains("evil") && !metrics.contains("reboot"));
    // `responder_requests_total` and the verifications have got their first lines, and nothing has one for itself.
    assert!(metrics.lines().count() <= before + 4, "{metrics}");
}

/// Six of eight slots are all that ordinary alerts ever get.
#[tokio::test]
async fn a_critical_alert_is_answered_while_a_flood_of_others_is_stuck() {
    let stage = Stage::new("flood").await;
    let flooded = stage.running_many("flooded", 30).await;
    let urgent = stage.running("urgent").await;
    let gate = Gate::after(&stage, 0).await;
    gate.let_pass("urgent");
    let mut responder = stage.responder(&on_shell("Enforce", &["delete: {}"])).await;

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
    integration::fixtures::wait_gone(&stage.client, &urgent).await.unwrap();
    assert_eq!(stage.mutations().len(), 1, "the flood is still stuck");
    // Its own slots were free: none of the flood's requests had to run out of time for it.
    let others = responder
        .metrics()
        .await
        .unwrap()
        .total("responder_requests_total", &[("result", "no answer in time")]);
    assert!(others < 1.0, "{others} requests have timed out");

    gate.open();
    let accounts = responder.wait_until_at_rest(31).await.unwrap();
    assert_eq!(accounts.responses, [("Done".to_owned(), 31)].into());
}

#[tokio::test]
async fn a_responder_without_the_right_asks_once_and_says_so() {
    let stage = Stage::new("forbidden").await;
    let web = stage.running("web").await;
    let mut options = stage.options(&on_shell("Observe", &["delete: {}"])).await;
    options.playbooks = on_shell("Enforce", &["delete: {}"]);
    let mut responder = crate::stage::start(&options).await;

    post_shells(&responder, std::slice::from_ref(&web)).await;
    let accounts = responder.wait_until_at_rest(1).await.unwrap();

    assert_eq!(accounts.responses, [("Failed".to_owned(), 1)].into());
    assert!(
        responder.log().contains("cannot delete resource"),
        "{}",
        responder.log()
    );
    let writes = stage.writes();
    assert_eq!(writes.iter().map(in_words).collect::<Vec<_>>(), ["delete pods"]);
    assert_eq!(writes[0].code, 403);
    stage.still_there(&web).await;
}

/// The cluster can't be read: nothing is guessed.
#[tokio::test]
async fn a_responder_that_may_not_read_refuses() {
    let stage = Stage::new("blind").await;
    let web = stage.running("web").await;
    let mut options = stage.options(&on_shell("Observe", &["delete: {}"])).await;
    let kubeconfig = stage
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
    let accounts = responder.wait_until_at_rest(2).await.unwrap();

    assert_eq!(
        accounts.refused,
        [("Unreadable".to_owned(), 2)].into(),
        "{:#?}",
        responder.trail()
    );
    stage.still_there(&web).await;
}
