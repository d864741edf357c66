//! Traces, log lines and metrics, read by independent programs: the OpenTelemetry collector's receiver and Prometheus'
//! parser.

use std::collections::{BTreeMap, BTreeSet};

use integration::{
    pki::Authority,
    responder::{
        HttpReply, Responder, ResponderOptions, alert,
        playbooks::{guard, on_shell},
    },
    telemetry::{ReceivedSpan, TraceReceiver, open_metrics},
};
use rstest::rstest;
use serde_json::Value;

use crate::{
    demo,
    scenario::{eventually, start},
};

/// All attributes that a span may have. The README of the program's telemetry explains them.
const ATTRIBUTES: [&str; 13] = [
    "responder.alert.id",
    "responder.dry_run",
    "responder.incident",
    "responder.mode",
    "responder.object",
    "responder.outcome",
    "responder.playbook",
    "responder.playbook.hash",
    "responder.reason",
    "responder.rule",
    "responder.target",
    "responder.try",
    "responder.verb",
];

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const SENDER: &str = "b7ad6b7169203331";

/// Options of a responder on the demo's cluster that sends its traces to this receiver.
fn simulated(playbooks: String, receiver: &TraceReceiver) -> ResponderOptions {
    ResponderOptions {
        mode: Some("Enforce"),
        arguments: vec!["--otlp-endpoint".to_owned(), receiver.url()],
        environment: [("POD_NAME", "responder-0"), ("POD_NAMESPACE", "responder")]
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .into(),
        ..demo::options(playbooks)
    }
}

async fn trace_with(
    receiver: &TraceReceiver,
    root: &str,
    is_meant: impl Fn(&ReceivedSpan) -> bool,
) -> Vec<ReceivedSpan> {
    eventually("the collector has the trace", async || {
        let spans = receiver.spans();
        let root = spans.iter().find(|span| span.name == root && is_meant(span))?;
        let trace = root.trace.clone();
        Some(spans.into_iter().filter(|span| span.trace == trace).collect())
    })
    .await
}

