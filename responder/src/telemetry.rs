//! What the program says of itself: log lines for people, and metrics.

mod log;
mod metrics;
mod stamp;

pub(crate) use log::start_logging;
pub(crate) use metrics::{Exposed, render as render_metrics};
