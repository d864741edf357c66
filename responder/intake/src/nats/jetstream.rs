//! JetStream: pulls messages within bounds, and tries again after every failure.

use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream::consumer::pull::MessagesError;
use async_nats::jetstream::consumer::{PullConsumer, StreamError};
use async_nats::jetstream::{self, Context};
use backon::{BackoffBuilder as _, ExponentialBuilder};
use futures_util::{FutureExt as _, StreamExt as _};
use responder_core::error::chain;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::{JoinError, JoinSet};

use super::causes::NakCause;
use super::delivery::Delivery;
use super::exchange::ANSWER_DEADLINE;
use super::intake::Intake;
use super::setup::{self, SetupError};
use super::subscription::JetStream;
use crate::SettlingSink;

/// A pull without messages ends after this, and the next one follows.
const PULL: Duration = Duration::from_secs(30);
/// Between two heartbeats of the server; after two missing ones the pull is sent again.
const HEARTBEAT: Duration = Duration::from_secs(5);
/// Bytes of messages that the server sends ahead, at most one and a half times: the client asks for more at the half.
const PULL_BYTES: usize = 4 << 20;
/// Bytes of messages that are held for a last delivery or a dead letter. A message is held with its payload only where a
/// dead letter may need it; an alert in the engine's queue counts there.
const HELD_BYTES: usize = 4 << 20;
/// The first pause between two attempts to pull, and the longest.
const SHORTEST: Duration = Duration::from_millis(250);
const LONGEST: Duration = Duration::from_secs(10);

/// Why pulling ended before the stop.
#[derive(Debug, thiserror::Error)]
enum PullError {
    #[error(transparent)]
    Setup(#[from] SetupError),
    #[error("cannot pull messages")]
    Stream(#[from] StreamError),
    #[error("pulling messages failed")]
    Messages(#[from] MessagesError),
    #[error("the stream of messages ended")]
    Ended,
}

/// Takes messages until the stop. Returns the tasks of the messages that are not answered by then.
pub(super) async fn run<S: SettlingSink>(intake: Arc<Intake<S>>, settings: JetStream) -> JoinSet<()> {
    let mut context = jetstream::new(intake.client.clone());
    context.set_timeout(ANSWER_DEADLINE);
    let pauses = ExponentialBuilder::default()
        .with_min_delay(SHORTEST)
        .with_max_delay(LONGEST)
        .with_jitter()
        .without_max_times();
    let mut pull = Pull {
        free: Arc::new(Semaphore::new(settings.max_in_flight)),
        held: Arc::new(Semaphore::new(HELD_BYTES)),
        intake: Arc::clone(&intake),
        settings: Arc::new(settings),
        context,
        in_flight: JoinSet::new(),
        has_pulled: false,
    };
    let mut backoff = pauses.build();
    while !intake.stop.is_cancelled() {
        let Err(error) = pull.run().await else { break };
        if std::mem::take(&mut pull.has_pulled) {
            backoff = pauses.build();
        }
        let why = chain(&error);
        // The log tells of a lost connection elsewhere.
        if intake.state.is_connected()
            && let Some(more) = intake.notices.take("pull")
        {
            tracing::warn!(more, "no alerts are pulled from NATS; trying again: {why}");
        }
        intake.state.pulling(Err(why));
        let pause = backoff.next().unwrap_or(LONGEST);
        tokio::select! {
            () = intake.stop.cancelled() => {}
            () = tokio::time::sleep(pause) => {}
        }
    }
    pull.in_flight
}

struct Pull<S> {
    intake: Arc<Intake<S>>,
    settings: Arc<JetStream>,
    context: Context,
    /// A permit for each message that may be in flight. The server has the same bound, over all responders.
    free: Arc<Semaphore>,
    /// A permit for each byte of their payloads.
    held: Arc<Semaphore>,
    in_flight: JoinSet<()>,
    has_pulled: bool,
}

impl<S: SettlingSink> Pull<S> {
    /// Pulls until the stop or a failure.
    async fn run(&mut self) -> Result<(), PullError> {
        let stop = self.intake.stop.clone();
        let consumer = tokio::select! {
            () = stop.cancelled() => return Ok(()),
            consumer = self.consumer() => consumer?,
        };
        let mut messages = consumer
            .stream()
            .max_messages_per_batch(self.settings.max_in_flight)
            .max_bytes_per_batch(self.pull_bytes())
            .expires(PULL)
            .heartbeat(HEARTBEAT)
            .messages()
            .await?;
        self.intake.state.pulling(Ok(()));
        tracing::info!(stream = %self.settings.stream, consumer = %self.settings.consumer, "pulling alerts from NATS");
        loop {
            let permit = loop {
                tokio::select! {
                    biased;
                    () = stop.cancelled() => return self.give_back(messages).await,
                    Some(ended) = self.in_flight.join_next() => report_failure(ended),
                    // The semaphore is never closed.
                    Ok(permit) = Arc::clone(&self.free).acquire_owned() => break permit,
                }
            };
            let message = tokio::select! {
                biased;
                () = stop.cancelled() => return self.give_back(messages).await,
                message = messages.next() => message.ok_or(PullError::Ended)??,
            };
            self.has_pulled = true;
            let Some(held) = self.room_for(&message).await else {
                self.delivery(message).give_back(None, NakCause::Stopping).await;
                return self.give_back(messages).await;
            };
            let delivery = self.delivery(message);
            if let Some(rest) = delivery.take(held).await {
                self.in_flight.spawn(async move {
                    rest.await;
                    drop(permit);
                });
            }
        }
    }

    /// Room for the payload of a message; `None` at the stop. One that is larger than all room waits for all of it.
    async fn room_for(&mut self, message: &jetstream::Message) -> Option<OwnedSemaphorePermit> {
        let bytes = u32::try_from(message.payload.len().min(HELD_BYTES)).unwrap_or(u32::MAX);
        loop {
            tokio::select! {
                biased;
                () = self.intake.stop.cancelled() => return None,
                Some(ended) = self.in_flight.join_next() => report_failure(ended),
                // The semaphore is never closed.
                held = Arc::clone(&self.held).acquire_many_owned(bytes) => return held.ok(),
            }
        }
    }

    /// Bytes that the server may send ahead. One message may be as large as the server takes, and a pull that can't hold the
    /// next message ends without it, again and again.
    fn pull_bytes(&self) -> usize {
        let largest = self.intake.client.server_info().max_payload;
        PULL_BYTES.max(largest.saturating_mul(2))
    }

    async fn consumer(&self) -> Result<PullConsumer, SetupError> {
        self.intake.state.until_connected().await;
        setup::consumer(&self.context, &self.settings).await
    }

    fn delivery(&self, message: jetstream::Message) -> Delivery<S> {
        Delivery::new(Arc::clone(&self.intake), Arc::clone(&self.settings), message)
    }

    /// Gives back at once the messages that were delivered and not taken, for other responders.
    async fn give_back(&self, mut messages: jetstream::consumer::pull::Stream) -> Result<(), PullError> {
        while let Some(Some(Ok(message))) = messages.next().now_or_never() {
            self.delivery(message).give_back(None, NakCause::Stopping).await;
        }
        Ok(())
    }
}

fn report_failure(ended: Result<(), JoinError>) {
    if let Err(error) = ended {
        tracing::error!(%error, "the work on a message from NATS failed; this is a defect of responder");
    }
}
