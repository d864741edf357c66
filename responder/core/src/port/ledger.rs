//! The ledger port: the claims made so far. Limits, budgets and cooldowns are counted from them. A claim is committed
//! with the version that its decision has seen, so nothing can change between check and act.

use std::future::Future;

use crate::guard::{Claim, ClaimId, LedgerVersion, LedgerView};

/// Stores claims.
pub trait Ledger: Send + Sync + 'static {
    /// All claims that still count, with the version of the ledger.
    fn view(&self) -> impl Future<Output = Result<LedgerView, LedgerError>> + Send;

    /// Commits a claim, if the ledger still has the version `seen`.
    fn commit(&self, claim: Claim, seen: LedgerVersion) -> impl Future<Output = Result<ClaimId, CommitError>> + Send;

    /// Withdraws a claim whose response certainly changed nothing.
    fn refund(&self, claim: ClaimId) -> impl Future<Output = Result<(), LedgerError>> + Send;
}

/// The ledger can't be read or written, so no response acts.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LedgerError {
    /// The store does not respond.
    #[error("the ledger is unavailable: {0}")]
    Unavailable(String),
    /// The ledger holds its maximum number of claims.
    #[error("the ledger holds {0} claims, which is its bound; nothing is acted on until older ones expire")]
    Full(usize),
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
