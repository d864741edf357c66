//! The name of the cluster on every log line, whichever task and whichever crate wrote it.

use std::fmt;

use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

/// The name, as it stands in a line.
#[derive(Debug, Clone)]
pub(super) struct Stamp {
    /// ` cluster=prod-eu`.
    text: String,
    /// `{"cluster":"prod-eu",`.
    json: String,
}

impl Stamp {
    pub(super) fn new(cluster: &str) -> Self {
        Self {
            text: format!(" cluster={}", cluster.escape_debug()),
            json: format!("{{\"cluster\":{},", serde_json::Value::from(cluster)),
        }
    }
}

/// Lines of another format, with the name in them.
#[derive(Debug)]
pub(super) struct Stamped<F> {
    lines: F,
    stamp: Option<Stamp>,
    is_json: bool,
}

impl<F> Stamped<F> {
    /// At the end of a line for a person.
    pub(super) const fn text(lines: F, stamp: Option<Stamp>) -> Self {
        Self {
            lines,
            stamp,
            is_json: false,
        }
    }

    /// As the first key of a line that is a JSON object.
    pub(super) const fn json(lines: F, stamp: Option<Stamp>) -> Self {
        Self {
            lines,
            stamp,
            is_json: true,
        }
    }
}

impl<S, N, F> FormatEvent<S, N> for Stamped<F>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
    F: FormatEvent<S, N>,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let Some(stamp) = &self.stamp else {
            return self.lines.format_event(context, writer, event);
        };
        let mut line = String::new();
        self.lines.format_event(context, Writer::new(&mut line), event)?;
        match line.strip_prefix('{') {
            Some(rest) if self.is_json => write!(writer, "{}{rest}", stamp.json),
            _ => writeln!(writer, "{}{}", line.trim_end_matches('\n'), stamp.text),
        }
    }
}
