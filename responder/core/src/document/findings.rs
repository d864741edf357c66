//! Collects the problems of one document while it is compiled.

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

    /// Reports an error: the document is not loaded.
    pub fn error(&mut self, path: &Path, problem: impl Into<Problem>) {
        self.report(Severity::Error, path, problem.into());
    }

    /// Reports that something is missing, unless the value at `path` has a problem already: it may have been left out
    /// for that.
    pub fn absence(&mut self, path: &Path, problem: impl Into<Problem>) {
        if self.is_clean(path) {
            self.error(path, problem);
        }
    }

    /// Reports a warning: the document is loaded.
    pub fn warn(&mut self, path: &Path, problem: impl Into<Problem>) {
        self.report(Severity::Warning, path, problem.into());
    }

    /// Whether the values at and below a path passed the check.
    pub fn is_clean(&self, path: &Path) -> bool {
        path.locate(self.root).node.is_none_or(|node| !node.flawed)
    }

    /// The path of a dotted name below `path`.
    pub fn dotted(&self, path: &Path, dotted: &str) -> Path {
        path.dotted(self.root, dotted)
    }

    /// The place of a path as `file:line`, such as `playbooks/shell.yaml:4`.
    pub(crate) fn place(&self, path: &Path) -> String {
        let (line, _) = self.text.position(path.locate(self.root).at.start);
        format!("{}:{line}", self.text.file.display())
    }

    /// The number of errors so far, in all documents.
    pub fn errors(&self) -> usize {
        self.found.errors()
    }

    fn report(&mut self, severity: Severity, path: &Path, problem: Problem) {
        let located = path.locate(self.root);
        self.text
            .report(self.found, severity, located.at, &located.display, problem);
    }
}
