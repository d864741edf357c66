//! The pipeline: it takes alerts that intake has decoded, and answers each playbook that matches with one decision and
//! at most one response.
//!
//! Start with [`Engine`]. The flow is `submit → lanes → screen → snapshot → decide → commit → audit → execute → verify →
//! settle`, and `expiry` ends what has a time limit. The modules show which side they are on: [`snapshot`] and
//! [`verify`] read, [`decision`] decides (with core's pure functions), [`execute`] and [`revert`] write.
//!
//! Knows tokio and core's ports, no Kubernetes client.

pub mod accounting;
pub mod audit;
mod config;
pub mod consider;
mod decision;
mod dedup;
mod end;
pub mod execute;
pub mod expiry;
pub mod lane;
pub mod latency;
pub mod ledger;
mod look;
pub mod outcome;
pub mod pipeline;
mod rest;
pub mod retry;
pub mod revert;
mod send;
pub mod settle;
pub mod shutdown;
mod snapshot;
pub mod spans;
pub mod verify;

#[cfg(test)]
mod testing;

pub use accounting::{Accounting, AccountingSnapshot};
pub use audit::{About, AuditRecord, AuditTrail, TracingAudit};
pub use config::{EngineConfig, Ports, RuleSet};
pub use consider::{Consideration, consider};
pub use end::End;
pub use lane::{Lane, LaneBound, LaneLimits, ShedCause};
pub use ledger::MemoryLedger;
pub use outcome::{Response, ResponseOutcome};
pub use pipeline::{Engine, Settled, Settlement, Submission};
pub use shutdown::{Handback, HandedBack, Progress};
