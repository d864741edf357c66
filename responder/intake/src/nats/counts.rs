//! The numbers of the NATS intake, for the metrics.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::causes::{DeadLetterCause, NakCause};

/// The numbers of the NATS intake, since its start.
#[derive(Debug, Default)]
pub(super) struct NatsCounts {
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

/// The numbers of the NATS intake at one moment. Counts are since the start.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NatsSnapshot {
    /// Whether the client is connected.
    pub connected: bool,
    /// Connections after the first.
    pub reconnects: u64,
    /// Messages; each delivery counts.
    pub received: u64,
    /// Second and later deliveries of JetStream's messages.
    pub redelivered: u64,
    /// Messages of core NATS that were lost because they arrived faster than they could be read.
    pub overflowed: u64,
    /// Messages of a stream that are acknowledged or terminated.
    pub acknowledged: u64,
    /// Acknowledgements that the server did not confirm; it delivers those messages again.
    pub unconfirmed: u64,
    /// Messages given back to the server, by cause.
    pub naks: Vec<(NakCause, u64)>,
    /// Dead letters, by cause.
    pub dead_letters: Vec<(DeadLetterCause, u64)>,
    /// Messages of a stream in work.
    pub in_flight: u64,
    /// Messages of the stream that wait on the server, as of the last delivery.
    pub pending: u64,
}

impl NatsCounts {
    pub(super) fn snapshot(&self, connected: bool) -> NatsSnapshot {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let by = |all: &[AtomicU64]| all.iter().map(read).collect::<Vec<_>>();
        NatsSnapshot {
            connected,
            reconnects: read(&self.connects).saturating_sub(1),
            received: read(&self.received),
            redelivered: read(&self.redelivered),
            overflowed: read(&self.overflowed),
            acknowledged: read(&self.acknowledged),
            unconfirmed: read(&self.unconfirmed),
            naks: NakCause::ALL.iter().copied().zip(by(&self.naks)).collect(),
            dead_letters: DeadLetterCause::ALL
                .iter()
                .copied()
                .zip(by(&self.dead_letters))
                .collect(),
            in_flight: read(&self.in_flight),
            pending: read(&self.pending),
        }
    }

    /// Counts a connection; returns the number of those before it.
    pub(super) fn connected(&self) -> u64 {
        self.connects.fetch_add(1, Ordering::Relaxed)
    }

    pub(super) fn received(&self, is_redelivery: bool, pending: u64) {
        add(&self.received, 1);
        add(&self.redelivered, u64::from(is_redelivery));
        self.pending.store(pending, Ordering::Relaxed);
    }

    pub(super) fn overflowed(&self, lost: u64) {
        add(&self.overflowed, lost);
    }

    pub(super) fn acknowledged(&self) {
        add(&self.acknowledged, 1);
    }

    pub(super) fn unconfirmed(&self) {
        add(&self.unconfirmed, 1);
    }

    pub(super) fn gave_back(&self, cause: NakCause) {
        add(&self.naks[cause as usize], 1);
    }

    pub(super) fn dead_letter(&self, cause: DeadLetterCause) {
        add(&self.dead_letters[cause as usize], 1);
    }

    /// Counts a message as in flight until the result is dropped.
    pub(super) fn in_flight(self: &Arc<Self>) -> InFlight {
        add(&self.in_flight, 1);
        InFlight(Arc::clone(self))
    }
}

fn add(count: &AtomicU64, more: u64) {
    count.fetch_add(more, Ordering::Relaxed);
}

/// A message in work.
#[derive(Debug)]
pub(super) struct InFlight(Arc<NatsCounts>);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}
