//! Slots and classes: the tickets that are ready, and the ones that work.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use serde::Serialize;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::class::QueueClass;
use super::keys::HeldKeys;
use super::limits::{QueueLimits, ShedCause};
use super::target_key::TargetKey;
use super::ticket::{Ticket, Turn};

/// A job that is accepted and not finished.
struct Unfinished<J> {
    class: QueueClass,
    accepted_at: Instant,
    bytes: usize,
    job: Arc<J>,
}

pub(super) struct ClassState<J> {
    ready: VecDeque<Turn<J>>,
    pub(super) running: usize,
    accepted: usize,
    pub(super) bytes: usize,
}

impl<J> ClassState<J> {
    const fn empty() -> Self {
        Self {
            ready: VecDeque::new(),
            running: 0,
            accepted: 0,
            bytes: 0,
        }
    }
}

/// The depth of one class.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct QueueDepth {
    /// Accepted and not finished.
    pub accepted: usize,
    /// Slots taken.
    pub running: usize,
    /// The age of the oldest of them, in milliseconds.
    pub oldest_ms: u64,
}

/// The work queue: see [the module](super).
pub(crate) struct WorkQueue<J> {
    limits: QueueLimits,
    pub(super) states: [ClassState<J>; 2],
    pub(super) keys: HeldKeys<J>,
    pub(super) per_subject: HashMap<TargetKey, usize>,
    /// By the order in which they were accepted.
    unfinished: BTreeMap<u64, Unfinished<J>>,
    last_seq: u64,
}

impl<J> WorkQueue<J> {
    pub(crate) fn new(limits: QueueLimits) -> Self {
        Self {
            limits: limits.normalised(),
            states: [ClassState::empty(), ClassState::empty()],
            keys: HeldKeys::new(),
            per_subject: HashMap::new(),
            unfinished: BTreeMap::new(),
            last_seq: 0,
        }
    }

    /// Takes a job in, or says which bound it meets.
    pub(crate) fn accept(
        &mut self,
        class: QueueClass,
        subject: Option<TargetKey>,
        bytes: usize,
        job: Arc<J>,
        now: Instant,
    ) -> Result<(), ShedCause> {
        let bound = self.limits.bound(class);
        let state = &mut self.states[class.index()];
        if state.accepted >= bound.alerts || state.bytes.saturating_add(bytes) > bound.bytes {
            return Err(ShedCause::QueueFull);
        }
        if let Some(key) = &subject {
            let count = self.per_subject.get(key).copied().unwrap_or(0);
            if count >= self.limits.per_subject {
                return Err(ShedCause::SubjectFull);
            }
            self.per_subject.insert(key.clone(), count + 1);
        }
        state.accepted += 1;
        state.bytes += bytes;
        self.last_seq += 1;
        let seq = self.last_seq;
        let unfinished = Unfinished {
            class,
            accepted_at: now,
            bytes,
            job: Arc::clone(&job),
        };
        self.unfinished.insert(seq, unfinished);
        let ticket = Ticket {
            seq,
            class,
            subject,
            holds_subject: false,
            object: None,
            next: 0,
            parked: 0,
            job,
        };
        state.ready.push_back(Turn::Start(ticket));
        Ok(())
    }

    /// The next turn, if a slot is free for it.
    ///
    /// Each class has its share first; then critical alerts take what ordinary ones leave free.
    pub(crate) fn next(&mut self) -> Option<Turn<J>> {
        let total = self.states[0].running + self.states[1].running;
        if total >= self.limits.concurrency {
            return None;
        }
        let critical_share = self.limits.critical_share;
        let ordinary_share = self.limits.concurrency - critical_share;
        if self.states[QueueClass::Critical.index()].running < critical_share
            && let Some(turn) = self.take(QueueClass::Critical)
        {
            return Some(turn);
        }
        if self.states[QueueClass::Ordinary.index()].running < ordinary_share
            && let Some(turn) = self.take(QueueClass::Ordinary)
        {
            return Some(turn);
        }
        self.take(QueueClass::Critical)
    }

    fn take(&mut self, class: QueueClass) -> Option<Turn<J>> {
        loop {
            let turn = match self.states[class.index()].ready.pop_front()? {
                Turn::Start(mut ticket) => {
                    let wanted = ticket.subject.clone().filter(|_| !ticket.holds_subject);
                    if let Some(key) = wanted {
                        if !self.keys.try_take(&key) {
                            self.keys.wait(key, ticket);
                            continue;
                        }
                        ticket.holds_subject = true;
                    }
                    Turn::Start(ticket)
                }
                resume @ Turn::Resume(..) => resume,
            };
            self.states[class.index()].running += 1;
            return Some(turn);
        }
    }

