//! What every kind of change can do: the terms between a patch and its changes.

use std::fmt;

use serde_json::{Map, Value};

/// How a change stands in a live object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// As the change left it.
    AsLeft,
    /// As it was before.
    AsBefore,
    /// As another writer has made it.
    Other,
}

/// Another writer holds the place of a change.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{path} is there with another value, and is not overwritten")]
pub struct NotOurs {
    /// The place.
    pub path: String,
}

/// A change of one field, of whatever kind. The text of it is what a person reads in a plan.
pub trait FieldChange: fmt::Display {
    /// The place, such as `label app` or `spec.unschedulable`.
    fn path(&self) -> String;

    /// How it stands in the JSON of an object.
    fn standing(&self, live: &Value) -> Standing;

    /// Whether the value that we leave is ours to see. A plain value, such as `true`, may as well be another writer's.
    fn proves_itself(&self) -> bool;

    /// Whether it writes a whole list, and so is right for one version of the object only.
    fn replaces_a_list(&self) -> bool {
        false
    }

    /// Adds itself to the body of a merge patch.
    fn write(&self, body: &mut Map<String, Value>);
}

/// The fields under `path`, made where they are missing.
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
