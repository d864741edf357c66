//! What an engine is made of: what it decides by, what it acts through, and its bounds.

use std::sync::Arc;
use std::time::Duration;

use responder_core::decide::OwnIdentity;
use responder_core::guard::Guard;
use responder_core::mode::Mode;
use responder_core::playbook::Index;

use crate::dedup::WindowLimits;
use crate::queue::QueueLimits;
use crate::verify::VerifyLimits;

/// What is decided by.
#[derive(Debug)]
pub struct RuleSet {
    /// The playbooks.
    pub index: Index,
    /// The guard.
    pub guard: Arc<Guard>,
}

/// The adapters.
#[derive(Debug)]
pub struct Ports<C, L, N, K> {
    /// The cluster.
    pub cluster: Arc<C>,
    /// The claims.
    pub ledger: Arc<L>,
    /// Whoever is told.
    pub notifier: Arc<N>,
    /// The time.
    pub clock: Arc<K>,
}

/// The bounds of an engine.
#[derive(Debug, Clone)]
pub struct EngineConfig {
    /// The ceiling of this process; Observe by default.
    pub process_mode: Mode,
    /// Who we are.
    pub own: OwnIdentity,
    /// Who acts, in the audit trail: the controller's pod where it is known, otherwise the field manager of its requests,
    /// `responder`, which is the default.
    pub actor: Arc<str>,
    /// The lanes.
    pub lanes: QueueLimits,
    /// The window in which a second delivery is known as one.
    pub window: WindowLimits,
    /// How long a container that a pod's status does not show yet is waited for; 3 s by default.
    pub patience: Duration,
    /// The verifications.
    pub verify: VerifyLimits,
    /// How often quarantines are looked at for the end of their time; 10 s by default.
    pub expiry_interval: Duration,
}

impl Default for EngineConfig {
    fn default() -> Self {
        Self {
            process_mode: Mode::Observe,
            own: OwnIdentity::default(),
            actor: "responder".into(),
            lanes: QueueLimits::default(),
            window: WindowLimits::default(),
            patience: Duration::from_secs(3),
            verify: VerifyLimits::default(),
            expiry_interval: Duration::from_secs(10),
        }
    }
}
