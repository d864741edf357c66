//! Writes to the simulated cluster, answered like a real API server. The step *act*.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use responder_core::object::{ObjectRef, Uid};
use responder_core::own::OwnObject;
use responder_core::patch::Patch;
use responder_core::port::{ClusterWriter, Reply, SendError, SendErrorKind};
use responder_core::request::{Armed, Request};
use serde_json::{Value, json};
use tokio::time::timeout;

use super::budget::{self, EvictionVerdict};
use super::faults::{ReceivedRequest, SendFault};
use super::object::{NAMESPACE, ObjectKey, is_terminating, metadata, text, uid};
use super::state::State;
use super::{SimulatedCluster, custom, labels};

/// A refusal: its class and the message of a real API server.
struct Refused(SendErrorKind, String);

impl ClusterWriter for SimulatedCluster {
    async fn send(&self, armed: Armed<'_>, deadline: Duration) -> Result<Reply, SendError> {
        let request = armed.request();
        let failed = |kind, detail| SendError {
            request: request.to_string(),
            kind,
            detail,
            retry_after: None,
        };
        if timeout(deadline, self.released()).await.is_err() {
            let detail = format!(
                "no answer within {} s: the simulated cluster is held",
                deadline.as_secs_f32()
            );
            return Err(failed(SendErrorKind::Timeout, detail));
        }
        let mut state = self.lock();
        let now = state.clock.now();
        let outcome = match state.faults.next_send() {
            Some(SendFault::Refused(kind)) => Err(Refused(kind, "a fault that the test injected".to_owned())),
            Some(SendFault::AnswerLost) => state.carry_out(armed, now).and_then(|_| {
                Err(Refused(
                    SendErrorKind::Unknown,
                    "carried out, and the answer lost: a fault that the test injected".to_owned(),
                ))
            }),
            None => state.carry_out(armed, now),
        };
        state.note(ReceivedRequest {
            request: request.clone(),
            dry_run: armed.is_dry_run(),
            at: now,
            outcome: outcome.as_ref().map(Clone::clone).map_err(|Refused(kind, _)| *kind),
        });
        drop(state);
        tracing::debug!(
            verb = request.verb().as_str(),
            at = %request.at(),
            dry_run = armed.is_dry_run(),
            outcome = outcome.as_ref().err().map_or("ok", |Refused(kind, _)| kind.as_str()),
            "the simulated cluster received a request"
        );
        outcome.map_err(|Refused(kind, detail)| failed(kind, detail))
    }
}

impl State {
    fn carry_out(&mut self, armed: Armed<'_>, now: Timestamp) -> Result<Reply, Refused> {
        let dry_run = armed.is_dry_run();
        match armed.request() {
            Request::Create { object } => self.create(object, dry_run, now),
            Request::Patch { target, patch } => self.patch(target, patch, dry_run, now),
            Request::Delete { target, grace_seconds } => {
                let (key, object) = self.target(target)?;
                same_uid(&key, &object, target)?;
                Ok(if dry_run {
                    Reply::Rehearsed
                } else {
                    self.delete(&key, *grace_seconds, now)
                })
            }
            Request::Evict {
                target, grace_seconds, ..
            } => {
                let (key, object) = self.target(target)?;
                // The eviction endpoint checks the budget before the uid, and for a dry run too.
                self.within_budget(&key, &object)?;
                same_uid(&key, &object, target)?;
                if dry_run {
                    return Ok(Reply::Rehearsed);
                }
                self.delete(&key, *grace_seconds, now);
                // The endpoint's answer says nothing about the pod. The step *verify* finds out whether it is gone.
                Ok(Reply::Terminating)
            }
        }
    }

    fn target(&self, target: &ObjectRef) -> Result<(ObjectKey, Arc<Value>), Refused> {
        let key = ObjectKey::at(&target.at);
        match self.store.get(&key) {
            Some(object) => Ok((key, object.clone())),
            None => Err(not_found(&key)),
        }
    }

    fn within_budget(&self, key: &ObjectKey, pod: &Value) -> Result<(), Refused> {
        match budget::verdict(&self.store, &key.namespace, pod) {
            EvictionVerdict::Allowed => Ok(()),
            EvictionVerdict::Blocked {
                budget,
                needed,
                healthy,
            } => Err(Refused(
                SendErrorKind::BlockedByBudget,
                format!(
                    "Cannot evict pod as it would violate the pod's disruption budget. The disruption budget {budget} needs \
                     {needed} healthy pods and has {healthy} currently"
                ),
            )),
            EvictionVerdict::Several => Err(Refused(
                SendErrorKind::SeveralBudgets,
                "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support."
                    .to_owned(),
            )),
        }
    }

