//! Core NATS: messages as they pass by. What can't be taken is counted, and gone.

use std::sync::atomic::Ordering;
use std::time::Duration;

use async_nats::{Message, Subscriber};
use futures_util::StreamExt as _;
use futures_util::stream::select_all;

use super::Intake;
use super::config::Core;
use crate::{Sink, Taken};

/// How often what was lost is looked for.
const LOOK: Duration = Duration::from_millis(250);
/// For what is on its way when it is told to stop.
const DRAIN: Duration = Duration::from_secs(2);

pub(super) async fn run<S: Sink>(intake: &Intake<S>, core: &Core) {
    let mut subscribers = Vec::with_capacity(core.subjects.len());
    for subject in &core.subjects {
        // Queued by the client until it is connected.
        let subscribed = tokio::select! {
            () = intake.stop.cancelled() => return,
            subscribed = intake.client.queue_subscribe(subject.as_str().to_owned(), core.queue.to_string()) => subscribed,
        };
        match subscribed {
            Ok(messages) => subscribers.push(messages),
            Err(error) => tracing::error!(%subject, %error, "can't subscribe; nothing comes from this subject"),
        }
    }
    let mut lost = Lost::default();
    let mut look = tokio::time::interval(LOOK);
    let mut messages = select_all(subscribers);
    loop {
        tokio::select! {
            biased;
            () = intake.stop.cancelled() => break,
            Some(message) = messages.next() => {
                lost.seen += 1;
                intake.take(&message);
            }
            // Only when nothing waits: then whatever came before the last look was read, or had no room.
            _ = look.tick() => lost.look(intake),
        }
    }
    drain(intake, messages.into_iter().collect(), &mut lost).await;
}

/// What the server has sent already is still taken.
async fn drain<S: Sink>(intake: &Intake<S>, mut subscribers: Vec<Subscriber>, lost: &mut Lost) {
    if intake.state.is_connected() {
        let rest = async {
            for subscriber in &mut subscribers {
                let _ = subscriber.drain().await;
            }
            let mut messages = select_all(subscribers);
            while let Some(message) = messages.next().await {
                lost.seen += 1;
                intake.take(&message);
            }
        };
        let _ = tokio::time::timeout(DRAIN, rest).await;
    }
    lost.look(intake);
    lost.look(intake);
}

impl<S: Sink> Intake<S> {
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
