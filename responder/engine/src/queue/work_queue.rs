//! Slots, lanes and lines: the tickets that are ready, and the ones that work.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use responder_core::alert::Priority;
use serde::Serialize;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::class::QueueClass;
use super::keys::HeldKeys;
use super::lane::{Candidate, Lane, Tier};
use super::limits::{QueueLimits, ShedCause};
use super::line::{LinePlace, SubjectLine, Tally};
use super::recent::RecentSubjects;
use super::target_key::{TargetKey, Tenant};
use super::ticket::{Ticket, Turn};

/// A job that is accepted and not finished.
struct Unfinished<J> {
    class: QueueClass,
    accepted_at: Instant,
    job: Arc<J>,
}

/// A job on the way in.
pub(crate) struct NewJob<J> {
    pub(crate) priority: Priority,
    pub(crate) subject: TargetKey,
    /// About how many bytes it takes.
    pub(crate) bytes: usize,
    pub(crate) job: Arc<J>,
}

/// What became of a job on the way in.
#[derive(Debug)]
pub(crate) enum QueueAnswer<J> {
    /// It has its place.
    Queued,
    /// It is a repeat of this one, which waits.
    Joined(Arc<J>),
    /// There is no room for it.
    Shed(ShedCause),
}

/// A job that was accepted before and gave way.
#[derive(Debug)]
pub(crate) struct Displaced<J> {
    pub(crate) job: Arc<J>,
    pub(crate) cause: ShedCause,
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

/// The alerts of one tenant.
#[derive(Default)]
pub(super) struct TenantState {
    pub(super) tally: Tally,
    /// Its lines that hold an alert.
    pub(super) subjects: HashSet<TargetKey>,
}

/// The most repeats that are joined to one ticket; the next one is a ticket of its own, which others are joined to.
const MOST_REPEATS: usize = 256;

/// The bytes that a repeat counts for: its id, as long as the ticket is not finished.
pub(super) const REPEAT_BYTES: usize = 32;

/// The work queue: see [the module](super).
pub(crate) struct WorkQueue<J> {
    pub(super) limits: QueueLimits,
    lanes: [Lane<J>; 2],
    pub(super) keys: HeldKeys<J>,
    pub(super) lines: HashMap<TargetKey, SubjectLine<J>>,
    pub(super) tenants: HashMap<Tenant, TenantState>,
    pub(super) total: Tally,
    recent: RecentSubjects,
    /// The time of the last arrival.
    now: Option<Instant>,
    /// By the order in which they were accepted.
    unfinished: BTreeMap<u64, Unfinished<J>>,
    last_seq: u64,
    /// Whether the last slot that both lanes wanted went to the ordinary one.
    ordinary_was_last: bool,
}

impl<J> WorkQueue<J> {
    pub(crate) fn new(limits: QueueLimits) -> Self {
        Self {
            limits: limits.normalised(),
            lanes: [Lane::new(), Lane::new()],
            keys: HeldKeys::new(),
            lines: HashMap::new(),
            tenants: HashMap::new(),
            total: Tally::default(),
            recent: RecentSubjects::default(),
            now: None,
            unfinished: BTreeMap::new(),
            last_seq: 0,
            ordinary_was_last: false,
        }
    }

    const fn lane(&mut self, class: QueueClass) -> &mut Lane<J> {
        &mut self.lanes[class.index()]
    }

