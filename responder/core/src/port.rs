//! The ports: what the pipeline needs from the world, as traits. The adapters are in the crates around this one.

mod clock;
mod cluster;
mod ledger;
mod notifier;

pub use clock::Clock;
pub use cluster::{
    Cluster, ClusterReader, ClusterWriter, ControllerRef, OwnerObject, ReadError, ReadErrorKind, Reply, SendError,
    SendErrorKind,
};
pub use ledger::{CommitError, Ledger, LedgerError};
pub use notifier::{Notification, Notifier};
