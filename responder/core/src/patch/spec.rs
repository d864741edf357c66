//! Changes of plain values directly under `spec`, such as `unschedulable` of a node or `replicas` of a controller.

use std::fmt;

use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

use super::field_change::{FieldChange, Standing, fields};

/// A plain JSON value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(untagged)]
pub enum Scalar {
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Number(i64),
}

impl From<Scalar> for Value {
    fn from(scalar: Scalar) -> Self {
        match scalar {
            Scalar::Bool(value) => value.into(),
            Scalar::Number(value) => value.into(),
        }
    }
}

impl fmt::Display for Scalar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool(value) => value.fmt(f),
            Self::Number(value) => value.fmt(f),
        }
    }
}

/// A field of `spec` that holds a plain value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct SpecField {
    /// The name under `spec`.
    pub name: &'static str,
    /// The value that absence means. The API server omits some fields with this value.
    pub absent: Scalar,
}

impl SpecField {
    /// The value in a live object; `None` if it is not a plain value.
    pub fn of(self, live: &Value) -> Option<Scalar> {
        match live.get("spec").and_then(|spec| spec.get(self.name)) {
            None | Some(Value::Null) => Some(self.absent),
            Some(Value::Bool(value)) => Some(Scalar::Bool(*value)),
            Some(value) => value.as_i64().map(Scalar::Number),
        }
    }

    /// The change of this field from `before` to `value`.
    pub const fn change(self, value: Scalar, before: Scalar) -> SpecChange {
        SpecChange {
            field: self,
            value,
            before,
        }
    }
}

impl Serialize for SpecField {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl fmt::Display for SpecField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "spec.{}", self.name)
    }
}

/// A plain value of `spec` that is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct SpecChange {
    field: SpecField,
    value: Scalar,
    before: Scalar,
}

impl SpecChange {
    /// The change that restores the value from before.
    #[must_use]
    pub const fn reversed(self) -> Self {
        self.field.change(self.before, self.value)
    }
}

impl FieldChange for SpecChange {
    fn path(&self) -> String {
        self.field.to_string()
    }

    fn standing(&self, live: &Value) -> Standing {
        let now = self.field.of(live);
        if now == Some(self.value) {
            Standing::AsLeft
        } else if now == Some(self.before) {
            Standing::AsBefore
        } else {
            Standing::Other
        }
    }

    fn is_attributable(&self) -> bool {
        false
    }

    fn write(&self, body: &mut Map<String, Value>) {
        fields(body, &["spec"]).insert(self.field.name.to_owned(), self.value.into());
    }
}

impl fmt::Display for SpecChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.field, self.value)
    }
}
