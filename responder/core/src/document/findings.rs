//! Collects what is wrong with one document while it is compiled. Step of the flow: reading what people write, before the first.

use super::diagnose::{DiagnosticText, Diagnostics, Problem, Severity};
use super::path::Path;
use super::tree::Node;

/// The problems of one document, each reported by its path.
#[derive(Debug)]
pub struct Findings<'a> {
    text: &'a DiagnosticText<'a>,
    root: &'a Node,
    found: &'a mut Diagnostics,
}

impl<'a> Findings<'a> {
    pub(crate) fn new(text: &'a DiagnosticText<'a>, root: &'a Node, found: &'a mut Diagnostics) -> Self {
        Self { text, root, found }
    }

    /// Reports an error.
    pub fn error(&mut self, path: &Path, problem: impl Into<Problem>) {
        self.report(Severity::Error, path, problem.into());
    }

    /// Reports an error that something is missing, unless something there could not be read: then that was said.
    pub fn absence(&mut self, path: &Path, problem: impl Into<Problem>) {
        if self.is_clean(path) {
            self.error(path, problem);
        }
    }

    /// Reports a warning.
    pub fn warn(&mut self, path: &Path, problem: impl Into<Problem>) {
        self.report(Severity::Warning, path, problem.into());
    }

    /// Whether everything at and below a path could be read.
    pub fn is_clean(&self, path: &Path) -> bool {
        path.locate(self.root).node.is_none_or(|node| !node.flawed)
    }

    /// A dotted path below another.
    pub fn dotted(&self, path: &Path, dotted: &str) -> Path {
        path.dotted(self.root, dotted)
    }

    /// Where a path is, for a person: `playbooks/shell.yaml:4`.
    pub(crate) fn place(&self, path: &Path) -> String {
        let (line, _) = self.text.position(path.locate(self.root).at.start);
        format!("{}:{line}", self.text.file.display())
    }

    /// How many errors there are so far, in all documents.
    pub fn errors(&self) -> usize {
        self.found.errors()
    }

    fn report(&mut self, severity: Severity, path: &Path, problem: Problem) {
        let located = path.locate(self.root);
        self.text
            .report(self.found, severity, located.at, &located.display, problem);
    }
}
