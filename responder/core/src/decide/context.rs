//! The inputs of a decision.

use jiff::Timestamp;

use crate::alert::{Alert, AlertId, Sender};
use crate::guard::Guard;
use crate::mode::Mode;
use crate::object::{Name, Namespace};
use crate::playbook::Playbook;

/// The controller's own identity in the cluster; no response acts on it.
#[derive(Debug, Clone, Default)]
pub struct OwnIdentity {
    /// The namespace that the controller runs in (`POD_NAMESPACE`); `None` outside a cluster.
    pub namespace: Option<Namespace>,
    /// The controller's own pod (`POD_NAME`); `None` outside a cluster.
    pub pod: Option<Name>,
}

/// The inputs of a decision, besides the snapshot and the ledger.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// The alert to decide on.
    pub alert: &'a Alert,
    /// The alert's identity.
    pub alert_id: AlertId,
    /// The authenticated sender; `None` when the alert was read from a file.
    pub sender: Option<&'a Sender>,
    /// The playbook that matched the alert.
    pub playbook: &'a Playbook,
    /// The guard in force.
    pub guard: &'a Guard,
    /// The ceiling of this process' mode.
    pub process_mode: Mode,
    /// The controller's own identity.
    pub own: &'a OwnIdentity,
    /// The time of the decision.
    pub now: Timestamp,
}
