//! Core NATS: takes messages as they arrive. A message that can't be taken is counted and lost.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use async_nats::{Message, Subscriber};
use futures_util::FutureExt as _;
use tokio::task::JoinSet;
use tokio_stream::StreamMap;

use super::backlog::Backlog;
use super::intake::Intake;
use super::subscription::Core;
use crate::{Receipt, Sink};

/// The subscriptions, by their index in the configuration.
type Subscriptions = StreamMap<usize, Subscriber>;

/// Messages that are moved or taken before a loop polls anything else: a poll costs a tenth of a message, and a batch of
/// ordinary alerts takes a tenth of a millisecond.
const BATCH: usize = 64;
/// Bytes of messages that wait to be decoded: 5,000 ordinary alerts.
const BACKLOG: usize = 8 << 20;
/// Between two checks for lost messages.
const CHECK_INTERVAL: Duration = Duration::from_millis(250);
/// For the messages under way at the stop.
const DRAIN_DEADLINE: Duration = Duration::from_secs(2);

pub(super) async fn run<S: Sink>(intake: Arc<Intake<S>>, core: Core) {
    let backlog = Arc::new(Backlog::new(BACKLOG));
    // In a task of its own: the client's channel has no bound in bytes, so it is emptied while an alert is decoded, too.
    let mut reading = JoinSet::new();
    reading.spawn({
        let (intake, backlog) = (Arc::clone(&intake), Arc::clone(&backlog));
        async move {
            read(&intake, &core, &backlog).await;
            backlog.close();
        }
    });
    let mut batch = Vec::with_capacity(BATCH);
    loop {
        tokio::select! {
            biased;
            () = backlog.take(&mut batch, BATCH) => {
                if batch.is_empty() {
                    break;
                }
                for message in batch.drain(..) {
                    intake.take(&message);
                }
                // Decoding a batch of large alerts takes milliseconds.
                tokio::task::yield_now().await;
            }
            // Ends before the backlog is closed only if it failed.
            Some(Err(error)) = reading.join_next() => {
                tracing::error!(%error, "reading from NATS failed; this is a defect of responder");
                backlog.close();
            }
        }
    }
}

/// Moves the messages into the backlog until the stop.
async fn read<S: Sink>(intake: &Intake<S>, core: &Core, backlog: &Backlog) {
    let mut messages = Subscriptions::with_capacity(core.subjects.len());
    for (place, subject) in core.subjects.iter().enumerate() {
        // The client queues the subscription until it is connected.
        let subscribed = tokio::select! {
            () = intake.stop.cancelled() => return,
            subscribed = intake.client.queue_subscribe(subject.as_str().to_owned(), core.queue.to_string()) => subscribed,
        };
        match subscribed {
            Ok(stream) => {
                messages.insert(place, stream);
            }
            Err(error) => tracing::error!(%subject, %error, "cannot subscribe; no alerts come from this subject"),
        }
    }
    let mut lost = Lost::default();
    let mut check = tokio::time::interval(CHECK_INTERVAL);
    let mut batch = Vec::with_capacity(BATCH);
    loop {
        tokio::select! {
            biased;
            () = intake.stop.cancelled() => break,
            _ = messages.next_many(&mut batch, BATCH), if !messages.is_empty() => lost.keep(backlog, &mut batch),
            // Reached only while no message waits: each one that arrived before the last check was read, or had no room.
            _ = check.tick() => lost.check(intake),
        }
    }
    drain(intake, messages, backlog, &mut lost).await;
}

/// Reads the messages that the server has sent before the subscriptions end.
async fn drain<S: Sink>(intake: &Intake<S>, mut messages: Subscriptions, backlog: &Backlog, lost: &mut Lost) {
    let mut batch = Vec::with_capacity(BATCH);
    if intake.state.is_connected() {
        let rest = async {
            for subscriber in messages.values_mut() {
                let _ = subscriber.drain().await;
            }
            while messages.next_many(&mut batch, BATCH).await > 0 {
                lost.keep(backlog, &mut batch);
            }
        };
        let _ = tokio::time::timeout(DRAIN_DEADLINE, rest).await;
    } else {
        // No more messages arrive, and those that did are read.
        while let Some(1..) = messages.next_many(&mut batch, BATCH).now_or_never() {
            lost.keep(backlog, &mut batch);
        }
    }
    lost.check(intake);
    lost.check(intake);
}

impl<S: Sink> Intake<S> {
    fn take(&self, message: &Message) {
        self.state.counts().received(false, 0);
        match self.hand_over(message, S::submit) {
            Ok(Receipt::Shed) => self.shed(),
            Ok(_) => {}
            // NATS has no answers, so the log tells of it.
            Err(error) => {
                let kind = error.kind();
                self.sink.rejected(kind);
                if let Some(more) = self.notices.take(kind) {
                    let subject = message.subject.escape_debug();
                    tracing::warn!(%subject, kind, more, "a message from NATS was rejected: {error}");
                }
            }
        }
    }

    pub(super) fn shed(&self) {
        if let Some(more) = self.notices.take("shed") {
            tracing::warn!(more, "alerts from NATS are shed: more arrive than can be decided");
        }
    }
}

/// The messages that had no room. The client has an event for each of them and drops some of those events; its count of
/// messages is exact, and alerts are the only messages on this connection.
#[derive(Debug, Default)]
struct Lost {
    /// Messages that were read, and had room in the backlog.
    seen: u64,
    /// Messages that had arrived at the last check.
    arrived: u64,
    /// Lost messages that were counted before.
    counted: u64,
}

impl Lost {
    /// Moves a batch into the backlog; what has no room there is lost.
    fn keep(&mut self, backlog: &Backlog, batch: &mut Vec<(usize, Message)>) {
        self.seen += backlog.add(batch.drain(..).map(|(_, message)| message));
    }

    fn check<S: Sink>(&mut self, intake: &Intake<S>) {
        // As of the last check: a message that arrives at this moment may not be in its channel yet.
        let lost = self.arrived.saturating_sub(self.seen);
        let more = lost.saturating_sub(self.counted);
        self.arrived = intake.client.statistics().in_messages.load(Ordering::Relaxed);
        if more == 0 {
            return;
        }
        self.counted = lost;
        intake.state.counts().overflowed(more);
        for _ in 0..more {
            intake.sink.rejected("overflow");
        }
        tracing::warn!(
            lost = more,
            "alerts from NATS were lost: they arrived faster than they could be read; a JetStream stream would store them"
        );
    }
}
