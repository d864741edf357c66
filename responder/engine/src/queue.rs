//! The work queue: who is next. One response at a time per target, many targets at once, and no flood in one lane starves the
//! other. Step of the flow: between match and snapshot.
//!
//! [`WorkQueue`] is plain synchronous code without a clock or a runtime; the pipeline asks it under a lock. An accepted alert
//! is a ticket. A ticket holds a *slot* while it works (so many requests are in flight at most), the *key* of its subject
//! from its first to its last playbook, and for a playbook that steps up the key of the owner or node it resolved to. The
//! second key is only ever taken by somebody who holds the first kind, so waiting is never a circle; and whoever waits
//! for a key holds no slot: a hot target delays itself and nobody else.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::fmt;
use std::sync::Arc;

use responder_core::alert::Priority;
use responder_core::object::{Name, Namespace, Uid};
use responder_core::target::Subject;
use serde::Serialize;
use tokio::sync::oneshot;
use tokio::time::Instant;

/// The two lanes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum QueueClass {
    /// Alerts of priority Critical and above.
    Critical,
    /// All others.
    Ordinary,
}

impl QueueClass {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Critical, Self::Ordinary];

    /// The lane of a priority.
    pub fn of(priority: Priority) -> Self {
        if priority >= Priority::Critical {
            Self::Critical
        } else {
            Self::Ordinary
        }
    }

    /// A bounded name for metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Critical => "critical",
            Self::Ordinary => "ordinary",
        }
    }

    const fn index(self) -> usize {
        match self {
            Self::Critical => 0,
            Self::Ordinary => 1,
        }
    }
}

impl fmt::Display for QueueClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// How much one lane holds: alerts that are accepted and not finished, waiting or working.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueueBound {
    /// So many alerts.
    pub alerts: usize,
    /// So many bytes of decoded alerts: an alert may be 256 KiB, and a lane full of those must not be the end.
    pub bytes: usize,
}

/// The bounds of both lanes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueueLimits {
    /// Responses at work at once; 8 by default and at least 2. Past eight at a time only the queue inside the API server
    /// grows, not the rate (measured: 420 deletions/s with eight in flight, 450/s with thirty-two).
    pub concurrency: usize,
    /// How many of them the ordinary lane never takes; a quarter by default, at least one and less than all. Critical
    /// alerts use the others too while no ordinary alert wants them.
    pub critical_share: usize,
    /// 1,024 alerts and 8 MiB by default.
    pub critical: QueueBound,
    /// 4,096 alerts and 16 MiB by default.
    pub ordinary: QueueBound,
    /// Alerts about one subject in both lanes together; 256 by default. So a pod that is made to raise alerts all the
    /// time fills a sixteenth of its lane and shields nobody.
    pub per_subject: usize,
}

impl Default for QueueLimits {
    fn default() -> Self {
        Self {
            concurrency: 8,
            critical_share: 2,
            critical: QueueBound {
                alerts: 1024,
                bytes: 8 << 20,
            },
            ordinary: QueueBound {
                alerts: 4096,
                bytes: 16 << 20,
            },
            per_subject: 256,
        }
    }
}

impl QueueLimits {
    const fn bound(&self, lane: QueueClass) -> QueueBound {
        match lane {
            QueueClass::Critical => self.critical,
            QueueClass::Ordinary => self.ordinary,
        }
    }

    fn normalised(mut self) -> Self {
        self.concurrency = self.concurrency.max(2);
        self.critical_share = self.critical_share.clamp(1, self.concurrency - 1);
        self
    }
}

/// Why an alert was shed. A closed set: it is a metric label.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum ShedCause {
    /// The lane holds as many alerts, or bytes of them, as it may.
    QueueFull,
    /// As many alerts about this subject wait as may.
    SubjectFull,
    /// The controller is stopping.
    Stopping,
}

impl ShedCause {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::QueueFull, Self::SubjectFull, Self::Stopping];

    /// A bounded name for metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::QueueFull => "lane full",
            Self::SubjectFull => "subject full",
            Self::Stopping => "stopping",
        }
    }
}

/// What only one response at a time may be about.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum TargetKey {
    /// A subject: the pod that an alert names.
    Pod(Namespace, Name),
    /// A subject: the host that an alert names, by whatever name.
    Host(Arc<str>),
    /// A resolved target.
    Node(Name),
    /// A resolved target.
    Owner(Uid),
}

impl TargetKey {
    pub(crate) fn of(subject: &Subject) -> Self {
        match subject {
            Subject::Pod(claim) => Self::Pod(claim.namespace.clone(), claim.name.clone()),
            Subject::Host { hostname } => Self::Host(hostname.as_str().into()),
        }
    }
}

