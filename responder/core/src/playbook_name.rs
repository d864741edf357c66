//! The name of a playbook.

use std::fmt;
use std::sync::Arc;

use serde::Serialize;

use crate::object::Name;

/// The name of a playbook, unique in a set.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct PlaybookName(Arc<str>);

impl PlaybookName {
    /// The name, if it is a DNS subdomain, as Kubernetes requires of `metadata.name`.
    pub fn new(text: &str) -> Option<Self> {
        Name::new(text).map(|name| Self(name.as_str().into()))
    }

    /// The name as written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for PlaybookName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}
