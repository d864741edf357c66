//! The way of an alert through the engine, from its acceptance to the end of what it began.
//!
//! [`Engine`] is the handle; `alert_queue` takes alerts in, `worker` lets one alert at a time per target be answered,
//! `respond` is the answer of one playbook, `branch_slots` the slots that its steps take later, `verification` looks
//! whether it worked, and `expiry` ends what has a time limit; `reserve` commits what is claimed outside a decision. They
//! share one state, and none of them knows the handle.

mod alert_queue;
mod branch_slots;
mod engine;
mod expiry;
mod outage;
mod reserve;
mod respond;
mod shared;
mod submission;
mod unqueued;
mod verification;
mod worker;

pub use engine::Engine;
pub use submission::Submission;

#[cfg(test)]
mod tests;
