//! Label selectors with Kubernetes' semantics. Step of the flow: decide (the live part of a match, and mode ceilings).

use std::collections::BTreeMap;
use std::fmt;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;

use crate::document::{Findings, Path, Problem};
use crate::object::Name;

mod doc;

pub use doc::{LabelSelectorDoc, RequirementDoc, SelectorOperator};

/// A label selector. All requirements must hold. An empty selector is refused in a playbook; in a live object it
/// selects everything.
///
/// As in Kubernetes, `NotIn` and `DoesNotExist` hold when the label is absent.
/// Source: <https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#label-selectors>
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selector(Vec<Requirement>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Requirement {
    key: String,
    operator: SelectorOperator,
    values: Vec<String>,
}

impl Selector {
    /// Compiles a selector; `None` after reporting its problems at `path` or below.
    pub(crate) fn compile(doc: &LabelSelectorDoc, path: &Path, findings: &mut Findings<'_>) -> Option<Self> {
        let problems = match Self::parse(doc) {
            Ok(selector) => return Some(selector),
            Err(problems) => problems,
        };
        for (below, problem) in problems {
            let path = findings.dotted(path, &below);
            findings.absence(&path, problem);
        }
        None
    }

    /// The selector, or its problems, each with its dotted path below the selector.
    fn parse(doc: &LabelSelectorDoc) -> Result<Self, Vec<(String, Problem)>> {
        let mut problems = Vec::new();
        if doc.match_labels.is_empty() && doc.match_expressions.is_empty() {
            let problem =
                Problem::new("an empty selector selects everything").help("name a label, or leave the selector out");
            problems.push((String::new(), problem));
        }
        let mut requirements = Vec::new();
        for (key, value) in &doc.match_labels {
            let path = format!("matchLabels.{key}");
            problems.extend(check_key(key).err().map(|problem| (path.clone(), problem)));
            problems.extend(check_value(value).err().map(|problem| (path, problem)));
            requirements.push(Requirement {
                key: key.clone(),
                operator: SelectorOperator::In,
                values: vec![value.clone()],
            });
        }
        for (index, expression) in doc.match_expressions.iter().enumerate() {
            let path = |part: &str| format!("matchExpressions.{index}.{part}");
            problems.extend(check_key(&expression.key).err().map(|problem| (path("key"), problem)));
            for value in &expression.values {
                problems.extend(check_value(value).err().map(|problem| (path("values"), problem)));
            }
            let takes_values = matches!(expression.operator, SelectorOperator::In | SelectorOperator::NotIn);
            if takes_values && expression.values.is_empty() {
                problems.push((path("operator"), Problem::new("`In` and `NotIn` need `values`")));
            } else if !takes_values && !expression.values.is_empty() {
                problems.push((
                    path("values"),
                    Problem::new("`Exists` and `DoesNotExist` take no `values`"),
                ));
            }
            requirements.push(Requirement {
                key: expression.key.clone(),
                operator: expression.operator,
                values: expression.values.clone(),
            });
        }
        if problems.is_empty() {
            Ok(Self(requirements))
        } else {
            Err(problems)
        }
    }

    /// The selector that requires all labels of a map, as Services write it. An empty map selects everything.
    pub fn of_map(labels: &BTreeMap<String, String>) -> Self {
        let requirement = |(key, value): (&String, &String)| Requirement {
            key: key.clone(),
            operator: SelectorOperator::In,
            values: vec![value.clone()],
        };
        Self(labels.iter().map(requirement).collect())
    }

    /// The selector of a live object; `None` for one that API servers refuse. An empty one selects everything.
    pub fn of(live: &LabelSelector) -> Option<Self> {
        let mut selector = Self::of_map(live.match_labels.as_ref().unwrap_or(&BTreeMap::new()));
        for expression in live.match_expressions.iter().flatten() {
            let operator = match expression.operator.as_str() {
                "In" => SelectorOperator::In,
                "NotIn" => SelectorOperator::NotIn,
                "Exists" => SelectorOperator::Exists,
                "DoesNotExist" => SelectorOperator::DoesNotExist,
                _ => return None,
            };
            let values = expression.values.clone().unwrap_or_default();
            selector.0.push(Requirement {
                key: expression.key.clone(),
                operator,
                values,
            });
        }
        Some(selector)
    }

    /// Whether the selector has no requirements, and so selects every object.
    pub fn is_everything(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the selector selects an object with these labels.
    pub fn matches(&self, labels: &BTreeMap<String, String>) -> bool {
        self.0.iter().all(|requirement| {
            let value = labels.get(&requirement.key);
            let listed = || value.is_some_and(|value| requirement.values.contains(value));
            match requirement.operator {
                SelectorOperator::In => listed(),
                SelectorOperator::NotIn => !listed(),
                SelectorOperator::Exists => value.is_some(),
                SelectorOperator::DoesNotExist => value.is_none(),
            }
        })
    }
}

impl Selector {
    /// The label keys in the requirements.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|requirement| requirement.key.as_str())
    }
}

impl fmt::Display for Selector {
    /// The syntax of `kubectl -l`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, Requirement { key, operator, values }) in self.0.iter().enumerate() {
            if place > 0 {
                f.write_str(",")?;
            }
            match (operator, values.as_slice()) {
                (SelectorOperator::In, [value]) => write!(f, "{key}={value}")?,
                (SelectorOperator::In, values) => write!(f, "{key} in ({})", values.join(","))?,
                (SelectorOperator::NotIn, values) => write!(f, "{key} notin ({})", values.join(","))?,
                (SelectorOperator::Exists, _) => f.write_str(key)?,
                (SelectorOperator::DoesNotExist, _) => write!(f, "!{key}")?,
            }
        }
        Ok(())
    }
}

