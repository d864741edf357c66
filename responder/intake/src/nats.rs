//! The NATS intake: core subscriptions with a queue group, and durable pull consumers of JetStream. Step of the flow:
//! intake.
//!
//! **Core NATS promises nothing.** Who is not connected when an alert is published never gets it; a message is gone once it
//! is handed over, so what is shed here can't be given back, and what the process holds when it is killed is lost. It is
//! counted, and that is all. falcosidekick publishes that way and no other.
//!
//! **JetStream keeps an alert until it is settled.** A stream over the same subjects captures what falcosidekick publishes.
//! A message is acknowledged, and the acknowledgement confirmed, after every decision about its alert was taken; until
//! then the server is told that work goes on, and what there is no room for stays on the server. What can't be decided, or
//! can't be read, ends on a subject for dead letters with the reason in its headers.
//!
//! [`NatsConfig`] says where and what; [`start`] takes alerts until it is told to stop, connects again by itself, and shows
//! its [`NatsState`] to readiness and metrics.

mod arrival;
mod auth;
mod config;
mod connect;
mod core;
mod dead_letter;
mod delivery;
mod jetstream;
mod name;
mod setup;
mod state;

use std::sync::Arc;
use std::time::Duration;

use async_nats::Client;
use responder_core::alert::Bounds;
use tokio::task::{JoinHandle, JoinSet};
use tokio_util::sync::CancellationToken;

pub use self::auth::{Auth, Secret};
pub use self::config::{
    ConfigError, Core, JetStream, JetStreamSettings, NatsConfig, NewStream, Retention, Servers, Storage, Subscription,
    Tls,
};
pub use self::name::{NameError, QueueGroup, StreamName, SubjectFilter};
pub use self::state::{DeadLetterCause, NakCause, NatsSnapshot, NatsState};
use crate::SettlingSink;

/// For the last acknowledgements, and for the connection to close.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// Why nothing can be taken over NATS. A server that can't be reached is none: it is tried again.
#[derive(Debug, thiserror::Error)]
#[error("the NATS client can't be started; look at the addresses of the servers")]
pub struct StartError(#[source] async_nats::ConnectError);

/// The running intake.
#[derive(Debug)]
#[must_use = "what it holds is given back only by `finish`"]
pub struct Nats {
    client: Client,
    state: Arc<NatsState>,
    /// Ends once nothing more is taken, with what is still waited for.
    taking: JoinHandle<JoinSet<()>>,
}

/// Starts to take alerts, on the current tokio runtime, until `stop`. Returns at once: the server may come later.
pub async fn start<S: SettlingSink>(
    config: NatsConfig,
    bounds: Bounds,
    sink: Arc<S>,
    stop: CancellationToken,
) -> Result<Nats, StartError> {
    let state = Arc::new(NatsState::new(&config));
    let client = connect::connect(&config, &state).await.map_err(StartError)?;
    let intake = Intake {
        client: client.clone(),
        state: Arc::clone(&state),
        sink,
        bounds,
        stop,
        notices: crate::notices::Notices::default(),
    };
    let taking = tokio::spawn(async move {
        match config.subscription {
            Subscription::Core(core) => {
                core::run(&intake, &core).await;
                JoinSet::new()
            }
            Subscription::JetStream(jetstream) => jetstream::run(Arc::new(intake), jetstream).await,
        }
    });
    Ok(Nats { client, state, taking })
}

/// What the parts of the intake share.
struct Intake<S> {
    client: Client,
    state: Arc<NatsState>,
    sink: Arc<S>,
    bounds: Bounds,
    stop: CancellationToken,
    notices: crate::notices::Notices,
}

impl Nats {
    /// What readiness and metrics show.
    pub fn state(&self) -> Arc<NatsState> {
        Arc::clone(&self.state)
    }

    /// Waits until nothing more is taken, after `stop`. Then the engine can be told to finish.
    pub async fn stopped_taking(self) -> Finishing {
        let in_flight = self.taking.await.unwrap_or_else(|error| {
            tracing::error!(%error, "the NATS intake failed; this is a defect of responder");
            JoinSet::new()
        });
        Finishing {
            client: self.client,
            in_flight,
        }
    }
}

/// What was taken and is not acknowledged yet.
#[derive(Debug)]
#[must_use = "what it holds is given back only by `finish`"]
pub struct Finishing {
    client: Client,
    in_flight: JoinSet<()>,
}

impl Finishing {
    /// Acknowledges what was settled, gives back what was not, and closes the connection: after the engine has ended, when
    /// every alert is the one or the other. What the server does not take in time, it delivers again.
    pub async fn finish(mut self) {
        let last = async {
            while self.in_flight.join_next().await.is_some() {}
            if let Err(error) = self.client.flush().await {
                tracing::warn!(%error, "the last acknowledgements may not have reached NATS; it delivers those alerts again");
            }
        };
        if tokio::time::timeout(LAST_WORDS, last).await.is_err() {
            tracing::warn!("NATS did not take the last acknowledgements in time; it delivers those alerts again");
        }
        let _ = tokio::time::timeout(LAST_WORDS, self.client.drain()).await;
    }
}
