//! Reads the files of playbooks and guards that a command names. Step of the flow: match (reading playbooks).
//!
//! A directory stands for the `*.yaml` and `*.yml` files in it, in the order of their names. Its subdirectories are not
//! read, as with `kubectl apply -f`: they hold manifests, alerts and tests. Hidden files are left out, since a mounted
//! ConfigMap has its versions in them.

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use responder_core::document::SourceFile;

use crate::report::printable;

/// Bytes of a file; a longer one was named by mistake.
const LONGEST_FILE: u64 = 4 * 1024 * 1024;

/// The files that were read, and those that could not be.
#[derive(Debug, Default)]
pub(crate) struct Sources {
    /// The files, in order.
    pub(crate) read: Vec<SourceFile>,
    /// The files and directories that could not be read.
    pub(crate) unreadable: Vec<UnreadableFile>,
}

/// A file or directory that could not be read.
#[derive(Debug, serde::Serialize, thiserror::Error)]
#[error("cannot read {}: {problem}", printable(&file.to_string_lossy()))]
pub(crate) struct UnreadableFile {
    /// The path.
    pub(crate) file: PathBuf,
    /// The reason, with the remedy where there is one.
    pub(crate) problem: String,
}

impl Sources {
    /// Reads all files that these paths stand for; a file that several of them name is read once.
    pub(crate) fn read<'a>(paths: impl IntoIterator<Item = &'a Path>) -> Self {
        let mut sources = Self::default();
        let mut seen = Vec::new();
        for path in paths {
            match files(path) {
                Ok(files) => {
                    for file in files {
                        let identity = fs::canonicalize(&file).unwrap_or_else(|_| file.clone());
                        if !seen.contains(&identity) {
                            seen.push(identity);
                            sources.add(file);
                        }
                    }
                }
                Err(problem) => sources.unreadable.push(UnreadableFile {
                    file: path.to_owned(),
                    problem,
                }),
            }
        }
        sources
    }

    fn add(&mut self, file: PathBuf) {
        match read_text(&file) {
            Ok(text) => self.read.push(SourceFile { file, text }),
            Err(problem) => self.unreadable.push(UnreadableFile { file, problem }),
        }
    }
}

/// The files that a path stands for.
fn files(path: &Path) -> Result<Vec<PathBuf>, String> {
    let metadata = fs::metadata(path).map_err(|error| error.to_string())?;
    if !metadata.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut files = Vec::new();
    for entry in fs::read_dir(path).map_err(|error| error.to_string())? {
        let file = entry.map_err(|error| error.to_string())?.path();
        if is_playbook_file(&file) {
            files.push(file);
        }
    }
    if files.is_empty() {
        return Err("this directory has no *.yaml or *.yml file; name a file, or the directory that has them (those below it are not entered)".to_owned());
    }
    files.sort();
    Ok(files)
}

fn is_playbook_file(file: &Path) -> bool {
    let hidden = file
        .file_name()
        .is_none_or(|name| name.to_string_lossy().starts_with('.'));
    let yaml = file
        .extension()
        .is_some_and(|extension| extension == "yaml" || extension == "yml");
    // `is_file` follows links: the files of a mounted ConfigMap are links.
    yaml && !hidden && file.is_file()
}

/// The text of a YAML file, which is UTF-8 and at most 4 MiB long.
pub(crate) fn read_text(file: &Path) -> Result<String, String> {
    let mut bytes = Vec::new();
    let opened = fs::File::open(file).map_err(|error| error.to_string())?;
    opened
        .take(LONGEST_FILE + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| error.to_string())?;
    if bytes.len() as u64 > LONGEST_FILE {
        return Err(format!(
            "it is longer than {} MiB; a file of playbooks or a configuration never is",
            LONGEST_FILE / 1024 / 1024
        ));
    }
    String::from_utf8(bytes).map_err(|error| {
        let before = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = before.split(|byte| *byte == b'\n').count();
        format!("it is not UTF-8 (line {line})")
    })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::Sources;

    #[test]
    fn a_directory_stands_for_its_yaml_files_by_name_and_for_nothing_else() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        for name in ["b.yml", "a.yaml", ".hidden.yaml", "c.json", "README.md"] {
            fs::write(at(name), name).unwrap();
        }
        fs::create_dir(at("below.yaml")).unwrap();
        fs::write(at("below.yaml/d.yaml"), "d").unwrap();
        let sources = Sources::read([directory.path(), &at("a.yaml")]);
        let names: Vec<_> = sources.read.iter().map(|source| source.text.as_str()).collect();
        assert_eq!(names, ["a.yaml", "b.yml"]);
        assert!(sources.unreadable.is_empty());
    }

    #[test]
    fn files_that_cannot_be_read_are_named_and_the_others_are_read() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        fs::create_dir(at("empty")).unwrap();
        fs::write(at("latin.yaml"), b"a: 1\nb: \xe9\n").unwrap();
        fs::write(at("good.yaml"), "a: 1").unwrap();
        let sources = Sources::read([
            &*at("empty"),
            &*at("missing.yaml"),
            &*at("latin.yaml"),
            &*at("good.yaml"),
        ]);
        assert_eq!(sources.read.len(), 1);
        let problems: Vec<_> = sources
            .unreadable
            .iter()
            .map(|file| file.problem.split(';').next().unwrap())
            .collect();
        assert_eq!(
            problems,
            [
                "this directory has no *.yaml or *.yml file",
                "No such file or directory (os error 2)",
                "it is not UTF-8 (line 2)"
            ]
        );
    }
}
