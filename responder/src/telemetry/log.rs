//! Log lines, on standard error.

use std::fmt;
use std::io::{self, IsTerminal as _};

use anyhow::Context as _;
use responder_core::port::Clock as _;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::FormatTime;

use super::stamp::{Stamp, Stamped};
use crate::clock::WallClock;
use crate::config::{Log, LogFormat};
use crate::report::Paint;

/// Starts logging. Every line carries the name of the cluster, where it has one.
pub(crate) fn start_logging(log: &Log, cluster: Option<&str>) -> anyhow::Result<()> {
    let (written, place) = match (&log.filter, std::env::var("RUST_LOG")) {
        (Some(filter), _) => (filter.clone(), "--log (or RESPONDER_LOG)"),
        (None, Ok(filter)) if !filter.is_empty() => (filter, "RUST_LOG"),
        (None, _) => (log.usual.to_owned(), "the default"),
    };
    let filter = EnvFilter::try_new(&written).with_context(|| {
        format!("`{written}` of {place} is no filter for log lines: write `debug`, or `info,responder_engine=debug`")
    })?;
    let stamp = cluster.map(Stamp::new);
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_timer(ToTheMillisecond);
    match log.format {
        LogFormat::Text => {
            let color = Paint::of(&io::stderr()).color();
            lines
                .with_ansi(color)
                .with_target(false)
                .map_event_format(|text| Stamped::text(text.with_ansi(color), stamp))
                .init();
        }
        LogFormat::Json => lines
            .json()
            .flatten_event(true)
            .with_current_span(false)
            .with_span_list(false)
            .map_event_format(|json| Stamped::json(json, stamp))
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
