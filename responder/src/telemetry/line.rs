//! Log lines with the name of the cluster, and in JSON with the trace that they belong to, in whichever task and crate they
//! are written.

use std::fmt::{self, Write as _};

use opentelemetry::Context;
use opentelemetry::trace::TraceContextExt as _;
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

/// The lines of another format, with additions.
#[derive(Debug)]
pub(super) struct Line<F> {
    inner: F,
    additions: Additions,
}

#[derive(Debug)]
enum Additions {
    /// ` cluster=prod-eu`, at the end of a line.
    Text(String),
    /// Keys at the beginning of a JSON object.
    Json {
        /// `"cluster":"prod-eu",`.
        cluster: String,
        /// Whether lines of a trace get its `trace_id` and `span_id`, before the cluster.
        has_traces: bool,
    },
}

impl<F> Line<F> {
    /// Lines for a person.
    pub(super) fn text(inner: F, cluster: Option<&str>) -> Self {
        let cluster = cluster.map(|name| format!(" cluster={}", name.escape_debug()));
        Self {
            inner,
            additions: Additions::Text(cluster.unwrap_or_default()),
        }
    }

    /// Lines that are JSON objects.
    pub(super) fn json(inner: F, cluster: Option<&str>, has_traces: bool) -> Self {
        let cluster = cluster.map(|name| format!("\"cluster\":{},", serde_json::Value::from(name)));
        Self {
            inner,
            additions: Additions::Json {
                cluster: cluster.unwrap_or_default(),
                has_traces,
            },
        }
    }
}

impl<S, N, F> FormatEvent<S, N> for Line<F>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
    F: FormatEvent<S, N>,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let (before, after) = match &self.additions {
            Additions::Text(cluster) => (String::new(), cluster.as_str()),
            Additions::Json { cluster, has_traces } => (keys(cluster, *has_traces)?, ""),
        };
        if before.is_empty() && after.is_empty() {
            return self.inner.format_event(context, writer, event);
        }
        let mut line = String::new();
        self.inner.format_event(context, Writer::new(&mut line), event)?;
        match line.strip_prefix('{') {
            Some(rest) if !before.is_empty() => write!(writer, "{{{before}{rest}"),
            _ => writeln!(writer, "{}{after}", line.trim_end_matches('\n')),
        }
    }
}

/// The keys of a JSON line, each with a comma after it.
fn keys(cluster: &str, has_traces: bool) -> Result<String, fmt::Error> {
    let mut keys = String::new();
    if has_traces {
        let context = Context::current();
        let span = context.span();
        let span = span.span_context();
        if span.is_valid() {
            write!(
                keys,
                r#""trace_id":"{}","span_id":"{}","#,
                span.trace_id(),
                span.span_id()
            )?;
        }
    }
    keys.push_str(cluster);
    Ok(keys)
}
