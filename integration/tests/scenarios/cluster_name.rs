//! The cluster's name: alerts of another cluster are refused, and all output carries the name of this one.

use integration::responder::{
    Responder, alert,
    playbooks::{guard, playbook},
};
use serde_json::{Value, json};

use crate::demo;

const RECORDED: &str = include_str!("../../../responder/core/testdata/alerts/falcosidekick-2.9.3-http.jsonl");

/// The bodies that falcosidekick sent to its webhook, byte for byte. Each contains `cluster: prod-eu-1`.
fn recorded() -> Vec<String> {
    let line = |line: &str| {
        serde_json::from_str::<Value>(line).unwrap()["body"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    RECORDED.lines().map(line).collect()
}

/// A responder for this cluster that decides every alert in Observe and notifies `oncall`.
async fn responder(cluster: &str) -> Responder {
    let identity = format!("mode: Observe\n  cluster: {{name: {cluster}, field: cluster}}");
    let every = "mode: Observe\n  match: {minPriority: Debug}\n  notify: [{to: [oncall], on: [Acted, Refused]}]";
    let options = demo::options(playbook("every", every, &["delete: {}"]) + &guard(&identity));
    Responder::start(&options).await.unwrap()
}

async fn post_recorded(responder: &Responder) -> u64 {
    let mut accepted = 0;
    for body in recorded() {
        let answer = responder.post_body(body.into_bytes()).await.unwrap();
        accepted += u64::from(answer.outcome() == "accepted");
    }
    accepted
}

#[tokio::test]
async fn alerts_of_another_cluster_are_refused_by_name() {
    let mut responder = responder("prod-us-1").await;
    let accepted = post_recorded(&responder).await;
    assert!(accepted > 0);
    let accounts = responder.wait_until_at_rest(accepted).await.unwrap();
    assert_eq!(accounts.refused, [("ForeignCluster".to_owned(), accepted)].into());
    let refused = &responder.trail()[0];
    let detail = refused.value()["decision"]["outcome"]["refuse"]["detail"]
        .as_str()
        .unwrap();
    assert!(detail.contains("prod-eu-1") && detail.contains("prod-us-1"), "{detail}");
}

#[tokio::test]
async fn alerts_of_the_own_cluster_pass_the_check() {
    let mut responder = responder("prod-eu-1").await;
    let accepted = post_recorded(&responder).await;
    let accounts = responder.wait_until_at_rest(accepted).await.unwrap();
    assert!(!accounts.refused.contains_key("ForeignCluster"), "{accounts:?}");
    // The recorded alerts are years old, and some name no target.
    assert!(accounts.refused.contains_key("Stale"), "{accounts:?}");
}

#[tokio::test]
async fn every_line_record_metric_and_message_carries_the_clusters_name() {
    let mut responder = responder("prod-eu-1").await;
    let mut shell = alert::file_read_on("worker-1");
    shell["output_fields"]["cluster"] = json!("prod-eu-1");
    assert_eq!(responder.post(&shell).await.unwrap().outcome(), "accepted");
    let mut accepted = 1 + post_recorded(&responder).await;
    // Provokes a log line of another crate and another task.
    assert_eq!(responder.post_body(b"no alert".to_vec()).await.unwrap().status, 400);
    responder.wait_until_at_rest(accepted).await.unwrap();

    let log = responder.log();
    let lines: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    for line in &lines {
        assert_eq!(line["cluster"], "prod-eu-1", "{line}");
        accepted -= u64::from(line["target"] == "audit");
    }
    assert_eq!(accepted, 0, "an audit line for each decision");
    let messages: Vec<_> = lines.iter().filter_map(|line| line["message"].as_str()).collect();
    assert!(
        messages
            .iter()
            .any(|message| message.starts_with("tell oncall: prod-eu-1: ")),
        "{messages:#?}"
    );
    for record in responder.trail() {
        assert_eq!(record.value()["cluster"], "prod-eu-1");
    }
    let metrics = responder.metrics().await.unwrap();
    assert!(!metrics.samples().is_empty());
    for sample in metrics.samples() {
        assert_eq!(
            sample.labels.get("cluster").map(String::as_str),
            Some("prod-eu-1"),
            "{sample:?}"
        );
    }
}
