//! What the program says of itself: log lines for people, the audit trail in them, metrics and traces. What each of them
//! holds is in the README of this directory.

mod audit;
mod log;
mod metrics;
mod reads;
mod stamp;
mod traces;

pub(crate) use audit::audit_trail;
pub(crate) use log::start_logging;
pub(crate) use metrics::{Exposed, Process, render as render_metrics};
pub(crate) use reads::Counted;
pub(crate) use traces::Traces;
