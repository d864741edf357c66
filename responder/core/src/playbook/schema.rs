//! The JSON schema of all documents, from their types: for editors, and for the check of files.
//! Step of the flow: match (reading playbooks).

use std::sync::LazyLock;

use schemars::SchemaGenerator;
use serde_json::{Map, Value, json};

use super::doc::ClusterPlaybookDoc;
use crate::guard::GuardDoc;

/// One JSON schema (draft 2020-12) for every kind of document, told apart by `kind`.
///
/// Editors complete by it (`responder schema`); `load` checks by the same definitions, and says more.
pub fn schema() -> Value {
    let kind_is = |kind: &str| json!({"properties": {"kind": {"const": kind}}, "required": ["kind"]});
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "responder",
        "description": "Playbooks and the guard of responder.",
        "type": "object",
        "required": ["apiVersion", "kind"],
        "properties": {"kind": {"enum": ["ClusterPlaybook", "Guard"]}},
        "allOf": [
            {"if": kind_is("ClusterPlaybook"), "then": {"$ref": "#/$defs/ClusterPlaybook"}},
            {"if": kind_is("Guard"), "then": {"$ref": "#/$defs/Guard"}},
        ],
        "$defs": DEFINITIONS.clone(),
    })
}

/// The schema of one kind of document.
pub(super) fn of_kind(definition: &str) -> Value {
    json!({"$ref": format!("#/$defs/{definition}"), "$defs": DEFINITIONS.clone()})
}

static DEFINITIONS: LazyLock<Value> = LazyLock::new(|| {
    let mut generator = SchemaGenerator::default();
    generator.subschema_for::<ClusterPlaybookDoc>();
    generator.subschema_for::<GuardDoc>();
    let mut definitions = Value::Object(generator.take_definitions(true));
    strip_null(&mut definitions);
    definitions
});

/// Takes null out of every property: a key without a value is an error, because a match would be wider than it looks.
/// The values of free maps keep it (`labels: {old: null}` removes a label).
fn strip_null(schema: &mut Value) {
    match schema {
        Value::Object(object) => {
            if let Some(Value::Object(properties)) = object.get_mut("properties") {
                for property in properties.values_mut().filter_map(Value::as_object_mut) {
                    not_null(property);
                }
            }
            object.values_mut().for_each(strip_null);
        }
        Value::Array(values) => values.iter_mut().for_each(strip_null),
        _ => {}
    }
}

fn not_null(property: &mut Map<String, Value>) {
    if property.get("default") == Some(&Value::Null) {
        property.remove("default");
    }
    if let Some(Value::Array(types)) = property.get_mut("type") {
        types.retain(|name| name != "null");
        if let [only] = types.as_slice() {
            let only = only.clone();
            property.insert("type".to_owned(), only);
        }
    }
    let Some(Value::Array(alternatives)) = property.get_mut("anyOf") else {
        return;
    };
    alternatives.retain(|alternative| alternative.get("type") != Some(&json!("null")));
    if let [Value::Object(only)] = alternatives.as_slice() {
        let only = only.clone();
        property.remove("anyOf");
        for (keyword, value) in only {
            // What the field's own comment says is nearer than what its type's says.
            property.entry(keyword).or_insert(value);
        }
    }
}

#[cfg(test)]
mod tests;
