//! The keys that are held, each with the line that waits for it.

use std::collections::{HashMap, VecDeque};

use responder_core::alert::Priority;
use tokio::sync::oneshot;

use super::target_key::TargetKey;
use super::ticket::Ticket;

/// A ticket or a task that waits for a key.
enum Waiter<J> {
    Ticket(Ticket<J>),
    Task(oneshot::Sender<()>),
}

impl<J> Waiter<J> {
    /// A task comes before all tickets: it ends what a ticket began.
    const fn urgency(&self) -> Option<Priority> {
        match self {
            Self::Ticket(ticket) => Some(ticket.priority()),
            Self::Task(_) => None,
        }
    }

    fn is_before(&self, other: &Self) -> bool {
        match (self.urgency(), other.urgency()) {
            (_, None) => false,
            (None, Some(_)) => true,
            (Some(own), Some(other)) => own > other,
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

    pub(super) fn is_held(&self, key: &TargetKey) -> bool {
        self.0.contains_key(key)
    }

    /// Lets a ticket wait for the key of its resolved target; those of a higher priority come first. Whose ticket it is
    /// does not matter: all that wait would act on that same target.
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
        let at = line.iter().position(|other| waiter.is_before(other));
        line.insert(at.unwrap_or(line.len()), waiter);
    }

    /// Gives up a key. The first in its line holds it then: a ticket comes back to be started, a task is woken; a task
    /// that has stopped waiting is passed over.
    pub(super) fn release(&mut self, key: &TargetKey) -> Option<Ticket<J>> {
        let line = self.0.get_mut(key)?;
        while let Some(waiter) = line.pop_front() {
            match waiter {
                Waiter::Ticket(mut ticket) => {
                    ticket.object = Some(key.clone());
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
