//! Claims: one per decision to act, from which limits, budgets and cooldowns are counted.

use std::sync::Arc;

use jiff::Timestamp;
use serde::Serialize;

use crate::alert::AlertId;
use crate::class::ActionClass;
use crate::object::{Kind, Namespace, Uid};
use crate::playbook_name::PlaybookName;

/// Rehearsals (and observations) are counted apart from what is really done, so that a rehearsal says what would have
/// been refused and takes no slot from a real response.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
pub enum ClaimKind {
    /// Enforce.
    Real,
    /// Observe and Rehearse.
    Rehearsed,
}

/// What one decision to act takes from the limits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Claim {
    /// Real or shadow.
    pub claim_kind: ClaimKind,
    /// When it was decided.
    pub at: Timestamp,
    /// Until when it counts: the longest window that could look at it.
    pub counts_until: Timestamp,
    /// By which playbook.
    pub playbook: PlaybookName,
    /// For which alert.
    pub alert: AlertId,
    /// The strongest class of the plan.
    pub class: ActionClass,
    /// The target's kind.
    pub kind: Kind,
    /// The target.
    pub target: Uid,
    /// The topmost controller of the target, where it was read and there is one.
    pub owner: Option<Uid>,
    /// The target's namespace; `None` for nodes.
    pub namespace: Option<Namespace>,
}

/// A committed claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct ClaimId(pub u64);

/// The state of the ledger that a decision has seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct LedgerVersion(pub u64);

/// All claims that still count, as of a version.
#[derive(Debug, Clone)]
pub struct LedgerView {
    /// The version.
    pub version: LedgerVersion,
    /// The claims, oldest first.
    pub claims: Arc<Vec<Claim>>,
}

impl LedgerView {
    /// A ledger that has seen nothing.
    pub fn empty() -> Self {
        Self {
            version: LedgerVersion(0),
            claims: Arc::default(),
        }
    }
}
