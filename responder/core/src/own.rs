//! Objects that responder creates. Each has its own test of whether a live object is ours and unchanged.
//!
//! A new kind needs a file beside the others and a row in [`OwnObject`].

use serde::Serialize;
use serde_json::{Value, json};

use crate::object::{Kind, Locator, ObjectRef};

mod quarantine_policy;
mod quarantine_record;

pub use quarantine_policy::QuarantinePolicy;
pub use quarantine_record::{OnExpiry, QUARANTINE_LABEL, QuarantineRecord, RecordProblem};

/// An object that responder creates.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "kind")]
pub enum OwnObject {
    /// The NetworkPolicy of a quarantine.
    NetworkPolicy(QuarantinePolicy),
}

impl OwnObject {
    /// The kinds of these objects. Every process lists them, to end those of an earlier process.
    pub const KINDS: [Kind; 1] = [Kind::NetworkPolicy];

    /// Where the object is created.
    pub const fn at(&self) -> &Locator {
        match self {
            Self::NetworkPolicy(policy) => &policy.at,
        }
    }

    /// The manifest; name and namespace come from [`OwnObject::at`].
    pub fn manifest(&self) -> Value {
        match self {
            Self::NetworkPolicy(policy) => json!(policy.manifest),
        }
    }

    /// Whether a live object has the same marks and content as this one.
    pub fn is_same_as(&self, live: &Value) -> bool {
        match self {
            Self::NetworkPolicy(policy) => policy.is_same_as(live),
        }
    }

    /// Whether the object affects no more than the target of this incident.
    pub fn is_confined_to(&self, incident: &str, target: &ObjectRef) -> bool {
        match self {
            Self::NetworkPolicy(policy) => policy.is_confined_to(incident, target),
        }
    }
}
