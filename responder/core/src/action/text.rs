//! Text in a step: written in the playbook, or taken from a field of the alert through a typed place.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::contract::ActionProblem;
use crate::alert::{Alert, Value};

/// A value, as written: a text, or the field of the alert that it is taken from.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum TextDoc {
    /// The text itself.
    Literal(String),
    /// The value of an alert's field. Where the alert does not carry it, the entry is left out and the response says so.
    Field(FieldTextDoc),
}

/// Takes a value from the alert.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FieldTextDoc {
    /// The name of the field, such as `proc.name`.
    pub field: String,
}

/// A value, compiled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Text {
    /// The text itself.
    Literal(String),
    /// The alert's field.
    Field(String),
}

impl From<&TextDoc> for Text {
    fn from(doc: &TextDoc) -> Self {
        match doc {
            TextDoc::Literal(text) => Self::Literal(text.clone()),
            TextDoc::Field(FieldTextDoc { field }) => Self::Field(field.clone()),
        }
    }
}

impl Text {
    /// The text for this alert, made safe by `encode` where it comes from the alert; `None` where the alert lacks it.
    pub fn resolve(&self, alert: &Alert, encode: fn(&str) -> String) -> Option<String> {
        match self {
            Self::Literal(text) => Some(text.clone()),
            Self::Field(field) => match alert.field(field)? {
                Value::Null => None,
                Value::String(text) => Some(encode(text)),
                other => Some(encode(&other.to_string())),
            },
        }
    }
}

/// Makes a label value of any text: letters, digits, `-`, `_` and `.`, at most 63 of them, alphanumeric at both ends.
/// Source: <https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#syntax-and-character-set>
pub(super) fn label_safe(text: &str) -> String {
    let replaced: String = text
        .chars()
        .take(63)
        .map(|c| {
            if c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.') {
                c
            } else {
                '_'
            }
        })
        .collect();
    replaced.trim_matches(|c: char| !c.is_ascii_alphanumeric()).to_owned()
}

/// Makes an annotation value of any text: no control or direction-changing characters, at most 1024 characters. A
/// person reads it with `kubectl describe`, on a terminal that obeys escape sequences.
pub(super) fn annotation_safe(text: &str) -> String {
    let harmful = |c: char| {
        c.is_control() || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    text.chars()
        .take(1024)
        .map(|c| if harmful(c) { ' ' } else { c })
        .collect()
}

/// The prefix of responder's own labels and annotations.
pub(super) const OWN_PREFIX: &str = "responder.dev/";

/// Checks the keys of a label or annotation map as written, and compiles its values.
pub(super) fn compile_entries(
    parameter: &str,
    entries: &BTreeMap<String, Option<TextDoc>>,
    check_value: fn(&str) -> Result<(), String>,
) -> Result<BTreeMap<String, Option<Text>>, ActionProblem> {
    let problem = |key: &str, message: String| ActionProblem {
        parameter: format!("{parameter}.{key}"),
        message,
    };
    if entries.is_empty() {
        let message = format!("`{parameter}` is empty: write at least one entry, with null as its value to remove it");
        return Err(ActionProblem {
            parameter: parameter.to_owned(),
            message,
        });
    }
    for (key, value) in entries {
        check_key(key).map_err(|message| problem(key, message))?;
        if let Some(TextDoc::Literal(text)) = value {
            check_value(text).map_err(|message| problem(key, message))?;
        }
    }
    Ok(entries
        .iter()
        .map(|(key, value)| (key.clone(), value.as_ref().map(Text::from)))
        .collect())
}

fn check_key(key: &str) -> Result<(), String> {
    if key.starts_with(OWN_PREFIX) {
        return Err(format!("`{key}` is responder's own: choose a key with another prefix"));
    }
    if is_key(key) { Ok(()) } else { Err(not_a_key(key)) }
}

/// Whether it is a key of a label, an annotation or a taint: `name` or `example.org/name`.
pub(super) fn is_key(key: &str) -> bool {
    let (prefix, name) = key
        .split_once('/')
        .map_or((None, key), |(prefix, name)| (Some(prefix), name));
    let prefix_valid = prefix.is_none_or(|prefix| crate::object::Name::new(prefix).is_some());
    prefix_valid && !name.is_empty() && label_safe(name) == name
}

/// What is said of a text that is no key.
pub(super) fn not_a_key(text: &str) -> String {
    format!(
        "`{}` is not a key: write `name` or `example.org/name`, at most 63 letters, digits, `-`, `_` and `.`",
        text.escape_debug()
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_text_becomes_a_valid_label_value(text in "\\PC{0,200}") {
            let safe = label_safe(&text);
            prop_assert!(safe.len() <= 63);
            prop_assert_eq!(label_safe(&safe), safe.clone());
            prop_assert!(safe.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b)));
            prop_assert!(safe.is_empty() || safe.starts_with(|c: char| c.is_ascii_alphanumeric()));
        }

        #[test]
        fn no_alert_text_draws_on_a_terminal_from_an_annotation(text in any::<String>()) {
            prop_assert!(!annotation_safe(&text).chars().any(char::is_control));
        }
    }

    #[test]
    fn responders_own_keys_are_not_for_playbooks() {
        assert!(check_key("responder.dev/quarantine").is_err());
        assert!(check_key("example.org/incident").is_ok());
        assert!(check_key("a/b/c").is_err());
    }
}