    /// Takes a job in, or says which bound it meets. `is_repeat` says of a job that waits at the same priority whether
    /// its decision can be that of the new one too.
    ///
    /// Past a bound, the newest among the lowest priority of the largest line gives way: that may be the new one. What
    /// was accepted before and gives way is handed out.
    pub(crate) fn accept(
        &mut self,
        arrival: NewJob<J>,
        now: Instant,
        is_repeat: impl Fn(&J) -> bool,
    ) -> (QueueAnswer<J>, Vec<Displaced<J>>) {
        let class = QueueClass::of(arrival.priority);
        self.now = Some(now);
        self.recent.forget_old(now);
        if arrival.bytes > self.limits.share(class).bytes {
            return (QueueAnswer::Shed(ShedCause::QueueFull), Vec::new());
        }
        if let Some(original) = self.join(class, &arrival, is_repeat) {
            return (QueueAnswer::Joined(original), Vec::new());
        }
        let subject = arrival.subject.clone();
        let seq = self.admit(class, arrival, now);
        let (admission, displaced) = self.trim(class, &subject, seq);
        self.refresh(&subject);
        (admission, displaced)
    }

    /// Joins a repeat to a ticket that waits.
    fn join(&mut self, class: QueueClass, arrival: &NewJob<J>, is_repeat: impl Fn(&J) -> bool) -> Option<Arc<J>> {
        if !self.has_room(class, &arrival.subject.tenant(), REPEAT_BYTES) {
            return None;
        }
        let line = self.lines.get_mut(&arrival.subject)?;
        let mut tickets = line.waiting.get_mut(&arrival.priority)?.iter_mut();
        let ticket = tickets.find(|ticket| ticket.repeats < MOST_REPEATS && is_repeat(&ticket.job))?;
        ticket.repeats += 1;
        ticket.bytes += REPEAT_BYTES;
        let original = Arc::clone(&ticket.job);
        line.tally.grow(class, REPEAT_BYTES);
        self.total.grow(class, REPEAT_BYTES);
        if let Some(tenant) = self.tenants.get_mut(&arrival.subject.tenant()) {
            tenant.tally.grow(class, REPEAT_BYTES);
        }
        Some(original)
    }

    /// Gives a job its place, past every bound.
    fn admit(&mut self, class: QueueClass, arrival: NewJob<J>, now: Instant) -> u64 {
        self.last_seq += 1;
        let NewJob {
            priority,
            subject,
            bytes,
            job,
        } = arrival;
        let unfinished = Unfinished {
            class,
            accepted_at: now,
            job: Arc::clone(&job),
        };
        self.unfinished.insert(self.last_seq, unfinished);
        let tier = if self.recent.contains(&subject) {
            Tier::Served
        } else {
            Tier::Fresh
        };
        let line = self
            .lines
            .entry(subject.clone())
            .or_insert_with(|| SubjectLine::new(tier));
        line.tally.accept(class, bytes);
        self.total.accept(class, bytes);
        let tenant = self.tenants.entry(subject.tenant()).or_default();
        tenant.tally.accept(class, bytes);
        tenant.subjects.insert(subject.clone());
        let ticket = Ticket {
            seq: self.last_seq,
            priority,
            bytes,
            repeats: 0,
            lane: class,
            subject,
            object: None,
            next: 0,
            parked: 0,
            job,
        };
        line.waiting.entry(priority).or_default().push_back(ticket);
        self.last_seq
    }

    /// Takes a ticket off all accounts.
    fn strike(&mut self, ticket: &Ticket<J>) {
        let class = ticket.class();
        self.unfinished.remove(&ticket.seq);
        self.total.end(class, ticket.bytes);
        let mut is_empty = false;
        if let Some(line) = self.lines.get_mut(&ticket.subject) {
            line.tally.end(class, ticket.bytes);
            is_empty = line.tally.alerts() == 0;
        }
        let tenant = ticket.subject.tenant();
        if let Some(state) = self.tenants.get_mut(&tenant) {
            state.tally.end(class, ticket.bytes);
            if is_empty {
                state.subjects.remove(&ticket.subject);
            }
            if state.subjects.is_empty() {
                self.tenants.remove(&tenant);
            }
        }
    }

