//! The consumer that the benchmark `load` compares the responder with: async-nats that reads messages and discards
//! them, from subjects of its own on core NATS or from the stream of the alerts. It prints a line when it is ready and
//! one for every step of messages. From a stream it reads a round for each line of its standard input, with a new consumer.
//! It ends when its standard input closes or when no message arrives for a minute.

use std::{
    env,
    error::Error,
    io::{self, BufRead as _, Write as _},
    process,
    sync::mpsc,
    thread,
    time::Duration,
};

use async_nats::{
    ConnectOptions,
    jetstream::{self, consumer::pull},
};
use futures_util::StreamExt as _;
use tokio::time::timeout;

/// After this time without a message the process ends, and the benchmark reads the end of its output.
const PATIENCE: Duration = Duration::from_mins(1);

/// Usage: `bare-nats <url> core|jetstream <messages in a step> <steps in a round>`
#[tokio::main]
async fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let (begin, begins) = mpsc::channel();
    thread::spawn(move || {
        // A closed or broken input means that the benchmark has ended.
        for _ in io::stdin().lock().lines().map_while(Result::ok) {
            let _ = begin.send(());
        }
        process::exit(0);
    });
    let arguments: Vec<String> = env::args().collect();
    let [_, url, kind, step, steps] = arguments.as_slice() else {
        return Err("usage: bare-nats URL core|jetstream MESSAGES STEPS".into());
    };
    let (step, steps): (usize, usize) = (step.parse()?, steps.parse()?);
    let client = ConnectOptions::new().subscription_capacity(8192).connect(url).await?;
    let mut read = 0;
    let mut bytes = 0;
    let mut count = |length: usize| {
        read += 1;
        bytes += length;
        if read % step == 0 {
            writeln!(io::stdout(), "{read} messages, {bytes} bytes")
        } else {
            Ok(())
        }
    };
    if kind == "core" {
        let mut messages = client.queue_subscribe("bare.>", "bare".to_owned()).await?;
        // The server reads in order: when this message arrives, the subscription exists.
        client.publish("bare.ready", "".into()).await?;
        timeout(PATIENCE, messages.next()).await?;
        writeln!(io::stdout(), "ready")?;
        while let Some(message) = timeout(PATIENCE, messages.next()).await? {
            count(message.payload.len())?;
        }
    } else {
        let stream = jetstream::new(client).get_stream("falco").await?;
        writeln!(io::stdout(), "ready")?;
        // It blocks no other task: there is none between two rounds.
        while begins.recv_timeout(PATIENCE).is_ok() {
            let config = pull::Config {
                durable_name: Some("bare".to_owned()),
                filter_subject: "falco.>".to_owned(),
                max_ack_pending: 256,
                ..pull::Config::default()
            };
            let consumer = stream.create_consumer(config).await?;
            let messages = consumer.stream().max_messages_per_batch(256).messages().await?;
            let mut messages = messages.take(step * steps);
            while let Some(message) = timeout(PATIENCE, messages.next()).await? {
                let message = message?;
                message.ack().await?;
                count(message.payload.len())?;
            }
        }
    }
    Ok(())
}
