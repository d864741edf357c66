//! A lane: the lines of one class that are ready, and which of them is next.
//!
//! Every second turn is the first of the strict order: by priority; among equals first the subjects that have not been
//! answered lately, then what has begun, then the others, each round by tenant and by subject. So the first alert about a
//! pod passes all lines of a flood, whose pods have had their answers.
//!
//! The turns between go, in rotation, to what that order would leave out for as long as a flood lasts: what has begun,
//! subjects that were answered lately, and lower priorities.

use std::collections::{BTreeMap, VecDeque};

use responder_core::alert::Priority;

use super::rotation::Rounds;
use super::target_key::{TargetKey, Tenant};
use super::ticket::Turn;

/// Whether a subject was answered lately.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tier {
    Fresh,
    Served,
}

/// The next of a lane.
pub(super) enum Candidate<J> {
    /// What has begun and goes on.
    Begun(Turn<J>),
    /// The line of a subject, which is in the lane no more.
    Line(TargetKey),
}

/// What is ready at one priority.
struct Level<J> {
    fresh: Rounds<Tenant, TargetKey>,
    begun: VecDeque<Turn<J>>,
    served: Rounds<Tenant, TargetKey>,
}

impl<J> Level<J> {
    fn new() -> Self {
        Self {
            fresh: Rounds::new(),
            begun: VecDeque::new(),
            served: Rounds::new(),
        }
    }

    fn is_empty(&self) -> bool {
        self.fresh.is_empty() && self.begun.is_empty() && self.served.is_empty()
    }

    const fn rounds(&mut self, tier: Tier) -> &mut Rounds<Tenant, TargetKey> {
        match tier {
            Tier::Fresh => &mut self.fresh,
            Tier::Served => &mut self.served,
        }
    }

    fn begun(&mut self) -> Option<Candidate<J>> {
        self.begun.pop_front().map(Candidate::Begun)
    }

    fn served(&mut self) -> Option<Candidate<J>> {
        self.served.pop().map(Candidate::Line)
    }

    fn first(&mut self) -> Option<Candidate<J>> {
        let fresh = self.fresh.pop().map(Candidate::Line);
        fresh.or_else(|| self.begun()).or_else(|| self.served())
    }
}

/// The kinds of turn outside the strict order.
const OTHERS: [Other; 3] = [Other::Begun, Other::Served, Other::Lower];

#[derive(Debug, Clone, Copy)]
enum Other {
    Begun,
    Served,
    Lower,
}

pub(super) struct Lane<J> {
    /// No level is empty.
    levels: BTreeMap<Priority, Level<J>>,
    /// Slots taken.
    pub(super) running: usize,
    /// Whether the next turn is outside the strict order.
    is_for_others: bool,
    /// The kind that is the next of those.
    other: usize,
    /// The lower priority that had its turn last.
    lower: Option<Priority>,
}

impl<J> Lane<J> {
    pub(super) const fn new() -> Self {
        Self {
            levels: BTreeMap::new(),
            running: 0,
            is_for_others: false,
            other: 0,
            lower: None,
        }
    }

    fn level(&mut self, priority: Priority) -> &mut Level<J> {
        self.levels.entry(priority).or_insert_with(Level::new)
    }

    /// Lets what has begun go on.
    pub(super) fn push_begun(&mut self, priority: Priority, turn: Turn<J>) {
        self.level(priority).begun.push_back(turn);
    }

    pub(super) fn push_line(&mut self, priority: Priority, tier: Tier, subject: TargetKey) {
        let tenant = subject.tenant();
        self.level(priority).rounds(tier).push(&tenant, subject);
    }

    pub(super) fn remove_line(&mut self, priority: Priority, tier: Tier, subject: &TargetKey) {
        self.level(priority).rounds(tier).remove(&subject.tenant(), subject);
        self.forget_if_empty(priority);
    }

    fn forget_if_empty(&mut self, priority: Priority) {
        if self.levels.get(&priority).is_some_and(Level::is_empty) {
            self.levels.remove(&priority);
        }
    }

    /// The next candidate. The turn is taken by [`Lane::took_turn`].
    pub(super) fn next(&mut self) -> Option<Candidate<J>> {
        if self.is_for_others {
            for offset in 0..OTHERS.len() {
                let place = (self.other + offset) % OTHERS.len();
                if let Some(candidate) = self.next_of(OTHERS[place]) {
                    self.other = (place + 1) % OTHERS.len();
                    return Some(candidate);
                }
            }
        }
        self.first(|_| true, Level::first).map(|(_, candidate)| candidate)
    }

    /// A turn was taken: the next is of the other kind.
    pub(super) const fn took_turn(&mut self) {
        self.is_for_others = !self.is_for_others;
    }

    fn next_of(&mut self, other: Other) -> Option<Candidate<J>> {
        match other {
            Other::Begun => self.first(|_| true, Level::begun).map(|(_, candidate)| candidate),
            Other::Served => self.first(|_| true, Level::served).map(|(_, candidate)| candidate),
            Other::Lower => {
                let (top, _) = self.levels.last_key_value()?;
                let top = *top;
                let below = self.lower.filter(|lower| *lower < top).unwrap_or(top);
                let next = self.first(|priority| priority < below, Level::first);
                let (priority, candidate) = next.or_else(|| self.first(|priority| priority < top, Level::first))?;
                self.lower = Some(priority);
                Some(candidate)
            }
        }
    }

    /// The first candidate of the highest of these priorities that has one.
    fn first(
        &mut self,
        is_wanted: impl Fn(Priority) -> bool,
        take: impl Fn(&mut Level<J>) -> Option<Candidate<J>>,
    ) -> Option<(Priority, Candidate<J>)> {
        let mut levels = self.levels.iter_mut().rev();
        let (priority, candidate) = levels.find_map(|(&priority, level)| {
            let candidate = is_wanted(priority).then(|| take(level)).flatten()?;
            Some((priority, candidate))
        })?;
        self.forget_if_empty(priority);
        Some((priority, candidate))
    }
}
