//! The consumer that responder is compared with in the benchmark `load`: async-nats that reads messages and does nothing
//! with them: of core NATS on subjects of its own, or of the stream of the alerts. Prints a line when it is ready, and one
//! for each step of messages; ends when its standard input closes, or when no message comes for a minute.

use std::{
    env,
    error::Error,
    io::{self, Read as _, Write as _},
    process, thread,
    time::Duration,
};

use async_nats::{
    ConnectOptions,
    jetstream::{self, consumer::pull},
};
use futures_util::StreamExt as _;
use tokio::time::timeout;

/// Whoever waits for our next line then reads that we have ended.
const PATIENCE: Duration = Duration::from_secs(60);

/// `bare-nats <url> core|jetstream <messages in a step>`
#[tokio::main]
async fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    thread::spawn(|| {
        // Closed or broken: either way nobody asks any more.
        let _ = io::stdin().read_to_end(&mut Vec::new());
        process::exit(0);
    });
    let arguments: Vec<String> = env::args().collect();
    let [_, url, kind, step] = arguments.as_slice() else {
        return Err("three arguments are expected".into());
    };
    let step: usize = step.parse()?;
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
        // The server reads in order: once this comes back, it has the subscription.
        client.publish("bare.ready", "".into()).await?;
        timeout(PATIENCE, messages.next()).await?;
        writeln!(io::stdout(), "ready")?;
        while let Some(message) = timeout(PATIENCE, messages.next()).await? {
            count(message.payload.len())?;
        }
    } else {
        let stream = jetstream::new(client).get_stream("falco").await?;
        let config = pull::Config {
            durable_name: Some("bare".to_owned()),
            filter_subject: "falco.>".to_owned(),
            max_ack_pending: 256,
            ..pull::Config::default()
        };
        let consumer = stream.create_consumer(config).await?;
        writeln!(io::stdout(), "ready")?;
        let mut messages = consumer.stream().max_messages_per_batch(256).messages().await?;
        while let Some(message) = timeout(PATIENCE, messages.next()).await? {
            let message = message?;
            message.ack().await?;
            count(message.payload.len())?;
        }
    }
    Ok(())
}
