//! A second pair of eyes on a plan: what no plan may ever ask, checked on the plan itself and not on how it was made.

use crate::object::ObjectRef;
use crate::plan::{Plan, Undo};
use crate::request::Request;

/// What is wrong with a plan.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanFault {
    /// A request goes to an object that is not the corroborated one.
    #[error("step {step} goes to {object}, which is not the corroborated target")]
    WrongTarget {
        /// The step, from 1.
        step: usize,
        /// The object.
        object: String,
    },
    /// A request follows one that takes its target away.
    #[error("step {step} comes after the target is taken away")]
    AfterTheEnd {
        /// The step, from 1.
        step: usize,
    },
    /// An object of ours reaches more than the target of its incident.
    #[error("step {step} creates an object that reaches more than the target of this incident")]
    WideReach {
        /// The step, from 1.
        step: usize,
    },
    /// An undo that its kind of request does not have.
    #[error("step {step} has an undo that its request does not have")]
    StrayUndo {
        /// The step, from 1.
        step: usize,
    },
    /// A patch that changes nothing.
    #[error("step {step} has an empty patch")]
    EmptyPatch {
        /// The step, from 1.
        step: usize,
    },
    /// A list is replaced whatever it holds by then.
    #[error("step {step} replaces a list without the version that it was read at")]
    Unversioned {
        /// The step, from 1.
        step: usize,
    },
}

/// The first fault of a plan; `None` for a sound one.
pub fn lint(plan: &Plan) -> Option<PlanFault> {
    let target = plan.target.object();
    let mut ended = false;
    for (index, step) in plan.steps.iter().enumerate() {
        let number = index + 1;
        for planned in &step.plan.requests {
            if ended {
                return Some(PlanFault::AfterTheEnd { step: number });
            }
            if let Some(fault) = fault_of(&planned.request, target, &plan.incident, number) {
                return Some(fault);
            }
            if is_stray(&planned.request, &planned.undo) {
                return Some(PlanFault::StrayUndo { step: number });
            }
            ended |= matches!(planned.request, Request::Delete { .. } | Request::Evict { .. });
        }
    }
    None
}

fn fault_of(request: &Request, target: &ObjectRef, incident: &str, step: usize) -> Option<PlanFault> {
    match request {
        Request::Create { object } => {
            (!object.is_confined_to(incident, target)).then_some(PlanFault::WideReach { step })
        }
        Request::Patch { target: object, .. }
        | Request::Delete { target: object, .. }
        | Request::Evict { target: object, .. }
            if object != target =>
        {
            Some(PlanFault::WrongTarget {
                step,
                object: object.to_string(),
            })
        }
        Request::Patch { patch, .. } if patch.changes().is_empty() => Some(PlanFault::EmptyPatch { step }),
        Request::Patch { patch, .. } if patch.replaces_a_list() && patch.resource_version().is_none() => {
            Some(PlanFault::Unversioned { step })
        }
        Request::Patch { .. } => None,
        Request::Delete { .. } | Request::Evict { .. } => None,
    }
}

fn is_stray(request: &Request, undo: &Undo) -> bool {
    match undo {
        Undo::Restore => !matches!(request, Request::Patch { .. }),
        Undo::DeleteCreated => !matches!(request, Request::Create { .. }),
        Undo::Irreversible { .. } => false,
    }
}
