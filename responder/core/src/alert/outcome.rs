//! The outcome of an accepted alert, as the engine reports it and a transport that keeps the alert acts on it.

use crate::refusal::RefusalReason;

/// The outcome of an accepted alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AlertOutcome {
    /// Every playbook that matched has decided, and the requests of those that act were answered.
    Decided,
    /// A decision could not be taken, for this reason; the next delivery of the alert is not a duplicate.
    SendAgain(RefusalReason),
    /// The engine stopped before the decision.
    HandedBack,
}
