//! Outages of a single nats-server and of one server in a cluster of three.

use integration::nats::{NatsCluster, NatsServer};
use serde_json::{Value, json};

use super::{
    connect, count, metrics_until, on_everything, payload, publish, simulated, stream, until_nothing_is_left,
    until_readyz_says,
};
use crate::{
    demo,
    scenario::{eventually, start},
};

/// Publishes `count` alerts about different containers.
async fn publish_many(client: &async_nats::Client, from: usize, count: usize) {
    for number in from..from + count {
        let mut shell = demo::shell();
        shell["output_fields"]["container.id"] = json!(format!("{number:012}"));
        let context = async_nats::jetstream::new(client.clone());
        // Wait for the stream's confirmation, so that the message is stored.
        let confirmation = context.publish(super::SUBJECT, payload(&shell).into()).await.unwrap();
        confirmation.await.unwrap();
    }
}

#[tokio::test]
async fn a_server_that_comes_back_is_found_again_and_meanwhile_readiness_says_so() {
    let server = NatsServer::start().await.unwrap();
    let mut responder = start(&simulated(&on_everything(), &stream(&server))).await;
    let client = connect(&server).await;
    publish_many(&client, 0, 5).await;
    responder.wait_until_at_rest(5).await.unwrap();
    until_nothing_is_left(&client).await;
    drop(client);

    server.stop().await.unwrap();
    responder.wait_until_unready().await.unwrap();
    let said = responder.get("/readyz").await.unwrap().body;
    assert!(said.contains("no connection to NATS"), "{said}");
    let metrics = responder.metrics().await.unwrap();
    assert_eq!(count(&metrics, "connected", &[]), 0);

    server.resume().await.unwrap();
    responder.wait_until_ready().await.unwrap();
    let client = connect(&server).await;
    publish_many(&client, 5, 5).await;
    let accounts = responder.wait_until_at_rest(10).await.unwrap();
    until_nothing_is_left(&client).await;
    assert!(accounts.is_balanced(), "{accounts:?}");
    let metrics = responder.metrics().await.unwrap();
    assert_eq!(count(&metrics, "connected", &[]), 1);
    assert!(count(&metrics, "reconnects_total", &[]) >= 1);
}

#[tokio::test]
async fn a_responder_that_is_there_first_waits_for_the_server_and_for_the_stream() {
    let server = NatsServer::start().await.unwrap();
    server.stop().await.unwrap();
    let settings = json!({ "servers": [server.url()], "jetStream": { "stream": "falco" } });
    let mut responder = integration::responder::Responder::start(&simulated(&on_everything(), &settings))
        .await
        .unwrap();
    until_readyz_says(&responder, "Connection refused").await;
    server.resume().await.unwrap();
    until_readyz_says(&responder, "there is no stream falco").await;

    let client = connect(&server).await;
    let config = async_nats::jetstream::stream::Config {
        name: "falco".to_owned(),
        subjects: vec!["falco.>".to_owned()],
        ..Default::default()
    };
    async_nats::jetstream::new(client.clone())
        .create_stream(config)
        .await
        .unwrap();
    publish(&client, payload(&demo::shell())).await;
    responder.wait_until_ready().await.unwrap();
    responder.wait_until_at_rest(1).await.unwrap();
    until_nothing_is_left(&client).await;
}

#[tokio::test]
async fn a_removed_consumer_is_created_again() {
    let server = NatsServer::start().await.unwrap();
    let mut responder = start(&simulated(&on_everything(), &stream(&server))).await;
    let client = connect(&server).await;
    let context = async_nats::jetstream::new(client.clone());
    context.delete_consumer_from_stream("responder", "falco").await.unwrap();
    publish_many(&client, 0, 3).await;
    responder.wait_until_at_rest(3).await.unwrap();
    until_nothing_is_left(&client).await;
}

/// The server that leads the stream.
async fn leader(client: &async_nats::Client) -> Option<String> {
    let stream = async_nats::jetstream::new(client.clone())
        .get_stream("falco")
        .await
        .ok()?;
    stream.cached_info().cluster.as_ref()?.leader.clone()
}

#[tokio::test]
async fn three_servers_lose_one_and_no_alert() {
    let cluster = NatsCluster::start().await.unwrap();
    let settings: Value = json!({
        "servers": cluster.urls(),
        "jetStream": { "stream": "falco", "ackWait": "5s", "createStream": { "replicas": 3 } },
    });
    let mut responder = start(&simulated(&on_everything(), &settings)).await;
    let client = async_nats::connect(cluster.urls().to_vec()).await.unwrap();
    publish_many(&client, 0, 20).await;

    // Stop the leader, the worst loss.
    let leader = eventually("the stream has a leader", async || leader(&client).await).await;
    let names = ["one", "two", "three"];
    let lost = names.iter().position(|name| *name == leader).unwrap();
    cluster.servers[lost].stop().await.unwrap();

    // A sender publishes again if the stream does not confirm.
    let context = async_nats::jetstream::new(client.clone());
    for number in 20..40 {
        let mut shell = demo::shell();
        shell["output_fields"]["container.id"] = json!(format!("{number:012}"));
        let body = payload(&shell);
        eventually("the other two take it", async || {
            let confirmation = context.publish(super::SUBJECT, body.clone().into()).await.ok()?;
            confirmation.await.ok()
        })
        .await;
    }
    metrics_until(&responder, "all alerts", |metrics| metrics.accounts().matched == 40).await;
    let accounts = responder.wait_until_at_rest(40).await.unwrap();
    until_nothing_is_left(&client).await;
    assert!(accounts.is_balanced(), "{accounts:?}");
    responder.wait_until_ready().await.unwrap();
    cluster.servers[lost].resume().await.unwrap();
}