/// An accepted alert on its way.
#[derive(Debug)]
pub(crate) struct Ticket<J> {
    seq: u64,
    lane: QueueClass,
    /// The key of the subject, held from the first start on.
    subject: Option<TargetKey>,
    holds_subject: bool,
    /// The key of the resolved target of the playbook at hand, where it is held.
    object: Option<TargetKey>,
    /// The playbook at hand.
    pub(crate) next: usize,
    /// How often it has waited for a resolved target.
    pub(crate) parked: u32,
    pub(crate) job: Arc<J>,
}

impl<J> Ticket<J> {
    pub(crate) const fn lane(&self) -> QueueClass {
        self.lane
    }

    /// The key of the resolved target, where it is held.
    pub(crate) const fn object(&self) -> Option<&TargetKey> {
        self.object.as_ref()
    }
}

/// Whose turn it is. A slot is taken for it.
#[derive(Debug)]
pub(crate) enum Turn<J> {
    /// Start, or go on from the playbook at hand.
    Start(Ticket<J>),
    /// Wake somebody who rested. Whoever does not answer gives the lane's slot back.
    Resume(QueueClass, oneshot::Sender<()>),
}

/// Who waits for a key.
enum Waiter<J> {
    Ticket(Ticket<J>),
    Task(oneshot::Sender<()>),
}

struct AlertQueue<J> {
    lane: QueueClass,
    at: Instant,
    bytes: usize,
    job: Arc<J>,
}

struct LaneState<J> {
    ready: VecDeque<Turn<J>>,
    running: usize,
    accepted: usize,
    bytes: usize,
}

/// A look at one lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct QueueDepth {
    /// Accepted and not finished.
    pub accepted: usize,
    /// Slots taken.
    pub running: usize,
    /// How long the oldest of them has been here, in milliseconds.
    pub oldest_ms: u64,
}

/// See the module.
pub(crate) struct WorkQueue<J> {
    limits: QueueLimits,
    states: [LaneState<J>; 2],
    /// A key that is held, with whoever waits for it. Free keys are not in here.
    held: HashMap<TargetKey, VecDeque<Waiter<J>>>,
    per_subject: HashMap<TargetKey, usize>,
    accepted: BTreeMap<u64, AlertQueue<J>>,
    last_seq: u64,
}

impl<J> WorkQueue<J> {
    pub(crate) fn new(limits: QueueLimits) -> Self {
        let lane = || LaneState {
            ready: VecDeque::new(),
            running: 0,
            accepted: 0,
            bytes: 0,
        };
        Self {
            limits: limits.normalised(),
            states: [lane(), lane()],
            held: HashMap::new(),
            per_subject: HashMap::new(),
            accepted: BTreeMap::new(),
            last_seq: 0,
        }
    }

