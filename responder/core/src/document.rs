//! What people write: YAML documents of a type, and everything that is wrong with them in one run, each with its place,
//! an excerpt and what was probably meant. Playbooks, guards and the configuration are read with it.
//!
//! Step of the flow: before the first. The YAML is `tree`, the shape is `check` against the schema of the types, what a
//! document means is its reader's business, and `diagnose` is what a person gets to see.

mod check;
mod diagnose;
mod findings;
mod language;
mod path;
mod read;
mod schema;
mod suggest;
mod tree;

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

/// A file of YAML documents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceFile {
    /// Its path, as it is shown to a person.
    pub file: PathBuf,
    /// What is in it.
    pub text: String,
}
