//! Reads YAML documents into types and reports all their problems in one run, each with its place, an excerpt and a
//! suggestion. Playbooks, guards and the configuration are read with it.
//!
//! Step of the flow: before the first, when documents are loaded. `tree` parses the YAML, `check` compares its shape
//! with the schema of the types, the reader of a type checks the meaning, and `diagnose` renders the problems for the
//! operator.

mod check;
mod diagnose;
mod findings;
mod language;
mod path;
mod read;
mod schema;
mod suggest;
mod tree;
mod userinfo;

use std::path::PathBuf;

pub use diagnose::{Diagnostic, Diagnostics, Problem, Severity};
pub use findings::Findings;
pub use language::Language;
pub use path::Path;
pub use read::{places, read_one};
pub use schema::schema_of;

pub(crate) use diagnose::DiagnosticText;
pub(crate) use read::{checked, documents};
pub(crate) use schema::strip_null;
pub(crate) use suggest::{closest, did_you_mean, either, listed};
pub(crate) use tree::{Content, Node};

/// A file of YAML documents, already read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceFile {
    /// The path that diagnostics show.
    pub file: PathBuf,
    /// The whole text of the file.
    pub text: String,
}
