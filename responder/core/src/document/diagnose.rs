//! Diagnostics for the author of a document: the problem, its place, an excerpt and a suggestion.

use std::cell::Cell;
use std::fmt;
use std::ops::Range;
use std::path::{Path as FilePath, PathBuf};

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use serde::Serialize;

use super::path::Path;
use super::userinfo::masked;

/// How severe a diagnostic is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Severity {
    /// The document is not loaded.
    Error,
    /// The document is loaded; its author should check the place.
    Warning,
}

/// A problem without its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The problem in one sentence, without a full stop.
    pub message: String,
    /// The suggested correction, if there is one.
    pub help: Option<String>,
    /// Whether the line after the mark holds a secret, which the excerpt leaves out.
    pub hides_rest: bool,
}

impl Problem {
    /// A problem without a suggestion. `message` is one sentence without a full stop.
    pub fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            help: None,
            hides_rest: false,
        }
    }

    /// Sets the suggested correction.
    #[must_use]
    pub fn help(self, help: impl Into<String>) -> Self {
        Self {
            help: Some(help.into()),
            ..self
        }
    }

    /// Sets the suggested correction if there is one, and otherwise keeps the present one.
    #[must_use]
    pub fn maybe_help(self, help: Option<String>) -> Self {
        Self {
            help: help.or(self.help),
            ..self
        }
    }

    /// Leaves the rest of the line, which holds a secret, out of the excerpt.
    #[must_use]
    pub fn before_a_secret(self) -> Self {
        Self {
            hides_rest: true,
            ..self
        }
    }
}

impl<T: Into<String>> From<T> for Problem {
    fn from(message: T) -> Self {
        Self::new(message)
    }
}

/// A problem with its place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Diagnostic {
    /// Whether the document is loaded all the same.
    pub severity: Severity,
    /// The path of the file, as it was given.
    pub file: PathBuf,
    /// The line, from 1.
    pub line: usize,
    /// The column, in characters, from 1.
    pub column: usize,
    /// The dotted path in the document, such as `spec.match.fields[2].field`; empty for a problem in the YAML syntax.
    pub path: String,
    /// The problem in one sentence, without a full stop.
    pub message: String,
    /// The suggested correction.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
    /// The line as written; at most 400 bytes of it, around the mark.
    pub excerpt: String,
    /// The marked bytes of the excerpt.
    #[serde(skip)]
    marked: Range<usize>,
}

impl Diagnostic {
    /// Renders the diagnostic with excerpt and caret, in rustc's style.
    pub fn render(&self, color: bool) -> String {
        let renderer = if color { Renderer::styled() } else { Renderer::plain() };
        renderer.render(&[self.group()])
    }

    fn group(&self) -> Group<'_> {
        let level = match self.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
        };
        let mark = AnnotationKind::Primary.span(self.marked.clone());
        let mark = if self.path.is_empty() {
            mark
        } else {
            mark.label(self.path.as_str())
        };
        let snippet = Snippet::source(self.excerpt.as_str())
            .line_start(self.line)
            .path(self.file.to_string_lossy().into_owned())
            .annotation(mark);
        let group = level.primary_title(self.message.as_str()).element(snippet);
        match &self.help {
            Some(help) => group.element(Level::HELP.message(help.as_str())),
            None => group,
        }
    }
}

/// The diagnostics of a set of files, ordered by file and line.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Diagnostics {
    all: Vec<Diagnostic>,
}

impl Diagnostics {
    /// Whether there are neither errors nor warnings.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// All diagnostics, in order.
    pub fn iter(&self) -> std::slice::Iter<'_, Diagnostic> {
        self.all.iter()
    }

    /// The number of errors.
    pub fn errors(&self) -> usize {
        self.all
            .iter()
            .filter(|diagnostic| diagnostic.severity == Severity::Error)
            .count()
    }

    /// The number of warnings.
    pub fn warnings(&self) -> usize {
        self.all.len() - self.errors()
    }

    /// Renders all diagnostics with excerpts, separated by blank lines; empty when there are none.
    pub fn render(&self, color: bool) -> String {
        self.all
            .iter()
            .map(|diagnostic| diagnostic.render(color) + "\n")
            .collect::<Vec<_>>()
            .join("\n")
    }

    /// Sorts by file, in the order given, then by line and column.
    pub(crate) fn sort(&mut self, files: &[&FilePath]) {
        let place = |file: &FilePath| files.iter().position(|known| *known == file);
        self.all
            .sort_by_cached_key(|diagnostic| (place(&diagnostic.file), diagnostic.line, diagnostic.column));
    }
}

