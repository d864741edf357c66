//! Text in a step: written in the playbook, or the value of an alert's field, encoded for its place.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::contract::ActionProblem;
use crate::alert::{Alert, Value};
use crate::printable::is_printable;
use crate::redact::Redactor;

/// A value as written: a text, or a field of the alert.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum TextDoc {
    /// The text itself.
    Literal(String),
    /// The value of an alert's field. If the alert lacks the field, the entry is left out and the response notes it.
    Field(FieldTextDoc),
}

/// A field of the alert.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FieldTextDoc {
    /// The field's name, such as `proc.name`.
    pub field: String,
}

/// A compiled value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Text {
    /// The text itself.
    Literal(String),
    /// The name of an alert's field.
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
    /// The text for this alert; a field's value goes through the redactor and `encode`. `None` if the alert lacks the
    /// field.
    pub fn resolve(&self, alert: &Alert, redactor: Redactor, encode: fn(&str) -> String) -> Option<String> {
        match self {
            Self::Literal(text) => Some(text.clone()),
            Self::Field(field) => match alert.field(field)? {
                Value::Null => None,
                Value::String(text) => Some(encode(&redactor.redact(text))),
                other => Some(encode(&redactor.redact(&other.to_string()))),
            },
        }
    }
}

/// Encodes any text as a label value: at most 63 letters, digits, `-`, `_` and `.`, alphanumeric at both ends.
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

/// Encodes any text as an annotation value: at most 1024 characters, and none that acts instead of being shown, because
/// `kubectl describe` prints it on a terminal.
pub(super) fn annotation_safe(text: &str) -> String {
    text.chars()
        .take(1024)
        .map(|c| if is_printable(c) { c } else { ' ' })
        .collect()
}

/// The prefix of responder's labels, annotations and taints.
pub(super) const OWN_PREFIX: &str = "responder.dev/";

/// Checks the keys of a map of labels or annotations, and compiles its values.
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
    if !is_key(key) {
        return Err(not_a_key(key));
    }
    if is_of_kubernetes(key) && !FREE_KEYS.iter().any(|free| key.starts_with(free)) {
        let free = FREE_KEYS.join(", ");
        return Err(format!(
            "`{key}` is reserved for Kubernetes, whose components act on it; free are {free}: choose a key with another prefix"
        ));
    }
    Ok(())
}

/// The keys, and the prefixes of keys, below Kubernetes' own domains that a playbook may set: those that are for users.
/// Source: <https://kubernetes.io/docs/reference/labels-annotations-taints/>
const FREE_KEYS: [&str; 3] = [
    "app.kubernetes.io/",
    "cluster-autoscaler.kubernetes.io/safe-to-evict",
    "controller.kubernetes.io/pod-deletion-cost",
];

/// Whether the key belongs to Kubernetes or one of its projects: its prefix is `kubernetes.io` or `k8s.io`, or ends in one
/// of them.
pub(super) fn is_of_kubernetes(key: &str) -> bool {
    let Some((prefix, _)) = key.split_once('/') else {
        return false;
    };
    ["kubernetes.io", "k8s.io"].iter().any(|domain| {
        let below = prefix.strip_suffix(domain);
        below.is_some_and(|below| below.is_empty() || below.ends_with('.'))
    })
}

/// Whether the text is a valid key of a label, an annotation or a taint.
pub(super) fn is_key(key: &str) -> bool {
    let (prefix, name) = key
        .split_once('/')
        .map_or((None, key), |(prefix, name)| (Some(prefix), name));
    let prefix_valid = prefix.is_none_or(|prefix| crate::object::Name::new(prefix).is_some());
    prefix_valid && !name.is_empty() && label_safe(name) == name
}

/// The message for an invalid key.
pub(super) fn not_a_key(text: &str) -> String {
    format!(
        "`{}` is not a key: write `name` or `example.org/name`, at most 63 letters, digits, `-`, `_` and `.`",
        text.escape_debug()
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

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
            prop_assert!(annotation_safe(&text).chars().all(is_printable));
        }
    }

    #[test]
    fn responders_own_keys_are_not_for_playbooks() {
        assert!(check_key("responder.dev/quarantine").is_err());
        assert!(check_key("example.org/incident").is_ok());
        assert!(check_key("a/b/c").is_err());
    }

    #[rstest]
    #[case::of_a_load_balancer("node.kubernetes.io/exclude-from-external-load-balancers", false)]
    #[case::of_kubernetes("kubernetes.io/hostname", false)]
    #[case::of_its_projects("topology.k8s.io/zone", false)]
    #[case::of_users("app.kubernetes.io/part-of", true)]
    #[case::of_a_name_that_only_ends_alike("notkubernetes.io/suspect", true)]
    #[case::without_a_prefix("suspect", true)]
    fn keys_of_kubernetes_are_refused_but_for_those_of_users(#[case] key: &str, #[case] is_free: bool) {
        assert_eq!(check_key(key).is_ok(), is_free);
    }
}
