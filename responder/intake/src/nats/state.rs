//! The state of the connection to NATS and of the pulling from it: for readiness, metrics and the log.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_nats::{Event, Server, ServerError};
use tokio::sync::watch;

use super::config::NatsConfig;
use super::counts::{NatsCounts, NatsSnapshot};
use super::subscription::Subscription;
use crate::notices::Notices;

/// The state of the NATS intake.
#[derive(Debug)]
pub struct NatsState {
    connected: watch::Sender<bool>,
    trouble: Mutex<Trouble>,
    notices: Notices,
    /// Whether messages are pulled from a stream.
    pulls: bool,
    /// Whether the server has announced its shutdown.
    lame: AtomicBool,
    counts: Arc<NatsCounts>,
}

/// The present problems, each as a sentence.
#[derive(Debug, Default)]
struct Trouble {
    /// Why there is no connection.
    connection: Option<String>,
    /// The server's error about a missing permission.
    refused: Option<String>,
    /// Why no messages are pulled.
    consumer: Option<String>,
}

impl NatsState {
    pub(super) fn new(config: &NatsConfig) -> Self {
        let pulls = matches!(config.subscription, Subscription::JetStream(_));
        Self {
            connected: watch::Sender::new(false),
            trouble: Mutex::new(Trouble {
                connection: Some("connecting for the first time".to_owned()),
                refused: None,
                consumer: pulls.then(|| "the consumer is not set up yet".to_owned()),
            }),
            notices: Notices::default(),
            pulls,
            lame: AtomicBool::new(false),
            counts: Arc::default(),
        }
    }

    /// Whether alerts come in over NATS; otherwise the reason, as a sentence.
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

    /// The numbers for the metrics.
    pub fn snapshot(&self) -> NatsSnapshot {
        self.counts.snapshot(self.is_connected())
    }

    pub(super) fn counts(&self) -> &Arc<NatsCounts> {
        &self.counts
    }

    pub(super) fn is_connected(&self) -> bool {
        *self.connected.borrow()
    }

    /// Waits for a connection.
    pub(super) async fn until_connected(&self) {
        // The sender is a field of this, so it does not end first.
        let _ = self.connected.subscribe().wait_for(|connected| *connected).await;
    }

    /// Takes in an event of the client.
    pub(super) fn happened(&self, event: &Event) {
        match event {
            Event::Connected => {
                let before = self.counts.connected();
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
                tracing::info!("the NATS server is shutting down; the client looks for another");
            }
            Event::ServerError(ServerError::Other(said)) => self.refused(said),
            // `trying` tells of failed attempts with their reasons, and the core subscription of lost messages.
            _ => {}
        }
    }

    /// Takes in the server's refusal of a subscription or a publication for want of permission.
    fn refused(&self, said: &str) {
        self.trouble().refused = Some(said.to_owned());
        if let Some(more) = self.notices.take("refused") {
            tracing::error!(more, "NATS refuses: {}", said.escape_debug());
        }
    }

    /// Takes in the error of the last attempt at each server, before the next attempt.
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
            tracing::warn!("no connection to NATS; trying again: {why}");
        }
    }

    /// Takes in whether messages are pulled, or why not.
    pub(super) fn pulling(&self, is_pulling: Result<(), String>) {
        debug_assert!(self.pulls, "core NATS has no consumer");
        let mut trouble = self.trouble();
        if is_pulling.is_ok() {
            // The permission that was missing is there, or the server refuses again.
            trouble.refused = None;
        }
        trouble.consumer = is_pulling.err();
    }

    fn trouble(&self) -> MutexGuard<'_, Trouble> {
        // Each statement leaves it consistent.
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nats::{Core, JetStreamSettings, Servers};

    fn state(subscription: Subscription) -> NatsState {
        NatsState::new(&NatsConfig {
            servers: Servers::parse(["nats://127.0.0.1"]).unwrap(),
            name: "it".to_owned(),
            auth: None,
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
