//! Random steps over the queue, with the properties that hold after each of them.

use std::collections::HashSet;

use proptest::prelude::*;
use tokio::sync::oneshot;

use super::*;
use crate::queue::line::Tally;

const CONCURRENCY: usize = 4;

#[derive(Debug, Clone)]
enum Step {
    Accept {
        priority: Priority,
        subject: Option<u8>,
    },
    Next,
    /// The response at work in this place (of those there are) needs the key of a node.
    Climb(usize, u8),
    Pause(usize),
    Resume(usize),
    Finish(usize),
    /// Another playbook is to answer.
    GiveWay(usize),
    /// The end of a quarantine asks for a pod's key.
    Hold(u8),
    /// One that waits for a key gives up.
    Abandon(usize),
    Release(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let priority = prop::sample::select(Priority::ALL.to_vec());
    let place = 0..8_usize;
    prop_oneof![
        4 => (priority, prop::option::weighted(0.9, 0..4_u8)).prop_map(|(priority, subject)| Step::Accept { priority, subject }),
        4 => Just(Step::Next),
        2 => (place.clone(), 0..2_u8).prop_map(|(place, node)| Step::Climb(place, node)),
        1 => place.clone().prop_map(Step::Pause),
        1 => place.clone().prop_map(Step::Resume),
        3 => place.clone().prop_map(Step::Finish),
        2 => place.clone().prop_map(Step::GiveWay),
        1 => (0..4_u8).prop_map(Step::Hold),
        1 => place.clone().prop_map(Step::Abandon),
        1 => place.prop_map(Step::Release),
    ]
}

fn subject_key(number: u8) -> TargetKey {
    pod(&format!("pod-{number}"))
}

/// The world around the queue: the tickets that work or pause, and the tasks that hold or wait for a key.
struct Model {
    queue: WorkQueue<u32>,
    accepted: u32,
    finished: HashSet<u32>,
    working: Vec<Ticket<u32>>,
    pausing: Vec<(Ticket<u32>, Option<oneshot::Receiver<()>>)>,
    holding: Vec<TargetKey>,
    waiting: Vec<(TargetKey, oneshot::Receiver<()>)>,
}

impl Model {
    fn new() -> Self {
        Self {
            queue: WorkQueue::new(QueueLimits {
                per_subject: 6,
                critical: QueueBound { alerts: 8, bytes: 100 },
                ordinary: QueueBound { alerts: 12, bytes: 100 },
                ..limits(CONCURRENCY, 1)
            }),
            accepted: 0,
            finished: HashSet::new(),
            working: Vec::new(),
            pausing: Vec::new(),
            holding: Vec::new(),
            waiting: Vec::new(),
        }
    }

    fn take(&mut self, step: &Step) {
        match *step {
            Step::Accept { priority, subject } => {
                let subject = subject.map_or(TargetKey::Nothing, subject_key);
                let arrival = NewJob {
                    priority,
                    subject,
                    bytes: 1,
                    job: Arc::new(self.accepted),
                };
                let (admission, displaced) = self.queue.accept(arrival, Instant::now(), |_| false);
                self.accepted += u32::from(matches!(admission, QueueAnswer::Queued));
                for Displaced { job, .. } in displaced {
                    assert!(self.finished.insert(*job), "finished before it gave way");
                }
            }
            Step::Next => {
                self.next();
            }
            Step::Climb(place, number) if !self.working.is_empty() => {
                let mut ticket = self.working.remove(place % self.working.len());
                let key = node(&format!("node-{number}"));
                if ticket.subject == TargetKey::Nothing {
                    // An alert that names nothing leads to no node.
                    self.working.push(ticket);
                } else if self.queue.try_hold(&mut ticket, &key) {
                    self.working.push(ticket);
                } else {
                    self.queue.park(ticket, key);
                }
            }
            Step::Pause(place) if !self.working.is_empty() => {
                let ticket = self.working.remove(place % self.working.len());
                self.queue.release_slot(ticket.lane());
                self.pausing.push((ticket, None));
            }
            Step::Resume(place) if !self.pausing.is_empty() => {
                let place = place % self.pausing.len();
                let (ticket, woken) = &mut self.pausing[place];
                if woken.is_none() {
                    *woken = Some(self.queue.resume(ticket.lane(), ticket.priority()));
                }
            }
            Step::Finish(place) if !self.working.is_empty() => {
                let ticket = self.working.remove(place % self.working.len());
                self.finish(ticket, true);
            }
            Step::GiveWay(place) if !self.working.is_empty() => {
                let mut ticket = self.working.remove(place % self.working.len());
                self.queue.release_object(&mut ticket);
                self.queue.give_way(ticket, true);
            }
            Step::Hold(number) => {
                let key = subject_key(number);
                match self.queue.hold(&key) {
                    None => self.holding.push(key),
                    Some(woken) => self.waiting.push((key, woken)),
                }
            }
            Step::Abandon(place) if !self.waiting.is_empty() => {
                self.waiting.remove(place % self.waiting.len());
            }
            Step::Release(place) if !self.holding.is_empty() => {
                let key = self.holding.remove(place % self.holding.len());
                self.queue.release(&key);
            }
            _ => {}
        }
        self.wake();
    }

