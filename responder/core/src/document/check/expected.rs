//! The values that a schema accepts.

use serde_json::Value;

use crate::document::suggest::either;
use crate::document::tree::Content;

/// A schema, and the name of the type that schemars made it from; empty for an inline schema.
#[derive(Clone, Copy)]
pub(super) struct Type<'a> {
    pub(super) name: &'a str,
    pub(super) schema: &'a Value,
}

impl<'a> Type<'a> {
    pub(super) fn get(self, keyword: &str) -> Option<&'a Value> {
        self.schema.get(keyword)
    }

    pub(super) fn list(self, keyword: &str) -> &'a [Value] {
        self.get(keyword)
            .and_then(Value::as_array)
            .map(Vec::as_slice)
            .unwrap_or_default()
    }

    pub(super) fn number(self, keyword: &str) -> Option<f64> {
        self.get(keyword).and_then(Value::as_f64)
    }

    /// The accepted JSON types.
    pub(super) fn types(self) -> Vec<&'a str> {
        match self.get("type") {
            Some(Value::String(one)) => vec![one],
            Some(Value::Array(many)) => many.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        }
    }

    /// The words of an enumeration; `None` when the schema is not one.
    pub(super) fn words(self) -> Option<Vec<&'a str>> {
        let constant = |schema: &'a Value| schema.get("const").and_then(Value::as_str);
        if let Some(word) = constant(self.schema) {
            return Some(vec![word]);
        }
        if let Some(words) = self.get("enum").and_then(Value::as_array) {
            return words.iter().map(Value::as_str).collect();
        }
        let alternatives = self.list("oneOf");
        let words: Vec<&str> = alternatives
            .iter()
            .flat_map(|schema| Type { name: "", schema }.words().unwrap_or_default())
            .collect();
        (!words.is_empty()).then_some(words)
    }

    /// The accepted kinds of value, as a noun phrase for messages.
    pub(super) fn expected(self) -> String {
        match self.name {
            "Duration" => return "a duration, such as 10m".to_owned(),
            "Priority" => return "a priority, such as Warning".to_owned(),
            "Scalar" => return "a value".to_owned(),
            _ => {}
        }
        if let Some(words) = self.words() {
            return either(words);
        }
        let types = self.types();
        let nouns = types.iter().filter_map(|name| match *name {
            "string" => Some("text"),
            "integer" => Some("a whole number"),
            "number" => Some("a number"),
            "boolean" => Some("true or false"),
            "array" => Some("a list"),
            "object" => Some("a mapping"),
            _ => None,
        });
        nouns.collect::<Vec<_>>().join(" or ")
    }
}

/// The least and the greatest accepted number; an integer's width counts as a bound.
pub(super) fn limits(expected: Type<'_>) -> (Option<f64>, Option<f64>) {
    let (least, most) = match expected.get("format").and_then(Value::as_str) {
        Some("int32") => (Some(f64::from(i32::MIN)), Some(f64::from(i32::MAX))),
        Some("uint32") => (Some(0.0), Some(f64::from(u32::MAX))),
        _ => (None, None),
    };
    (
        expected.number("minimum").or(least),
        expected.number("maximum").or(most),
    )
}

/// Whether the value has one of the JSON types.
pub(super) fn is_one_of(content: &Content, types: &[&str]) -> bool {
    let takes = |name: &str| types.contains(&name);
    match content {
        Content::Null => takes("null"),
        Content::Boolean(_) => takes("boolean"),
        Content::Integer(_) => takes("integer") || takes("number"),
        Content::Float(_) => takes("number"),
        Content::Text(_) => takes("string"),
        Content::List(_) => takes("array"),
        Content::Map(_) => takes("object"),
    }
}
