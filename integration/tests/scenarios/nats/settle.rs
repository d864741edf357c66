//! The end of a stream's message: acknowledged after its alert's decision, delivered again, or a dead letter.

use integration::{
    nats::NatsServer,
    responder::{ResponderOptions, alert, playbooks::on_shell},
};
use serde_json::json;

use super::{
    connect, count, header, left, metrics_until, next, payload, publish, simulated, stream, until_nothing_is_left,
};
use crate::{
    demo,
    gate::AdmissionGate,
    scenario::{Scenario, eventually, start},
};

#[tokio::test]
async fn an_undecodable_message_becomes_a_dead_letter_with_reason_and_subject() {
    let server = NatsServer::start().await.unwrap();
    let client = connect(&server).await;
    let mut letters = client.subscribe("responder.dead-letter").await.unwrap();
    let responder = start(&simulated(&on_shell("Enforce", &["delete: {}"]), &stream(&server))).await;

    let cut = payload(&demo::shell())[..200].to_vec();
    publish(&client, cut.clone()).await;
    let letter = next(&mut letters).await;

    assert_eq!(letter.payload, cut);
    assert_eq!(header(&letter, "Responder-Reason"), "undecodable");
    assert_eq!(
        header(&letter, "Responder-Subject"),
        "falco.critical.terminal_shell_in_container"
    );
    assert_eq!(header(&letter, "Responder-Stream"), "falco");
    assert_eq!(header(&letter, "Responder-Deliveries"), "1");
    assert!(header(&letter, "Responder-Detail").contains("cut it"), "{letter:?}");
    until_nothing_is_left(&client).await;
    let metrics = responder.metrics().await.unwrap();
    assert_eq!(count(&metrics, "dead_letters_total", &[("cause", "undecodable")]), 1);
    let accounts = metrics.accounts();
    assert!(accounts.is_balanced() && accounts.rejected == 1, "{accounts:?}");
    // The stream for dead letters keeps it.
    let context = async_nats::jetstream::new(client.clone());
    let kept = context
        .get_stream("falco-dead-letters")
        .await
        .unwrap()
        .cached_info()
        .state
        .messages;
    assert_eq!(kept, 1);
}

/// The user may read nothing, so every decision is Unreadable and asks for redelivery.
fn blind(scenario: &Scenario<'_>, server: &NatsServer, max_deliver: u32) -> ResponderOptions {
    let kubeconfig = scenario
        .control_plane
        .kubeconfig_for(&format!("blind-{}", scenario.name), &[])
        .unwrap();
    let mut settings = stream(server);
    settings["jetStream"]["maxDeliver"] = json!(max_deliver);
    ResponderOptions {
        playbooks: on_shell("Enforce", &["delete: {}"]),
        kubeconfig: Some(kubeconfig),
        mode: Some("Enforce"),
        nats: Some(settings.to_string()),
        ..ResponderOptions::default()
    }
}

#[tokio::test]
async fn an_unreadable_target_causes_a_redelivery_and_finally_a_dead_letter() {
    let scenario = Scenario::new("nats-again").await;
    let pod = scenario.running("web").await;
    let server = NatsServer::start().await.unwrap();
    let client = connect(&server).await;
    let mut letters = client.subscribe("responder.dead-letter").await.unwrap();
    let responder = start(&blind(&scenario, &server, 2)).await;

    let sent = payload(&alert::shell_in(&pod).unwrap());
    publish(&client, sent.clone()).await;
    let letter = next(&mut letters).await;

    assert_eq!(letter.payload, sent);
    assert_eq!(header(&letter, "Responder-Reason"), "send_again");
    assert_eq!(header(&letter, "Responder-Deliveries"), "2");
    assert!(header(&letter, "Responder-Detail").contains("Unreadable"), "{letter:?}");
    until_nothing_is_left(&client).await;
    let metrics = responder.metrics().await.unwrap();
    assert_eq!(count(&metrics, "messages_redelivered_total", &[]), 1);
    assert_eq!(
        count(&metrics, "messages_given_back_total", &[("cause", "send_again")]),
        1
    );
    assert_eq!(count(&metrics, "dead_letters_total", &[("cause", "send_again")]), 1);
    let accounts = metrics.accounts();
    assert_eq!(accounts.refused, [("Unreadable".to_owned(), 2)].into());
    assert!(accounts.is_balanced(), "{accounts:?}");
    scenario.still_there(&pod).await;
}

