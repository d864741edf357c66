//! The parts of an engine: the rules that it decides by, the ports that it acts through, and its bounds.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use responder_core::decide::OwnIdentity;
use responder_core::guard::Guard;
use responder_core::mode::Mode;
use responder_core::playbook::Index;
use responder_core::port::{Clock, Notifier};

use crate::audit::AuditTrail;
use crate::dedup::DedupLimits;
use crate::queue::QueueLimits;
use crate::verify::VerifyLimits;

/// The rules that an engine decides by.
#[derive(Debug)]
pub struct RuleSet {
    /// The playbooks.
    pub index: Index,
    /// The guard.
    pub guard: Arc<Guard>,
}

/// The adapters that an engine acts through. The cluster and the ledger answer asynchronously, so their types are known
/// at compile time.
pub struct Ports<C, L> {
    /// The cluster.
    pub cluster: Arc<C>,
    /// The claims.
    pub ledger: Arc<L>,
    /// The notifier, which delivers messages to the receivers that playbooks name.
    pub notifier: Arc<dyn Notifier>,
    /// The audit trail.
    pub audit: Arc<dyn AuditTrail>,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

impl<C, L> fmt::Debug for Ports<C, L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ports").finish_non_exhaustive()
    }
}

/// The bounds of an engine.
#[derive(Debug, Clone)]
pub struct EngineConfig {
    /// The ceiling of this process; Observe by default.
    pub process_mode: Mode,
    /// The controller's own namespace and pod, which are protected.
    pub own: OwnIdentity,
    /// The name of the controller in the audit trail: its pod where that is known, otherwise the field manager of its
    /// requests, `responder`, which is the default.
    pub actor: Arc<str>,
    /// The bounds of the work queue.
    pub queue: QueueLimits,
    /// The bounds of the window in which a second delivery is known as one.
    pub dedup: DedupLimits,
    /// How long a container that a pod's status does not show yet is waited for; 3 s by default.
    pub patience: Duration,
    /// The bounds of the verifications.
    pub verify: VerifyLimits,
    /// The time between two looks for quarantines that expire; 10 s by default.
    pub expiry_interval: Duration,
}

impl Default for EngineConfig {
    fn default() -> Self {
        Self {
            process_mode: Mode::Observe,
            own: OwnIdentity::default(),
            actor: "responder".into(),
            queue: QueueLimits::default(),
            dedup: DedupLimits::default(),
            patience: Duration::from_secs(3),
            verify: VerifyLimits::default(),
            expiry_interval: Duration::from_secs(10),
        }
    }
}
