//! Undo: gives back what a response changed, the last first, and only what still is as it was left. Step of the flow:
//! revert. Never over the edit of another client, and never by name.

use responder_core::mode::Permit;
use responder_core::object::{Locator, ObjectRef, Uid};
use responder_core::own::OwnObject;
use responder_core::patch::{Patch, Restorable};
use responder_core::plan::{PlannedRequest, Undo};
use responder_core::port::{Cluster, ClusterReader, Reply, SendErrorKind};
use responder_core::request::Request;

use crate::lookup::{Lookup, lookup, our_own};
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
    let outcome = match (&changed.planned.undo, &changed.planned.request) {
        (Undo::Irreversible { because }, _) => UndoOutcome::Irreversible {
            because: because.clone(),
        },
        (Undo::Restore, Request::Patch { target, patch }) => restore(sender, target, patch, permit).await,
        (Undo::DeleteCreated, Request::Create { object }) => match created(sender, changed, object).await {
            Ok(Some(uid)) => {
                let at = object.at().clone();
                delete(sender, ObjectRef { at, uid }, permit).await
            }
            Ok(None) => UndoOutcome::Nothing {
                because: format!("{} was not created", object.at()),
            },
            Err(because) => UndoOutcome::Failed { because },
        },
        // The lint of a plan refuses it.
        (Undo::Restore | Undo::DeleteCreated, request) => UndoOutcome::Failed {
            because: format!("the plan has no way back from {request}: a defect of responder"),
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
    object: &OwnObject,
) -> Result<Option<Uid>, String> {
    if let RequestOutcome::Done {
        reply: Reply::Created(uid),
    } = changed.outcome
    {
        return Ok(Some(uid.clone()));
    }
    our_own(sender.cluster, object).await.map_err(|error| error.to_string())
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
    patch: &Patch,
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
        let Restorable { changes, others } = patch.restorable(&seen.fields);
        if changes.is_empty() && is_perhaps_done {
            return restored(others);
        }
        if changes.is_empty() {
            return UndoOutcome::Nothing {
                because: format!("nothing on {} is as we left it", target.at),
            };
        }
        let patch = match Patch::against(changes, &seen.fields) {
            Ok(patch) => patch.at_version_of(&seen.fields),
            Err(problem) => {
                return UndoOutcome::Failed {
                    because: format!("{}: {problem}", target.at),
                };
            }
        };
        let request = Request::Patch {
            target: target.clone(),
            patch,
        };
        match sender.send(&request, permit, SendOptions::undo()).await.outcome {
            RequestOutcome::Done { .. } | RequestOutcome::Rehearsed => return restored(others),
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

fn restored(others: Vec<String>) -> UndoOutcome {
    if others.is_empty() {
        UndoOutcome::Undone
    } else {
        UndoOutcome::PartlyUndone { left: others }
    }
}

#[cfg(test)]
mod tests;
