//! Recorded traffic of falcosidekick 2.9.3, byte for byte, and floods.

use integration::{nats::NatsServer, responder::playbooks::on_shell};
use rstest::rstest;
use serde_json::{Value, json};

use super::{
    SUBJECT, connect, core, count, metrics_until, on_everything, payload, publish, simulated, stream,
    until_nothing_is_left,
};
use crate::{demo, scenario::start};

macro_rules! recorded {
    ($file:literal) => {
        include_str!(concat!("../../../../responder/core/testdata/alerts/", $file))
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap())
    };
}

#[rstest]
#[case::core(core)]
#[case::jetstream(stream)]
#[tokio::test]
async fn recorded_traffic_is_taken_byte_for_byte_and_is_the_same_alerts_as_over_http(
    #[case] settings: fn(&NatsServer) -> Value,
) {
    let server = NatsServer::start().await.unwrap();
    let mut responder = start(&simulated(&on_everything(), &settings(&server))).await;
    let client = connect(&server).await;

    let published: Vec<Value> = recorded!("falcosidekick-2.9.3-nats.jsonl").collect();
    for message in &published {
        let subject = message["subject"].as_str().unwrap().to_owned();
        let payload = message["payload"].as_str().unwrap().to_owned();
        client.publish(subject, payload.into()).await.unwrap();
    }
    client.flush().await.unwrap();
    let all = published.len() as u64;
    metrics_until(&responder, "all messages", |metrics| metrics.accounts().received == all).await;

    let accounts = responder.wait_until_at_rest(all).await.unwrap();
    assert_eq!(
        (accounts.rejected, accounts.matched, accounts.duplicate),
        (0, all, 0),
        "{accounts:?}"
    );
    // The same events from falcosidekick's webhook and talon outputs, recorded in the same run.
    let mut again = 0;
    for request in recorded!("falcosidekick-2.9.3-http.jsonl") {
        let body = request["body"].as_str().unwrap().as_bytes().to_vec();
        assert_eq!(
            responder.post_body(body).await.unwrap().outcome(),
            "duplicate",
            "{request}"
        );
        again += 1;
    }
    let accounts = responder.wait_until_at_rest(all).await.unwrap();
    assert!(accounts.is_balanced() && accounts.duplicate == again, "{accounts:?}");
}

#[rstest]
#[case::core(core)]
#[case::jetstream(stream)]
#[tokio::test]
async fn an_event_over_http_and_over_nats_is_one_alert(#[case] settings: fn(&NatsServer) -> Value) {
    let server = NatsServer::start().await.unwrap();
    let mut responder = start(&simulated(&on_shell("Enforce", &["delete: {}"]), &settings(&server))).await;
    let client = connect(&server).await;
    let shell = demo::shell();

    publish(&client, payload(&shell)).await;
    metrics_until(&responder, "the message", |metrics| metrics.accounts().received == 1).await;
    assert_eq!(responder.post(&shell).await.unwrap().outcome(), "duplicate");
    publish(&client, payload(&shell)).await;
    metrics_until(&responder, "the second message", |metrics| {
        metrics.accounts().received == 3
    })
    .await;

    let accounts = responder.wait_until_at_rest(1).await.unwrap();
    assert!(accounts.is_balanced(), "{accounts:?}");
    assert_eq!((accounts.matched, accounts.duplicate), (1, 2));
    assert_eq!(accounts.responses, [("Done".to_owned(), 1)].into());
}

#[tokio::test]
async fn responders_of_one_queue_group_share_the_messages() {
    let server = NatsServer::start().await.unwrap();
    let options = simulated(&on_everything(), &core(&server));
    let (first, second) = (start(&options).await, start(&options).await);
    let client = connect(&server).await;

    for number in 0..200 {
        let mut shell = demo::shell();
        shell["output_fields"]["container.id"] = json!(format!("{number:012}"));
        client.publish(SUBJECT, payload(&shell).into()).await.unwrap();
    }
    client.flush().await.unwrap();

    let mut received = (0, 0);
    crate::scenario::eventually("each message reaches one of them", async || {
        received.0 = first.metrics().await.unwrap().accounts().received;
        received.1 = second.metrics().await.unwrap().accounts().received;
        (received.0 + received.1 >= 200).then_some(())
    })
    .await;
    assert_eq!(received.0 + received.1, 200);
    assert!(received.0 > 0 && received.1 > 0, "{received:?}");
}

/// Fifty thousand messages as fast as possible: messages that overflow are counted, and memory does not grow.
#[tokio::test]
async fn a_flood_over_core_nats_is_taken_or_counted() {
    const FLOOD: u64 = 50_000;
    let server = NatsServer::start().await.unwrap();
    let mut settings = core(&server);
    settings["subjects"] = json!(["falco.>", "other.>"]);
    let responder = start(&simulated(&on_shell("Observe", &["delete: {}"]), &settings)).await;
    let client = connect(&server).await;
    let noise = payload(&integration::responder::alert::file_read_on("node"));
    let before = resident_memory(responder.pid());
    for _ in 0..FLOOD {
        client
            .publish("falco.warning.read_sensitive_file_untrusted", noise.clone().into())
            .await
            .unwrap();
    }
    client.flush().await.unwrap();
    let metrics = metrics_until(&responder, "all of the flood", |metrics| {
        metrics.accounts().received == FLOOD
    })
    .await;
    let accounts = metrics.accounts();
    assert!(accounts.is_balanced(), "{accounts:?}");
    let lost = count(&metrics, "messages_overflowed_total", &[]);
    assert_eq!((accounts.rejected, accounts.unmatched), (lost, FLOOD - lost));
    let grown = resident_memory(responder.pid()).saturating_sub(before);
    assert!(grown < 64 << 20, "{grown} bytes more");
}

/// The resident memory of a process in bytes.
fn resident_memory(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").trim().parse::<u64>().unwrap() * 1024
}

#[tokio::test]
async fn an_unmatched_alert_is_acknowledged() {
    let server = NatsServer::start().await.unwrap();
    let responder = start(&simulated(&on_shell("Observe", &["delete: {}"]), &stream(&server))).await;
    let client = connect(&server).await;
    publish(&client, payload(&integration::responder::alert::file_read_on("node"))).await;
    metrics_until(&responder, "the message", |metrics| metrics.accounts().unmatched == 1).await;
    until_nothing_is_left(&client).await;
}
