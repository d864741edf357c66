//! A permission on the API server, in RBAC's terms.

use serde::Serialize;

use crate::object::Kind;

/// A permission: one verb on one resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Permission {
    /// The API group; empty for the core group.
    pub group: &'static str,
    /// The plural of the kind.
    pub resource: &'static str,
    /// The subresource, such as `eviction`; empty for none.
    pub subresource: &'static str,
    /// The RBAC verb.
    pub verb: &'static str,
}

impl Permission {
    /// A permission on a kind itself.
    pub const fn on(kind: Kind, verb: &'static str) -> Self {
        Self::on_sub(kind, "", verb)
    }

    /// A permission on a subresource of a kind.
    pub const fn on_sub(kind: Kind, subresource: &'static str, verb: &'static str) -> Self {
        Self {
            group: kind.group(),
            resource: kind.plural(),
            subresource,
            verb,
        }
    }

    /// The resource as in a rule: `pods`, `pods/eviction`.
    pub fn resource(&self) -> String {
        match self.subresource {
            "" => self.resource.to_owned(),
            subresource => format!("{}/{subresource}", self.resource),
        }
    }
}
