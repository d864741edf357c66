//! The work queue: which accepted alert is next, and which gives way where there is no room. One response at a time per
//! target, many targets at once, and a flood delays and displaces itself. Step of the flow: between match and snapshot.
//!
//! `WorkQueue` is plain synchronous code without a clock or a runtime; the pipeline asks it under a lock. An accepted
//! alert is a ticket, and the tickets about one subject are a *line*, of which one at a time works. The lines of a class
//! are a *lane*, where they take turns: see `lane`. A ticket gives its slot up after the answer of each playbook.
//!
//! A ticket holds a *slot* while it works (the number of slots bounds the requests in flight), the *key* of its subject
//! from its first to its last playbook, and for a playbook that acts on the pod's owner or node the key of that too. A
//! ticket takes the second key only while it holds the first, so waiting is never a circle; and a ticket that waits for a
//! key holds no slot: a hot target delays itself and no other.

mod class;
mod keys;
mod lane;
mod limits;
mod line;
mod recent;
mod room;
mod rotation;
mod target_key;
mod ticket;
mod work_queue;

pub use class::QueueClass;
pub use limits::{QueueBound, QueueLimits, ShedCause};
pub(crate) use target_key::TargetKey;
pub(crate) use ticket::{Ticket, Turn};
pub use work_queue::QueueDepth;
pub(crate) use work_queue::{Displaced, NewJob, QueueAnswer, WorkQueue};

#[cfg(test)]
mod tests;
