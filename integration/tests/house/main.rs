//! What holds of the tree as a whole, read from its sources: no circle between files, and one type to a name.

#![expect(
    clippy::unwrap_used,
    reason = "in a test a panic is the report, in its functions too"
)]

mod arrows;
mod circles;
mod names;
mod source;
mod twins;

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::arrows::arrows;
use crate::circles::circles;
use crate::source::Workspace;
use crate::twins::twins;

/// The sources of all libraries and binaries that cargo knows.
fn workspace() -> Workspace {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut metadata = Command::new(env!("CARGO"));
    metadata
        .current_dir(root)
        .args(["metadata", "--no-deps", "--offline", "--format-version=1"]);
    let metadata: Value = serde_json::from_slice(&metadata.output().unwrap().stdout).unwrap();
    let targets = metadata["packages"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|package| package["targets"].as_array().unwrap());
    let crates: Vec<(String, String)> = targets.filter_map(|target| crate_of(target, root)).collect();
    Workspace::read(&crates, |file| std::fs::read_to_string(root.join(file)).ok())
}

/// The name by which others import a target, and its root file; `None` for tests and benchmarks.
fn crate_of(target: &Value, root: &Path) -> Option<(String, String)> {
    let name = target["name"].as_str().unwrap();
    let name = match target["kind"][0].as_str().unwrap() {
        "lib" => name.to_owned(),
        // No crate can import a program.
        "bin" => format!("bin {name}"),
        _ => return None,
    };
    let file = Path::new(target["src_path"].as_str().unwrap())
        .strip_prefix(root)
        .unwrap();
    Some((name, file.to_str().unwrap().to_owned()))
}

#[test]
fn no_file_imports_its_way_back_to_itself() {
    let circles = circles(&arrows(&workspace()));
    let told: Vec<String> = circles.iter().map(ToString::to_string).collect();
    assert!(
        circles.is_empty(),
        "{} circles:\n\n{}",
        circles.len(),
        told.join("\n\n")
    );
}

#[test]
fn no_two_types_share_a_name() {
    let twins = twins(&workspace());
    assert!(twins.is_empty(), "{} names:\n{}", twins.len(), twins.join("\n"));
}