    /// Takes a job in, or says why not.
    pub(crate) fn accept(
        &mut self,
        lane: QueueClass,
        subject: Option<TargetKey>,
        bytes: usize,
        job: Arc<J>,
        now: Instant,
    ) -> Result<(), ShedCause> {
        let bound = self.limits.bound(lane);
        let state = &mut self.states[lane.index()];
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
        self.accepted.insert(
            seq,
            AlertQueue {
                lane,
                at: now,
                bytes,
                job: Arc::clone(&job),
            },
        );
        let ticket = Ticket {
            seq,
            lane,
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

    /// Whose turn it is, if a slot is free for anybody.
    ///
    /// Each lane has its share first; then the critical lane takes what the ordinary one leaves free.
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

    fn take(&mut self, lane: QueueClass) -> Option<Turn<J>> {
        loop {
            let turn = match self.states[lane.index()].ready.pop_front()? {
                Turn::Start(mut ticket) => {
                    let wanted = ticket.subject.clone().filter(|_| !ticket.holds_subject);
                    if let Some(key) = wanted {
                        if self.held.contains_key(&key) {
                            self.wait(key, Waiter::Ticket(ticket));
                            continue;
                        }
                        self.held.insert(key, VecDeque::new());
                        ticket.holds_subject = true;
                    }
                    Turn::Start(ticket)
                }
                resume @ Turn::Resume(..) => resume,
            };
            self.states[lane.index()].running += 1;
            return Some(turn);
        }
    }

    /// Puts somebody into the line for a key that is held; critical tickets before ordinary ones.
    fn wait(&mut self, key: TargetKey, waiter: Waiter<J>) {
        let line = self.held.entry(key).or_default();
        let is_urgent = |waiter: &Waiter<J>| match waiter {
            Waiter::Ticket(ticket) => ticket.lane == QueueClass::Critical,
            Waiter::Task(_) => true,
        };
        let at = if is_urgent(&waiter) {
            line.iter().position(|other| !is_urgent(other))
        } else {
            None
        };
        line.insert(at.unwrap_or(line.len()), waiter);
    }

    /// Takes the key of a resolved target for a ticket that works, if it is free; a key of another target that it still
    /// holds is given up first.
    pub(crate) fn try_hold(&mut self, ticket: &mut Ticket<J>, key: &TargetKey) -> bool {
        if ticket.object.as_ref() == Some(key) {
            return true;
        }
        self.release_stepped_up(ticket);
        if self.held.contains_key(key) {
            return false;
        }
        self.held.insert(key.clone(), VecDeque::new());
        ticket.object = Some(key.clone());
        true
    }

    /// Gives up the key of the resolved target: the playbook at hand is done.
    pub(crate) fn release_stepped_up(&mut self, ticket: &mut Ticket<J>) {
        if let Some(key) = ticket.object.take() {
            self.release(&key);
        }
    }

    /// A ticket that works lays itself down until the key of its resolved target is free. It keeps its subject's key and
    /// gives up its slot.
    pub(crate) fn park(&mut self, mut ticket: Ticket<J>, key: TargetKey) {
        ticket.parked += 1;
        self.release_slot(ticket.lane);
        if self.try_hold(&mut ticket, &key) {
            let lane = ticket.lane.index();
            self.states[lane].ready.push_front(Turn::Start(ticket));
        } else {
            self.wait(key, Waiter::Ticket(ticket));
        }
    }

    /// Ends a ticket. `has_slot` is false for one that rests.
    pub(crate) fn finish(&mut self, mut ticket: Ticket<J>, has_slot: bool) {
        if has_slot {
            self.release_slot(ticket.lane);
        }
        self.release_stepped_up(&mut ticket);
        if let Some(entry) = self.accepted.remove(&ticket.seq) {
            let state = &mut self.states[entry.lane.index()];
            state.accepted -= 1;
            state.bytes -= entry.bytes;
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

    /// Gives up the slot of somebody who rests.
    pub(crate) fn release_slot(&mut self, lane: QueueClass) {
        let running = &mut self.states[lane.index()].running;
        *running = running.saturating_sub(1);
    }

    /// Asks for a slot again after a rest; before all who have not begun.
    pub(crate) fn resume(&mut self, lane: QueueClass) -> oneshot::Receiver<()> {
        let (wake, woken) = oneshot::channel();
        self.states[lane.index()].ready.push_front(Turn::Resume(lane, wake));
        woken
    }

    /// Takes a key for a task that is no ticket (the end of a quarantine's time). `None`: it is held now; otherwise it
    /// is once the receiver answers.
    pub(crate) fn hold(&mut self, key: &TargetKey) -> Option<oneshot::Receiver<()>> {
        if self.held.contains_key(key) {
            let (wake, woken) = oneshot::channel();
            self.wait(key.clone(), Waiter::Task(wake));
            return Some(woken);
        }
        self.held.insert(key.clone(), VecDeque::new());
        None
    }

    /// Gives up a key, to whoever waits for it first.
    pub(crate) fn release(&mut self, key: &TargetKey) {
        let Some(line) = self.held.get_mut(key) else { return };
        while let Some(waiter) = line.pop_front() {
            match waiter {
                Waiter::Ticket(mut ticket) => {
                    if ticket.holds_subject {
                        ticket.object = Some(key.clone());
                    } else {
                        ticket.holds_subject = true;
                    }
                    self.states[ticket.lane.index()].ready.push_front(Turn::Start(ticket));
                    return;
                }
                // Whoever stopped waiting is passed over.
                Waiter::Task(wake) => {
                    if wake.send(()).is_ok() {
                        return;
                    }
                }
            }
        }
        self.held.remove(key);
    }

    /// Everything that is accepted and not finished, the oldest first.
    pub(crate) fn unfinished(&self) -> impl DoubleEndedIterator<Item = &Arc<J>> {
        self.accepted.values().map(|entry| &entry.job)
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.accepted.is_empty()
    }

    pub(crate) fn depth(&self, lane: QueueClass, now: Instant) -> QueueDepth {
        let state = &self.states[lane.index()];
        let oldest = self
            .accepted
            .values()
            .find(|entry| entry.lane == lane)
            .map(|entry| now.saturating_duration_since(entry.at));
        QueueDepth {
            accepted: state.accepted,
            running: state.running,
            oldest_ms: oldest.map_or(0, |age| u64::try_from(age.as_millis()).unwrap_or(u64::MAX)),
        }
    }
}

#[cfg(test)]
mod tests;
