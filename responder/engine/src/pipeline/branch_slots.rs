//! The slots of the budgets for steps that run instead of one that failed. Step of the flow: act.

use std::sync::{Mutex, PoisonError};

use responder_core::class::ActionClass;
use responder_core::decide::branch_claim;
use responder_core::guard::{Claim, ClaimId};
use responder_core::port::{CommitError, Ledger, LedgerError};
use responder_core::refusal::{Refusal, RefusalReason};

use super::shared::Shared;
use crate::decision::MOST_COMMITS;
use crate::execute::BranchBudget;

/// The slots of one response.
pub(super) struct BranchSlots<'a, C, L> {
    pub(super) shared: &'a Shared<C, L>,
    /// The claim that its decision has committed.
    pub(super) claim: &'a Claim,
    /// `spec.replicas` of the topmost controller.
    pub(super) owner_replicas: Option<u32>,
    taken: Mutex<Vec<ClaimId>>,
}

impl<'a, C, L> BranchSlots<'a, C, L> {
    pub(super) const fn new(shared: &'a Shared<C, L>, claim: &'a Claim, owner_replicas: Option<u32>) -> Self {
        Self {
            shared,
            claim,
            owner_replicas,
            taken: Mutex::new(Vec::new()),
        }
    }

    /// The claims that were committed.
    pub(super) fn taken(self) -> Vec<ClaimId> {
        self.taken.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<C: Send + Sync, L: Ledger> BranchBudget for BranchSlots<'_, C, L> {
    async fn reserve(&self, class: ActionClass) -> Result<(), Refusal> {
        // The claim of the decision counts for its class and the milder ones.
        if class <= self.claim.class {
            return Ok(());
        }
        let shared = self.shared;
        let unavailable = |error: LedgerError| Refusal::new(RefusalReason::LedgerUnavailable, error.to_string());
        for _ in 0..MOST_COMMITS {
            let view = shared.ledger.view().await.map_err(unavailable)?;
            let guard = &shared.rules.guard;
            let claim = branch_claim(guard, &view, self.claim, class, self.owner_replicas, shared.clock.now())?;
            let seen = view.version;
            drop(view);
            match shared.ledger.commit(claim, seen).await {
                Ok(id) => {
                    self.taken.lock().unwrap_or_else(PoisonError::into_inner).push(id);
                    return Ok(());
                }
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
}
