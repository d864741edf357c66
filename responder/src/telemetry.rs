//! Telemetry: log lines with the audit trail among them, metrics and traces. The README of this directory documents their
//! contents.

mod audit;
mod line;
mod log;
mod metrics;
mod reads;
mod traces;

pub(crate) use audit::audit_trail;
pub(crate) use log::start_logging;
pub(crate) use metrics::{Exposed, Process, render as render_metrics};
pub(crate) use reads::CountedCluster;
pub(crate) use traces::Traces;