    /// Counts a ticket as no longer waiting.
    fn begin_on_accounts(&mut self, ticket: &Ticket<J>) {
        let (class, bytes) = (ticket.class(), ticket.bytes);
        self.total.begin(class, bytes);
        if let Some(line) = self.lines.get_mut(&ticket.subject) {
            line.tally.begin(class, bytes);
        }
        if let Some(tenant) = self.tenants.get_mut(&ticket.subject.tenant()) {
            tenant.tally.begin(class, bytes);
        }
    }

    /// Takes the newest ticket of a priority, which waits, out of its line.
    pub(super) fn displace(&mut self, subject: &TargetKey, priority: Priority) -> Option<(u64, Arc<J>)> {
        let ticket = self.lines.get_mut(subject)?.pop_newest(priority)?;
        self.begin_on_accounts(&ticket);
        self.strike(&ticket);
        self.refresh(subject);
        Some((ticket.seq, ticket.job))
    }

    /// Puts a line where it belongs: it stands in a lane while its next ticket could start, and ends with its last.
    fn refresh(&mut self, subject: &TargetKey) {
        let is_held = self.keys.is_held(subject);
        let Some(line) = self.lines.get_mut(subject) else {
            return;
        };
        let stands = line.place;
        let place = match line.urgency() {
            Some(priority) if line.begun.is_some() || !is_held => Some(LinePlace {
                priority,
                tier: line.tier,
            }),
            _ => None,
        };
        line.place = place;
        if line.tally.alerts() == 0 {
            self.lines.remove(subject);
        }
        if stands != place {
            if let Some(LinePlace { priority, tier }) = stands {
                self.lane(QueueClass::of(priority)).remove_line(priority, tier, subject);
            }
            if let Some(LinePlace { priority, tier }) = place {
                self.lane(QueueClass::of(priority))
                    .push_line(priority, tier, subject.clone());
            }
        }
    }

    /// The next turn, if a slot is free for it.
    ///
    /// Critical alerts have their share first. Of the other slots, while ordinary ones have not got theirs, every second
    /// goes to either; what ordinary alerts leave free goes to critical ones.
    pub(crate) fn next(&mut self) -> Option<Turn<J>> {
        let [critical, ordinary] = [QueueClass::Critical, QueueClass::Ordinary].map(|class| self.lane(class).running);
        if critical + ordinary >= self.limits.concurrency {
            return None;
        }
        if critical < self.limits.critical_share
            && let Some(turn) = self.take(QueueClass::Critical)
        {
            return Some(turn);
        }
        if ordinary >= self.limits.concurrency - self.limits.critical_share {
            return self.take(QueueClass::Critical);
        }
        let order = if self.ordinary_was_last {
            [QueueClass::Critical, QueueClass::Ordinary]
        } else {
            [QueueClass::Ordinary, QueueClass::Critical]
        };
        order.into_iter().find_map(|class| {
            let turn = self.take(class)?;
            self.ordinary_was_last = class == QueueClass::Ordinary;
            Some(turn)
        })
    }

    fn take(&mut self, class: QueueClass) -> Option<Turn<J>> {
        loop {
            let turn = match self.lane(class).next()? {
                Candidate::Begun(Turn::Start(ticket)) => Turn::Start(Ticket { lane: class, ..ticket }),
                Candidate::Begun(resume) => resume,
                Candidate::Line(subject) => match self.begin(&subject, class) {
                    Some(ticket) => Turn::Start(ticket),
                    None => continue,
                },
            };
            let lane = self.lane(class);
            lane.took_turn();
            lane.running += 1;
            return Some(turn);
        }
    }

    /// The next ticket of a line that has the turn. A line that stands in a lane has one.
    fn begin(&mut self, subject: &TargetKey, class: QueueClass) -> Option<Ticket<J>> {
        let line = self.lines.get_mut(subject)?;
        line.place = None;
        if let Some(ticket) = line.begun.take() {
            return Some(Ticket { lane: class, ..ticket });
        }
        let ticket = line.pop_first()?;
        line.tier = Tier::Served;
        if let Some(now) = self.now {
            self.recent.insert(subject, now);
        }
        // A line stands in a lane only while its key is free.
        self.keys.try_take(subject);
        self.begin_on_accounts(&ticket);
        Some(Ticket { lane: class, ..ticket })
    }