#[tokio::test]
async fn an_alert_is_one_trace_from_its_sender_to_its_verification() {
    let receiver = TraceReceiver::start().await.unwrap();
    let playbooks =
        on_shell("Enforce", &["label: {labels: {incident: open}}"]) + &guard("mode: Enforce\n  cluster: {name: blue}");
    let mut responder = start(&simulated(playbooks, &receiver)).await;

    // An alert without a matching playbook has no trace.
    let ignored = alert::file_read_on("worker-1");
    assert_eq!(responder.post(&ignored).await.unwrap().outcome(), "unmatched");
    let answer = post_from(&responder, &format!("00-{TRACE}-{SENDER}-01")).await;
    responder
        .wait_for("the verification", 1, |record| {
            record.event() == "verified" && record.alert() == answer.alert()
        })
        .await
        .unwrap();
    let spans = trace_with(&receiver, "alert", |_| true).await;
    assert_eq!(receiver.spans(), spans, "there is another trace");
    assert!(spans.iter().all(|span| span.trace == TRACE));

    let by_name: BTreeMap<&str, &ReceivedSpan> = spans.iter().map(|span| (span.name.as_str(), span)).collect();
    let above = |name: &str| {
        let parent = &by_name[name].parent;
        spans
            .iter()
            .find(|span| &span.id == parent)
            .map_or("the sender", |span| span.name.as_str())
    };
    let tree: BTreeMap<&str, &str> = by_name.keys().map(|name| (*name, above(name))).collect();
    let expected = [
        ("alert", "the sender"),
        ("intake", "alert"),
        ("match", "alert"),
        ("respond", "alert"),
        ("snapshot", "respond"),
        ("decide", "respond"),
        ("act", "respond"),
        ("request", "act"),
        ("settle", "respond"),
        ("verify", "respond"),
    ];
    assert_eq!((tree, spans.len()), (expected.into(), expected.len()), "{spans:#?}");
    let root = by_name["alert"];
    assert_eq!(root.parent, SENDER);
    for span in &spans {
        assert!(root.begun <= span.begun && span.begun <= span.ended, "{span:#?}");
        assert!(
            span.ended <= root.ended,
            "{} ends after the whole: {span:#?}",
            span.name
        );
        let known: BTreeSet<&str> = ATTRIBUTES.into();
        let others: Vec<_> = span
            .attributes
            .keys()
            .filter(|key| !known.contains(key.as_str()))
            .collect();
        assert!(others.is_empty(), "{others:?}");
        let resource = |key: &str| span.resource.get(key).map(String::as_str);
        assert_eq!(resource("service.name"), Some("responder"));
        assert_eq!(resource("k8s.pod.name"), Some("responder-0"));
        assert_eq!(resource("k8s.namespace.name"), Some("responder"));
        assert_eq!(resource("k8s.cluster.name"), Some("blue"));
        assert!(resource("service.version").is_some());
    }
    let attribute = |name: &str, key: &str| by_name[name].attributes.get(key).map(String::as_str);
    assert_eq!(attribute("alert", "responder.alert.id"), Some(answer.alert().as_str()));
    assert_eq!(
        attribute("alert", "responder.rule"),
        Some("Terminal shell in container")
    );
    assert_eq!(attribute("respond", "responder.mode"), Some("Enforce"));
    assert_eq!(attribute("respond", "responder.outcome"), Some("Done"));
    assert_eq!(attribute("request", "responder.verb"), Some("patch"));
    assert_eq!(attribute("request", "responder.outcome"), Some("done"));
    assert_eq!(attribute("verify", "responder.outcome"), Some("effective"));

    its_records_lead_to_it(&responder, &answer.alert(), &spans);

    // Nor has an alert whose sender does not sample it. The trace of a refusal is shorter.
    let (unwanted, refused) = ("1".repeat(32), "2".repeat(32));
    post_from(&responder, &format!("00-{unwanted}-{SENDER}-00")).await;
    post_from(&responder, &format!("00-{refused}-{SENDER}-01")).await;
    let spans = trace_with(&receiver, "alert", |span| span.trace == refused).await;
    let names: BTreeSet<&str> = spans.iter().map(|span| span.name.as_str()).collect();
    let expected = ["alert", "intake", "match", "respond", "snapshot", "decide"];
    assert_eq!(names, expected.into());
    let response = spans.iter().find(|span| span.name == "respond").unwrap();
    assert_eq!(response.attributes["responder.reason"], "AlreadyDone");
    assert!(receiver.spans().iter().all(|span| span.trace != unwanted));
}

/// What the controller did stays on record when the log leaves out everything else.
#[rstest]
#[case::nothing_but_the_start("RUST_LOG", "off,responder=info,responder_intake=info")]
#[case::by_its_own_target("RUST_LOG", "info,audit=off")]
#[case::by_the_programs_own_variable("RESPONDER_LOG", "off,responder=info,responder_intake=info")]
#[tokio::test]
async fn the_audit_trail_does_not_obey_the_filter_of_the_log(#[case] variable: &str, #[case] filter: &str) {
    let options = ResponderOptions {
        mode: Some("Enforce"),
        environment: vec![(variable.to_owned(), filter.to_owned())],
        ..demo::options(on_shell("Enforce", &["label: {labels: {incident: open}}"]))
    };
    let mut responder = start(&options).await;
    assert_eq!(responder.post(&demo::shell()).await.unwrap().outcome(), "accepted");
    responder.wait_until_at_rest(1).await.unwrap();
    let settled = responder.wait_for("the end of the response", 1, |record| record.event() == "settled");
    assert_eq!(settled.await.unwrap()[0].outcome(), Some("done"));
    let events: Vec<String> = responder
        .trail()
        .iter()
        .map(|record| record.event().to_owned())
        .collect();
    assert_eq!(&events[..3], ["decided", "requested", "settled"]);
}

async fn post_from(responder: &Responder, traceparent: &str) -> HttpReply {
    let answer = responder
        .post_with(&demo::shell(), &[("traceparent", traceparent)])
        .await;
    let answer = answer.unwrap();
    assert_eq!(answer.outcome(), "accepted");
    answer
}

