use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{places, read_one};
use crate::document::{Diagnostics, Language, Path, SourceFile};
use crate::span::Span;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct KettleDoc {
    /// The boiling time.
    boil_for: Span,
    #[serde(default)]
    lids: Vec<String>,
}

fn read(text: &str) -> Result<(KettleDoc, Diagnostics), Diagnostics> {
    let source = SourceFile {
        file: PathBuf::from("kettle.yaml"),
        text: text.to_owned(),
    };
    read_one(&source, &Language::PLAIN, |doc: KettleDoc, findings| {
        for (index, lid) in doc.lids.iter().enumerate() {
            if lid == "none" {
                findings.error(&Path::default().key("lids").index(index), "a lid is needed");
            }
        }
        doc
    })
}

#[test]
fn a_document_of_any_type_is_read_and_told_what_it_means() {
    let (doc, warnings) = read("boilFor: 3m\nlids: [a]\n").unwrap();
    assert_eq!((doc.boil_for.get().as_secs(), doc.lids.len()), (180, 1));
    assert!(warnings.is_empty());
}

#[test]
fn every_problem_of_shape_and_meaning_comes_in_one_run_with_its_line() {
    let found = read("boilFor: 3m\nboilfor: 4m\nlids:\n  - none\n  - 7\nlids: []\n").unwrap_err();
    let lines: Vec<_> = found.iter().map(|one| (one.line, one.message.as_str())).collect();
    assert_eq!(
        lines,
        [
            (2, "unknown key `boilfor`"),
            (4, "a lid is needed"),
            (5, "this must be text, and is a whole number"),
            (6, "the key `lids` is here twice"),
        ]
    );
    assert_eq!(
        found.iter().next().unwrap().help.as_deref(),
        Some("did you mean `boilFor`?")
    );
}

#[test]
fn nothing_and_more_than_one_are_refused() {
    assert_eq!(read("# no document\n").unwrap_err().errors(), 1);
    let found = read("boilFor: 1m\n---\nboilFor: 2m\n").unwrap_err();
    assert_eq!(found.iter().map(|one| one.line).collect::<Vec<_>>(), [3]);
}

#[test]
fn every_scalar_has_its_line() {
    let found = places("a: 1\nb:\n  - c: 2\n    d: {}\n  - e\n");
    let found: Vec<_> = found.iter().map(|(path, line)| (path.as_str(), *line)).collect();
    assert_eq!(found, [("a", 1), ("b[0].c", 3), ("b[0].d", 4), ("b[1]", 5)]);
}

#[test]
fn no_excerpt_prints_the_password_of_a_url_beside_a_mistake() {
    let found = read("{boilFor: 3m, lids: [\"nats://me:hunter2@nats:4222\"], lamp: on}\n").unwrap_err();
    let text = found.to_string();
    assert!(
        text.contains("unknown key `lamp`") && !text.contains("hunter2"),
        "{text}"
    );
}
