//! Deletes objects: immediately, after a grace period, or once their finalizers are removed, together with their
//! dependents.

use jiff::{SignedDuration, Timestamp};
use responder_core::port::Reply;
use serde_json::Value;

use super::controllers::{self, Surplus};
use super::object::{ObjectKey, POD, has_finalizers, is_terminating, metadata, rfc3339, uid};
use super::running::ends_at_once;
use super::state::{Ending, State};

/// Kubernetes' default for `terminationGracePeriodSeconds`.
const DEFAULT_GRACE: i64 = 30;

impl State {
    /// Deletes an existing object of any kind.
    pub(super) fn delete(&mut self, key: &ObjectKey, grace: Option<u32>, now: Timestamp) -> Reply {
        let Some(object) = self.store.get(key).cloned() else {
            return Reply::Gone;
        };
        if key.kind != POD {
            return self.finish(key, &object, 0, now);
        }
        let own = object
            .pointer("/spec/terminationGracePeriodSeconds")
            .and_then(Value::as_i64)
            .unwrap_or(DEFAULT_GRACE);
        let wanted = if ends_at_once(&object) {
            0
        } else {
            grace.map_or(own, i64::from).max(0)
        };
        let running = object
            .pointer("/metadata/deletionGracePeriodSeconds")
            .and_then(Value::as_i64);
        if is_terminating(&object) {
            // A running grace period can only be shortened; a deletion without one leaves it as it is.
            let shortens = grace.is_some() && running.is_some_and(|running| wanted < running);
            if !shortens && running != Some(0) {
                return Reply::Terminating;
            }
        }
        // As the API server does, a shorter grace is counted from the first deletion.
        let begun = deletion_began(&object).unwrap_or(now);
        self.finish(key, &object, wanted, begun)
    }

    fn finish(&mut self, key: &ObjectKey, object: &Value, grace: i64, begun: Timestamp) -> Reply {
        if grace == 0 && !has_finalizers(object) {
            self.remove(key, begun);
            return Reply::Gone;
        }
        let end = begun
            .checked_add(SignedDuration::from_secs(grace))
            .unwrap_or(Timestamp::MAX);
        let mut ending = object.clone();
        let metadata = metadata(&mut ending);
        metadata.insert("deletionTimestamp".to_owned(), rfc3339(end).into());
        metadata.insert("deletionGracePeriodSeconds".to_owned(), grace.into());
        self.store.put(key.clone(), ending);
        self.endings.insert(Ending {
            at: end,
            key: key.clone(),
            uid: uid(object).to_owned(),
        });
        self.react(key, Some(object), begun);
        Reply::Terminating
    }

    /// Removes an object and deletes its dependents.
    pub(super) fn remove(&mut self, key: &ObjectKey, now: Timestamp) {
        let Some(object) = self.store.remove(key) else { return };
        self.react(key, Some(&object), now);
        for dependent in controllers::dependents(&self.store, &key.namespace, uid(&object)) {
            self.delete(&dependent, None, now);
        }
    }

    /// Lets the controllers react to a changed pod, and a new controller create its pods.
    pub(super) fn react(&mut self, key: &ObjectKey, before: Option<&Value>, now: Timestamp) {
        let surplus = match before {
            _ if key.kind == POD => controllers::react(&mut self.store, key, before, now),
            None => controllers::begin(&mut self.store, key, now),
            Some(_) => return,
        };
        for Surplus(pod) in surplus {
            self.delete(&pod, None, now);
        }
    }

    /// Removes the pods whose grace period is over, unless finalizers hold them.
    pub(super) fn end_expired_graces(&mut self, now: Timestamp) {
        while let Some(ending) = self.endings.first().filter(|ending| ending.at <= now).cloned() {
            self.endings.remove(&ending);
            let due = self
                .store
                .same(&ending.key, &ending.uid)
                .is_some_and(|object| !has_finalizers(object));
            if due {
                self.remove(&ending.key, now);
            }
        }
    }
}

/// The time of the deletion of an object that is being deleted: its end less its grace.
fn deletion_began(object: &Value) -> Option<Timestamp> {
    let end: Timestamp = object.pointer("/metadata/deletionTimestamp")?.as_str()?.parse().ok()?;
    let grace = object.pointer("/metadata/deletionGracePeriodSeconds")?.as_i64()?;
    end.checked_sub(SignedDuration::from_secs(grace)).ok()
}
