//! Alerts over a real nats-server.

mod access;
mod burst;
mod outage;
mod settle;
mod traffic;

use std::{path::Path, time::Duration};

use async_nats::{Client, jetstream};
use futures_util::StreamExt as _;
use integration::{
    nats::NatsServer,
    responder::{Metrics, Responder, ResponderOptions, alert},
};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::stage::{eventually, playbook};

/// A responder over the simulated cluster of the demo, with these settings for NATS.
fn simulated(playbooks: &str, nats: &Value) -> ResponderOptions {
    let demo = Path::new(env!("CARGO_MANIFEST_DIR")).join("../playbooks/demo/cluster");
    ResponderOptions {
        playbooks: playbooks.to_owned(),
        simulate: Some(demo),
        mode: Some("Enforce"),
        nats: Some(nats.to_string()),
        ..ResponderOptions::default()
    }
}

/// Core NATS, all by default.
fn core(server: &NatsServer) -> Value {
    json!({ "servers": [server.url()] })
}

/// A stream that the responder makes, and everything else by default.
fn stream(server: &NatsServer) -> Value {
    json!({ "servers": [server.url()], "jetStream": { "stream": "falco", "createStream": {} } })
}

/// Answers every alert, and does nothing.
fn on_everything() -> String {
    let spec = "mode: Observe\n  match: {rules: ['*']}";
    playbook("everything", spec, &["label: {labels: {incident: open}}"])
}

/// "Terminal shell in container" in a pod of the demo cluster, at this moment.
fn demo_shell() -> Value {
    let text = include_str!("../../../playbooks/demo/alerts/terminal-shell.json");
    let mut alert: Value = serde_json::from_str(text).unwrap();
    alert::set_time(&mut alert, Timestamp::now());
    alert
}

/// What falcosidekick publishes of an alert.
fn payload(alert: &Value) -> Vec<u8> {
    let mut body = alert::by_falcosidekick(alert, "2435103e-c7ec-4118-b737-5f9979c00310");
    assert_eq!(body.pop(), Some(b'\n'));
    body
}

const SUBJECT: &str = "falco.critical.terminal_shell_in_container";

async fn connect(server: &NatsServer) -> Client {
    async_nats::connect(server.url()).await.unwrap()
}

async fn publish(client: &Client, payload: Vec<u8>) {
    client.publish(SUBJECT, payload.into()).await.unwrap();
    client.flush().await.unwrap();
}

/// Waits until the metrics are as they should be.
async fn metrics_until(responder: &Responder, what: &str, mut is_it: impl FnMut(&Metrics) -> bool) -> Metrics {
    eventually(what, async || {
        let metrics = responder.metrics().await.unwrap();
        is_it(&metrics).then_some(metrics)
    })
    .await
}

fn count(metrics: &Metrics, name: &str, labels: &[(&str, &str)]) -> u64 {
    let value = metrics.total(&format!("responder_nats_{name}"), labels);
    // A count, and far below 2^53.
    format!("{value:.0}").parse().unwrap()
}

/// What the server says of the consumer: messages that wait, and that were delivered and not acknowledged.
async fn left(client: &Client) -> (u64, usize) {
    let context = jetstream::new(client.clone());
    let stream = context.get_stream_no_info("falco").await.unwrap();
    let info = stream.consumer_info("responder").await.unwrap();
    (info.num_pending, info.num_ack_pending)
}

async fn until_nothing_is_left(client: &Client) {
    eventually("the server has an acknowledgement for each message", async || {
        (left(client).await == (0, 0)).then_some(())
    })
    .await;
}

/// The next message of a subscription.
async fn next(subscriber: &mut async_nats::Subscriber) -> async_nats::Message {
    tokio::time::timeout(Duration::from_secs(30), subscriber.next())
        .await
        .expect("a message in time")
        .expect("a message")
}

fn header<'m>(message: &'m async_nats::Message, name: &str) -> &'m str {
    message
        .headers
        .as_ref()
        .and_then(|headers| headers.get(name))
        .map_or("", |value| value.as_str())
}
