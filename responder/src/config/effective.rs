//! The effective configuration as YAML, each value with its origin. It holds no secret: the file has the places of secrets
//! only, and a URL with a secret is refused.

use std::collections::BTreeMap;
use std::fmt;

use anyhow::Context as _;
use responder_core::document::{SourceFile, places};

use super::doc::ConfigurationDoc;
use super::overrides::Origins;

/// The effective configuration. Its text is a valid configuration file.
#[derive(Debug)]
pub(crate) struct Effective(String);

impl Effective {
    /// Renders the configuration. `file` is the one that was read; `origins` has the values that flags and variables set.
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

/// The origin of a value, or of the list that it is an element of.
fn origin<'o>(origins: &'o Origins, place: &str) -> Option<&'o str> {
    let whole = place.split('[').next().unwrap_or(place);
    origins.get(whole).map(String::as_str)
}
