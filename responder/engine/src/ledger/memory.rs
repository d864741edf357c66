//! The ledger in memory: claims of this process, gone with it. After a restart every limit counts from zero.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::{SignedDuration, Timestamp};
use responder_core::guard::{Claim, ClaimId, LedgerVersion, LedgerView};
use responder_core::port::{CommitError, Ledger, LedgerError};

/// Claims in memory, with a bound. Full means that nothing is acted on until older claims expire: a limit that forgets
/// is no limit.
#[derive(Debug)]
pub struct MemoryLedger {
    bound: usize,
    state: Mutex<LedgerState>,
}

#[derive(Debug)]
struct LedgerState {
    version: u64,
    last_id: u64,
    /// The ids of `claims`, by place.
    ids: Vec<ClaimId>,
    claims: Arc<Vec<Claim>>,
    /// Expired claims are removed at most once a second of the claims' own time: a burst does not walk all of them for
    /// each.
    pruned_at: Timestamp,
}

const PRUNE_EVERY: SignedDuration = SignedDuration::from_secs(1);

impl MemoryLedger {
    /// The bound by default: a decision walks all claims, which takes less than a millisecond at this number.
    pub const DEFAULT_BOUND: usize = 20_000;

    /// An empty ledger that holds at most `bound` claims.
    pub fn new(bound: usize) -> Self {
        let state = LedgerState {
            version: 0,
            last_id: 0,
            ids: Vec::new(),
            claims: Arc::default(),
            pruned_at: Timestamp::UNIX_EPOCH,
        };
        Self {
            bound,
            state: Mutex::new(state),
        }
    }

    fn state(&self) -> MutexGuard<'_, LedgerState> {
        // Version, ids and claims are changed together, with nothing between that could panic.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for MemoryLedger {
    fn default() -> Self {
        Self::new(Self::DEFAULT_BOUND)
    }
}

impl LedgerState {
    fn prune(&mut self, now: Timestamp) {
        self.pruned_at = now;
        if self.claims.iter().all(|claim| claim.counts_until > now) {
            return;
        }
        let kept = |claim: &Claim| claim.counts_until > now;
        let mut keeps = self.claims.iter().map(kept);
        self.ids.retain(|_| keeps.next().unwrap_or(false));
        Arc::make_mut(&mut self.claims).retain(kept);
    }
}

impl Ledger for MemoryLedger {
    async fn view(&self) -> Result<LedgerView, LedgerError> {
        let state = self.state();
        Ok(LedgerView {
            version: LedgerVersion(state.version),
            claims: Arc::clone(&state.claims),
        })
    }

    async fn commit(&self, claim: Claim, seen: LedgerVersion) -> Result<ClaimId, CommitError> {
        let mut state = self.state();
        if state.version != seen.0 {
            return Err(CommitError::Conflict);
        }
        if claim.at.duration_since(state.pruned_at) >= PRUNE_EVERY || state.claims.len() >= self.bound {
            state.prune(claim.at);
        }
        if state.claims.len() >= self.bound {
            return Err(LedgerError::Full(self.bound).into());
        }
        state.version += 1;
        state.last_id += 1;
        let id = ClaimId(state.last_id);
        state.ids.push(id);
        Arc::make_mut(&mut state.claims).push(claim);
        Ok(id)
    }

    async fn refund(&self, claim: ClaimId) -> Result<(), LedgerError> {
        let mut state = self.state();
        // Ids only ever grow, so they are sorted; one that is not there has expired.
        if let Ok(place) = state.ids.binary_search(&claim) {
            state.version += 1;
            state.ids.remove(place);
            Arc::make_mut(&mut state.claims).remove(place);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
