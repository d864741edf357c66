//! Each intake under the largest alerts that it takes, as fast as a sender can send them: the peak of the memory has a
//! bound, and an ordinary alert is decided afterwards.

use futures_util::future::join_all;
use futures_util::{StreamExt, stream};
use integration::{
    control_plane::ControlPlane,
    nats::{NatsOptions, NatsServer},
    responder::{
        Responder, alert,
        playbooks::{on_shell, playbook},
    },
};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::Node;
use kube::{Api, api::PostParams};
use rstest::rstest;
use serde_json::{Value, json};

use crate::nats::{SUBJECT, connect, core, payload, simulated, stream};
use crate::{
    demo,
    scenario::{Scenario, eventually, in_words, start},
};

/// Bytes, at the peak.
const MOST: u64 = 96 << 20;
/// Bytes; the bound of a body is 256 KiB.
const LARGE: usize = 250_000;
/// Alerts: 250 MB in all.
const COUNT: i64 = 1000;
/// Connections that post at the same time, twice as many as large bodies are read.
const SENDERS: usize = 128;

/// Bytes, at the peak of a cordon.
const MOST_OF_A_CORDON: u64 = 64 << 20;
/// Nodes of 20 KB each: 20 MB in all, of which each of eight decisions counts the nodes. With 5,000 the peak is the same, and
/// the API server takes three minutes to make them.
const NODES: usize = 1000;

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

#[tokio::test]
async fn cordons_in_a_cluster_of_many_nodes_take_bounded_memory() {
    let control_plane = ControlPlane::start().await.unwrap();
    let scenario = Scenario::on(&control_plane, "many").await;
    let nodes: Api<Node> = Api::all(scenario.client.clone());
    let images = "x".repeat(20_000);
    stream::iter(0..NODES)
        .for_each_concurrent(16, async |number| {
            let node = json!({"metadata": {"name": format!("worker-{number}"), "annotations": {"images": images}}});
            let node = serde_json::from_value(node).unwrap();
            nodes.create(&PostParams::default(), &node).await.unwrap();
        })
        .await;
    let spec = "mode: Rehearse\n  match: {rules: [Read sensitive file untrusted]}\n  target: Node";
    let mut responder = scenario.responder(&playbook("host", spec, &["cordon: {}"])).await;

    let hosts: Vec<String> = (0..8).map(|number| format!("worker-{number}")).collect();
    let posts = hosts.iter().map(|host| {
        let alert = alert::file_read_on(host);
        let responder = &responder;
        async move { responder.post(&alert).await.unwrap().status }
    });
    assert_eq!(join_all(posts).await, [202; 8]);

    let accounts = responder.wait_until_at_rest(8).await.unwrap();
    assert!(accounts.is_balanced(), "{accounts:?}");
    let peak = peak_memory(responder.pid());
    assert!(peak <= MOST_OF_A_CORDON, "{} MiB at the peak", peak >> 20);
    let pages = scenario
        .requests()
        .iter()
        .filter(|request| in_words(request) == "list nodes")
        .count();
    // 11 pages of 100, at most once for each alert.
    assert!((11..=8 * 11).contains(&pages), "{pages} pages");
}
