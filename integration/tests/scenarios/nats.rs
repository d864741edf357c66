//! Alerts over a real nats-server.

mod access;
mod burst;
mod outage;
mod settle;
mod traffic;

use std::time::Duration;

use async_nats::{Client, jetstream};
use futures_util::StreamExt as _;
use integration::{
    nats::NatsServer,
    responder::{Metrics, Responder, ResponderOptions, alert, playbooks::playbook},
};
use serde_json::{Value, json};

use crate::{demo, scenario::eventually};

/// Options of a responder on the demo's cluster with these NATS settings.
pub(crate) fn simulated(playbooks: &str, nats: &Value) -> ResponderOptions {
    ResponderOptions {
        mode: Some("Enforce"),
        nats: Some(nats.to_string()),
        ..demo::options(playbooks.to_owned())
    }
}

/// Settings for core NATS with all defaults.
pub(crate) fn core(server: &NatsServer) -> Value {
    json!({ "servers": [server.url()] })
}

/// Settings for a stream that the responder creates, with all other defaults.
pub(crate) fn stream(server: &NatsServer) -> Value {
    json!({ "servers": [server.url()], "jetStream": { "stream": "falco", "createStream": {} } })
}

/// A playbook that matches every alert in Observe.
fn on_everything() -> String {
    let spec = "mode: Observe\n  match: {rules: ['*']}";
    playbook("everything", spec, &["label: {labels: {incident: open}}"])
}

/// The payload that falcosidekick publishes for an alert.
pub(crate) fn payload(alert: &Value) -> Vec<u8> {
    let mut body = alert::by_falcosidekick(alert, "2435103e-c7ec-4118-b737-5f9979c00310");
    assert_eq!(body.pop(), Some(b'\n'));
    body
}

pub(crate) const SUBJECT: &str = "falco.critical.terminal_shell_in_container";

pub(crate) async fn connect(server: &NatsServer) -> Client {
    async_nats::connect(server.url()).await.unwrap()
}

async fn publish(client: &Client, payload: Vec<u8>) {
    client.publish(SUBJECT, payload.into()).await.unwrap();
    client.flush().await.unwrap();
}

/// Waits until the metrics satisfy a condition, and returns them.
async fn metrics_until(responder: &Responder, what: &str, mut is_it: impl FnMut(&Metrics) -> bool) -> Metrics {
    eventually(what, async || {
        let metrics = responder.metrics().await.unwrap();
        is_it(&metrics).then_some(metrics)
    })
    .await
}

fn count(metrics: &Metrics, name: &str, labels: &[(&str, &str)]) -> u64 {
    let value = metrics.total(&format!("responder_nats_{name}"), labels);
    // A count far below 2^53, so exact.
    format!("{value:.0}").parse().unwrap()
}

/// Waits until `/readyz` contains this text.
async fn until_readyz_says(responder: &Responder, text: &str) {
    eventually(text, async || {
        let page = responder.get("/readyz").await.unwrap().body;
        page.contains(text).then_some(())
    })
    .await;
}

/// The consumer's messages on the server: waiting, and delivered without an acknowledgement.
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

/// The next message of a subscription, within 30 s.
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
