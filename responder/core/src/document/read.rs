//! Reads a file's text into documents of their types.

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::SourceFile;
use super::check::check;
use super::diagnose::{DiagnosticText, Diagnostics, Problem, Severity};
use super::findings::Findings;
use super::language::Language;
use super::path::Path;
use super::schema::schema_of;
use super::tree::{self, Content, Node};

/// The documents of a file, as far as its YAML parses; syntax problems are reported.
pub(crate) fn documents(text: &DiagnosticText<'_>, found: &mut Diagnostics) -> Vec<Node> {
    let stream = tree::read(text.content);
    for fault in stream.faults {
        let mut problem = Problem::new(fault.message).maybe_help(fault.help);
        if let Some(first) = fault.first {
            problem = problem.help(format!("the first is on line {}", text.position(first).0));
        }
        text.report(found, Severity::Error, fault.at, &Path::default(), problem);
    }
    stream.documents
}

/// Checks a document against the schema of its type and deserialises the rest.
pub(crate) fn checked<T: DeserializeOwned>(
    text: &DiagnosticText<'_>,
    document: &mut Node,
    schema: &Value,
    language: &Language,
    found: &mut Diagnostics,
) -> Option<T> {
    let mut problems = Vec::new();
    let value = check(document, text.content, schema, language, &mut problems);
    for problem in problems {
        text.report(found, Severity::Error, problem.at, &problem.path, problem.problem);
    }
    match serde_json::from_value(value?) {
        Ok(doc) => Some(doc),
        Err(error) => {
            // The schema is made from the types, so they disagree only by a defect; the document is refused.
            let problem = Problem::new(format!("this document can't be read: {error}"));
            Findings::new(text, document, found).error(&Path::default(), problem);
            None
        }
    }
}

/// Reads a file with exactly one document and compiles it with `meaning`; its warnings are returned beside the result.
///
/// # Errors
///
/// All problems of the file, warnings included.
pub fn read_one<T: DeserializeOwned + JsonSchema, M>(
    source: &SourceFile,
    language: &Language,
    meaning: impl FnOnce(T, &mut Findings<'_>) -> M,
) -> Result<(M, Diagnostics), Diagnostics> {
    let mut found = Diagnostics::default();
    let text = DiagnosticText::new(&source.file, &source.text);
    let mut documents = documents(&text, &mut found).into_iter();
    let mut meant = None;
    match documents.next() {
        None if found.is_empty() => {
            let problem = Problem::new("there is no document in this file");
            text.report(&mut found, Severity::Error, 0..0, &Path::default(), problem);
        }
        None => {}
        Some(mut document) => {
            if let Some(doc) = checked(&text, &mut document, &schema_of::<T>(), language, &mut found) {
                meant = Some(meaning(doc, &mut Findings::new(&text, &document, &mut found)));
            }
        }
    }
    if let Some(second) = documents.next() {
        let problem = Problem::new("there is a second document in this file").help("write one, without `---` in it");
        Findings::new(&text, &second, &mut found).error(&Path::default(), problem);
    }
    text.finish(&mut found);
    found.sort(&[&source.file]);
    match meant {
        Some(meant) if found.errors() == 0 => Ok((meant, found)),
        _ => Err(found),
    }
}

/// Every scalar of the first document with its path, such as `http.auth.basic[0].user`, and its line, from 1. An empty
/// list or mapping counts as a scalar.
pub fn places(text: &str) -> Vec<(String, usize)> {
    let mut places = Vec::new();
    if let Some(document) = tree::read(text).documents.first() {
        collect(text, document, &Path::default(), &mut places);
    }
    places
}

fn collect(text: &str, node: &Node, path: &Path, places: &mut Vec<(String, usize)>) {
    match &node.value {
        Content::Map(entries) if !entries.is_empty() => {
            for entry in entries {
                collect(text, &entry.value, &path.key(&entry.key), places);
            }
        }
        Content::List(nodes) if !nodes.is_empty() => {
            for (index, node) in nodes.iter().enumerate() {
                collect(text, node, &path.index(index), places);
            }
        }
        _ => {
            let before = text.get(..node.at.start).unwrap_or(text);
            places.push((path.to_string(), before.matches('\n').count() + 1));
        }
    }
}

#[cfg(test)]
mod tests;
