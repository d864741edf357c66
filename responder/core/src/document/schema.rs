//! The JSON schema of a type, against which its documents are checked.

use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Map, Value, json};

/// The JSON schema of a type, with the definitions that it refers to.
pub fn schema_of<T: JsonSchema>() -> Value {
    let mut generator = SchemaGenerator::default();
    let root = generator.subschema_for::<T>();
    let mut definitions = Value::Object(generator.take_definitions(true));
    strip_null(&mut definitions);
    let mut schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$defs": definitions,
    });
    if let (Some(schema), Value::Object(root)) = (schema.as_object_mut(), root.to_value()) {
        schema.extend(root);
    }
    schema
}

/// Removes null from every property: a key without a value is an error, because it would make a match wider than it
/// looks. Values of free maps keep null (`labels: {old: null}` removes a label).
pub(crate) fn strip_null(schema: &mut Value) {
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
            // The field's own description takes precedence over its type's.
            property.entry(keyword).or_insert(value);
        }
    }
}
