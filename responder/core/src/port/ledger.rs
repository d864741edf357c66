//! The ledger port: the claims made so far. Limits, budgets and cooldowns are counted from them. A claim is committed
//! with the version that its decision has seen, so nothing can change between check and act.

use std::future::Future;

use crate::guard::{Claim, ClaimId, ClaimKind, LedgerUsage, LedgerVersion, LedgerView, PodHold};
use crate::object::Uid;

/// Stores claims.
pub trait Ledger: Send + Sync + 'static {
    /// All claims that still count, with the version of the ledger.
    fn view(&self) -> impl Future<Output = Result<LedgerView, LedgerError>> + Send;

    /// Commits a claim, if the ledger still has the version `seen`.
    fn commit(&self, claim: Claim, seen: LedgerVersion) -> impl Future<Output = Result<ClaimId, CommitError>> + Send;

    /// How full it is, of one kind of claims, as far as this process knows.
    fn usage(&self, kind: ClaimKind) -> LedgerUsage;

    /// Records that a response keeps a pod as evidence; of two holds on one pod, the last counts.
    fn hold(&self, hold: PodHold) -> impl Future<Output = Result<(), LedgerError>> + Send;

    /// Forgets the hold on a pod.
    fn let_go(&self, pod: &Uid) -> impl Future<Output = Result<(), LedgerError>> + Send;

    /// Withdraws a claim whose response certainly changed nothing.
    fn refund(&self, claim: ClaimId) -> impl Future<Output = Result<(), LedgerError>> + Send;
}

/// The ledger can't be read or written, so no response acts.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LedgerError {
    /// The store does not respond.
    #[error("the ledger is unavailable: {0}")]
    Unavailable(String),
    /// The ledger keeps its maximum number of holds.
    #[error(
        "the ledger keeps {bound} holds, which is its bound; further evidence is not protected until quarantines end"
    )]
    FullOfHolds {
        /// The most.
        bound: usize,
    },
    /// The ledger holds its maximum number of claims of this kind.
    #[error("the ledger holds {bound} {} claims, which is its bound; nothing is acted on until older ones expire", kind.as_str())]
    Full {
        /// The kind of the claim.
        kind: ClaimKind,
        /// The most of that kind.
        bound: usize,
    },
}

/// A claim was not committed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CommitError {
    /// Another replica or task committed first: decide again.
    #[error("the ledger has changed since it was read")]
    Conflict,
    /// The ledger can't be read or written.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}
