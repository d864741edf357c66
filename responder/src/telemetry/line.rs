//! Log lines with the name of the cluster, and in JSON with the trace that they belong to, in whichever task and crate they
//! are written.

use std::borrow::Cow;
use std::fmt::{self, Write as _};

use opentelemetry::Context;
use opentelemetry::trace::TraceContextExt as _;
use responder_core::printable::is_printable;
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
        let mut line = String::new();
        self.inner.format_event(context, Writer::new(&mut line), event)?;
        match &self.additions {
            Additions::Text(cluster) => {
                let line = line.trim_end_matches('\n');
                writeln!(writer, "{}{cluster}", shown(line, writer.has_ansi_escapes()))
            }
            Additions::Json { cluster, has_traces } => {
                let before = keys(cluster, *has_traces)?;
                let line = escaped(&line);
                match line.strip_prefix('{') {
                    Some(rest) => write!(writer, "{{{before}{rest}"),
                    None => writer.write_str(&line),
                }
            }
        }
    }
}

/// A line of text in which no character of an alert acts: marks of direction, separators of lines, and other format
/// characters are escaped. The log's own line feeds, tabs and colours stay; tracing escapes those in values.
fn shown(line: &str, has_colours: bool) -> Cow<'_, str> {
    let acts = |c: char| !(is_printable(c) || matches!(c, '\n' | '\t') || has_colours && c == '\u{1b}');
    replaced(line, acts, |c, shown| shown.extend(c.escape_debug()))
}

/// A JSON object with `\uXXXX` for every character that acts. (Those below U+0020 are escaped in JSON already.)
fn escaped(line: &str) -> Cow<'_, str> {
    let acts = |c: char| !c.is_ascii() && !is_printable(c) || c == '\u{7f}';
    replaced(line, acts, |c, shown| {
        for unit in c.encode_utf16(&mut [0; 2]) {
            // Writing to a string never fails.
            let _ = write!(shown, "\\u{unit:04x}");
        }
    })
}

fn replaced(line: &str, acts: impl Fn(char) -> bool, replace: impl Fn(char, &mut String)) -> Cow<'_, str> {
    if !line.contains(&acts) {
        return Cow::Borrowed(line);
    }
    let mut shown = String::with_capacity(line.len() + 16);
    for c in line.chars() {
        if acts(c) {
            replace(c, &mut shown);
        } else {
            shown.push(c);
        }
    }
    Cow::Owned(shown)
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{escaped, is_printable, shown};

    #[test]
    fn what_acts_in_a_line_is_escaped_and_the_lines_own_colours_stay() {
        let line = "\u{1b}[32mINFO\u{1b}[0m a\u{202e}b\u{61c}c\u{2028}d\u{2029}e\n\tf";
        assert_eq!(
            shown(line, true),
            "\u{1b}[32mINFO\u{1b}[0m a\\u{202e}b\\u{61c}c\\u{2028}d\\u{2029}e\n\tf"
        );
        assert_eq!(shown("\u{1b}[32m", false), "\\u{1b}[32m");
    }

    proptest! {
        #[test]
        fn a_json_line_keeps_its_value_and_nothing_in_it_acts(text in any::<String>()) {
            let line = serde_json::json!({"message": text}).to_string();
            let safe = escaped(&line);
            prop_assert!(safe.chars().all(is_printable), "{}", safe);
            let read: serde_json::Value = serde_json::from_str(&safe).unwrap();
            prop_assert_eq!(&read["message"], &serde_json::Value::from(text));
        }
    }
}
