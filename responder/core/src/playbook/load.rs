//! Loads a set of files as a whole. Step of the flow: match (loading playbooks).
//!
//! One error in any file, and the caller keeps its present set. All errors of all files are reported in one run, for
//! the author to correct them in one pass.

use std::collections::HashMap;
use std::path::Path as FilePath;
use std::sync::Arc;

use jiff::Timestamp;
use serde::de::DeserializeOwned;

use super::doc::ClusterPlaybookDoc;
use super::{Playbook, compile, later, schema};
use crate::document::{
    Content, DiagnosticText, Diagnostics, Findings, Node, Path, Problem, SourceFile, checked, did_you_mean, documents,
};
use crate::guard::Guard;
use crate::guard::doc::{GuardDoc, compile_guard};

/// A set of files without errors.
#[derive(Debug)]
pub struct Loaded {
    /// In written order.
    pub playbooks: Vec<Arc<Playbook>>,
    /// The guard; `None` when no file has one.
    pub guard: Option<Arc<Guard>>,
    /// Diagnostics that do not prevent loading.
    pub warnings: Diagnostics,
}

/// Loads a set of files. An exception that ends before `now` is reported as expired.
///
/// # Errors
///
/// All problems of all files, warnings included.
pub fn load(sources: &[SourceFile], now: Timestamp) -> Result<Loaded, Diagnostics> {
    let mut set = Set {
        now,
        found: Diagnostics::default(),
        playbooks: Vec::new(),
        guard: None,
        names: HashMap::new(),
        guard_at: None,
    };
    for source in sources {
        set.file(source);
    }
    let files: Vec<&FilePath> = sources.iter().map(|source| source.file.as_path()).collect();
    set.found.sort(&files);
    if set.found.errors() > 0 {
        return Err(set.found);
    }
    Ok(Loaded {
        playbooks: set.playbooks,
        guard: set.guard,
        warnings: set.found,
    })
}

struct Set {
    now: Timestamp,
    found: Diagnostics,
    playbooks: Vec<Arc<Playbook>>,
    guard: Option<Arc<Guard>>,
    /// The place of each playbook, as `file:line`.
    names: HashMap<String, String>,
    guard_at: Option<String>,
}

impl Set {
    fn file(&mut self, source: &SourceFile) {
        let text = DiagnosticText::new(&source.file, &source.text);
        for mut document in documents(&text, &mut self.found) {
            self.document(&text, &mut document);
        }
        text.finish(&mut self.found);
    }

    fn document(&mut self, text: &DiagnosticText<'_>, document: &mut Node) {
        match kind(document) {
            Ok("ClusterPlaybook") => {
                let Some(doc) = self.read::<ClusterPlaybookDoc>(text, document, "ClusterPlaybook") else {
                    return;
                };
                let mut findings = Findings::new(text, document, &mut self.found);
                let name_at = Path::default().key("metadata").key("name");
                if let Some(first) = self.names.get(&doc.metadata.name) {
                    let problem = Problem::new(format!(
                        "there are two playbooks `{}`",
                        doc.metadata.name.escape_debug()
                    ));
                    findings.error(&name_at, problem.help(format!("the first is in {first}")));
                } else {
                    self.names.insert(doc.metadata.name.clone(), findings.place(&name_at));
                }
                let before = findings.errors();
                let playbook = compile::playbook(&doc, text.file, self.now, &mut findings);
                self.playbooks
                    .extend(playbook.filter(|_| findings.errors() == before).map(Arc::new));
            }
            Ok("Guard") => {
                let guard = self.read::<GuardDoc>(text, document, "Guard");
                let mut findings = Findings::new(text, document, &mut self.found);
                let kind_at = Path::default().key("kind");
                match &self.guard_at {
                    Some(first) => {
                        let problem = Problem::new("there are two guards")
                            .help(format!("the first is in {first}; a set has one guard"));
                        findings.error(&kind_at, problem);
                    }
                    None => self.guard_at = Some(findings.place(&kind_at)),
                }
                if let Some(doc) = guard {
                    self.guard = Some(Arc::new(compile_guard(&doc, &mut findings)));
                }
            }
            Ok(_) => {}
            Err((path, problem)) => Findings::new(text, document, &mut self.found).error(&path, problem),
        }
    }

    fn read<T: DeserializeOwned>(&mut self, text: &DiagnosticText<'_>, document: &mut Node, kind: &str) -> Option<T> {
        checked(
            text,
            document,
            &schema::of_kind(kind),
            &later::LANGUAGE,
            &mut self.found,
        )
    }
}

const KINDS: [&str; 2] = ["ClusterPlaybook", "Guard"];

fn kind(document: &Node) -> Result<&'static str, (Path, Problem)> {
    let root = Path::default();
    if !matches!(document.value, Content::Map(_)) {
        let problem = Problem::new(format!("a document is a mapping, and this is {}", document.kind()));
        return Err((root, problem.help("write `apiVersion`, `kind`, `metadata` and `spec`")));
    }
    let at = root.key("kind");
    let Some(written) = document.get("kind") else {
        let problem = Problem::new("`kind` is missing").help("write `kind: ClusterPlaybook` or `kind: Guard`");
        return Err((root, problem));
    };
    let Some(kind) = written.text() else {
        return Err((
            at,
            Problem::new(format!("this must be text, and is {}", written.kind())),
        ));
    };
    if let Some(known) = KINDS.into_iter().find(|known| *known == kind) {
        return Ok(known);
    }
    let problem = if kind == "Configuration" {
        Problem::new("a configuration is no playbook").help("name its file with `responder run --config`")
    } else if later::kind(kind) {
        let problem = Problem::new(format!("`kind: {kind}` is not in this version"));
        match kind {
            "Playbook" => {
                problem.help("write a `ClusterPlaybook`, and name the namespace's labels in `match.namespace`")
            }
            "Override" => problem.help("write the `mode` of the guard"),
            _ => problem.help("keep it out of the files that are loaded"),
        }
    } else {
        let help =
            did_you_mean(kind, KINDS).unwrap_or_else(|| "the kinds are `ClusterPlaybook` and `Guard`".to_owned());
        Problem::new(format!("unknown kind `{}`", kind.escape_debug())).help(help)
    };
    Err((at, problem))
}

#[cfg(test)]
mod tests;
