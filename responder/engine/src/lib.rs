//! The pipeline: it takes alerts that intake has decoded, and each playbook that matches one answers it with one decision
//! and at most one response.
//!
//! Start with [`Engine`]. The flow is `submit → queue → screen → snapshot → decide → commit → audit → execute → settle →
//! verify`, and quarantines that expire are ended beside it. The modules show which side they are on: `snapshot` and
//! [`verify`] read, `decision` decides (with core's pure functions), `execute` and `revert` write. Everything that
//! happens is an `event`, and each of the `sinks` is told it: [`accounting`], [`spans`], [`audit`] and `notify`.
//!
//! Knows tokio and core's ports, no Kubernetes client.

mod about;
mod accepted;
pub mod accounting;
pub mod audit;
mod config;
mod decision;
mod dedup;
mod event;
mod execute;
pub mod explain;
mod host;
mod kept;
pub mod latency;
mod ledger;
mod lookup;
mod notify;
pub mod outcome;
mod owner_chain;
mod pipeline;
mod quarantine_end;
pub mod queue;
mod repeat;
mod retry;
mod revert;
mod send;
mod sensor;
mod shutdown;
mod sinks;
mod snapshot;
pub mod spans;
mod timed;
pub mod verify;
mod wait;

#[cfg(test)]
mod testing;

pub use about::About;
pub use accepted::Settlement;
pub use accounting::{Accounting, AccountingSnapshot};
pub use audit::{AuditRecord, AuditTrail, TRAIL, TracingAudit};
pub use config::{EngineConfig, Ports, RuleSet};
pub use dedup::DedupLimits;
pub use explain::{Explanation, explain};
pub use ledger::MemoryLedger;
pub use outcome::{Response, ResponseOutcome};
pub use pipeline::{Engine, Submission};
pub use quarantine_end::QuarantineEnd;
pub use queue::{QueueBound, QueueClass, QueueLimits, ShedCause};
pub use shutdown::{HandedBackAlert, Progress, ShutdownReport};
