//! What a playbook does about pods that the response of another one keeps in quarantine.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Whether a playbook answers alerts about pods that the response of another one keeps in quarantine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash, Serialize, Deserialize, JsonSchema)]
pub enum QuarantinedPods {
    /// They are left alone: the refusal is `Held`.
    #[default]
    Exclude,
    /// They are answered like others.
    Include,
}
