//! Starts the log, which goes to standard error.

use std::fmt;
use std::io::{self, IsTerminal as _};

use anyhow::Context as _;
use responder_core::port::Clock as _;
use responder_engine::TRAIL;
use responder_engine::spans::SPANS;
use tracing::{Level, Metadata};
use tracing_subscriber::filter::{EnvFilter, FilterExt as _, LevelFilter, filter_fn};
use tracing_subscriber::fmt::format::{Format, JsonFields, Writer};
use tracing_subscriber::fmt::layer;
use tracing_subscriber::fmt::time::FormatTime;
use tracing_subscriber::layer::{Layer as _, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;

use super::Traces;
use super::line::Line;
use crate::clock::WallClock;
use crate::config::{Log, LogFormat};
use crate::report::Paint;

/// Starts logging. Every line has the name of the cluster, if it has one, and in JSON the trace that the line belongs to.
pub(crate) fn start_logging(log: &Log, cluster: Option<&str>, traces: Option<&Traces>) -> anyhow::Result<()> {
    let (written, place) = match (&log.filter, std::env::var("RUST_LOG")) {
        (Some(filter), _) => (filter.clone(), "--log (or RESPONDER_LOG)"),
        (None, Ok(filter)) if !filter.is_empty() => (filter, "RUST_LOG"),
        // The NATS client logs a line for each lost message; the intake logs the same with a bound.
        (None, _) => (format!("{},async_nats=off", log.default), "the default"),
    };
    let filter = EnvFilter::try_new(&written).with_context(|| {
        format!("`{written}` of {place} is not a filter for log lines: write `debug`, or `info,responder_engine=debug`")
    })?;
    // What the controller did stays on record when the filter leaves out everything else.
    let keeps_trail = log.keeps_trail;
    let trail = filter_fn(move |metadata| keeps_trail && is_trail(metadata)).with_max_level_hint(if keeps_trail {
        LevelFilter::INFO
    } else {
        LevelFilter::OFF
    });
    let filter = filter.or(trail);
    // Spans are for traces and not part of a line; so, while traces are off, no span is ever made.
    let filter = filter.and(filter_fn(is_line).with_max_level_hint(LevelFilter::TRACE));
    let lines = match log.format {
        LogFormat::Text => {
            let color = Paint::of(&io::stderr()).color();
            let format = Format::default()
                .with_timer(ToTheMillisecond)
                .with_ansi(color)
                .with_target(false);
            layer()
                .with_writer(io::stderr)
                .with_ansi(color)
                .event_format(Line::text(format, cluster))
                .boxed()
        }
        LogFormat::Json => {
            let format = Format::default()
                .with_timer(ToTheMillisecond)
                .json()
                .flatten_event(true)
                .with_current_span(false)
                .with_span_list(false);
            layer()
                .with_writer(io::stderr)
                .fmt_fields(JsonFields::new())
                .event_format(Line::json(format, cluster, traces.is_some()))
                .boxed()
        }
    };
    let spans = traces.map(|traces| {
        let filter = filter_fn(is_engine_span).with_max_level_hint(LevelFilter::INFO);
        traces.layer().with_filter(filter)
    });
    tracing_subscriber::registry()
        .with(lines.with_filter(filter))
        .with(spans)
        .init();
    Ok(())
}

/// Not `is_event`: the metadata of `enabled!` is neither an event nor a span.
fn is_line(metadata: &Metadata<'_>) -> bool {
    !metadata.is_span()
}

/// The records of the audit trail; those at DEBUG are in the record of the settled response too.
fn is_trail(metadata: &Metadata<'_>) -> bool {
    metadata.target() == TRAIL && *metadata.level() <= Level::INFO
}

fn is_engine_span(metadata: &Metadata<'_>) -> bool {
    metadata.is_span() && metadata.target() == SPANS
}

/// `05:12:33.123Z` on a terminal; with the date elsewhere, where lines are stored.
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
