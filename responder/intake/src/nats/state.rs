//! How it stands with NATS: for readiness, metrics and the log. Every label is one of a closed set.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_nats::{Event, Server, ServerError};
use tokio::sync::watch;

use super::config::{NatsConfig, Subscription};
use crate::notices::Notices;

macro_rules! causes {
    ($($(#[$doc:meta])* $type:ident { $($(#[$variant_doc:meta])* $name:ident = $text:literal,)+ })+) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $type {
            $($(#[$variant_doc])* $name,)+
        }

        impl $type {
            /// Every one.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// A bounded name for metrics.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)+ }
            }
        }
    )+};
}

causes! {
    /// Why a message was given back to the server.
    NakCause {
        /// There is no room for its alert.
        Shed = "shed",
        /// The decision asks for it to be sent again.
        SendAgain = "send_again",
        /// The process is stopping.
        Stopping = "stopping",
        /// The dead letter could not be sent.
        DeadLetterFailed = "dead_letter_failed",
    }

    /// Why a message is a dead letter.
    DeadLetterCause {
        /// It is no alert.
        Undecodable = "undecodable",
        /// The last decision that it was delivered for asks for it to be sent again.
        SendAgain = "send_again",
        /// There was no room for its alert each time.
        Shed = "shed",
        /// It was delivered as often as may be, and nobody came to an end with it.
        Undecided = "undecided",
    }
}

/// How it stands with NATS.
#[derive(Debug)]
pub struct NatsState {
    connected: watch::Sender<bool>,
    trouble: Mutex<Trouble>,
    notices: Notices,
    pulls: bool,
    lame: AtomicBool,
    counts: Counts,
}

/// What is wrong, if something is.
#[derive(Debug, Default)]
struct Trouble {
    /// Why there is no connection.
    connection: Option<String>,
    /// What the server does not let us do, as it says.
    refused: Option<String>,
    /// Why no messages are pulled.
    consumer: Option<String>,
}

#[derive(Debug, Default)]
struct Counts {
    connects: AtomicU64,
    received: AtomicU64,
    redelivered: AtomicU64,
    overflowed: AtomicU64,
    acknowledged: AtomicU64,
    unconfirmed: AtomicU64,
    naks: [AtomicU64; NakCause::ALL.len()],
    dead_letters: [AtomicU64; DeadLetterCause::ALL.len()],
    in_flight: AtomicU64,
    pending: AtomicU64,
}

/// A look at it, for metrics. The counts are since the start.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NatsSnapshot {
    /// Whether there is a connection.
    pub connected: bool,
    /// Connections beyond the first.
    pub reconnects: u64,
    /// Messages, each delivery of one.
    pub received: u64,
    /// Of these, JetStream's second and later deliveries.
    pub redelivered: u64,
    /// Messages of core NATS that came faster than they could be read: lost.
    pub overflowed: u64,
    /// Messages that are done with.
    pub acknowledged: u64,
    /// Acknowledgements that the server did not confirm: it delivers those again.
    pub unconfirmed: u64,
    /// Messages given back, by cause.
    pub naks: Vec<(NakCause, u64)>,
    /// Dead letters, by cause.
    pub dead_letters: Vec<(DeadLetterCause, u64)>,
    /// Messages of a stream that are being worked on.
    pub in_flight: u64,
    /// Messages of a stream that wait on the server, as of the last delivery.
    pub pending: u64,
}

impl NatsState {
    pub(super) fn new(config: &NatsConfig) -> Self {
        let pulls = matches!(config.subscription, Subscription::JetStream(_));
        Self {
            connected: watch::Sender::new(false),
            trouble: Mutex::new(Trouble {
                connection: Some("connecting for the first time".to_owned()),
                refused: None,
                consumer: pulls.then(|| "the consumer is not asked for yet".to_owned()),
            }),
            notices: Notices::default(),
            pulls,
            lame: AtomicBool::new(false),
            counts: Counts::default(),
        }
    }

    /// Whether alerts come in over NATS; otherwise why not, in a sentence.
    pub fn ready(&self) -> Result<(), String> {
        let trouble = self.trouble();
        if !self.is_connected() {
            let why = trouble.connection.as_deref().unwrap_or("connecting");
            return Err(format!("there is no connection to NATS ({why})"));
        }
        if let Some(refused) = &trouble.refused {
            return Err(format!("NATS does not permit what is needed ({refused})"));
        }
        match &trouble.consumer {
            Some(why) => Err(format!("no alerts are pulled from NATS ({why})")),
            None => Ok(()),
        }
    }

    /// What was counted so far.
    pub fn snapshot(&self) -> NatsSnapshot {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let counts = &self.counts;
        let by = |all: &[AtomicU64]| all.iter().map(read).collect::<Vec<_>>();
        NatsSnapshot {
            connected: self.is_connected(),
            reconnects: read(&counts.connects).saturating_sub(1),
            received: read(&counts.received),
            redelivered: read(&counts.redelivered),
            overflowed: read(&counts.overflowed),
            acknowledged: read(&counts.acknowledged),
            unconfirmed: read(&counts.unconfirmed),
            naks: NakCause::ALL.iter().copied().zip(by(&counts.naks)).collect(),
            dead_letters: DeadLetterCause::ALL
                .iter()
                .copied()
                .zip(by(&counts.dead_letters))
                .collect(),
            in_flight: read(&counts.in_flight),
            pending: read(&counts.pending),
        }
    }

    pub(super) fn is_connected(&self) -> bool {
        *self.connected.borrow()
    }

    /// Waits for a connection.
    pub(super) async fn until_connected(&self) {
        // The sender is ours, so it does not end first.
        let _ = self.connected.subscribe().wait_for(|connected| *connected).await;
    }

