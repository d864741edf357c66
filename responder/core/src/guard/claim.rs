//! Claims: one for each decision to act. Limits, budgets and cooldowns are counted from them.

use std::sync::Arc;

use jiff::Timestamp;
use serde::Serialize;

use super::hold::PodHolds;
use crate::alert::{AlertId, Priority};
use crate::class::ActionClass;
use crate::object::{Kind, Namespace, Uid};
use crate::playbook_name::PlaybookName;

/// Whether a claim is real. Rehearsals and observations are counted separately: a rehearsal shows what a limit would
/// refuse, and takes no slot from a real response.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum ClaimKind {
    /// From Enforce.
    Real,
    /// From Observe or Rehearse.
    Rehearsed,
}

impl ClaimKind {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Real, Self::Rehearsed];

    /// A bounded name for metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Real => "real",
            Self::Rehearsed => "rehearsed",
        }
    }
}

/// The share of the limits that one decision to act takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Claim {
    /// Whether the claim is real or rehearsed.
    pub claim_kind: ClaimKind,
    /// The time of the decision.
    pub at: Timestamp,
    /// The end of the longest window that counts the claim; afterwards it may be forgotten.
    pub counts_until: Timestamp,
    /// The playbook that decided.
    pub playbook: PlaybookName,
    /// The alert that was answered; `None` for the end of a quarantine.
    pub alert: Option<AlertId>,
    /// The strongest class of the plan.
    pub class: ActionClass,
    /// The kind of the target.
    pub kind: Kind,
    /// The uid of the target.
    pub target: Uid,
    /// The uid of the topmost controller; `None` when there is none or it was not read.
    pub owner: Option<Uid>,
    /// The namespace of the target; `None` for nodes.
    pub namespace: Option<Namespace>,
    /// The namespace of the pod that the alert is about, for any target; `None` for alerts about hosts.
    pub raised_in: Option<Namespace>,
    /// The priority of the alert; the lowest for the end of a quarantine.
    pub priority: Priority,
    /// The stocks that the response draws on.
    pub reserves: Vec<Stock>,
}

/// A resource that all responses share, apart from the budgets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum Stock {
    /// The nodes that take pods. A claim on this stock takes one: its target.
    SchedulableNodes,
}

/// The number of a committed claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct ClaimId(pub u64);

/// The version of the ledger that a decision has seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct LedgerVersion(pub u64);

/// How full a ledger is, of one kind of claims. Claims that have expired count until the next one is committed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct LedgerUsage {
    /// The claims that it holds.
    pub claims: usize,
    /// The most that it holds.
    pub bound: usize,
}

impl LedgerUsage {
    /// Whether three quarters are taken: it is time to tell the receivers of `Failed`.
    pub const fn is_high(self) -> bool {
        self.bound > 0 && self.claims.saturating_mul(4) >= self.bound.saturating_mul(3)
    }

    /// Whether so much is free again that the next time is another time.
    pub const fn is_low(self) -> bool {
        self.claims.saturating_mul(2) < self.bound
    }
}

/// All claims that still count, at one version of the ledger.
#[derive(Debug, Clone)]
pub struct LedgerView {
    /// The version to commit against.
    pub version: LedgerVersion,
    /// The claims, oldest first.
    pub claims: Arc<Vec<Claim>>,
    /// The pods that responses hold.
    pub holds: PodHolds,
}

impl LedgerView {
    /// The view of a ledger without claims.
    pub fn empty() -> Self {
        Self {
            version: LedgerVersion(0),
            claims: Arc::default(),
            holds: PodHolds::default(),
        }
    }
}
