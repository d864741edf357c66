//! Hooks for rehearsals and tests: changes from outside, faults, and the received requests. The controller itself never
//! uses them.

use std::collections::BTreeMap;
use std::sync::Arc;

use responder_core::object::{Locator, Name, Namespace, Uid};
use responder_core::port::ReadErrorKind;
use serde_json::Value;
use tokio::sync::watch;

use super::faults::{ReceivedRequest, SendFault};
use super::manifest::{self, ManifestError};
use super::object::{ObjectKey, metadata};
use super::{SimulatedCluster, load, running};

/// Blocks every read and send while it lives.
#[derive(Debug)]
#[must_use = "dropping it releases the cluster"]
pub struct Hold(Arc<watch::Sender<usize>>);

impl Drop for Hold {
    fn drop(&mut self) {
        self.0.send_modify(|holds| *holds -= 1);
    }
}

impl SimulatedCluster {
    /// Applies manifests like `kubectl apply`: missing fields are filled in, and an object that exists is overwritten
    /// and keeps its uid.
    pub fn apply(&self, manifests: &str) -> Result<(), ManifestError> {
        let mut faults = Vec::new();
        let read = manifest::read("applied", manifests, &mut faults);
        if !faults.is_empty() {
            return Err(ManifestError::Faulty(faults));
        }
        let mut state = self.lock();
        let now = state.clock.now();
        for manifest in read {
            let (key, mut object) = (manifest.key, manifest.object);
            load::fill_in(&mut state.store, &key, &mut object, now);
            if key.kind == super::object::POD {
                running::start(&mut state.store, &mut object, now);
            }
            let before = state.store.get(&key).cloned();
            state.store.put(key.clone(), object);
            state.react(&key, before.as_deref(), now);
        }
        Ok(())
    }

    /// Lists show the objects of this moment from now on, like those of a watch cache that lags, until
    /// [`SimulatedCluster::thaw_lists`]. Single objects are read from the store.
    pub fn freeze_lists(&self) {
        let mut state = self.lock();
        state.lagging = Some(state.store.clone());
    }

    /// Lists show the objects of the store again.
    pub fn thaw_lists(&self) {
        self.lock().lagging = None;
    }

    /// Replaces a pod by one with the same name, a new uid and new containers. Returns the new uid; `None` if there is
    /// no such pod.
    pub fn replace(&self, namespace: &Namespace, name: &Name) -> Option<Uid> {
        let mut state = self.lock();
        let now = state.clock.now();
        let key = ObjectKey::pod(namespace.as_str(), name.as_str());
        let mut pod = (**state.store.get(&key)?).clone();
        let given = state.store.new_uid(&key);
        let fields = metadata(&mut pod);
        fields.insert("uid".to_owned(), given.as_str().into());
        fields.insert("creationTimestamp".to_owned(), super::object::rfc3339(now).into());
        fields.remove("deletionTimestamp");
        fields.remove("deletionGracePeriodSeconds");
        pod["status"] = Value::Null;
        running::start(&mut state.store, &mut pod, now);
        state.store.put(key, pod);
        Uid::new(&given)
    }

    /// Removes an object without grace and lets the controllers react. Returns whether it existed.
    pub fn remove(&self, at: &Locator) -> bool {
        let mut state = self.lock();
        let (now, key) = (state.clock.now(), ObjectKey::at(at));
        let there = state.store.get(&key).is_some();
        state.remove(&key, now);
        there
    }

    /// Every object as stored, by `Kind.group/namespace/name`.
    pub fn objects(&self) -> BTreeMap<String, Value> {
        self.lock()
            .store
            .iter()
            .map(|(key, object)| (key.to_string(), (**object).clone()))
            .collect()
    }

    /// The received requests, oldest first; at most the latest 16 384.
    pub fn requests(&self) -> Vec<ReceivedRequest> {
        self.lock().received.iter().cloned().collect()
    }

    /// Queues faults for the next sends, one each.
    pub fn fail_sends(&self, faults: impl IntoIterator<Item = SendFault>) {
        self.lock().faults.sends.extend(faults);
    }

    /// Queues faults for the next reads, one each.
    pub fn fail_reads(&self, faults: impl IntoIterator<Item = ReadErrorKind>) {
        self.lock().faults.reads.extend(faults);
    }

    /// Blocks every read and send until the hold is dropped or the caller's deadline has passed.
    pub fn hold(&self) -> Hold {
        self.held.send_modify(|holds| *holds += 1);
        Hold(self.held.clone())
    }

    /// Waits until there is no [`Hold`].
    pub(super) async fn released(&self) {
        // Fails only when the sender is dropped, and `self` owns it.
        let _ = self.held.subscribe().wait_for(|holds| *holds == 0).await;
    }
}
