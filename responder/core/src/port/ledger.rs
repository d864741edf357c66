//! The ledger port: what was claimed so far. Limits, budgets and cooldowns are counted from it, and a claim is
//! committed with the version that was seen, so that there is no gap between check and act.

use std::future::Future;

use crate::guard::{Claim, ClaimId, LedgerVersion, LedgerView};

/// Where claims are kept.
pub trait Ledger: Send + Sync + 'static {
    /// All claims that still count, with their version.
    fn view(&self) -> impl Future<Output = Result<LedgerView, LedgerError>> + Send;

    /// Commits a claim, if nothing was committed since the version that was seen.
    fn commit(&self, claim: Claim, seen: LedgerVersion) -> impl Future<Output = Result<ClaimId, CommitError>> + Send;

    /// Takes a claim back, where it is certain that nothing was changed for it.
    fn refund(&self, claim: ClaimId) -> impl Future<Output = Result<(), LedgerError>> + Send;
}

/// The ledger can't be read or written. Nothing is acted on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LedgerError {
    /// The store does not answer.
    #[error("the ledger is unavailable: {0}")]
    Unavailable(String),
    /// As many claims as it may hold.
    #[error("the ledger holds {0} claims, which is its bound; nothing is acted on until older ones expire")]
    Full(usize),
}

/// A claim was not committed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CommitError {
    /// Somebody else committed first: decide again.
    #[error("the ledger has changed since it was read")]
    Conflict,
    /// See [`LedgerError`].
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}
