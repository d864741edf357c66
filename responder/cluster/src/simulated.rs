//! The simulated cluster: plain manifests, in memory, behind the same ports as the real one. The steps *snapshot*,
//! *act* and *verify* can't tell it from an API server; the conformance suite checks that.
//!
//! It simulates uids, resource versions, owner chains, preconditions, `dryRun`, evictions against PodDisruptionBudgets,
//! and controllers that replace deleted pods. It has no network, no admission and no RBAC.

mod assumed;
mod budget;
mod controllers;
mod custom;
mod deletion;
mod faults;
mod hooks;
mod identity;
mod labels;
mod load;
mod manifest;
mod object;
mod read;
mod running;
mod select;
mod state;
mod store;
mod write;

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use responder_core::network::PolicyKind;
use responder_core::port::Clock;
use tokio::sync::watch;

pub use self::assumed::AssumedTargets;
pub use self::faults::{ReceivedRequest, SendFault};
pub use self::hooks::Hold;
pub use self::manifest::{ManifestError, ManifestFault};
use self::state::State;
use self::store::Store;

/// A cluster in memory. Clones share the cluster.
#[derive(Clone)]
pub struct SimulatedCluster {
    state: Arc<Mutex<State>>,
    /// The number of [`Hold`]s. Reads and sends wait while there is one.
    held: Arc<watch::Sender<usize>>,
}

impl SimulatedCluster {
    /// A cluster from one manifest file, or from all `.yaml`, `.yml` and `.json` files in a directory and its
    /// subdirectories, such as `kubectl get -A -o yaml …` and `kubectl cluster-info dump` write. Handwritten manifests
    /// may omit uids, statuses, namespaces and creation times.
    pub fn from_dir(path: &Path) -> Result<Self, ManifestError> {
        load::load(&manifest::files(path)?).map(Self::of)
    }

    /// A cluster from manifests in memory. Each text comes with a name that replaces the file name in errors.
    pub fn from_manifests<'a>(texts: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<Self, ManifestError> {
        let files: Vec<_> = texts
            .into_iter()
            .map(|(name, text)| (name.to_owned(), text.to_owned()))
            .collect();
        load::load(&files).map(Self::of)
    }

    /// A cluster without objects.
    pub fn empty() -> Self {
        Self::of(Store::default())
    }

    /// Sets the clock for creation times and grace periods. The default is the wall clock.
    #[must_use]
    pub fn with_clock(self, clock: Arc<dyn Clock>) -> Self {
        self.lock().clock = clock;
        self
    }

    /// Kinds that the simulation stores without effect, each with the number of its objects.
    pub fn inert_kinds(&self) -> BTreeMap<String, usize> {
        let mut kinds = BTreeMap::new();
        for (key, _) in self
            .lock()
            .store
            .iter()
            .filter(|(key, _)| !manifest::is_known(&key.kind) && !is_policy(&key.kind))
        {
            *kinds.entry(key.kind.clone().into_owned()).or_default() += 1;
        }
        kinds
    }

    fn of(store: Store) -> Self {
        Self {
            state: Arc::new(Mutex::new(State::new(store, Arc::new(WallClock)))),
            held: Arc::new(watch::Sender::new(0)),
        }
    }

    /// The state, after ending all pods whose grace period is over.
    fn lock(&self) -> MutexGuard<'_, State> {
        // Every change is a single `put` or `remove`, so a panic between two leaves every object whole.
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let now = state.clock.now();
        state.end_expired_graces(now);
        state
    }
}

/// Whether objects of this kind are policies, which decisions read.
fn is_policy(kind: &str) -> bool {
    let (kind, group) = kind.split_once('.').unwrap_or((kind, ""));
    PolicyKind::of(group, kind).is_some()
}

impl fmt::Debug for SimulatedCluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SimulatedCluster")
            .field("objects", &self.lock().store.iter().count())
            .finish_non_exhaustive()
    }
}

/// The system clock.
struct WallClock;

impl Clock for WallClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}

#[cfg(test)]
mod tests;
