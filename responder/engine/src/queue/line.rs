//! The line of a subject: its alerts, of which one at a time is answered.

use std::collections::{BTreeMap, VecDeque};
use std::ops::RangeInclusive;

use responder_core::alert::Priority;

use super::class::QueueClass;
use super::lane::Tier;
use super::ticket::Ticket;

/// A number of alerts, and their bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Load {
    pub(super) alerts: usize,
    pub(super) bytes: usize,
}

/// The alerts of a line, of a tenant or of all, by class.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Tally {
    /// Accepted and not finished.
    held: [Load; 2],
    /// Of these, not begun.
    waiting: [Load; 2],
}

impl Tally {
    pub(super) const fn held(&self, class: QueueClass) -> Load {
        self.held[class.index()]
    }

    pub(super) const fn waiting(&self, class: QueueClass) -> Load {
        self.waiting[class.index()]
    }

    /// The alerts of both classes that are accepted and not finished.
    pub(super) const fn alerts(&self) -> usize {
        self.held[0].alerts + self.held[1].alerts
    }

    pub(super) fn accept(&mut self, class: QueueClass, bytes: usize) {
        for load in [&mut self.held[class.index()], &mut self.waiting[class.index()]] {
            load.alerts += 1;
            load.bytes += bytes;
        }
    }

    /// An alert that waits counts for more.
    pub(super) const fn grow(&mut self, class: QueueClass, bytes: usize) {
        self.held[class.index()].bytes += bytes;
        self.waiting[class.index()].bytes += bytes;
    }

    pub(super) const fn begin(&mut self, class: QueueClass, bytes: usize) {
        let waiting = &mut self.waiting[class.index()];
        waiting.alerts -= 1;
        waiting.bytes -= bytes;
    }

    /// Ends an alert that has begun.
    pub(super) const fn end(&mut self, class: QueueClass, bytes: usize) {
        let held = &mut self.held[class.index()];
        held.alerts -= 1;
        held.bytes -= bytes;
    }
}

/// Where a line that is ready stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct LinePlace {
    pub(super) priority: Priority,
    pub(super) tier: Tier,
}

pub(super) struct SubjectLine<J> {
    /// The alerts that have not begun, by priority and in their order.
    pub(super) waiting: BTreeMap<Priority, VecDeque<Ticket<J>>>,
    /// The alert that has begun and whose next playbook is to answer. It holds the subject's key.
    pub(super) begun: Option<Ticket<J>>,
    pub(super) tally: Tally,
    pub(super) tier: Tier,
    pub(super) place: Option<LinePlace>,
}

impl<J> SubjectLine<J> {
    pub(super) const fn new(tier: Tier) -> Self {
        Self {
            waiting: BTreeMap::new(),
            begun: None,
            tally: Tally {
                held: [Load { alerts: 0, bytes: 0 }; 2],
                waiting: [Load { alerts: 0, bytes: 0 }; 2],
            },
            tier,
            place: None,
        }
    }

    /// The highest priority among its alerts that are not at work.
    pub(super) fn urgency(&self) -> Option<Priority> {
        let waiting = self.waiting.last_key_value().map(|(priority, _)| *priority);
        waiting.max(self.begun.as_ref().map(Ticket::priority))
    }

    /// The lowest priority of a class at which an alert waits, and the number of the newest of these.
    pub(super) fn least(&self, class: QueueClass) -> Option<(Priority, u64)> {
        let (priority, tickets) = self.waiting.range(priorities(class)).next()?;
        Some((*priority, tickets.back()?.seq))
    }

    /// Takes the first of the most urgent out.
    pub(super) fn pop_first(&mut self) -> Option<Ticket<J>> {
        let mut most = self.waiting.last_entry()?;
        let ticket = most.get_mut().pop_front();
        if most.get().is_empty() {
            most.remove();
        }
        ticket
    }

    /// Takes the newest of a priority out.
    pub(super) fn pop_newest(&mut self, priority: Priority) -> Option<Ticket<J>> {
        let tickets = self.waiting.get_mut(&priority)?;
        let ticket = tickets.pop_back();
        if tickets.is_empty() {
            self.waiting.remove(&priority);
        }
        ticket
    }
}

const fn priorities(class: QueueClass) -> RangeInclusive<Priority> {
    match class {
        QueueClass::Critical => Priority::Critical..=Priority::Emergency,
        QueueClass::Ordinary => Priority::Debug..=Priority::Error,
    }
}
