//! Each intake under the largest alerts that it takes, as fast as a sender can send them: the peak of the memory has a
//! bound, and an ordinary alert is decided afterwards.

use futures_util::future::join_all;
use integration::{
    nats::{NatsOptions, NatsServer},
    responder::{Responder, alert, playbooks::on_shell},
};
use jiff::{SignedDuration, Timestamp};
use rstest::rstest;
use serde_json::{Value, json};

use crate::nats::{SUBJECT, connect, core, payload, simulated, stream};
use crate::{
    demo,
    scenario::{eventually, start},
};

/// Bytes, at the peak.
const MOST: u64 = 96 << 20;
/// Bytes; the bound of a body is 256 KiB.
const LARGE: usize = 250_000;
/// Alerts: 250 MB in all.
const COUNT: i64 = 1000;
/// Connections that post at the same time, twice as many as large bodies are read.
const SENDERS: usize = 128;

/// A large alert, different from every other.
fn large(number: i64) -> Value {
    let mut shell = demo::shell();
    alert::set_time(&mut shell, Timestamp::now() + SignedDuration::from_nanos(number));
    // One text has at most 128 KiB.
    shell["output"] = json!("x".repeat(LARGE / 2));
    shell["output_fields"]["proc.cmdline"] = json!("x".repeat(LARGE / 2));
    shell
}

async fn assert_bounded(responder: &mut Responder) {
    let peak = peak_memory(responder.pid());
    assert!(peak <= MOST, "{} MiB at the peak", peak >> 20);
    let accounts = responder.wait_until_at_rest(1).await.unwrap();
    assert!(accounts.is_balanced(), "{accounts:?}");
    let before = accounts.matched;
    assert_eq!(responder.post(&demo::shell()).await.unwrap().outcome(), "accepted");
    assert_eq!(responder.wait_until_at_rest(1).await.unwrap().matched, before + 1);
}

/// The peak of the resident memory of a process in bytes.
fn peak_memory(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").trim().parse::<u64>().unwrap() * 1024
}

#[rstest]
#[case::core(core)]
#[case::jetstream(stream)]
#[tokio::test]
async fn large_alerts_over_nats_take_bounded_memory(#[case] settings: fn(&NatsServer) -> Value) {
    // The server holds all of the flood: it would close the connection of a consumer that is behind by 64 MB.
    let patient = NatsOptions {
        access: "max_pending: 1GB\nwrite_deadline: \"60s\"".to_owned(),
        ..NatsOptions::default()
    };
    let server = NatsServer::with(&patient).await.unwrap();
    let mut responder = start(&simulated(&on_shell("Observe", &["delete: {}"]), &settings(&server))).await;
    responder.wait_until_ready().await.unwrap();
    let client = connect(&server).await;
    for number in 0..COUNT {
        client.publish(SUBJECT, payload(&large(number)).into()).await.unwrap();
    }
    client.flush().await.unwrap();
    eventually("each message is taken, or counted as lost", async || {
        let received = responder.metrics().await.unwrap().accounts().received;
        (received >= u64::try_from(COUNT).unwrap()).then_some(())
    })
    .await;
    assert_bounded(&mut responder).await;
}

#[tokio::test]
async fn large_alerts_over_http_take_bounded_memory() {
    let mut responder = start(&demo::options(on_shell("Observe", &["delete: {}"]))).await;
    responder.wait_until_ready().await.unwrap();
    let each = COUNT / i64::try_from(SENDERS).unwrap();
    let senders = (0..i64::try_from(SENDERS).unwrap()).map(|sender| {
        let responder = &responder;
        async move {
            for number in 0..each {
                // On a busy machine a body takes longer than a first request may, and then its connection is closed.
                if let Ok(reply) = responder.post(&large(sender * each + number)).await {
                    assert!([200, 202, 408, 503].contains(&reply.status), "{}", reply.body);
                }
            }
        }
    });
    join_all(senders).await;
    assert_bounded(&mut responder).await;
}
