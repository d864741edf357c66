//! The commit of a claim outside a decision: for a step that runs instead of one that failed, and for the end of a
//! quarantine.

use responder_core::guard::{Claim, ClaimId, LedgerView};
use responder_core::port::{CommitError, Ledger, LedgerError};
use responder_core::refusal::{Refusal, RefusalReason};

use super::shared::Shared;
use crate::decision::MOST_COMMITS;

/// Commits the claim that is worked out from the ledger; worked out again where another claim was committed first.
///
/// # Errors
///
/// The refusal of `claim`; a ledger that can't be read or written, or that changes too often.
pub(super) async fn reserve<C, L: Ledger>(
    shared: &Shared<C, L>,
    claim: impl Fn(&LedgerView) -> Result<Claim, Refusal> + Send,
) -> Result<ClaimId, Refusal> {
    let unavailable = |error: LedgerError| Refusal::new(RefusalReason::LedgerUnavailable, error.to_string());
    for _ in 0..MOST_COMMITS {
        let view = shared.ledger.view().await.map_err(unavailable)?;
        let claim = claim(&view)?;
        let seen = view.version;
        drop(view);
        match shared.ledger.commit(claim, seen).await {
            Ok(id) => return Ok(id),
            Err(CommitError::Conflict) => {
                shared.sinks.accounting.conflicted();
                tokio::task::yield_now().await;
            }
            Err(CommitError::Ledger(error)) => return Err(unavailable(error)),
        }
    }
    let detail = format!("other claims were committed first {MOST_COMMITS} times");
    Err(Refusal::new(RefusalReason::Contended, detail))
}