/// Each audit record about the alert carries the trace, one of its spans, the actor and the reason for the action.
fn its_records_lead_to_it(responder: &Responder, alert: &str, spans: &[ReceivedSpan]) {
    let log = responder.log();
    let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let mut events = Vec::new();
    for line in lines.filter(|line| line["target"] == "audit") {
        let record: Value = serde_json::from_str(line["record"].as_str().unwrap()).unwrap();
        if record["alert"] != alert {
            continue;
        }
        assert_eq!(line["trace_id"], TRACE, "{line}");
        assert!(spans.iter().any(|span| line["span_id"] == span.id.as_str()), "{line}");
        assert_eq!(record["actor"], "pod/responder/responder-0");
        assert_eq!(record["cluster"], "blue");
        assert_eq!(record["playbook"], "shell");
        assert!(record["playbookHash"].as_str().is_some_and(|hash| !hash.is_empty()));
        assert!(record["incident"].is_string(), "{record}");
        assert_eq!(record["mode"], "Enforce");
        assert_eq!(record["target"], "pod/shop/storefront-7c9d8b5f6d-4xkzq");
        assert_eq!(record["targetUid"], "9e2f7a31-5b64-4c0d-8f1e-6a7b8c9d0e01");
        events.push(record);
    }
    let names: Vec<_> = events.iter().filter_map(|record| record["event"].as_str()).collect();
    assert_eq!(names, ["decided", "requested", "settled", "verified"]);
    let sent = &events[1];
    assert_eq!((&sent["verb"], &sent["try"]), (&"patch".into(), &1.into()));
    assert_eq!((&sent["dryRun"], &sent["answer"]), (&false.into(), &"done".into()));
    assert_eq!(sent["uid"], sent["targetUid"]);
}

#[tokio::test]
async fn an_absent_receiver_costs_no_decision() {
    let mut receiver = TraceReceiver::start().await.unwrap();
    let playbooks = on_shell("Observe", &["label: {labels: {incident: open}}"]);
    let mut responder = start(&simulated(playbooks, &receiver)).await;
    let lost = async |responder: &Responder| {
        let metrics = responder.metrics().await.unwrap();
        let of = |result| metrics.total("responder_spans_total", &[("result", result)]);
        of("dropped") + of("failed")
    };
    assert_eq!(responder.post(&demo::shell()).await.unwrap().outcome(), "accepted");
    trace_with(&receiver, "alert", |_| true).await;
    assert!(lost(&responder).await.abs() < f64::EPSILON);

    receiver.stop().unwrap();
    // More spans than the queue holds.
    let count = 1200;
    for done in 0..count {
        assert_eq!(responder.post(&demo::shell()).await.unwrap().outcome(), "accepted");
        // Stay below the limit of alerts about one subject.
        if done % 100 == 0 {
            responder.wait_until_at_rest(done).await.unwrap();
        }
    }
    let accounts = responder.wait_until_at_rest(count + 1).await.unwrap();
    assert!(accounts.is_balanced(), "{accounts:?}");
    assert_eq!((accounts.matched, accounts.shed), (count + 1, 0));
    // Repeats that wait together are joined to one decision, so how many there are depends on the machine's speed.
    let count_of = |counts: &BTreeMap<String, u64>, name: &str| counts.get(name).copied().unwrap_or_default();
    let planned = count_of(&accounts.planned, "Observe");
    assert_eq!(
        planned + count_of(&accounts.refused, "Joined"),
        count + 1,
        "{accounts:?}"
    );
    eventually("the loss shows", async || (lost(&responder).await > 0.0).then_some(())).await;

    receiver.resume().await.unwrap();
    let root = eventually("an alert is traced again", async || {
        let answer = responder.post(&demo::shell()).await.unwrap();
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        let spans = receiver.spans();
        let is_ours = |span: &&ReceivedSpan| span.attributes.get("responder.alert.id") == Some(&answer.alert());
        spans.iter().find(is_ours).cloned()
    })
    .await;
    assert_eq!(root.name, "alert");
    let log = responder.log();
    assert_eq!(log.matches("spans can't be sent").count(), 1, "{log}");
    assert!(log.contains("spans are sent again"), "{log}");
}

