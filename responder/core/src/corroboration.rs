//! The levels of certainty that the live pod is the alert's pod.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How certainly the live pod is the alert's pod. Ordered: `Named < PodUid < Container`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize, JsonSchema)]
pub enum Corroboration {
    /// The name matches, and the live pod is older than the alert.
    Named,
    /// The alert carries the uid of the live pod, which no other pod ever has, or the id of a container of it.
    #[default]
    PodUid,
    /// A current or last container of the live pod has the alert's container id.
    Container,
}

impl Corroboration {
    /// The name as written in a playbook.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Named => "Named",
            Self::PodUid => "PodUid",
            Self::Container => "Container",
        }
    }
}

impl fmt::Display for Corroboration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
