//! The configuration as it is in force, as YAML, each value with its origin. No secret is in it: the file names where
//! they are, and a URL that carries one is refused.

use std::collections::BTreeMap;
use std::fmt;

use anyhow::Context as _;
use responder_core::document::{SourceFile, places};

use super::doc::ConfigurationDoc;
use super::overrides::Origins;

/// The configuration for a person, and for a file: what is printed can be read again.
#[derive(Debug)]
pub(crate) struct Effective(String);

impl Effective {
    /// Renders the configuration. `file` is the one that was read, `origins` are those of the values that are not of it.
    pub(super) fn of(doc: &ConfigurationDoc, file: Option<&SourceFile>, origins: &Origins) -> anyhow::Result<Self> {
        let yaml = serde_saphyr::to_string(doc).context("the configuration can't be written as YAML")?;
        let written: BTreeMap<String, usize> =
            file.map_or_else(BTreeMap::new, |file| places(&file.text).into_iter().collect());
        let mut comments: BTreeMap<usize, String> = BTreeMap::new();
        for (place, line) in places(&yaml) {
            let comment = if let Some(origin) = origin(origins, &place) {
                origin.to_owned()
            } else if let (Some(file), Some(line)) = (file, written.get(&place)) {
                format!("{}:{line}", file.file.display())
            } else if matches!(&*place, "apiVersion" | "kind") {
                continue;
            } else {
                "default".to_owned()
            };
            comments.insert(line, comment);
        }
        let mut text = String::new();
        for (number, line) in yaml.lines().enumerate() {
            text += line;
            if let Some(comment) = comments.get(&(number + 1)) {
                text += "  # ";
                text += comment;
            }
            text.push('\n');
        }
        Ok(Self(text))
    }
}

impl fmt::Display for Effective {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Of the value, or of the list that it is an element of.
fn origin<'o>(origins: &'o Origins, place: &str) -> Option<&'o str> {
    let whole = place.split('[').next().unwrap_or(place);
    origins.get(whole).map(String::as_str)
}
