//! Log lines, on standard error.

use std::fmt;
use std::io::{self, IsTerminal as _};

use anyhow::Context as _;
use opentelemetry::Context;
use opentelemetry::trace::TraceContextExt as _;
use responder_core::port::Clock as _;
use responder_engine::spans::SPANS;
use tracing::{Event, Metadata, Subscriber};
use tracing_subscriber::filter::{EnvFilter, FilterExt as _, LevelFilter, filter_fn};
use tracing_subscriber::fmt::format::{Format, JsonFields, Writer};
use tracing_subscriber::fmt::time::FormatTime;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, layer};
use tracing_subscriber::layer::{Layer as _, SubscriberExt as _};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt as _;

use super::Traces;
use super::stamp::{Stamp, Stamped};
use crate::clock::WallClock;
use crate::config::{Log, LogFormat};
use crate::report::Paint;

/// Starts logging. Every line carries the name of the cluster, where it has one, and in JSON the trace that it belongs to.
pub(crate) fn start_logging(log: &Log, cluster: Option<&str>, traces: Option<&Traces>) -> anyhow::Result<()> {
    let (written, place) = match (&log.filter, std::env::var("RUST_LOG")) {
        (Some(filter), _) => (filter.clone(), "--log (or RESPONDER_LOG)"),
        (None, Ok(filter)) if !filter.is_empty() => (filter, "RUST_LOG"),
        // What the NATS client says is told by the intake, once and with a bound: it logs a line for each message lost.
        (None, _) => (format!("{},async_nats=off", log.usual), "the default"),
    };
    let filter = EnvFilter::try_new(&written).with_context(|| {
        format!("`{written}` of {place} is no filter for log lines: write `debug`, or `info,responder_engine=debug`")
    })?;
    // Spans are for traces and are no part of a line: so, while nobody wants traces, no span is ever made.
    let filter = filter.and(filter_fn(is_line).with_max_level_hint(LevelFilter::TRACE));
    let stamp = cluster.map(Stamp::new);
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
                .event_format(Stamped::text(format, stamp))
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
                .event_format(WithTrace {
                    line: Stamped::json(format, stamp),
                    has_traces: traces.is_some(),
                })
                .boxed()
        }
    };
    let spans = traces.map(|traces| {
        let filter = filter_fn(is_span_of_ours).with_max_level_hint(LevelFilter::INFO);
        traces.layer().with_filter(filter)
    });
    tracing_subscriber::registry()
        .with(lines.with_filter(filter))
        .with(spans)
        .init();
    Ok(())
}

/// Not "is an event": the question of `enabled!` is neither that nor a span.
fn is_line(metadata: &Metadata<'_>) -> bool {
    !metadata.is_span()
}

fn is_span_of_ours(metadata: &Metadata<'_>) -> bool {
    metadata.is_span() && metadata.target() == SPANS
}

/// Begins each JSON line that belongs to a trace with `trace_id` and `span_id`, so that one leads to the other.
struct WithTrace<F> {
    line: F,
    has_traces: bool,
}

impl<S, N, F> FormatEvent<S, N> for WithTrace<F>
where
    S: Subscriber + for<'span> LookupSpan<'span>,
    N: for<'writer> FormatFields<'writer> + 'static,
    F: FormatEvent<S, N>,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        if !self.has_traces {
            return self.line.format_event(context, writer, event);
        }
        let current = Context::current();
        let span = current.span().span_context().clone();
        if !span.is_valid() {
            return self.line.format_event(context, writer, event);
        }
        let mut line = String::new();
        self.line.format_event(context, Writer::new(&mut line), event)?;
        let (trace, span) = (span.trace_id(), span.span_id());
        match line.strip_prefix('{') {
            Some(rest) => write!(writer, r#"{{"trace_id":"{trace}","span_id":"{span}",{rest}"#),
            None => writer.write_str(&line),
        }
    }
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
