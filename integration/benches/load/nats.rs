//! The cost of an unmatched alert over NATS: rate and CPU time of the process, compared with an async-nats consumer
//! that discards its messages, on the same server. The two alternate.

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use async_nats::{Client, jetstream};
use bytes::Bytes;
use integration::{
    nats::NatsServer,
    responder::{Responder, ResponderOptions},
};
use serde_json::json;
use tokio::time::sleep;

use crate::{
    http::UNMATCHED,
    playbooks,
    process::{BareNats, Cost, Meter},
    report::{CostGoal, Table},
    say,
};

/// The number of messages that are published before the previous step is awaited. Both sides buffer twice as many (the
/// responder 8 MiB, of which each takes 1.1 KB), so no message is lost and no side waits for the publisher.
const STEP: usize = 3_000;
const SUBJECT: &str = "falco.warning.read_sensitive_file_untrusted";
/// The subject of the bare consumer of core NATS. On the same subject, both sides would receive each message.
const SUBJECT_OF_BARE: &str = "bare.warning.read_sensitive_file_untrusted";
const DEADLINE: Duration = Duration::from_mins(2);
/// Reading `/metrics` costs as much as a hundred messages, and a step takes three times as long as this.
const POLL: Duration = Duration::from_millis(5);

/// Measures core NATS.
pub(crate) async fn core(quick: bool, table: &mut Table) -> anyhow::Result<()> {
    let (rounds, steps) = if quick { (3, 5) } else { (7, 10) };
    say(&format!(
        "NATS: {rounds} times {} messages that nothing matches, and as many to a bare consumer",
        steps * STEP
    ));
    let server = NatsServer::start().await?;
    let client = async_nats::connect(server.url()).await?;
    let responder = responder(&json!({ "servers": [server.url()] })).await?;
    let mut bare = BareNats::start(&server.url(), "core", [STEP, steps])?;
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    // The first round is a warm-up of both.
    for round in 0..=rounds {
        let cost_of_bare = core_round(&client, SUBJECT_OF_BARE, bare.pid(), steps, async |_| bare.step()).await?;
        sleep(Duration::from_millis(100)).await;
        let before = received(&responder).await?;
        let cost_of_ours = core_round(&client, SUBJECT, responder.pid(), steps, async |published| {
            let since = Instant::now();
            while received(&responder).await? < before + published {
                ensure!(since.elapsed() < DEADLINE, "messages were lost on the way");
                sleep(POLL).await;
            }
            Ok(())
        })
        .await?;
        if round > 0 {
            theirs.push(cost_of_bare);
            ours.push(cost_of_ours);
        }
    }
    let lost = responder
        .metrics()
        .await?
        .total("responder_nats_messages_overflowed_total", &[]);
    ensure!(lost < 1.0, "{lost} messages were lost, so the measurement is invalid");
    let goal = CostGoal {
        rate: 0.6,
        cpu: Some(2.0),
    };
    table.costs(35, "core NATS", &goal, [&ours, &theirs]);
    Ok(())
}

async fn core_round(
    client: &Client,
    subject: &'static str,
    pid: u32,
    steps: usize,
    mut wait: impl AsyncFnMut(usize) -> anyhow::Result<()>,
) -> anyhow::Result<Cost> {
    let meter = Meter::start(pid)?;
    for step in 1..=steps {
        for _ in 0..STEP {
            client.publish(subject, Bytes::from_static(UNMATCHED)).await?;
        }
        client.flush().await?;
        if step > 1 {
            wait((step - 1) * STEP).await?;
        }
    }
    wait(steps * STEP).await?;
    meter.cost(steps * STEP)
}

async fn received(responder: &Responder) -> anyhow::Result<usize> {
    Ok(usize::try_from(responder.metrics().await?.accounts().unmatched)?)
}

/// Measures JetStream: each side reads the messages of a stream from its beginning.
pub(crate) async fn jetstream(quick: bool, table: &mut Table) -> anyhow::Result<()> {
    let (rounds, steps) = if quick { (3, 5) } else { (7, 10) };
    let messages = steps * STEP;
    say(&format!(
        "JetStream: {rounds} times {messages} messages that nothing matches, and as many to a bare consumer"
    ));
    let server = NatsServer::start().await?;
    let context = jetstream::new(async_nats::connect(server.url()).await?);
    let config = jetstream::stream::Config {
        name: "falco".to_owned(),
        subjects: vec!["falco.>".to_owned()],
        ..jetstream::stream::Config::default()
    };
    context.create_stream(config).await?;
    for _ in 0..messages {
        context.client().publish(SUBJECT, Bytes::from_static(UNMATCHED)).await?;
    }
    context.client().flush().await?;
    let responder = responder(&json!({ "servers": [server.url()], "jetStream": { "stream": "falco" } })).await?;
    until_read(&context, "responder", messages).await?;
    let mut bare = BareNats::start(&server.url(), "jetstream", [STEP, steps])?;
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    // The first round is a warm-up of both.
    for round in 0..=rounds {
        let meter = Meter::start(bare.pid())?;
        bare.begin()?;
        for _ in 0..steps {
            bare.step()?;
        }
        until_read(&context, "bare", messages).await?;
        let cost_of_bare = meter.cost(messages)?;
        context.delete_consumer_from_stream("bare", "falco").await?;

        // The responder creates a new consumer, which starts at the beginning.
        context.delete_consumer_from_stream("responder", "falco").await?;
        let stream = context.get_stream_no_info("falco").await?;
        let since = Instant::now();
        while stream.consumer_info("responder").await.is_err() {
            ensure!(since.elapsed() < DEADLINE, "responder has not made its consumer again");
            sleep(POLL).await;
        }
        let meter = Meter::start(responder.pid())?;
        until_read(&context, "responder", messages).await?;
        let cost_of_ours = meter.cost(messages)?;
        if round > 0 {
            theirs.push(cost_of_bare);
            ours.push(cost_of_ours);
        }
    }
    let goal = CostGoal { rate: 0.5, cpu: None };
    table.costs(37, "JetStream", &goal, [&ours, &theirs]);
    Ok(())
}

async fn until_read(context: &jetstream::Context, consumer: &str, messages: usize) -> anyhow::Result<()> {
    let stream = context.get_stream_no_info("falco").await?;
    let read = async {
        loop {
            let info = stream.consumer_info(consumer).await?;
            if info.ack_floor.stream_sequence >= messages as u64 {
                return anyhow::Ok(());
            }
            sleep(POLL).await;
        }
    };
    tokio::time::timeout(DEADLINE, read)
        .await
        .context("the messages are not read in time")?
}

async fn responder(nats: &serde_json::Value) -> anyhow::Result<Responder> {
    let options = ResponderOptions {
        playbooks: playbooks(),
        simulate: Some(concat!(env!("CARGO_MANIFEST_DIR"), "/../playbooks/demo/cluster").into()),
        mode: Some("Enforce"),
        nats: Some(nats.to_string()),
        ..ResponderOptions::default()
    };
    let mut responder = Responder::start(&options).await?;
    responder.wait_until_ready().await?;
    Ok(responder)
}
