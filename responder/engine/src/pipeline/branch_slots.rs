//! The slots of the budgets for steps that run instead of one that failed. Step of the flow: act.

use std::sync::{Mutex, PoisonError};

use responder_core::class::ActionClass;
use responder_core::decide::branch_claim;
use responder_core::guard::{Claim, ClaimId, LedgerView};
use responder_core::port::Ledger;
use responder_core::refusal::Refusal;

use super::reserve::reserve;
use super::shared::Shared;
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
        let Shared { rules, clock, .. } = self.shared;
        let claim =
            |view: &LedgerView| branch_claim(&rules.guard, view, self.claim, class, self.owner_replicas, clock.now());
        let id = reserve(self.shared, claim).await?;
        self.taken.lock().unwrap_or_else(PoisonError::into_inner).push(id);
        Ok(())
    }
}
