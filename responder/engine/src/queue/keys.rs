//! The keys that are held, each with the line that waits for it.

use std::collections::{HashMap, VecDeque};

use tokio::sync::oneshot;

use super::class::QueueClass;
use super::target_key::TargetKey;
use super::ticket::Ticket;

/// A ticket or a task that waits for a key.
enum Waiter<J> {
    Ticket(Ticket<J>),
    Task(oneshot::Sender<()>),
}

impl<J> Waiter<J> {
    const fn is_urgent(&self) -> bool {
        match self {
            Self::Ticket(ticket) => matches!(ticket.class, QueueClass::Critical),
            Self::Task(_) => true,
        }
    }
}

/// The keys that are held. Free keys take no memory.
pub(super) struct HeldKeys<J>(HashMap<TargetKey, VecDeque<Waiter<J>>>);

impl<J> HeldKeys<J> {
    pub(super) fn new() -> Self {
        Self(HashMap::new())
    }

    #[cfg(test)]
    pub(super) fn keys(&self) -> Vec<&TargetKey> {
        self.0.keys().collect()
    }

    /// Takes a key, if it is free.
    pub(super) fn try_take(&mut self, key: &TargetKey) -> bool {
        if self.0.contains_key(key) {
            return false;
        }
        self.0.insert(key.clone(), VecDeque::new());
        true
    }

    /// Lets a ticket wait for a key; critical tickets come before ordinary ones.
    pub(super) fn wait(&mut self, key: TargetKey, ticket: Ticket<J>) {
        self.enqueue(key, Waiter::Ticket(ticket));
    }

    /// Takes a key for a task that is no ticket. `None`: the task holds it; otherwise it does once the receiver answers.
    pub(super) fn take_or_wait(&mut self, key: &TargetKey) -> Option<oneshot::Receiver<()>> {
        if self.try_take(key) {
            return None;
        }
        let (wake, woken) = oneshot::channel();
        self.enqueue(key.clone(), Waiter::Task(wake));
        Some(woken)
    }

    fn enqueue(&mut self, key: TargetKey, waiter: Waiter<J>) {
        let line = self.0.entry(key).or_default();
        let at = if waiter.is_urgent() {
            line.iter().position(|other| !other.is_urgent())
        } else {
            None
        };
        line.insert(at.unwrap_or(line.len()), waiter);
    }

    /// Gives up a key. The first in its line holds it then: a ticket comes back to be started, a task is woken; a task
    /// that has stopped waiting is passed over.
    pub(super) fn release(&mut self, key: &TargetKey) -> Option<Ticket<J>> {
        let line = self.0.get_mut(key)?;
        while let Some(waiter) = line.pop_front() {
            match waiter {
                Waiter::Ticket(mut ticket) => {
                    if ticket.holds_subject {
                        ticket.object = Some(key.clone());
                    } else {
                        ticket.holds_subject = true;
                    }
                    return Some(ticket);
                }
                Waiter::Task(wake) => {
                    if wake.send(()).is_ok() {
                        return None;
                    }
                }
            }
        }
        self.0.remove(key);
        None
    }
}
