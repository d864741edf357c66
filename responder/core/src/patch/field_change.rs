//! The interface of every kind of change.

use std::fmt;

use serde_json::{Map, Value};

/// The live value of a changed field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// The patched value.
    AsLeft,
    /// The value from before the patch.
    AsBefore,
    /// A value of another writer.
    Other,
}

/// Another writer's value is in the place of a change.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{path} has a value of another writer, which is not overwritten; remove it by hand, or choose another place")]
pub struct Occupied {
    /// The path of the change.
    pub path: String,
}

/// A change of one field. Its text stands in plans and reports.
pub trait FieldChange: fmt::Display {
    /// The field, such as `label app` or `spec.unschedulable`.
    fn path(&self) -> String;

    /// The state of the field in the JSON of a live object.
    fn standing(&self, live: &Value) -> Standing;

    /// Whether the patched value shows who wrote it. A plain value, such as `true`, does not.
    fn is_attributable(&self) -> bool;

    /// Whether the change writes a whole list, and so fits one resource version only.
    fn replaces_a_list(&self) -> bool {
        false
    }

    /// Adds the change to the body of a merge patch.
    fn write(&self, body: &mut Map<String, Value>);
}

/// The map at `path`; creates it if missing.
pub(super) fn fields<'a>(body: &'a mut Map<String, Value>, path: &[&str]) -> &'a mut Map<String, Value> {
    let Some((first, rest)) = path.split_first() else {
        return body;
    };
    let child = body.entry(*first).or_insert(Value::Null);
    if !child.is_object() {
        *child = Map::new().into();
    }
    match child {
        Value::Object(child) => fields(child, rest),
        _ => unreachable!("was just made an object"),
    }
}
