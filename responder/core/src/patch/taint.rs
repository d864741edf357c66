//! Taints of a node: a list in `spec.taints`, of which a merge patch can only write the whole.
//!
//! A taint is found by key and effect, of which a node has one each, and is ours by its value. So another writer's taint
//! is never overwritten and never taken away, and the whole list is only right for the version that was read.
//! Source: <https://kubernetes.io/docs/concepts/scheduling-eviction/taint-and-toleration/>

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::field_change::{FieldChange, NotOurs, Standing, fields};

/// What a taint does to pods that don't tolerate it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize, JsonSchema)]
pub enum TaintEffect {
    /// New pods stay away; those on the node stay.
    #[default]
    NoSchedule,
    /// New pods stay away where another node has room.
    PreferNoSchedule,
}

impl TaintEffect {
    /// The word as in a manifest.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NoSchedule => "NoSchedule",
            Self::PreferNoSchedule => "PreferNoSchedule",
        }
    }
}

/// A taint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Taint {
    /// The key.
    pub key: String,
    /// The value, by which it is ours.
    pub value: String,
    /// The effect.
    pub effect: TaintEffect,
}

impl Taint {
    /// The value of the taint with this key and effect on a live node, whoever has set it; empty for one without a value.
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
    /// As `kubectl taint` takes it: `key=value:effect`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}:{}", self.key, self.value, self.effect.as_str())
    }
}

/// A taint that is added, or taken away.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TaintChange {
    taint: Taint,
    is_added: bool,
    /// The list as it will be, those of others in their order; `None` before it is worked out for a node, and then
    /// nothing is written.
    taints: Option<Vec<Value>>,
}

impl TaintChange {
    /// A taint to be added to those of a node, once it is worked out for one.
    pub const fn added(taint: Taint) -> Self {
        Self {
            taint,
            is_added: true,
            taints: None,
        }
    }

    /// The change that takes away what this adds.
    pub fn reversed(&self) -> Self {
        Self {
            taint: self.taint.clone(),
            is_added: !self.is_added,
            taints: None,
        }
    }

    /// Works out the list for a live node.
    ///
    /// # Errors
    ///
    /// Another writer's taint has the key and the effect.
    pub(super) fn work_out(&mut self, live: &Value) -> Result<(), NotOurs> {
        let placed = self.taint.value_on(live);
        if self.is_added && placed.is_some_and(|value| value != self.taint.value) {
            return Err(NotOurs { path: self.path() });
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

    fn proves_itself(&self) -> bool {
        true
    }

    fn replaces_a_list(&self) -> bool {
        true
    }

    fn write(&self, body: &mut Map<String, Value>) {
        let Some(taints) = &self.taints else { return };
        // The API server keeps no empty list.
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
