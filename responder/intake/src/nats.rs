//! The NATS intake: core subscriptions with a queue group, and durable pull consumers of JetStream. Step of the flow:
//! intake.
//!
//! **Core NATS guarantees nothing.** An alert that is published while no responder is connected is lost. So is an alert
//! that is shed, since a message can't be given back, and an alert that a killed process held. Losses are counted, as far
//! as the process sees them. falcosidekick publishes to core NATS only.
//!
//! **JetStream stores an alert until it is settled.** A stream over the same subjects captures the alerts of falcosidekick.
//! A message is acknowledged, and the acknowledgement confirmed, after every decision about its alert. Until then the
//! server gets signs of life, and messages beyond the capacity of the responders wait on the server. A message that can't
//! be decoded or decided ends on a subject for dead letters, with the reason in its headers.
//!
//! [`NatsConfig`] has the settings. [`start`] takes alerts until it is stopped and restores its connection by itself;
//! [`NatsState`] shows it to readiness and metrics.

mod arrival;
mod auth;
mod backlog;
mod causes;
mod config;
mod config_error;
mod connect;
mod core;
mod counts;
mod dead_letter;
mod delivery;
mod exchange;
mod intake;
mod jetstream;
mod name;
mod servers;
mod setup;
mod state;
mod subscription;

use std::sync::Arc;
use std::time::Duration;

use async_nats::Client;
use responder_core::alert::Bounds;
use tokio::task::{JoinHandle, JoinSet};
use tokio_util::sync::CancellationToken;

pub use self::auth::NatsAuth;
pub use self::causes::{DeadLetterCause, NakCause};
pub use self::config::{NatsConfig, NatsTls};
pub use self::config_error::ConfigError;
pub use self::counts::NatsSnapshot;
use self::intake::Intake;
pub use self::name::{NameError, QueueGroup, StreamName, SubjectFilter};
pub use self::servers::Servers;
pub use self::state::NatsState;
pub use self::subscription::{Core, JetStream, JetStreamSettings, NewStream, Retention, Storage, Subscription};
use crate::SettlingSink;

/// For the last acknowledgements, and then for the connection to close.
const CLOSE_DEADLINE: Duration = Duration::from_secs(5);

/// The client can't be started. An unreachable server is no such error: the client tries again.
#[derive(Debug, thiserror::Error)]
#[error("the NATS client can't be started; look at the addresses of the servers")]
pub struct StartError(#[source] async_nats::ConnectError);

/// The running intake.
#[derive(Debug)]
#[must_use = "only `finish` gives back the messages that it holds"]
pub struct Nats {
    client: Client,
    state: Arc<NatsState>,
    /// Ends when no more messages are taken, with the tasks of those that are not answered yet.
    taking: JoinHandle<JoinSet<()>>,
}

/// Starts to take alerts on the current tokio runtime, until `stop`. Returns at once, even while the server is unreachable.
pub async fn start<S: SettlingSink>(
    config: NatsConfig,
    bounds: Bounds,
    sink: Arc<S>,
    stop: CancellationToken,
) -> Result<Nats, StartError> {
    let state = Arc::new(NatsState::new(&config));
    let client = connect::connect(&config, &state).await.map_err(StartError)?;
    let intake = Arc::new(Intake {
        client: client.clone(),
        state: Arc::clone(&state),
        sink,
        bounds,
        stop,
        notices: crate::notices::Notices::default(),
    });
    let taking = tokio::spawn(async move {
        match config.subscription {
            Subscription::Core(core) => {
                core::run(intake, core).await;
                JoinSet::new()
            }
            Subscription::JetStream(jetstream) => jetstream::run(intake, jetstream).await,
        }
    });
    Ok(Nats { client, state, taking })
}

impl Nats {
    /// The state, for readiness and metrics.
    pub fn state(&self) -> Arc<NatsState> {
        Arc::clone(&self.state)
    }

    /// Waits, after `stop`, until no more messages are taken. The engine can be shut down after that.
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

/// The messages that were taken and not answered yet.
#[derive(Debug)]
#[must_use = "only `finish` gives back the messages that it holds"]
pub struct Finishing {
    client: Client,
    in_flight: JoinSet<()>,
}

impl Finishing {
    /// Acknowledges the settled messages, gives back the others, and closes the connection. Called after the engine's
    /// shutdown, when every alert is settled or handed back. The server delivers again what it does not learn in time.
    pub async fn finish(mut self) {
        let last = async {
            while self.in_flight.join_next().await.is_some() {}
            if let Err(error) = self.client.flush().await {
                tracing::warn!(%error, "the last acknowledgements may not have reached NATS; it delivers those alerts again");
            }
        };
        if tokio::time::timeout(CLOSE_DEADLINE, last).await.is_err() {
            tracing::warn!("NATS did not take the last acknowledgements in time; it delivers those alerts again");
        }
        let _ = tokio::time::timeout(CLOSE_DEADLINE, self.client.drain()).await;
    }
}