    fn next(&mut self) -> bool {
        match self.queue.next() {
            None => return false,
            Some(Turn::Start(ticket)) => self.working.push(ticket),
            Some(Turn::Resume(_, wake)) => wake.send(()).unwrap(),
        }
        self.wake();
        true
    }

    fn finish(&mut self, ticket: Ticket<u32>, has_slot: bool) {
        assert!(self.finished.insert(*ticket.job), "finished twice");
        self.queue.finish(ticket, has_slot);
    }

    /// Moves the tickets and tasks that got what they waited for.
    fn wake(&mut self) {
        let (woken, still): (Vec<_>, Vec<_>) = self
            .waiting
            .drain(..)
            .map(|(key, mut woken)| (woken.try_recv().is_ok(), key, woken))
            .partition(|(is_woken, ..)| *is_woken);
        self.holding.extend(woken.into_iter().map(|(_, key, _)| key));
        self.waiting
            .extend(still.into_iter().map(|(_, key, woken)| (key, woken)));
        for (ticket, woken) in std::mem::take(&mut self.pausing) {
            let mut woken = woken;
            if woken.as_mut().is_some_and(|woken| woken.try_recv().is_ok()) {
                self.working.push(ticket);
            } else {
                self.pausing.push((ticket, woken));
            }
        }
    }

    fn check(&self) {
        let depth = |class| self.queue.depth(class, Instant::now()).running;
        let running: usize = QueueClass::ALL.into_iter().map(depth).sum();
        assert_eq!(running, self.working.len(), "slots");
        assert!(running <= CONCURRENCY, "too many at work");
        let mut keys = HashSet::new();
        let tickets = self.working.iter().chain(self.pausing.iter().map(|(ticket, _)| ticket));
        let of_tickets =
            tickets.flat_map(|ticket| [Some(&ticket.subject), ticket.object.as_ref()].into_iter().flatten());
        for key in of_tickets.chain(&self.holding) {
            assert!(keys.insert(key.clone()), "{key:?} is held twice");
            assert!(self.queue.keys.keys().contains(&key), "{key:?} counts as free");
        }
        assert_eq!(
            self.queue.unfinished().count() + self.finished.len(),
            self.accepted as usize
        );
    }

    /// Lets everything end.
    fn drain(&mut self) {
        loop {
            for place in 0..self.pausing.len() {
                self.take(&Step::Resume(place));
            }
            let mut has_moved = false;
            while self.next() {
                has_moved = true;
                self.check();
            }
            while !self.working.is_empty() || !self.holding.is_empty() {
                has_moved = true;
                self.take(&Step::Finish(0));
                self.take(&Step::Release(0));
                self.check();
            }
            if !has_moved {
                return;
            }
        }
    }
}

proptest! {
    /// No ticket is lost or finished twice, no key is held twice, and never are more at work than there are slots.
    #[test]
    fn every_accepted_alert_is_finished_once_whatever_happens(steps in prop::collection::vec(step(), 1..120)) {
        let mut model = Model::new();
        for step in steps {
            model.take(&step);
            model.check();
        }
        model.drain();
        prop_assert_eq!(model.finished.len(), model.accepted as usize);
        prop_assert!(model.queue.is_idle());
        prop_assert!(model.queue.keys.keys().is_empty(), "{:?}", model.queue.keys.keys());
        prop_assert!(model.queue.lines.is_empty() && model.queue.tenants.is_empty());
        prop_assert_eq!(model.queue.total, Tally::default());
        for class in QueueClass::ALL {
            prop_assert_eq!(model.queue.depth(class, Instant::now()), QueueDepth::default());
        }
    }
}