    fn create(&mut self, object: &OwnObject, dry_run: bool, now: Timestamp) -> Result<Reply, Refused> {
        let (key, mut manifest) = (ObjectKey::at(object.at()), object.manifest());
        if !custom::is_served(&self.store, object.at().kind()) {
            // Its answer is no `Status`, as that of a proxy.
            let detail = "the API server answered 404 Not Found".to_owned();
            return Err(Refused(SendErrorKind::Rejected, detail));
        }
        let namespace = ObjectKey::new(NAMESPACE, "", &key.namespace);
        match self.store.get(&namespace) {
            None => return Err(not_found(&namespace)),
            Some(namespace) if is_terminating(namespace) => {
                let detail = format!(
                    "unable to create new content in namespace {} because it is being terminated",
                    key.namespace
                );
                return Err(Refused(SendErrorKind::Rejected, detail));
            }
            Some(_) => {}
        }
        if self.store.get(&key).is_some() {
            let detail = format!("{} {:?} already exists", key.resource(), key.name);
            return Err(Refused(SendErrorKind::AlreadyExists, detail));
        }
        let fields = metadata(&mut manifest);
        fields.insert("name".to_owned(), key.name.as_str().into());
        fields.insert("namespace".to_owned(), key.namespace.as_str().into());
        valid(&key, &manifest)?;
        if dry_run {
            return Ok(Reply::Rehearsed);
        }
        let given = self.store.create(key, manifest, now);
        // A generated uid is hexadecimal digits and dashes.
        Uid::new(&given)
            .map(Reply::Created)
            .ok_or_else(|| Refused(SendErrorKind::Unknown, "no uid".to_owned()))
    }

    fn patch(&mut self, target: &ObjectRef, patch: &Patch, dry_run: bool, now: Timestamp) -> Result<Reply, Refused> {
        let (key, before) = self.target(target)?;
        let version = text(&before, "/metadata/resourceVersion").to_owned();
        if patch.resource_version().is_some_and(|asked| asked != version) {
            let detail = format!(
                "Operation cannot be fulfilled on {} {:?}: the object has been modified; please apply your changes to the \
                 latest version and try again",
                key.resource(),
                key.name
            );
            return Err(Refused(SendErrorKind::Conflict, detail));
        }
        if uid(&before) != target.uid.as_str() {
            let detail = format!(
                "metadata.uid: Invalid value: {:?}: field is immutable",
                target.uid.as_str()
            );
            return Err(invalid(&key, &detail));
        }
        let mut after = (*before).clone();
        merge(&mut after, &patch.body(target));
        drop_empty(&mut after);
        valid(&key, &after)?;
        if dry_run {
            return Ok(Reply::Rehearsed);
        }
        // A patch that changes nothing keeps the version.
        let resource_version = if after == *before {
            version
        } else {
            self.store.put(key.clone(), after)
        };
        self.react(&key, Some(&before), now);
        Ok(Reply::Patched { resource_version })
    }
}

fn not_found(key: &ObjectKey) -> Refused {
    Refused(
        SendErrorKind::NotFound,
        format!("{} {:?} not found", key.resource(), key.name),
    )
}

fn invalid(key: &ObjectKey, detail: &str) -> Refused {
    let (kind, _) = key.kind.split_once('.').unwrap_or((&key.kind, ""));
    Refused(
        SendErrorKind::Invalid,
        format!("{kind} {:?} is invalid: {detail}", key.name),
    )
}

fn valid(key: &ObjectKey, object: &Value) -> Result<(), Refused> {
    let metadata = object.get("metadata").and_then(Value::as_object);
    let fault = metadata
        .and_then(labels::fault)
        .or_else(|| object.get("spec").and_then(labels::selector_fault));
    fault.map_or(Ok(()), |fault| Err(invalid(key, &fault)))
}

fn same_uid(key: &ObjectKey, object: &Value, target: &ObjectRef) -> Result<(), Refused> {
    let record = uid(object);
    if record == target.uid.as_str() {
        return Ok(());
    }
    let detail = format!(
        "Operation cannot be fulfilled on {} {:?}: the UID in the precondition ({}) does not match the UID in record \
         ({record}). The object might have been deleted and then recreated",
        key.resource(),
        key.name,
        target.uid
    );
    Err(Refused(SendErrorKind::UidMismatch, detail))
}

/// JSON merge patch. Source: RFC 7396, section 2.
fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = json!({});
    }
    let Value::Object(target) = target else { return };
    for (field, value) in patch {
        if value.is_null() {
            target.remove(field);
        } else {
            merge(target.entry(field).or_insert(Value::Null), value);
        }
    }
}

/// Removes fields that the API server does not store: empty maps, and `unschedulable: false`.
fn drop_empty(object: &mut Value) {
    let metadata = metadata(object);
    for field in ["labels", "annotations"] {
        if metadata
            .get(field)
            .and_then(Value::as_object)
            .is_some_and(serde_json::Map::is_empty)
        {
            metadata.remove(field);
        }
    }
    if object.pointer("/spec/unschedulable") == Some(&Value::Bool(false))
        && let Some(spec) = object.get_mut("spec").and_then(Value::as_object_mut)
    {
        spec.remove("unschedulable");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_merge_patch_sets_removes_and_leaves_the_rest() {
        let mut object = json!({"metadata": {"labels": {"app": "web", "tier": "front"}}, "spec": {"a": [1, 2]}});
        merge(
            &mut object,
            &json!({"metadata": {"labels": {"app": null, "new": "x"}}, "spec": {"a": [3]}}),
        );
        assert_eq!(
            object,
            json!({"metadata": {"labels": {"tier": "front", "new": "x"}}, "spec": {"a": [3]}})
        );
    }
}
