//! What a failed step means for the steps around it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What happens to the rest of a plan when a step fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
pub enum OnFailure {
    /// Nothing more is done; what was done stays done and is reported.
    #[default]
    Stop,
    /// The next step is done all the same.
    Continue,
    /// What was done before is undone, the last first.
    Revert,
}
