//! `match` as written: conditions on the alert and on the live object.

use schemars::{JsonSchema, Schema};
use serde::{Deserialize, Serialize};

use crate::alert::Priority;
use crate::selector::LabelSelectorDoc;

/// Conditions. All keys must hold; the values of a list are alternatives.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Match")]
pub struct MatchDoc {
    /// Names of Falco rules, exact or as a glob (`*`, `?`, `[…]`, `{a,b}`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 500))]
    pub rules: Option<Vec<String>>,
    /// Event sources, such as `syscall` or `k8s_audit`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 20))]
    pub sources: Option<Vec<String>>,
    /// The lowest priority that matches.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_priority: Option<Priority>,
    /// Conditions on the rule's tags.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tags: Option<TagsDoc>,
    /// Predicates over the alert's `output_fields`; all must hold. A missing or null field satisfies only
    /// `exists: false`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 50))]
    pub fields: Option<Vec<PredicateDoc>>,
    /// Conditions on the image of the live container, as the pod's spec names it; the alert's claim is not used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<ImageDoc>,
    /// Selects by the labels of the live pod's namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<LabelSelectorDoc>,
    /// Selects by the labels of the live pod.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pod: Option<LabelSelectorDoc>,
    /// Selects by the labels of the live node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<LabelSelectorDoc>,
    /// A CEL expression over `pod`, `node`, `namespaceObject`, `owner` and `alert`, for conditions that the other keys
    /// can't express. An error means no match.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 1000))]
    pub when: Option<String>,
}

impl MatchDoc {
    /// Whether at least one key reads the alert.
    pub fn reads_alert(&self) -> bool {
        self.rules.is_some()
            || self.sources.is_some()
            || self.min_priority.is_some()
            || self.tags.is_some()
            || self.fields.is_some()
    }
}

/// Conditions on the rule's tags.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Tags")]
pub struct TagsDoc {
    /// The rule has all of these tags.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 100))]
    pub all: Vec<String>,
    /// The rule has at least one of these tags.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 100))]
    pub any: Vec<String>,
    /// The rule has none of these tags.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 100))]
    pub none: Vec<String>,
}

/// A field of the alert, with one operator or more; all must hold.
///
/// In a list field, a positive operator needs one matching element, and a negative one needs all elements to match.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Predicate", transform = one_operator)]
pub struct PredicateDoc {
    /// The field's name in Falco's `output_fields`, such as `proc.name` or `proc.aname[2]`.
    #[schemars(length(min = 1))]
    pub field: String,
    /// The value equals this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub equals: Option<ScalarDoc>,
    /// The value differs from this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_equals: Option<ScalarDoc>,
    /// The value equals one of these.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 1000))]
    pub r#in: Option<Vec<ScalarDoc>>,
    /// The value equals none of these.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 1000))]
    pub not_in: Option<Vec<ScalarDoc>>,
    /// The text begins with this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub starts_with: Option<OneOrMany>,
    /// The text ends with this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends_with: Option<OneOrMany>,
    /// The text contains this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contains: Option<OneOrMany>,
    /// The whole text matches a glob (`*`, `?`, `[…]`, `{a,b}`; `*` also matches `/`, as in Falco).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub glob: Option<OneOrMany>,
    /// The whole text matches none of these globs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_glob: Option<OneOrMany>,
    /// The text contains a match of a regular expression (anchor it with `^` and `$`). Matching takes linear time, so
    /// there are no look-arounds and no backreferences.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub matches: Option<OneOrMany>,
    /// The address lies in a network.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_cidr: Option<OneOrMany>,
    /// The address lies in none of these networks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_in_cidr: Option<OneOrMany>,
    /// The number is less than this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "number")]
    pub lt: Option<ScalarDoc>,
    /// The number is at most this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "number")]
    pub le: Option<ScalarDoc>,
    /// The number is greater than this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "number")]
    pub gt: Option<ScalarDoc>,
    /// The number is at least this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "number")]
    pub ge: Option<ScalarDoc>,
    /// Whether the alert has the field, with a value other than null.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exists: Option<bool>,
}

/// A value to compare with. Integers are exact to 64 bits.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum ScalarDoc {
    /// `true` or `false`.
    Boolean(bool),
    /// A whole number, zero or more.
    Unsigned(u64),
    /// A whole number below zero.
    Signed(i64),
    /// A number with a fraction.
    Float(f64),
    /// Text.
    Text(String),
}

impl JsonSchema for ScalarDoc {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Scalar".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> Schema {
        schemars::json_schema!({"type": ["string", "integer", "number", "boolean"]})
    }
}

/// One text, or a list of alternatives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum OneOrMany {
    /// A single text.
    One(String),
    /// The alternatives.
    Many(#[schemars(length(min = 1, max = 100))] Vec<String>),
}

impl OneOrMany {
    /// The texts as a list.
    pub fn as_slice(&self) -> &[String] {
        match self {
            Self::One(one) => std::slice::from_ref(one),
            Self::Many(many) => many,
        }
    }
}

/// Conditions on the image of the live container.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Image")]
pub struct ImageDoc {
    /// The image matches one of these globs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub glob: Option<OneOrMany>,
    /// The image matches none of these globs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_glob: Option<OneOrMany>,
}

fn number(_: &mut schemars::SchemaGenerator) -> Schema {
    schemars::json_schema!({"type": "number"})
}

/// At least one operator besides `field`.
fn one_operator(schema: &mut Schema) {
    schema.insert("minProperties".to_owned(), 2.into());
}
