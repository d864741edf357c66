//! The guard: bounds on all responses that no playbook can exceed.

pub mod budget;
mod claim;
pub mod corroborate;
pub mod doc;
mod protect;
mod quarantine_policy;
mod reach;
mod rules;

pub use claim::{Claim, ClaimId, ClaimKind, LedgerVersion, LedgerView};
pub use protect::{FALCO_NAMESPACES, protected_by_labels, protected_by_name};
pub use quarantine_policy::{QUARANTINE_LABEL, isolates_both_ways};
pub(crate) use quarantine_policy::{selects_label, to_cluster_dns};
pub use reach::{Direction, Isolation, Leak, isolation};
pub use rules::{Budget, BudgetScope, ClusterIdentity, Guard, KeepSchedulable, NamespaceMode, Protections};
