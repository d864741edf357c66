//! The ports: the pipeline's access to the outside world, as traits. The adapters are in the other crates.

mod clock;
mod cluster;
mod ledger;
mod notifier;

pub use clock::Clock;
pub use cluster::{
    Cluster, ClusterReader, ClusterWriter, ControllerRef, CustomOwnerAnswer, CustomOwnerObject, OwnerObject, ReadError,
    ReadErrorKind, Reply, SendError, SendErrorKind,
};
pub use ledger::{CommitError, Ledger, LedgerError};
pub use notifier::{Notification, Notifier};