/// Source: <https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#syntax-and-character-set>
fn check_key(key: &str) -> Result<(), Problem> {
    let (prefix, name) = key
        .split_once('/')
        .map_or((None, key), |(prefix, name)| (Some(prefix), name));
    let prefix_holds = prefix.is_none_or(|prefix| Name::new(prefix).is_some());
    if prefix_holds && !name.is_empty() && is_label_text(name) {
        return Ok(());
    }
    let message = format!(
        "`{}` is no label: write `name` or `example.org/name`",
        key.escape_debug()
    );
    Err(Problem::new(message).help("a name has at most 63 letters, digits, `-`, `_` and `.`"))
}

fn check_value(value: &str) -> Result<(), Problem> {
    if is_label_text(value) {
        return Ok(());
    }
    let message = format!("no label has the value `{}`", value.escape_debug());
    Err(Problem::new(message).help("a value has at most 63 letters, digits, `-`, `_` and `.`; selectors take no globs"))
}

fn is_label_text(text: &str) -> bool {
    let alphanumeric_end = |c: Option<char>| c.is_none_or(|c| c.is_ascii_alphanumeric());
    text.len() <= 63
        && alphanumeric_end(text.chars().next())
        && alphanumeric_end(text.chars().next_back())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn selector(json: &str) -> Result<Selector, Vec<String>> {
        let doc = serde_json::from_str(json).unwrap();
        Selector::parse(&doc).map_err(|problems| problems.into_iter().map(|(path, _)| path).collect())
    }

    #[rstest]
    #[case(r#"{"matchLabels": {"tier": "web"}}"#, true)]
    #[case(r#"{"matchLabels": {"tier": "web", "app": "x"}}"#, false)]
    #[case(
        r#"{"matchExpressions": [{"key": "tier", "operator": "In", "values": ["db", "web"]}]}"#,
        true
    )]
    #[case(
        r#"{"matchExpressions": [{"key": "tier", "operator": "NotIn", "values": ["db"]}]}"#,
        true
    )]
    #[case(
        r#"{"matchExpressions": [{"key": "other", "operator": "NotIn", "values": ["db"]}]}"#,
        true
    )]
    #[case(
        r#"{"matchExpressions": [{"key": "other", "operator": "In", "values": ["db"]}]}"#,
        false
    )]
    #[case(r#"{"matchExpressions": [{"key": "tier", "operator": "Exists"}]}"#, true)]
    #[case(r#"{"matchExpressions": [{"key": "tier", "operator": "DoesNotExist"}]}"#, false)]
    #[case(r#"{"matchExpressions": [{"key": "other", "operator": "DoesNotExist"}]}"#, true)]
    fn a_selector_selects_as_in_kubernetes(#[case] json: &str, #[case] selects: bool) {
        let labels = BTreeMap::from([("tier".to_owned(), "web".to_owned())]);
        assert_eq!(selector(json).unwrap().matches(&labels), selects);
    }

    #[rstest]
    #[case("{}", "")]
    #[case(r#"{"matchLabels": {"a b": "c"}}"#, "matchLabels.a b")]
    #[case(r#"{"matchLabels": {"app": "web-*"}}"#, "matchLabels.app")]
    #[case(
        r#"{"matchExpressions": [{"key": "a", "operator": "In"}]}"#,
        "matchExpressions.0.operator"
    )]
    #[case(
        r#"{"matchExpressions": [{"key": "a", "operator": "Exists", "values": ["x"]}]}"#,
        "matchExpressions.0.values"
    )]
    fn a_selector_that_can_never_select_is_refused(#[case] json: &str, #[case] path: &str) {
        assert_eq!(selector(json), Err(vec![path.to_owned()]));
    }

    #[test]
    fn a_selector_prints_as_kubectl_takes_it() {
        let json = r#"{"matchLabels": {"a": "b"}, "matchExpressions": [{"key": "c", "operator": "NotIn", "values": ["d", "e"]},
            {"key": "f", "operator": "DoesNotExist"}]}"#;
        insta::assert_snapshot!(selector(json).unwrap(), @"a=b,c notin (d,e),!f");
    }
}
