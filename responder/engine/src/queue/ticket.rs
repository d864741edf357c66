//! The ticket of an accepted alert, and the turn that it gets.

use std::sync::Arc;

use responder_core::alert::Priority;
use tokio::sync::oneshot;

use super::class::QueueClass;
use super::target_key::TargetKey;

/// An accepted alert on its way.
#[derive(Debug)]
pub(crate) struct Ticket<J> {
    pub(super) seq: u64,
    pub(super) priority: Priority,
    /// The bytes that it counts for, those of its repeats included.
    pub(super) bytes: usize,
    /// How many repeats of it were joined to it.
    pub(super) repeats: usize,
    /// The lane that its slot is of, while it has one. A ticket that more urgent ones of its subject wait for goes on in
    /// their lane.
    pub(super) lane: QueueClass,
    /// The key of the subject, held from the first start on.
    pub(super) subject: TargetKey,
    /// The key of the resolved target of the playbook at hand, where it is held.
    pub(super) object: Option<TargetKey>,
    /// The playbook at hand.
    pub(crate) next: usize,
    /// How often it has waited for a resolved target.
    pub(crate) parked: u32,
    pub(crate) job: Arc<J>,
}

impl<J> Ticket<J> {
    /// The class of its priority, whose bounds it counts for.
    pub(super) fn class(&self) -> QueueClass {
        QueueClass::of(self.priority)
    }

    pub(crate) const fn priority(&self) -> Priority {
        self.priority
    }

    /// The lane that its slot is of.
    pub(crate) const fn lane(&self) -> QueueClass {
        self.lane
    }

    /// Whether the key is held, as that of the subject or of the resolved target.
    pub(crate) fn holds(&self, key: &TargetKey) -> bool {
        self.subject == *key || self.object.as_ref() == Some(key)
    }
}

/// A turn: a slot is taken for it.
#[derive(Debug)]
pub(crate) enum Turn<J> {
    /// Start, or go on from the playbook at hand.
    Start(Ticket<J>),
    /// Wake a response that pauses. Where its receiver is gone, the slot of this lane is to be given back.
    Resume(QueueClass, oneshot::Sender<()>),
}
