//! What rehearsals and tests do to the simulated cluster behind the responder's back, and what they ask of it. Nothing
//! in the product's own way uses these.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use jiff::Timestamp;
use responder_core::object::{Locator, Name, Namespace, Uid};
use responder_core::port::{ReadErrorKind, Reply, SendErrorKind};
use responder_core::request::Request;
use serde_json::Value;
use tokio::sync::watch;

use super::manifest::{self, ManifestError};
use super::object::{ObjectKey, metadata};
use super::{SimulatedCluster, State, load, running};

/// How many requests are kept. A burst of a thousand pods with three requests each fits; a flood can't fill the memory.
const RECEIVED_KEPT: usize = 16_384;

/// A request that the cluster has received.
#[derive(Debug, Clone, PartialEq)]
pub struct ReceivedRequest {
    /// What was asked.
    pub request: Request,
    /// Whether it carried `dryRun`.
    pub dry_run: bool,
    /// When.
    pub at: Timestamp,
    /// What was answered.
    pub outcome: Result<Reply, SendErrorKind>,
}

/// What goes wrong with a send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SendFault {
    /// It is refused with this, and nothing is changed.
    Refused(SendErrorKind),
    /// It is carried out, and the answer is lost: [`SendErrorKind::Unknown`].
    AnswerLost,
}

/// Faults that wait for the next sends and reads.
#[derive(Debug, Default)]
pub(super) struct Faults {
    sends: VecDeque<SendFault>,
    reads: VecDeque<ReadErrorKind>,
}

impl Faults {
    pub(super) fn next_send(&mut self) -> Option<SendFault> {
        self.sends.pop_front()
    }

    pub(super) fn next_read(&mut self) -> Option<ReadErrorKind> {
        self.reads.pop_front()
    }
}

/// While it lives, no read and no send is answered.
#[derive(Debug)]
#[must_use = "dropping it releases what it holds"]
pub struct Hold(Arc<watch::Sender<usize>>);

impl Drop for Hold {
    fn drop(&mut self) {
        self.0.send_modify(|holds| *holds -= 1);
    }
}

impl SimulatedCluster {
    /// Adds objects as if somebody had applied them: missing parts are filled in; what has the name is
    /// overwritten and keeps its uid.
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
            load::born(&mut state.store, &key, &mut object, now);
            if key.kind == super::object::POD {
                running::start(&mut state.store, &mut object, now);
            }
            let before = state.store.get(&key).cloned();
            state.store.put(key.clone(), object);
            state.react(&key, before.as_deref(), now);
        }
        Ok(())
    }

    /// Another pod takes the name: as it was, with a new uid and new containers. Answers the uid; `None` where there
    /// is no such pod.
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

    /// Removes an object at once, and lets the controllers react. Answers whether it was there.
    pub fn remove(&self, at: &Locator) -> bool {
        let mut state = self.lock();
        let (now, key) = (state.clock.now(), ObjectKey::at(at));
        let there = state.store.get(&key).is_some();
        state.take_away(&key, now);
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

    /// The requests that were received, oldest first; of more than 16 384 the latest.
    pub fn requests(&self) -> Vec<ReceivedRequest> {
        self.lock().received.iter().cloned().collect()
    }

    /// The next sends go wrong in this way, one each.
    pub fn fail_sends(&self, faults: impl IntoIterator<Item = SendFault>) {
        self.lock().faults.sends.extend(faults);
    }

    /// The next reads go wrong in this way, one each.
    pub fn fail_reads(&self, faults: impl IntoIterator<Item = ReadErrorKind>) {
        self.lock().faults.reads.extend(faults);
    }

    /// Leaves every read and send unanswered until the hold is dropped, or until its deadline.
    pub fn hold(&self) -> Hold {
        self.held.send_modify(|holds| *holds += 1);
        Hold(self.held.clone())
    }

    /// Waits until nothing is held.
    pub(super) async fn released(&self) {
        // Fails only where the sender is gone, and this cluster holds it.
        let _ = self.held.subscribe().wait_for(|holds| *holds == 0).await;
    }
}

impl State {
    pub(super) fn note(&mut self, request: ReceivedRequest) {
        if self.received.len() == RECEIVED_KEPT {
            self.received.pop_front();
        }
        self.received.push_back(request);
    }
}
