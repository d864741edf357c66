//! The ledger in memory: claims of this process, gone with it. After a restart every limit counts from zero.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::{SignedDuration, Timestamp};
use responder_core::guard::{Claim, ClaimId, ClaimKind, LedgerUsage, LedgerVersion, LedgerView, PodHold, PodHolds};
use responder_core::object::Uid;
use responder_core::port::{CommitError, Ledger, LedgerError};

/// Claims in memory, with a bound for each kind. Full means that nothing is acted on until older claims expire: a limit
/// that forgets is no limit.
///
/// Of the claims on one target by one playbook, of one class and for alerts of one priority and one namespace, the last counts in every
/// window in which an earlier one does. It is kept, and the one before it, which counts again if the last is taken back:
/// an alert that comes all the time fills nothing. (A delivery that repeats an alert further back is known as a duplicate
/// by the window of the engine only.)
#[derive(Debug)]
pub struct MemoryLedger {
    /// By [`place`].
    bounds: [usize; 2],
    state: Mutex<LedgerState>,
}

#[derive(Debug)]
struct LedgerState {
    version: u64,
    last_id: u64,
    /// The ids of `claims`, by place.
    ids: Vec<ClaimId>,
    claims: Arc<Vec<Claim>>,
    holds: PodHolds,
    /// How many of them are of each kind.
    held: [usize; 2],
    /// Expired claims are removed at most once a second of the claims' own time: a burst does not walk all of them for
    /// each.
    pruned_at: Timestamp,
}

/// The most pods that are held. Each is in a quarantine of its own, and the sweep lets go of those whose quarantine is over.
const MOST_HOLDS: usize = 10_000;

const PRUNE_EVERY: SignedDuration = SignedDuration::from_secs(1);

impl MemoryLedger {
    /// The bound of real claims by default. A decision walks all claims, which takes less than a millisecond for these and
    /// the rehearsed ones together.
    pub const DEFAULT_REAL: usize = 15_000;

    /// The bound of rehearsed claims by default. Rehearsals never take room from real responses.
    pub const DEFAULT_REHEARSED: usize = 5_000;

    /// An empty ledger that holds at most so many claims of each kind.
    pub fn new(real: usize, rehearsed: usize) -> Self {
        let state = LedgerState {
            version: 0,
            last_id: 0,
            ids: Vec::new(),
            claims: Arc::default(),
            holds: PodHolds::default(),
            held: [0; 2],
            pruned_at: Timestamp::UNIX_EPOCH,
        };
        Self {
            bounds: [real, rehearsed],
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
        Self::new(Self::DEFAULT_REAL, Self::DEFAULT_REHEARSED)
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
        self.held = ClaimKind::ALL.map(|kind| self.claims.iter().filter(|claim| claim.claim_kind == kind).count());
    }

    fn remove(&mut self, at: usize) {
        self.ids.remove(at);
        let claim = Arc::make_mut(&mut self.claims).remove(at);
        self.held[place(claim.claim_kind)] -= 1;
    }

    /// Forgets what a new claim leaves without weight: all but the last of those before it that count for the same.
    fn forget_superseded(&mut self, new: &Claim) {
        let before: Vec<usize> = self
            .claims
            .iter()
            .enumerate()
            .filter(|(_, claim)| counts_for_the_same(claim, new))
            .map(|(at, _)| at)
            .collect();
        if let Some((_, superseded)) = before.split_last() {
            for at in superseded.iter().rev() {
                self.remove(*at);
            }
        }
    }
}

/// The place of a kind in an array.
const fn place(kind: ClaimKind) -> usize {
    match kind {
        ClaimKind::Real => 0,
        ClaimKind::Rehearsed => 1,
    }
}

fn counts_for_the_same(one: &Claim, other: &Claim) -> bool {
    one.target == other.target
        && one.claim_kind == other.claim_kind
        && one.class == other.class
        && one.priority == other.priority
        && one.raised_in == other.raised_in
        && one.playbook == other.playbook
}

impl Ledger for MemoryLedger {
    async fn view(&self) -> Result<LedgerView, LedgerError> {
        let state = self.state();
        Ok(LedgerView {
            version: LedgerVersion(state.version),
            claims: Arc::clone(&state.claims),
            holds: Arc::clone(&state.holds),
        })
    }

    async fn commit(&self, claim: Claim, seen: LedgerVersion) -> Result<ClaimId, CommitError> {
        let mut state = self.state();
        if state.version != seen.0 {
            return Err(CommitError::Conflict);
        }
        let kind = claim.claim_kind;
        let bound = self.bounds[place(kind)];
        state.forget_superseded(&claim);
        if claim.at.duration_since(state.pruned_at) >= PRUNE_EVERY || state.held[place(kind)] >= bound {
            state.prune(claim.at);
        }
        if state.held[place(kind)] >= bound {
            return Err(LedgerError::Full { kind, bound }.into());
        }
        state.version += 1;
        state.last_id += 1;
        let id = ClaimId(state.last_id);
        state.ids.push(id);
        state.held[place(kind)] += 1;
        Arc::make_mut(&mut state.claims).push(claim);
        Ok(id)
    }

    fn usage(&self, kind: ClaimKind) -> LedgerUsage {
        LedgerUsage {
            claims: self.state().held[place(kind)],
            bound: self.bounds[place(kind)],
        }
    }

    async fn hold(&self, hold: PodHold) -> Result<(), LedgerError> {
        let mut state = self.state();
        if state.holds.len() >= MOST_HOLDS && !state.holds.contains_key(&hold.pod) {
            return Err(LedgerError::FullOfHolds { bound: MOST_HOLDS });
        }
        Arc::make_mut(&mut state.holds).insert(hold.pod.clone(), hold);
        Ok(())
    }

    async fn let_go(&self, pod: &Uid) -> Result<(), LedgerError> {
        let mut state = self.state();
        if state.holds.contains_key(pod) {
            Arc::make_mut(&mut state.holds).remove(pod);
        }
        Ok(())
    }

    async fn refund(&self, claim: ClaimId) -> Result<(), LedgerError> {
        let mut state = self.state();
        // Ids only ever grow, so they are sorted; one that is not there has expired.
        if let Ok(at) = state.ids.binary_search(&claim) {
            state.version += 1;
            state.remove(at);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