    /// A turn that comes before all tickets that have not begun.
    fn ready_first(&mut self, class: QueueClass, turn: Turn<J>) {
        self.states[class.index()].ready.push_front(turn);
    }

    /// Takes the key of a resolved target for a ticket that works, if it is free; a key of another target that it still
    /// holds is given up first.
    pub(crate) fn try_hold(&mut self, ticket: &mut Ticket<J>, key: &TargetKey) -> bool {
        if ticket.object.as_ref() == Some(key) {
            return true;
        }
        self.release_object(ticket);
        if !self.keys.try_take(key) {
            return false;
        }
        ticket.object = Some(key.clone());
        true
    }

    /// Gives up the key of the resolved target: the playbook at hand is done.
    pub(crate) fn release_object(&mut self, ticket: &mut Ticket<J>) {
        if let Some(key) = ticket.object.take() {
            self.release(&key);
        }
    }

    /// Lays a ticket that works aside until the key of its resolved target is free. It keeps its subject's key and gives
    /// up its slot.
    pub(crate) fn park(&mut self, mut ticket: Ticket<J>, key: TargetKey) {
        ticket.parked += 1;
        self.release_slot(ticket.class);
        if self.try_hold(&mut ticket, &key) {
            self.ready_first(ticket.class, Turn::Start(ticket));
        } else {
            self.keys.wait(key, ticket);
        }
    }

    /// Ends a ticket. `has_slot` is false for one that pauses.
    pub(crate) fn finish(&mut self, mut ticket: Ticket<J>, has_slot: bool) {
        if has_slot {
            self.release_slot(ticket.class);
        }
        self.release_object(&mut ticket);
        if let Some(unfinished) = self.unfinished.remove(&ticket.seq) {
            let state = &mut self.states[unfinished.class.index()];
            state.accepted -= 1;
            state.bytes -= unfinished.bytes;
        }
        let Some(key) = ticket.subject else { return };
        if let Some(count) = self.per_subject.get_mut(&key) {
            *count -= 1;
            if *count == 0 {
                self.per_subject.remove(&key);
            }
        }
        if ticket.holds_subject {
            self.release(&key);
        }
    }

    /// Gives up the slot of a response that pauses.
    pub(crate) fn release_slot(&mut self, class: QueueClass) {
        let running = &mut self.states[class.index()].running;
        *running = running.saturating_sub(1);
    }

    /// Asks for a slot again after a pause, before all tickets that have not begun.
    pub(crate) fn resume(&mut self, class: QueueClass) -> oneshot::Receiver<()> {
        let (wake, woken) = oneshot::channel();
        self.ready_first(class, Turn::Resume(class, wake));
        woken
    }

    /// Takes a key for a task that is no ticket (the end of a quarantine). `None`: it holds the key; otherwise it does
    /// once the receiver answers.
    pub(crate) fn hold(&mut self, key: &TargetKey) -> Option<oneshot::Receiver<()>> {
        self.keys.take_or_wait(key)
    }

    /// Gives up a key, to the first that waits for it.
    pub(crate) fn release(&mut self, key: &TargetKey) {
        if let Some(ticket) = self.keys.release(key) {
            self.ready_first(ticket.class, Turn::Start(ticket));
        }
    }

    /// Every job that is accepted and not finished, the oldest first.
    pub(crate) fn unfinished(&self) -> impl DoubleEndedIterator<Item = &Arc<J>> {
        self.unfinished.values().map(|unfinished| &unfinished.job)
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.unfinished.is_empty()
    }

    pub(crate) fn depth(&self, class: QueueClass, now: Instant) -> QueueDepth {
        let state = &self.states[class.index()];
        let oldest = self
            .unfinished
            .values()
            .find(|unfinished| unfinished.class == class)
            .map(|unfinished| now.saturating_duration_since(unfinished.accepted_at));
        QueueDepth {
            accepted: state.accepted,
            running: state.running,
            oldest_ms: oldest.map_or(0, |age| u64::try_from(age.as_millis()).unwrap_or(u64::MAX)),
        }
    }
}