#[tokio::test]
async fn an_alert_is_acknowledged_only_when_it_is_settled_and_so_is_its_duplicate() {
    let scenario = Scenario::new("nats-held").await;
    let pod = scenario.running("web").await;
    let server = NatsServer::start().await.unwrap();
    let client = connect(&server).await;
    let gate = AdmissionGate::after(&scenario, 0).await;
    let mut options = scenario.options(&on_shell("Enforce", &["delete: {}"])).await;
    let mut settings = stream(&server);
    // Shorter than the request is held: only progress signals prevent a redelivery.
    settings["jetStream"]["ackWait"] = json!("2s");
    options.nats = Some(settings.to_string());
    let responder = start(&options).await;

    let shell = alert::shell_in(&pod).unwrap();
    publish(&client, payload(&shell)).await;
    gate.wait_for(1).await;
    publish(&client, payload(&shell)).await;
    metrics_until(&responder, "the duplicate", |metrics| metrics.accounts().duplicate == 1).await;
    tokio::time::sleep(std::time::Duration::from_secs(4)).await;
    assert_eq!(
        left(&client).await,
        (0, 2),
        "neither is acknowledged while the request is held"
    );
    let metrics = responder.metrics().await.unwrap();
    assert_eq!(count(&metrics, "messages_redelivered_total", &[]), 0);
    assert_eq!(count(&metrics, "messages_in_flight", &[]), 2);

    gate.open();
    until_nothing_is_left(&client).await;
    let accounts = responder.metrics().await.unwrap().accounts();
    assert_eq!((accounts.matched, accounts.duplicate), (1, 1));
    assert_eq!(scenario.writes().len(), 1);
}

#[tokio::test]
async fn a_responder_that_stops_gives_back_unsettled_messages() {
    let scenario = Scenario::new("nats-stopped").await;
    let pods = scenario.running_many("web", 3).await;
    let server = NatsServer::start().await.unwrap();
    let client = connect(&server).await;
    let gate = AdmissionGate::after(&scenario, 0).await;
    let mut options = scenario.options(&on_shell("Enforce", &["delete: {}"])).await;
    let mut settings = stream(&server);
    // Messages that are not given back are not redelivered during this test.
    settings["jetStream"]["ackWait"] = json!("10m");
    options.nats = Some(settings.to_string());
    options.arguments = ["--shutdown-deadline", "1s"].map(str::to_owned).to_vec();
    let responder = start(&options).await;
    for pod in &pods {
        publish(&client, payload(&alert::shell_in(pod).unwrap())).await;
    }
    gate.wait_for(1).await;
    eventually("all are delivered", async || {
        (left(&client).await == (0, 3)).then_some(())
    })
    .await;

    assert!(responder.stop().await.unwrap().success());
    gate.open();

    let mut second = start(&options).await;
    second.wait_until_at_rest(3).await.unwrap();
    until_nothing_is_left(&client).await;
    let metrics = second.metrics().await.unwrap();
    assert_eq!(count(&metrics, "messages_redelivered_total", &[]), 3);
    for pod in &pods {
        assert!(scenario.get(pod).await.is_none());
    }
}

/// The server delivers no more than `maxInFlight` messages and keeps the rest.
#[tokio::test]
async fn messages_in_flight_are_bounded_and_the_rest_stays_on_the_server() {
    let scenario = Scenario::new("nats-bound").await;
    let pods = scenario.running_many("web", 12).await;
    let server = NatsServer::start().await.unwrap();
    let client = connect(&server).await;
    let gate = AdmissionGate::after(&scenario, 0).await;
    let mut options = scenario.options(&on_shell("Enforce", &["delete: {}"])).await;
    let mut settings = stream(&server);
    settings["jetStream"]["maxInFlight"] = json!(4);
    options.nats = Some(settings.to_string());
    let mut responder = start(&options).await;
    for pod in &pods {
        publish(&client, payload(&alert::shell_in(pod).unwrap())).await;
    }
    gate.wait_for(4).await;
    eventually("four are delivered", async || {
        (left(&client).await == (8, 4)).then_some(())
    })
    .await;
    assert_eq!(responder.metrics().await.unwrap().accounts().received, 4);

    gate.open();
    let accounts = responder.wait_until_at_rest(12).await.unwrap();
    until_nothing_is_left(&client).await;
    assert_eq!(accounts.responses, [("Done".to_owned(), 12)].into());
    assert_eq!(accounts.shed, 0);
}
