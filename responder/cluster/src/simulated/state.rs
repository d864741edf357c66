//! The state of a simulated cluster.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use jiff::Timestamp;
use responder_core::port::Clock;

use super::faults::{Faults, ReceivedRequest};
use super::object::ObjectKey;
use super::store::Store;

/// How many requests are kept: enough for three requests to each of 5000 pods, and bounded in a flood.
const MAX_RECEIVED: usize = 16_384;

/// Everything that the cluster holds.
pub(super) struct State {
    pub(super) store: Store,
    /// The objects that lists show, while they lag.
    pub(super) lagging: Option<Store>,
    pub(super) endings: BTreeSet<Ending>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) faults: Faults,
    pub(super) received: VecDeque<ReceivedRequest>,
}

/// A terminating pod and the end of its grace period.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Ending {
    pub(super) at: Timestamp,
    pub(super) key: ObjectKey,
    pub(super) uid: String,
}

impl State {
    pub(super) fn new(store: Store, clock: Arc<dyn Clock>) -> Self {
        Self {
            store,
            lagging: None,
            endings: BTreeSet::new(),
            clock,
            faults: Faults::default(),
            received: VecDeque::new(),
        }
    }

    pub(super) fn note(&mut self, request: ReceivedRequest) {
        if self.received.len() == MAX_RECEIVED {
            self.received.pop_front();
        }
        self.received.push_back(request);
    }
}
