//! Objects that responder creates. Each has its own test of whether a live object is ours and unchanged.
//!
//! A new kind needs a file beside the others and a row in [`OwnObject`].

use serde::Serialize;
use serde_json::{Value, json};

use crate::object::{Kind, Locator, ObjectRef};

mod denying_kind;
mod denying_policy;
mod quarantine_policy;
mod quarantine_record;

pub use denying_kind::DenyingKind;
pub use denying_policy::DenyingPolicy;
pub use quarantine_policy::QuarantinePolicy;
pub use quarantine_record::{OnExpiry, QUARANTINE_LABEL, QuarantineRecord, RecordProblem};

/// An object that responder creates.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "kind")]
#[expect(clippy::large_enum_variant, reason = "a request holds one, in a box")]
pub enum OwnObject {
    /// The NetworkPolicy of a quarantine.
    NetworkPolicy(QuarantinePolicy),
    /// The policy of a quarantine that denies, of a kind of the cluster's engine.
    DenyingPolicy(DenyingPolicy),
}

impl OwnObject {
    /// The kinds of those objects that are records of their own. Every process lists them, to end those of an earlier
    /// process. A policy that denies is recorded on the NetworkPolicy of its quarantine.
    pub const KINDS: [Kind; 1] = [Kind::NetworkPolicy];

    /// Where the object is created.
    pub const fn at(&self) -> &Locator {
        match self {
            Self::NetworkPolicy(policy) => &policy.at,
            Self::DenyingPolicy(policy) => policy.at(),
        }
    }

    /// The manifest; name and namespace come from [`OwnObject::at`].
    pub fn manifest(&self) -> Value {
        match self {
            Self::NetworkPolicy(policy) => json!(policy.manifest),
            Self::DenyingPolicy(policy) => policy.manifest().clone(),
        }
    }

    /// Whether a live object has the same marks and content as this one.
    pub fn is_same_as(&self, live: &Value) -> bool {
        match self {
            Self::NetworkPolicy(policy) => policy.is_same_as(live),
            Self::DenyingPolicy(policy) => policy.is_same_as(live),
        }
    }

    /// Whether the object affects no more than the target of this incident.
    pub fn is_confined_to(&self, incident: &str, target: &ObjectRef) -> bool {
        match self {
            Self::NetworkPolicy(policy) => policy.is_confined_to(incident, target),
            Self::DenyingPolicy(policy) => policy.is_confined_to(incident, target),
        }
    }
}
