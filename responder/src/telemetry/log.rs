//! Log lines, on standard error.

use std::fmt;
use std::io::{self, IsTerminal as _};

use anyhow::Context as _;
use responder_core::port::Clock as _;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::FormatTime;

use crate::cli::{LogArgs, LogFormat};
use crate::clock::WallClock;
use crate::report::Paint;

/// Starts logging. `usual` is the filter where neither the command line nor RUST_LOG says one.
pub(crate) fn start_logging(args: &LogArgs, usual: &str) -> anyhow::Result<()> {
    let (written, place) = match (&args.log, std::env::var("RUST_LOG")) {
        (Some(filter), _) => (filter.clone(), "--log (or RESPONDER_LOG)"),
        (None, Ok(filter)) if !filter.is_empty() => (filter, "RUST_LOG"),
        // What the NATS client says is told by the intake, once and with a bound: it logs a line for each message lost.
        (None, _) => (format!("{usual},async_nats=off"), "the default"),
    };
    let filter = EnvFilter::try_new(&written).with_context(|| {
        format!("`{written}` of {place} is no filter for log lines: write `debug`, or `info,responder_engine=debug`")
    })?;
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_timer(ToTheMillisecond);
    match args.log_format {
        LogFormat::Text => lines
            .with_ansi(Paint::of(&io::stderr()).color())
            .with_target(false)
            .init(),
        LogFormat::Json => lines
            .json()
            .flatten_event(true)
            .with_current_span(false)
            .with_span_list(false)
            .init(),
    }
    Ok(())
}

/// `05:12:33.123Z` to somebody who watches; with the date where lines are kept.
struct ToTheMillisecond;

impl FormatTime for ToTheMillisecond {
    fn format_time(&self, w: &mut Writer<'_>) -> fmt::Result {
        let format = if io::stderr().is_terminal() {
            "%H:%M:%S.%3fZ"
        } else {
            "%Y-%m-%dT%H:%M:%S.%3fZ"
        };
        write!(w, "{}", WallClock.now().strftime(format))
    }
}
