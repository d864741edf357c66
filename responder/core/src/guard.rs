//! The guard: bounds on all responses that no playbook can exceed.

pub mod budget;
mod claim;
pub mod corroborate;
pub mod doc;
mod floor;
mod hold;
mod protect;
mod reserved;
mod rules;

pub use claim::{Claim, ClaimId, ClaimKind, LedgerUsage, LedgerVersion, LedgerView, Stock};
pub use floor::{FloorNamespace, FloorPart, floor_namespaces, in_floor};
pub use hold::{PodHold, PodHolds};
pub use protect::{is_of_sensors, protected_by_labels, protected_by_name, protected_by_owner, unread_owner};
pub use reserved::{RESERVED_FOR, Reserved};
pub use rules::{
    Budget, ClusterIdentity, Guard, KeepSchedulable, NamespaceMode, NamespaceShare, ProtectedOwner, Protections,
    Reserve,
};