    /// What the client tells of its connection.
    pub(super) fn happened(&self, event: &Event) {
        match event {
            Event::Connected => {
                let before = self.counts.connects.fetch_add(1, Ordering::Relaxed);
                {
                    let mut trouble = self.trouble();
                    trouble.connection = None;
                    trouble.refused = None;
                }
                self.connected.send_replace(true);
                self.lame.store(false, Ordering::Relaxed);
                tracing::info!(reconnects = before, "connected to NATS");
            }
            Event::Disconnected => {
                self.trouble().connection = Some("it was lost; connecting again".to_owned());
                self.connected.send_replace(false);
                tracing::warn!("the connection to NATS was lost; connecting again");
            }
            Event::LameDuckMode if !self.lame.swap(true, Ordering::Relaxed) => {
                tracing::info!("the NATS server is being shut down; another will be looked for");
            }
            Event::ServerError(ServerError::Other(said)) => self.refused(said),
            // Each failed attempt is told of with its reason by `trying`; a message that found no room by `overflowed`.
            _ => {}
        }
    }

    /// The server said no to something while we are connected: a subscription or a publication without permission.
    fn refused(&self, said: &str) {
        self.trouble().refused = Some(said.to_owned());
        if let Some(more) = self.notices.take("refused") {
            tracing::error!(more, "NATS refuses: {}", said.escape_debug());
        }
    }

    /// Called before each attempt to connect, with what became of the last one at each server.
    pub(super) fn trying(&self, servers: &[Server]) {
        let failed: Vec<String> = servers
            .iter()
            .filter_map(|server| {
                let error = server.last_error.as_deref()?;
                Some(format!(
                    "{}:{}: {}",
                    server.addr.host(),
                    server.addr.port(),
                    error.escape_debug()
                ))
            })
            .collect();
        if failed.is_empty() {
            return;
        }
        let why = failed.join("; ");
        let is_news = {
            let mut trouble = self.trouble();
            let is_news = trouble.connection.as_ref() != Some(&why);
            trouble.connection = Some(why.clone());
            is_news
        };
        let due = self.notices.take("connect");
        if is_news || due.is_some() {
            tracing::warn!("no connection to NATS; trying on: {why}");
        }
    }

    /// Whether messages are pulled, and why not.
    pub(super) fn pulling(&self, is_pulling: Result<(), String>) {
        debug_assert!(self.pulls, "core NATS has no consumer");
        let mut trouble = self.trouble();
        if is_pulling.is_ok() {
            // What was refused before is allowed by now, or is refused again.
            trouble.refused = None;
        }
        trouble.consumer = is_pulling.err();
    }

    pub(super) fn received(&self, is_again: bool, pending: u64) {
        add(&self.counts.received, 1);
        add(&self.counts.redelivered, u64::from(is_again));
        self.counts.pending.store(pending, Ordering::Relaxed);
    }

    pub(super) fn overflowed(&self, lost: u64) {
        add(&self.counts.overflowed, lost);
    }

    pub(super) fn acknowledged(&self) {
        add(&self.counts.acknowledged, 1);
    }

    pub(super) fn unconfirmed(&self) {
        add(&self.counts.unconfirmed, 1);
    }

    pub(super) fn gave_back(&self, cause: NakCause) {
        add(&self.counts.naks[cause as usize], 1);
    }

    pub(super) fn buried(&self, cause: DeadLetterCause) {
        add(&self.counts.dead_letters[cause as usize], 1);
    }

    /// One more message is worked on, until the answer is dropped.
    pub(super) fn working(self: &std::sync::Arc<Self>) -> Working {
        add(&self.counts.in_flight, 1);
        Working(std::sync::Arc::clone(self))
    }

    fn trouble(&self) -> MutexGuard<'_, Trouble> {
        // Each statement leaves it whole.
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn add(count: &AtomicU64, more: u64) {
    count.fetch_add(more, Ordering::Relaxed);
}

/// A message that is worked on.
#[derive(Debug)]
pub(super) struct Working(std::sync::Arc<NatsState>);

impl Drop for Working {
    fn drop(&mut self) {
        self.0.counts.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nats::{Auth, Core, JetStreamSettings, Servers};

    fn state(subscription: Subscription) -> NatsState {
        NatsState::new(&NatsConfig {
            servers: Servers::parse(["nats://127.0.0.1"]).unwrap(),
            name: "it".to_owned(),
            auth: Auth::None,
            tls: None,
            subscription,
        })
    }

    #[test]
    fn readiness_names_the_first_thing_that_is_missing() {
        let jetstream = JetStreamSettings::of("falco".parse().unwrap()).compile().unwrap();
        let state = state(Subscription::JetStream(jetstream));
        let said = |state: &NatsState| state.ready().err().unwrap_or_default();
        assert!(said(&state).contains("no connection"));
        state.happened(&Event::Connected);
        assert!(said(&state).contains("no alerts are pulled"));
        state.pulling(Ok(()));
        assert_eq!(state.ready(), Ok(()));
        state.happened(&Event::ServerError(ServerError::Other(
            "Permissions Violation".to_owned(),
        )));
        assert!(said(&state).contains("Permissions Violation"));
        state.happened(&Event::Disconnected);
        assert!(said(&state).contains("it was lost"));
        state.happened(&Event::Connected);
        assert_eq!(state.ready(), Ok(()));
        assert_eq!(state.snapshot().reconnects, 1);
    }

    #[test]
    fn core_nats_waits_for_no_consumer() {
        let state = state(Subscription::Core(Core::default()));
        state.happened(&Event::Connected);
        assert_eq!(state.ready(), Ok(()));
    }
}
