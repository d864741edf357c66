//! Changes of the taints of a node. A merge patch can only replace the whole list `spec.taints`.
//!
//! Key and effect identify a taint; the API server refuses a second one with both. The value shows who wrote it. A taint
//! of another writer is never overwritten or removed, and the list is computed for the resource version that was read.
//! Source: <https://kubernetes.io/docs/concepts/scheduling-eviction/taint-and-toleration/>

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::field_change::{FieldChange, Occupied, Standing, fields};

/// The effect of a taint on pods that do not tolerate it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize, JsonSchema)]
pub enum TaintEffect {
    /// New pods are not scheduled on the node; its pods stay.
    #[default]
    NoSchedule,
    /// New pods are scheduled on the node only if no other node takes them.
    PreferNoSchedule,
}

impl TaintEffect {
    /// The name as written in a manifest.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NoSchedule => "NoSchedule",
            Self::PreferNoSchedule => "PreferNoSchedule",
        }
    }
}

/// A taint of a node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Taint {
    /// The key.
    pub key: String,
    /// The value, which shows who wrote the taint.
    pub value: String,
    /// The effect.
    pub effect: TaintEffect,
}

impl Taint {
    /// The value of the live taint with this key and effect: empty if it has none, `None` without such a taint.
    pub fn value_on<'a>(&self, live: &'a Value) -> Option<&'a str> {
        taints(live).find(|taint| self.is_placed_as(taint)).map(value)
    }

    fn is_placed_as(&self, taint: &Value) -> bool {
        text(taint, "key") == self.key && text(taint, "effect") == self.effect.as_str()
    }

    fn is(&self, taint: &Value) -> bool {
        self.is_placed_as(taint) && value(taint) == self.value
    }
}

impl fmt::Display for Taint {
    /// `key=value:effect`, as in `kubectl taint`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}:{}", self.key, self.value, self.effect.as_str())
    }
}

/// A taint that is added or removed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TaintChange {
    taint: Taint,
    is_added: bool,
    /// The new list, with other taints in their order; `None` until it is computed for a node, and then nothing is
    /// written.
    taints: Option<Vec<Value>>,
}

impl TaintChange {
    /// Adds a taint, once the list is computed for a node.
    pub const fn added(taint: Taint) -> Self {
        Self {
            taint,
            is_added: true,
            taints: None,
        }
    }

    /// The opposite change, not computed for any node.
    #[must_use]
    pub fn reversed(&self) -> Self {
        Self {
            taint: self.taint.clone(),
            is_added: !self.is_added,
            taints: None,
        }
    }

    /// Computes the list for a live node.
    ///
    /// # Errors
    ///
    /// A taint of another writer has this key and effect.
    pub(super) fn compute(&mut self, live: &Value) -> Result<(), Occupied> {
        let placed = self.taint.value_on(live);
        if self.is_added && placed.is_some_and(|value| value != self.taint.value) {
            return Err(Occupied { path: self.path() });
        }
        let mut all: Vec<Value> = taints(live)
            .filter(|taint| self.is_added || !self.taint.is(taint))
            .cloned()
            .collect();
        if self.is_added && placed.is_none() {
            all.push(json!(self.taint));
        }
        self.taints = Some(all);
        Ok(())
    }
}

impl FieldChange for TaintChange {
    fn path(&self) -> String {
        format!("taint {}:{}", self.taint.key, self.taint.effect.as_str())
    }

    fn standing(&self, live: &Value) -> Standing {
        let value = self.taint.value_on(live);
        let is_ours = value == Some(&self.taint.value);
        match (self.is_added, value) {
            (true, Some(_)) if is_ours => Standing::AsLeft,
            (true, None) => Standing::AsBefore,
            (true, Some(_)) => Standing::Other,
            (false, _) if is_ours => Standing::AsBefore,
            (false, _) => Standing::AsLeft,
        }
    }

    fn is_attributable(&self) -> bool {
        true
    }

    fn replaces_a_list(&self) -> bool {
        true
    }

    fn write(&self, body: &mut Map<String, Value>) {
        let Some(taints) = &self.taints else { return };
        // The API server stores no empty list.
        let taints = if taints.is_empty() {
            Value::Null
        } else {
            taints.clone().into()
        };
        fields(body, &["spec"]).insert("taints".to_owned(), taints);
    }
}

impl fmt::Display for TaintChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let removed = if self.is_added { "" } else { " removed" };
        write!(f, "taint {}{removed}", self.taint)
    }
}

fn taints(live: &Value) -> impl Iterator<Item = &Value> {
    let taints = live.pointer("/spec/taints").and_then(Value::as_array);
    taints.into_iter().flatten()
}

fn text<'a>(taint: &'a Value, field: &str) -> &'a str {
    taint.get(field).and_then(Value::as_str).unwrap_or_default()
}

fn value(taint: &Value) -> &str {
    text(taint, "value")
}