impl<'a> IntoIterator for &'a Diagnostics {
    type Item = &'a Diagnostic;
    type IntoIter = std::slice::Iter<'a, Diagnostic>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

impl std::error::Error for Diagnostics {}

/// A file's text, from which excerpts are taken.
#[derive(Debug)]
pub(crate) struct DiagnosticText<'t> {
    pub(crate) file: &'t FilePath,
    pub(crate) content: &'t str,
    reported: Cell<usize>,
    hidden: Cell<Option<(usize, Severity)>>,
}

/// More diagnostics for one file don't help its author, and each one scans the file for its line.
const MOST_PER_FILE: usize = 100;

/// In bytes. Without a bound, a file of one long line would repeat itself in every diagnostic.
const LONGEST_EXCERPT: usize = 400;

impl<'t> DiagnosticText<'t> {
    pub(crate) fn new(file: &'t FilePath, text: &'t str) -> Self {
        Self {
            file,
            content: text,
            reported: Cell::new(0),
            hidden: Cell::new(None),
        }
    }

    /// Reports a problem. Past [`MOST_PER_FILE`] problems are only counted.
    pub(crate) fn report(
        &self,
        found: &mut Diagnostics,
        severity: Severity,
        at: Range<usize>,
        path: &Path,
        problem: Problem,
    ) {
        if self.reported.get() >= MOST_PER_FILE {
            let (hidden, worst) = self.hidden.get().unwrap_or((0, severity));
            self.hidden.set(Some((hidden + 1, worst.min(severity))));
            return;
        }
        self.reported.set(self.reported.get() + 1);
        found.all.push(self.diagnostic(severity, at, path.to_string(), problem));
    }

    /// Reports the number of problems not shown, with the severity of the worst.
    pub(crate) fn finish(&self, found: &mut Diagnostics) {
        if let Some((hidden, worst)) = self.hidden.get() {
            let problem = Problem::new(format!("{hidden} more problems in this file are not shown"));
            found
                .all
                .push(self.diagnostic(worst, self.content.len()..self.content.len(), String::new(), problem));
        }
    }

    /// The line and column of a byte offset, both from 1; the column in characters.
    pub(crate) fn position(&self, byte: usize) -> (usize, usize) {
        let before = self.content.get(..byte).unwrap_or(self.content);
        let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        (line, column)
    }

    fn diagnostic(&self, severity: Severity, at: Range<usize>, path: String, problem: Problem) -> Diagnostic {
        let start = at.start.min(self.content.len());
        let (line, column) = self.position(start);
        let begin = self
            .content
            .get(..start)
            .and_then(|before| before.rfind('\n'))
            .map_or(0, |newline| newline + 1);
        let whole = self
            .content
            .get(begin..)
            .and_then(|rest| rest.split(['\n', '\r']).next())
            .unwrap_or_default();
        let whole = &*masked(whole);
        // From a long line, the part around the mark.
        let skip = whole.floor_char_boundary((start - begin).saturating_sub(LONGEST_EXCERPT / 2));
        let skip = if whole.len() > LONGEST_EXCERPT { skip } else { 0 };
        let rest = whole.get(skip..).unwrap_or_default();
        let excerpt = rest
            .get(..rest.floor_char_boundary(LONGEST_EXCERPT))
            .unwrap_or_default();
        let from = (start - begin - skip).min(excerpt.len());
        let to = excerpt.floor_char_boundary(at.end.max(start) - begin - skip);
        let excerpt = if problem.hides_rest {
            excerpt.get(..to).unwrap_or_default()
        } else {
            excerpt
        };
        let one = excerpt
            .get(from..)
            .and_then(|rest| rest.chars().next())
            .map_or(0, char::len_utf8);
        Diagnostic {
            severity,
            file: self.file.to_owned(),
            line,
            column,
            path,
            message: problem.message,
            help: problem.help,
            excerpt: excerpt.to_owned(),
            marked: from..to.max(from + one),
        }
    }
}