/// The responder trusts the authority in its own setting, or the replaced system roots.
#[rstest]
#[case::by_the_setting("OTEL_EXPORTER_OTLP_CERTIFICATE")]
#[case::by_the_systems_roots("SSL_CERT_FILE")]
#[tokio::test]
async fn traces_go_to_a_receiver_that_a_trusted_authority_vouches_for_and_to_no_other(#[case] variable: &str) {
    let directory = tempfile::tempdir().unwrap();
    let [ours, strangers] = ["ours", "strangers"].map(|name| Authority::create(name, directory.path()).unwrap());
    let receiver = TraceReceiver::start_with_tls(ours.server().unwrap()).await.unwrap();
    let trusting = |authority: &Authority| {
        let mut options = simulated(on_shell("Observe", &["label: {labels: {incident: open}}"]), &receiver);
        let file = authority.certificate().display().to_string();
        options.environment.push((variable.to_owned(), file));
        options
    };

    let mut responder = start(&trusting(&strangers)).await;
    assert_eq!(responder.post(&demo::shell()).await.unwrap().outcome(), "accepted");
    responder.wait_until_at_rest(1).await.unwrap();
    eventually("the spans are lost", async || {
        let metrics = responder.metrics().await.unwrap();
        (metrics.total("responder_spans_total", &[("result", "failed")]) > 0.0).then_some(())
    })
    .await;
    assert_eq!(receiver.spans(), []);

    let responder = start(&trusting(&ours)).await;
    let answer = responder.post(&demo::shell()).await.unwrap();
    let is_ours = |span: &ReceivedSpan| span.attributes.get("responder.alert.id") == Some(&answer.alert());
    trace_with(&receiver, "alert", is_ours).await;
}

#[tokio::test]
async fn the_end_of_a_quarantine_is_a_trace_of_its_own() {
    let receiver = TraceReceiver::start().await.unwrap();
    let playbooks = on_shell("Enforce", &["quarantine: {ttl: 1s, onExpiry: Release}"]);
    let responder = start(&simulated(playbooks, &receiver)).await;
    assert_eq!(responder.post(&demo::shell()).await.unwrap().outcome(), "accepted");
    let ended = |span: &ReceivedSpan| {
        span.attributes
            .get("responder.outcome")
            .is_some_and(|end| end == "released")
    };
    let spans = trace_with(&receiver, "expiry", ended).await;
    let root = spans.iter().find(|span| span.name == "expiry").unwrap();
    assert!(root.parent.is_empty());
    let requests: Vec<_> = spans.iter().filter(|span| span.name == "request").collect();
    assert_eq!(
        requests.len(),
        2,
        "the labels are given back and the policy is deleted: {spans:#?}"
    );
    assert!(requests.iter().all(|request| request.parent == root.id));
}

#[tokio::test]
async fn prometheus_reads_the_metrics() {
    let receiver = TraceReceiver::start().await.unwrap();
    let playbooks =
        on_shell("Enforce", &["label: {labels: {incident: open}}"]) + &guard("mode: Enforce\n  cluster: {name: blue}");
    let mut responder = start(&simulated(playbooks, &receiver)).await;
    assert_eq!(responder.post(&demo::shell()).await.unwrap().outcome(), "accepted");
    responder.wait_until_at_rest(1).await.unwrap();
    let page = responder.get("/metrics").await.unwrap().body;
    let series = open_metrics(&page).await.unwrap();
    let lines = page.lines().filter(|line| !line.starts_with('#')).count();
    assert_eq!(series.len(), lines);
    // The parser refuses an incomplete page.
    assert!(open_metrics(&page.replace("# EOF\n", "")).await.is_err());

    let metrics = responder.metrics().await.unwrap();
    let count = |name: &str, label| metrics.total(name, &[label]);
    for (name, label) in [
        ("responder_stage_seconds_count", ("stage", "snapshot")),
        ("responder_stage_seconds_count", ("stage", "decide")),
        ("responder_stage_seconds_count", ("stage", "act")),
        ("responder_alert_decision_seconds_count", ("queue", "ordinary")),
        ("responder_alert_settled_seconds_count", ("queue", "ordinary")),
    ] {
        let of_both_classes = count(name, label)
            + if label.0 == "queue" {
                count(name, ("queue", "critical"))
            } else {
                0.0
            };
        assert!((of_both_classes - 1.0).abs() < f64::EPSILON, "{name} {label:?}");
    }
}
