//! The name of a Falco rule, as its own type.

use std::{borrow::Borrow, fmt};

use serde::{Deserialize, Serialize};

/// A Falco rule's name, compared exactly (`Terminal shell in container`). Free text: only Falco's rule files know which
/// names exist, so it must never become a metric label or a path.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RuleName(Box<str>);

impl RuleName {
    /// Takes the name unchanged.
    pub fn new(name: impl Into<Box<str>>) -> Self {
        Self(name.into())
    }

    /// The name as written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RuleName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl AsRef<str> for RuleName {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for RuleName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl From<&str> for RuleName {
    fn from(name: &str) -> Self {
        Self::new(name)
    }
}
