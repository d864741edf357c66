//! The classes of actions, by strength.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The strength of an action. Budgets, corroboration and permissions refer to classes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum ActionClass {
    /// Notifies receivers.
    Notify,
    /// Marks an object.
    Annotate,
    /// Restricts an object; reversible.
    Contain,
    /// Removes an object; irreversible.
    Destroy,
}

impl ActionClass {
    /// All four, the mildest first.
    pub const ALL: [Self; 4] = [Self::Notify, Self::Annotate, Self::Contain, Self::Destroy];

    /// The name as written in a guard.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Notify => "Notify",
            Self::Annotate => "Annotate",
            Self::Contain => "Contain",
            Self::Destroy => "Destroy",
        }
    }
}

impl fmt::Display for ActionClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
