//! The messages of core NATS that were read and not decoded yet, bounded in bytes. The client's own channel has a bound in
//! messages only, and one message may have the size of a thousand ordinary alerts.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_nats::Message;
use tokio::sync::Notify;

/// Bytes of a message besides its subject and its payload, about.
const OVERHEAD: usize = size_of::<Message>() + 64;

/// Messages between the task that reads them and the one that takes their alerts.
#[derive(Debug)]
pub(super) struct Backlog {
    most: usize,
    waiting: Mutex<Waiting>,
    /// Stores one permit, so that a change between a look and a wait is not missed.
    changed: Notify,
}

#[derive(Debug, Default)]
struct Waiting {
    messages: VecDeque<Message>,
    bytes: usize,
    is_closed: bool,
}

impl Backlog {
    /// An empty backlog for so many bytes.
    pub(super) fn new(most: usize) -> Self {
        Self {
            most,
            waiting: Mutex::default(),
            changed: Notify::new(),
        }
    }

    /// Adds the messages that there is room for, in their order, and drops the others. Returns how many it added.
    pub(super) fn add(&self, messages: impl IntoIterator<Item = Message>) -> u64 {
        let mut added = 0;
        let mut waiting = self.waiting();
        for message in messages {
            let bytes = weight(&message);
            if waiting.bytes.saturating_add(bytes) <= self.most {
                waiting.bytes += bytes;
                waiting.messages.push_back(message);
                added += 1;
            }
        }
        drop(waiting);
        self.changed.notify_one();
        added
    }

    /// Lets [`Backlog::take`] end after the last message.
    pub(super) fn close(&self) {
        self.waiting().is_closed = true;
        self.changed.notify_one();
    }

    /// Moves up to `most` of the oldest messages into `batch`, and waits while there is none. Leaves `batch` empty after
    /// the last message of a closed backlog.
    pub(super) async fn take(&self, batch: &mut Vec<Message>, most: usize) {
        loop {
            {
                let mut waiting = self.waiting();
                let Waiting {
                    messages,
                    bytes,
                    is_closed,
                } = &mut *waiting;
                let count = most.min(messages.len());
                batch.extend(messages.drain(..count).inspect(|message| *bytes -= weight(message)));
                if count > 0 || *is_closed {
                    return;
                }
            }
            self.changed.notified().await;
        }
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        // Each method leaves it consistent.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn weight(message: &Message) -> usize {
    // `length` counts the subject, the headers and the payload.
    OVERHEAD.saturating_add(message.length.max(message.payload.len()))
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    fn message(subject: &'static str, bytes: usize) -> Message {
        Message {
            subject: subject.into(),
            reply: None,
            payload: vec![0; bytes].into(),
            headers: None,
            status: None,
            description: None,
            length: subject.len() + bytes,
        }
    }

    async fn taken(backlog: &Backlog, most: usize) -> Vec<String> {
        let mut batch = Vec::new();
        backlog.take(&mut batch, most).await;
        batch.iter().map(|message| message.subject.to_string()).collect()
    }

    #[tokio::test]
    async fn messages_past_the_bound_in_bytes_are_dropped_and_smaller_ones_still_fit() {
        let backlog = Backlog::new(100_000);
        let added = backlog.add([message("a", 60_000), message("b", 60_000), message("c", 30_000)]);
        assert_eq!(added, 2);
        assert_eq!(taken(&backlog, 9).await, ["a", "c"]);
        assert_eq!(backlog.add([message("d", 60_000)]), 1, "the room is free again");
        assert_eq!(taken(&backlog, 9).await, ["d"]);
    }

    #[tokio::test]
    async fn messages_without_a_payload_have_a_weight() {
        let backlog = Backlog::new(100_000);
        let added = backlog.add((0..10_000).map(|_| message("a", 0)));
        assert!(added < 500, "{added}");
    }

    #[tokio::test]
    async fn the_last_messages_are_taken_after_the_close() {
        let backlog = Backlog::new(100_000);
        backlog.add([message("a", 1), message("b", 1), message("c", 1)]);
        assert_eq!(taken(&backlog, 2).await, ["a", "b"]);
        backlog.close();
        assert_eq!(taken(&backlog, 2).await, ["c"]);
        assert!(taken(&backlog, 2).await.is_empty());
    }

    #[tokio::test]
    async fn a_taker_waits_for_the_next_message() {
        let backlog = Backlog::new(100_000);
        let mut waits = Box::pin(taken(&backlog, 9));
        assert_eq!(waits.as_mut().now_or_never(), None);
        backlog.add([message("a", 1)]);
        assert_eq!(waits.await, ["a"]);
    }
}
