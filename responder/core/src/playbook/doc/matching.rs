//! `match` as written: what it asks of the alert and of the live object.

use schemars::{JsonSchema, Schema};
use serde::{Deserialize, Serialize};

use crate::alert::Priority;
use crate::selector::LabelSelectorDoc;

/// What must hold. Keys must all hold; the values of one list are alternatives.
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
    /// The least priority.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_priority: Option<Priority>,
    /// The tags of the rule.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tags: Option<TagsDoc>,
    /// Predicates over the alert's `output_fields`; all of them must hold. A missing or null field satisfies none but
    /// `exists: false`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 50))]
    pub fields: Option<Vec<PredicateDoc>>,
    /// The image of the live container, as the pod's spec names it; not the alert's claim.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<ImageDoc>,
    /// By the labels of the live pod's namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<LabelSelectorDoc>,
    /// By the labels of the live pod.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pod: Option<LabelSelectorDoc>,
    /// By the labels of the live node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<LabelSelectorDoc>,
    /// A CEL expression over `pod`, `node`, `namespaceObject`, `owner` and `alert`, for what is left. An error is no match.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 1000))]
    pub when: Option<String>,
}

impl MatchDoc {
    /// Whether one part at least reads the alert.
    pub fn reads_alert(&self) -> bool {
        self.rules.is_some()
            || self.sources.is_some()
            || self.min_priority.is_some()
            || self.tags.is_some()
            || self.fields.is_some()
    }
}

/// What is asked of the rule's tags.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Tags")]
pub struct TagsDoc {
    /// The rule has all of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 100))]
    pub all: Vec<String>,
    /// The rule has one of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 100))]
    pub any: Vec<String>,
    /// The rule has none of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 100))]
    pub none: Vec<String>,
}

/// One field of the alert, and what must hold of it: one operator or more.
///
/// Of a list field, one element must satisfy a positive operator, and every element a negative one.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Predicate", transform = one_operator)]
pub struct PredicateDoc {
    /// The name, as in Falco's `output_fields`, such as `proc.name` or `proc.aname[2]`.
    #[schemars(length(min = 1))]
    pub field: String,
    /// It is this value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub equals: Option<ScalarDoc>,
    /// It is another value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_equals: Option<ScalarDoc>,
    /// It is one of these.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 1000))]
    pub r#in: Option<Vec<ScalarDoc>>,
    /// It is none of these.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 1000))]
    pub not_in: Option<Vec<ScalarDoc>>,
    /// Its text begins so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub starts_with: Option<OneOrMany>,
    /// Its text ends so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends_with: Option<OneOrMany>,
    /// Its text has this in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contains: Option<OneOrMany>,
    /// Its whole text fits a glob (`*`, `?`, `[…]`, `{a,b}`; `*` takes `/` as well, as in Falco).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub glob: Option<OneOrMany>,
    /// Its whole text fits none of these globs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_glob: Option<OneOrMany>,
    /// A regular expression is found in its text (anchor it with `^` and `$`); linear-time, so without look-around and
    /// backreferences.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub matches: Option<OneOrMany>,
    /// Its address lies in a network.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_cidr: Option<OneOrMany>,
    /// Its address lies in none of these networks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_in_cidr: Option<OneOrMany>,
    /// It is less.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "number")]
    pub lt: Option<ScalarDoc>,
    /// It is less or equal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "number")]
    pub le: Option<ScalarDoc>,
    /// It is greater.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "number")]
    pub gt: Option<ScalarDoc>,
    /// It is greater or equal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "number")]
    pub ge: Option<ScalarDoc>,
    /// Whether the alert carries it with a value that is not null.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exists: Option<bool>,
}

/// A value to compare with. Integers are exact to 64 bits.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum ScalarDoc {
    /// `true` or `false`.
    Boolean(bool),
    /// Zero or more.
    Unsigned(u64),
    /// Less than zero.
    Signed(i64),
    /// With a fraction.
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

/// One text, or alternatives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum OneOrMany {
    /// One.
    One(String),
    /// Alternatives.
    Many(#[schemars(length(min = 1, max = 100))] Vec<String>),
}

impl OneOrMany {
    /// As a list.
    pub fn as_slice(&self) -> &[String] {
        match self {
            Self::One(one) => std::slice::from_ref(one),
            Self::Many(many) => many,
        }
    }
}

/// What is asked of the image of the live container.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Image")]
pub struct ImageDoc {
    /// It fits one of these globs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub glob: Option<OneOrMany>,
    /// It fits none of these globs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_glob: Option<OneOrMany>,
}

fn number(_: &mut schemars::SchemaGenerator) -> Schema {
    schemars::json_schema!({"type": "number"})
}

/// A field alone says nothing.
fn one_operator(schema: &mut Schema) {
    schema.insert("minProperties".to_owned(), 2.into());
}
