//! Objects that responder itself creates, each with its own test of whether a live one is ours and untouched.
//!
//! A new kind is a file beside the others and a row in [`OwnObject`].

use serde::Serialize;
use serde_json::{Value, json};

use crate::object::{Kind, Locator, ObjectRef};

mod quarantine_policy;
mod quarantine_record;

pub use quarantine_policy::QuarantinePolicy;
pub use quarantine_record::{OnExpiry, QUARANTINE_LABEL, QuarantineRecord, RecordProblem};

/// An object that responder itself creates.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "kind")]
pub enum OwnObject {
    /// The policy of a quarantine.
    NetworkPolicy(QuarantinePolicy),
}

impl OwnObject {
    /// The kinds of which it creates objects. Those whose time is over are looked for by whichever process runs then.
    pub const KINDS: [Kind; 1] = [Kind::NetworkPolicy];

    /// Where it goes.
    pub const fn at(&self) -> &Locator {
        match self {
            Self::NetworkPolicy(policy) => &policy.at,
        }
    }

    /// What is sent, without its place.
    pub fn manifest(&self) -> Value {
        match self {
            Self::NetworkPolicy(policy) => json!(policy.manifest),
        }
    }

    /// Whether a live object is the one that we wanted to create: the same marks and the same content.
    pub fn is_same_as(&self, live: &Value) -> bool {
        match self {
            Self::NetworkPolicy(policy) => policy.is_same_as(live),
        }
    }

    /// Whether it reaches no more than the target of this incident.
    pub fn is_confined_to(&self, incident: &str, target: &ObjectRef) -> bool {
        match self {
            Self::NetworkPolicy(policy) => policy.is_confined_to(incident, target),
        }
    }
}
