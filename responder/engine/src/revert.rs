//! Undo: gives back what a response changed, the last first, and only what still is as it was left. Step of the flow:
//! revert. Never over the edit of another client, and never by name.

use std::collections::BTreeMap;

use responder_core::mode::Permit;
use responder_core::object::{Locator, ObjectRef, Uid};
use responder_core::plan::{PlannedRequest, Undo};
use responder_core::port::{Cluster, ClusterReader, Reply, SendErrorKind};
use responder_core::request::{MergePatch, Request};

use crate::lookup::{LiveObject, Lookup, lookup, our_own};
use crate::outcome::{FailureReason, RequestOutcome, UndoOutcome, UndoReport};
use crate::send::{RequestSender, SendOptions};
use crate::wait::Wait;

/// A request that was carried out, or perhaps.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Changed<'a> {
    pub(crate) planned: &'a PlannedRequest,
    pub(crate) outcome: &'a RequestOutcome,
}

/// How often a restore is worked out anew when the object changes under it.
const MOST_RESTORES: u32 = 5;

/// Undoes one request.
pub(crate) async fn undo<C: Cluster, R: Wait>(
    sender: &RequestSender<'_, C, R>,
    changed: Changed<'_>,
    permit: &Permit,
) -> UndoReport {
    let outcome = match &changed.planned.undo {
        Undo::Irreversible { because } => UndoOutcome::Irreversible { because },
        Undo::Restore { target, left, before } => restore(sender, target, left, before, permit).await,
        Undo::DeleteCreated { at } => match created(sender, changed).await {
            Ok(Some(uid)) => delete(sender, ObjectRef { at: at.clone(), uid }, permit).await,
            Ok(None) => UndoOutcome::Nothing {
                because: format!("{at} was not created"),
            },
            Err(because) => UndoOutcome::Failed { because },
        },
    };
    UndoReport {
        request: changed.planned.request.to_string(),
        outcome,
    }
}

/// The uid of what was created: by the answer, or, where none came, of the object that has all our marks.
async fn created<C: ClusterReader, R>(
    sender: &RequestSender<'_, C, R>,
    changed: Changed<'_>,
) -> Result<Option<Uid>, String> {
    if let RequestOutcome::Done {
        reply: Reply::Created(uid),
    } = changed.outcome
    {
        return Ok(Some(uid.clone()));
    }
    match &changed.planned.request {
        Request::Create { object } => our_own(sender.cluster, object).await.map_err(|error| error.to_string()),
        _ => Ok(None),
    }
}

/// Deletes one particular object of ours.
pub(crate) async fn delete<C: Cluster, R: Wait>(
    sender: &RequestSender<'_, C, R>,
    object: ObjectRef,
    permit: &Permit,
) -> UndoOutcome {
    let at: Locator = object.at.clone();
    let request = Request::Delete {
        target: object,
        grace_seconds: None,
    };
    match sender.send(&request, permit, SendOptions::undo()).await.outcome {
        RequestOutcome::Done { .. } | RequestOutcome::Rehearsed => UndoOutcome::Undone,
        RequestOutcome::TargetGone { .. } | RequestOutcome::TargetReplaced { .. } => UndoOutcome::Nothing {
            because: format!("{at} is gone already"),
        },
        other => UndoOutcome::Failed {
            because: other.to_string(),
        },
    }
}

/// Gives back what a patch changed.
pub(crate) async fn restore<C: Cluster, R: Wait>(
    sender: &RequestSender<'_, C, R>,
    target: &ObjectRef,
    left: &MergePatch,
    before: &MergePatch,
    permit: &Permit,
) -> UndoOutcome {
    let mut because = String::new();
    // A patch without an answer may be carried out, and then what was given back is as before and not as we left it.
    let mut is_perhaps_done = false;
    for _ in 0..MOST_RESTORES {
        let seen = match lookup(sender.cluster, target).await {
            Ok(Lookup::Same(seen)) => seen,
            Ok(Lookup::Gone) => {
                return UndoOutcome::Nothing {
                    because: format!("{} is gone", target.at),
                };
            }
            Ok(Lookup::Replaced(found)) => {
                return UndoOutcome::Nothing {
                    because: format!("{} is another object now (uid {found})", target.at),
                };
            }
            Err(error) => {
                return UndoOutcome::Failed {
                    because: error.to_string(),
                };
            }
        };
        let (patch, others) = still_as_left(left, before, &seen);
        if is_empty(&patch) && is_perhaps_done {
            return given_back(others);
        }
        if is_empty(&patch) {
            return UndoOutcome::Nothing {
                because: format!("nothing on {} is as we left it", target.at),
            };
        }
        let request = Request::Patch {
            target: target.clone(),
            patch,
        };
        match sender.send(&request, permit, SendOptions::undo()).await.outcome {
            RequestOutcome::Done { .. } | RequestOutcome::Rehearsed => return given_back(others),
            RequestOutcome::TargetGone { .. } | RequestOutcome::TargetReplaced { .. } => {
                return UndoOutcome::Nothing {
                    because: format!("{} is gone", target.at),
                };
            }
            RequestOutcome::Failed {
                because: FailureReason::Answer(SendErrorKind::Conflict),
                detail,
                is_certain,
            } => {
                because = detail;
                is_perhaps_done |= !is_certain;
            }
            other => {
                return UndoOutcome::Failed {
                    because: other.to_string(),
                };
            }
        }
    }
    UndoOutcome::Failed {
        because: format!("{} kept changing: {because}", target.at),
    }
}

fn given_back(others: Vec<String>) -> UndoOutcome {
    if others.is_empty() {
        UndoOutcome::Undone
    } else {
        UndoOutcome::PartlyUndone { left: others }
    }
}

/// The part of `before` that may be given back, bound to the state that was read, and what another client has changed.
///
/// A label or annotation is given back where it has the value that we left; one that is as before already needs nothing.
/// A node is uncordoned only where everything that we wrote beside the cordon still stands: a cordon that
/// another client has taken over is theirs.
pub(crate) fn still_as_left(left: &MergePatch, before: &MergePatch, seen: &LiveObject) -> (MergePatch, Vec<String>) {
    let mut others = Vec::new();
    let mut all_stands = true;
    let mut part = |what: &str, left: &Entries, before: &Entries, now: &BTreeMap<String, String>| {
        let mut patch = Entries::new();
        for (key, value) in left {
            let now = now.get(key);
            if now == value.as_ref() {
                patch.extend(before.get(key).map(|earlier| (key.clone(), earlier.clone())));
                continue;
            }
            all_stands = false;
            let is_as_before = before.get(key).is_some_and(|earlier| earlier.as_ref() == now);
            if !is_as_before {
                others.push(format!("{what} {key}"));
            }
        }
        patch
    };
    let labels = part("label", &left.labels, &before.labels, &seen.labels);
    let annotations = part("annotation", &left.annotations, &before.annotations, &seen.annotations);
    let mut unschedulable = None;
    if let (Some(ours), Some(earlier)) = (left.unschedulable, before.unschedulable) {
        if ours == seen.unschedulable && all_stands {
            unschedulable = Some(earlier);
        } else if seen.unschedulable != earlier {
            others.push("spec.unschedulable".to_owned());
        }
    }
    let patch = MergePatch {
        labels,
        annotations,
        unschedulable,
        resource_version: seen.resource_version.clone(),
    };
    (patch, others)
}

type Entries = BTreeMap<String, Option<String>>;

fn is_empty(patch: &MergePatch) -> bool {
    patch.labels.is_empty() && patch.annotations.is_empty() && patch.unschedulable.is_none()
}

#[cfg(test)]
mod tests;
