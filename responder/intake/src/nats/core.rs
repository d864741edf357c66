//! Core NATS: messages as they pass by. What can't be taken is counted, and gone.

use std::sync::atomic::Ordering;
use std::time::Duration;

use async_nats::{Message, Subscriber};
use futures_util::FutureExt as _;
use tokio_stream::StreamMap;

use super::Intake;
use super::config::Core;
use crate::{Sink, Taken};

/// The subscriptions, by their places in the configuration.
type Subscriptions = StreamMap<usize, Subscriber>;

/// Messages between two looks at anything else: a look costs a tenth of a message, and this many take a tenth of a
/// millisecond.
const BATCH: usize = 64;
/// How often what was lost is looked for.
const LOOK: Duration = Duration::from_millis(250);
/// For what is on its way when it is told to stop.
const DRAIN: Duration = Duration::from_secs(2);

pub(super) async fn run<S: Sink>(intake: &Intake<S>, core: &Core) {
    let mut messages = Subscriptions::with_capacity(core.subjects.len());
    for (place, subject) in core.subjects.iter().enumerate() {
        // Queued by the client until it is connected.
        let subscribed = tokio::select! {
            () = intake.stop.cancelled() => return,
            subscribed = intake.client.queue_subscribe(subject.as_str().to_owned(), core.queue.to_string()) => subscribed,
        };
        match subscribed {
            Ok(stream) => {
                messages.insert(place, stream);
            }
            Err(error) => tracing::error!(%subject, %error, "can't subscribe; nothing comes from this subject"),
        }
    }
    let mut lost = Lost::default();
    let mut look = tokio::time::interval(LOOK);
    let mut batch = Vec::with_capacity(BATCH);
    loop {
        tokio::select! {
            biased;
            () = intake.stop.cancelled() => break,
            _ = messages.next_many(&mut batch, BATCH), if !messages.is_empty() => intake.take_all(&mut batch, &mut lost),
            // Only when nothing waits: then whatever came before the last look was read, or had no room.
            _ = look.tick() => lost.look(intake),
        }
    }
    drain(intake, messages, &mut lost).await;
}

/// What the server has sent already is still taken.
async fn drain<S: Sink>(intake: &Intake<S>, mut messages: Subscriptions, lost: &mut Lost) {
    if intake.state.is_connected() {
        let rest = async {
            for subscriber in messages.values_mut() {
                let _ = subscriber.drain().await;
            }
            let mut batch = Vec::with_capacity(BATCH);
            while messages.next_many(&mut batch, BATCH).await > 0 {
                intake.take_all(&mut batch, lost);
            }
        };
        let _ = tokio::time::timeout(DRAIN, rest).await;
    } else {
        // Nothing comes any more, and what came is still ours.
        let mut batch = Vec::with_capacity(BATCH);
        while let Some(1..) = messages.next_many(&mut batch, BATCH).now_or_never() {
            intake.take_all(&mut batch, lost);
        }
    }
    lost.look(intake);
    lost.look(intake);
}

impl<S: Sink> Intake<S> {
    fn take_all(&self, batch: &mut Vec<(usize, Message)>, lost: &mut Lost) {
        lost.seen += batch.len() as u64;
        for (_, message) in batch.drain(..) {
            self.take(&message);
        }
    }

    fn take(&self, message: &Message) {
        self.state.received(false, 0);
        match self.hand_over(message, S::submit) {
            Ok(Taken::Shed) => self.shed(),
            Ok(_) => {}
            // Over NATS nobody is answered, so the log says it.
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
            tracing::warn!(more, "alerts from NATS are shed: more come in than can be decided");
        }
    }
}

/// Messages that found no room. The client says so in an event for each, of which it drops some itself; its count of
/// messages is exact, and on this connection there are no others than alerts.
#[derive(Debug, Default)]
struct Lost {
    /// Messages that we read.
    seen: u64,
    /// Messages that had come at the last look.
    came: u64,
    counted: u64,
}

impl Lost {
    fn look<S: Sink>(&mut self, intake: &Intake<S>) {
        // Those of the last look: what comes this moment may not have reached its place yet.
        let lost = self.came.saturating_sub(self.seen);
        let more = lost.saturating_sub(self.counted);
        self.came = intake.client.statistics().in_messages.load(Ordering::Relaxed);
        if more == 0 {
            return;
        }
        self.counted = lost;
        intake.state.overflowed(more);
        for _ in 0..more {
            intake.sink.rejected("overflow");
        }
        tracing::warn!(
            lost = more,
            "alerts from NATS were lost: they came faster than they could be read; JetStream keeps them"
        );
    }
}
