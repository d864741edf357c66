//! The event source of an alert, normalised.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The event source of an alert: system calls, or a Falco plugin.
///
/// Normalised, because the same event arrives under several names: falcosidekick writes `syscalls` for a missing
/// source, old Falco wrote none, and falcosidekick declares its own test event (`Test rule`) `internal`. Before 0.33
/// Falco's own messages (`Falco internal: …`) had no source and are known by their name. They must never act.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Source(Kind);

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Kind {
    Syscall,
    K8sAudit,
    Internal,
    Plugin(Box<str>),
}

/// falcosidekick's constant `testRule`; it sets the source of that alert to `internal`.
const TEST_RULE: &str = "Test rule";
const INTERNAL_PREFIX: &str = "Falco internal:";

impl Source {
    /// The source with this name; `syscalls` and the empty name mean `syscall`.
    pub fn new(name: &str) -> Self {
        Self(match name {
            "" | "syscall" | "syscalls" => Kind::Syscall,
            "k8s_audit" => Kind::K8sAudit,
            "internal" => Kind::Internal,
            plugin => Kind::Plugin(plugin.into()),
        })
    }

    /// The source of an alert of `rule`, from the source as written, if any.
    pub(super) fn of_alert(written: Option<&str>, rule: &str) -> Self {
        if rule == TEST_RULE || rule.starts_with(INTERNAL_PREFIX) {
            Self(Kind::Internal)
        } else {
            Self::new(written.unwrap_or_default())
        }
    }

    /// The normalised name: `syscall`, `k8s_audit`, `internal`, or the plugin's (`aws_cloudtrail`, `github`, …).
    pub fn as_str(&self) -> &str {
        match &self.0 {
            Kind::Syscall => "syscall",
            Kind::K8sAudit => "k8s_audit",
            Kind::Internal => "internal",
            Kind::Plugin(name) => name,
        }
    }

    /// A system call of a process on a node: the only source whose `container.id` comes from the kernel.
    pub fn is_syscall(&self) -> bool {
        self.0 == Kind::Syscall
    }

    /// A request in the Kubernetes audit log.
    pub fn is_k8s_audit(&self) -> bool {
        self.0 == Kind::K8sAudit
    }

    /// A message from Falco or falcosidekick about itself. It has no target and must never act.
    pub fn is_internal(&self) -> bool {
        self.0 == Kind::Internal
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for Source {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Source {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self::new(&Box::<str>::deserialize(deserializer)?))
    }
}
