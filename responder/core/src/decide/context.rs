//! What every decision is about and bound by.

use jiff::Timestamp;

use crate::alert::{Alert, AlertId, Sender};
use crate::guard::Guard;
use crate::mode::Mode;
use crate::object::{Name, Namespace};
use crate::playbook::Playbook;

/// Who we are in the cluster: never acted on.
#[derive(Debug, Clone, Default)]
pub struct OwnIdentity {
    /// The namespace that the controller runs in (`POD_NAMESPACE`); `None` outside a cluster.
    pub namespace: Option<Namespace>,
    /// The controller's own pod (`POD_NAME`).
    pub pod: Option<Name>,
}

/// What every decision is about and bound by.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// The alert.
    pub alert: &'a Alert,
    /// Its identity.
    pub alert_id: AlertId,
    /// Who sent it; `None` where it was not sent (a file).
    pub sender: Option<&'a Sender>,
    /// The playbook that matched it.
    pub playbook: &'a Playbook,
    /// The guard.
    pub guard: &'a Guard,
    /// The ceiling of this process.
    pub process_mode: Mode,
    /// Who we are.
    pub own: &'a OwnIdentity,
    /// The time of the decision.
    pub now: Timestamp,
}
