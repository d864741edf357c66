//! How a plan continues when a step fails.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How a plan continues when a step fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
pub enum OnFailure {
    /// The plan ends; completed steps stay and are reported.
    #[default]
    Stop,
    /// The next step runs.
    Continue,
    /// The completed steps are undone, the last first.
    Revert,
}
