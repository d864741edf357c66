//! The ticket of an accepted alert, and the turn that it gets.

use std::sync::Arc;

use tokio::sync::oneshot;

use super::class::QueueClass;
use super::target_key::TargetKey;

/// An accepted alert on its way.
#[derive(Debug)]
pub(crate) struct Ticket<J> {
    pub(super) seq: u64,
    pub(super) class: QueueClass,
    /// The key of the subject, held from the first start on.
    pub(super) subject: Option<TargetKey>,
    pub(super) holds_subject: bool,
    /// The key of the resolved target of the playbook at hand, where it is held.
    pub(super) object: Option<TargetKey>,
    /// The playbook at hand.
    pub(crate) next: usize,
    /// How often it has waited for a resolved target.
    pub(crate) parked: u32,
    pub(crate) job: Arc<J>,
}

impl<J> Ticket<J> {
    pub(crate) const fn class(&self) -> QueueClass {
        self.class
    }

    /// The key of the resolved target, where it is held.
    pub(crate) const fn object(&self) -> Option<&TargetKey> {
        self.object.as_ref()
    }
}

/// A turn: a slot is taken for it.
#[derive(Debug)]
pub(crate) enum Turn<J> {
    /// Start, or go on from the playbook at hand.
    Start(Ticket<J>),
    /// Wake a response that pauses. Where its receiver is gone, the slot of this class is to be given back.
    Resume(QueueClass, oneshot::Sender<()>),
}
