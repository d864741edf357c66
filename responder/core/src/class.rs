//! How strong an action is.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How strong an action is. Budgets, corroboration and permissions speak of classes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum ActionClass {
    /// Tells somebody.
    Notify,
    /// Marks an object.
    Annotate,
    /// Limits what an object can do, and can be undone.
    Contain,
    /// Takes an object away.
    Destroy,
}

impl ActionClass {
    /// Every class, the mildest first.
    pub const ALL: [Self; 4] = [Self::Notify, Self::Annotate, Self::Contain, Self::Destroy];

    /// The name as in a guard.
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