    /// Takes the key of a resolved target for a ticket that works, if it is free; a key of another target that it still
    /// holds is given up first.
    pub(crate) fn try_hold(&mut self, ticket: &mut Ticket<J>, key: &TargetKey) -> bool {
        if ticket.object.as_ref() == Some(key) {
            return true;
        }
        self.release_object(ticket);
        if ticket.holds(key) {
            return true;
        }
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
        self.release_slot(ticket.lane);
        if self.try_hold(&mut ticket, &key) {
            self.go_on(ticket);
        } else {
            self.keys.wait(key, ticket);
        }
    }

    /// Lets others have their turn before the next playbook of a ticket that works. It keeps its subject's key and gives
    /// up its slot; `has_slot` is false for one that has given it up already.
    pub(crate) fn give_way(&mut self, ticket: Ticket<J>, has_slot: bool) {
        if has_slot {
            self.release_slot(ticket.lane);
        }
        let subject = ticket.subject.clone();
        if let Some(line) = self.lines.get_mut(&subject) {
            line.begun = Some(ticket);
        }
        self.refresh(&subject);
    }

    /// A ticket that holds all its keys goes on once a slot is free.
    fn go_on(&mut self, ticket: Ticket<J>) {
        let priority = ticket.priority;
        self.lane(QueueClass::of(priority))
            .push_begun(priority, Turn::Start(ticket));
    }

    /// Ends a ticket. `has_slot` is false for one that pauses.
    pub(crate) fn finish(&mut self, mut ticket: Ticket<J>, has_slot: bool) {
        if has_slot {
            self.release_slot(ticket.lane);
        }
        self.release_object(&mut ticket);
        self.strike(&ticket);
        self.release(&ticket.subject);
    }

    /// Gives up the slot of a response that pauses.
    pub(crate) fn release_slot(&mut self, lane: QueueClass) {
        let running = &mut self.lane(lane).running;
        *running = running.saturating_sub(1);
    }

    /// Asks for a slot of this lane again after a pause.
    pub(crate) fn resume(&mut self, lane: QueueClass, priority: Priority) -> oneshot::Receiver<()> {
        let (wake, woken) = oneshot::channel();
        self.lane(lane).push_begun(priority, Turn::Resume(lane, wake));
        woken
    }

    /// Takes a key for a task that is no ticket (the end of a quarantine). `None`: it holds the key; otherwise it does
    /// once the receiver answers.
    pub(crate) fn hold(&mut self, key: &TargetKey) -> Option<oneshot::Receiver<()>> {
        let woken = self.keys.take_or_wait(key);
        self.refresh(key);
        woken
    }

    /// Gives up a key, to the first that waits for it.
    pub(crate) fn release(&mut self, key: &TargetKey) {
        if let Some(ticket) = self.keys.release(key) {
            self.go_on(ticket);
        }
        self.refresh(key);
    }

    /// Every job that is accepted and not finished, the oldest first.
    pub(crate) fn unfinished(&self) -> impl DoubleEndedIterator<Item = &Arc<J>> {
        self.unfinished.values().map(|unfinished| &unfinished.job)
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.unfinished.is_empty()
    }

    pub(crate) fn depth(&self, class: QueueClass, now: Instant) -> QueueDepth {
        let oldest = self
            .unfinished
            .values()
            .find(|unfinished| unfinished.class == class)
            .map(|unfinished| now.saturating_duration_since(unfinished.accepted_at));
        QueueDepth {
            accepted: self.total.held(class).alerts,
            running: self.lanes[class.index()].running,
            oldest_ms: oldest.map_or(0, |age| u64::try_from(age.as_millis()).unwrap_or(u64::MAX)),
        }
    }
}
