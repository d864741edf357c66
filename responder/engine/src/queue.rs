//! The work queue: which accepted alert is next. One response at a time per target, many targets at once, and a flood of
//! ordinary alerts never starves the critical ones. Step of the flow: between match and snapshot.
//!
//! `WorkQueue` is plain synchronous code without a clock or a runtime; the pipeline asks it under a lock. An accepted
//! alert is a ticket. A ticket holds a *slot* while it works (the number of slots bounds the requests in flight), the
//! *key* of its subject from its first to its last playbook, and for a playbook that acts on the pod's owner or node the
//! key of that too. A ticket takes the second key only while it holds the first, so waiting is never a circle; and a
//! ticket that waits for a key holds no slot: a hot target delays itself and no other.

mod class;
mod keys;
mod limits;
mod target_key;
mod ticket;
mod work_queue;

pub use class::QueueClass;
pub use limits::{QueueBound, QueueLimits, ShedCause};
pub(crate) use target_key::TargetKey;
pub(crate) use ticket::{Ticket, Turn};
pub use work_queue::QueueDepth;
pub(crate) use work_queue::WorkQueue;

#[cfg(test)]
mod tests;
