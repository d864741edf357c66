//! The JSON schema of all documents, made from their types: for editors, and for checking files. Step of the flow:
//! match (loading playbooks).

use std::sync::LazyLock;

use schemars::SchemaGenerator;
use serde_json::{Value, json};

use super::doc::ClusterPlaybookDoc;
use crate::document::strip_null;
use crate::guard::doc::GuardDoc;

/// One JSON schema (draft 2020-12) for all kinds of document, selected by `kind`.
///
/// Editors complete and validate with it (`responder schema`). `load` checks with the same definitions
/// and reports more.
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

/// The schema of one kind of document, with all definitions.
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

#[cfg(test)]
mod tests;
