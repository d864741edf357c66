//! What the program says of itself: log lines for people, and metrics.

mod log;
mod metrics;

pub(crate) use log::start_logging;
pub(crate) use metrics::render as render_metrics;
