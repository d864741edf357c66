//! The lint of a plan: faults that no plan may have, checked on the finished plan.

use crate::object::ObjectRef;
use crate::plan::{Plan, Undo};
use crate::request::Request;

/// A fault of a plan, and so a defect of responder.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanFault {
    /// A request goes to another object than the corroborated target.
    #[error("step {step} goes to {object}, which is not the corroborated target")]
    WrongTarget {
        /// The number of the step, from 1.
        step: usize,
        /// The object of the request.
        object: String,
    },
    /// A request follows the removal of the target.
    #[error("step {step} comes after the removal of the target")]
    AfterTheEnd {
        /// The number of the step, from 1.
        step: usize,
    },
    /// A created object affects more than the target.
    #[error("step {step} creates an object that affects more than the target of this incident")]
    WideReach {
        /// The number of the step, from 1.
        step: usize,
    },
    /// An undo does not belong to its kind of request.
    #[error("step {step} has an undo that does not belong to its request")]
    StrayUndo {
        /// The number of the step, from 1.
        step: usize,
    },
    /// A patch has no changes.
    #[error("step {step} has an empty patch")]
    EmptyPatch {
        /// The number of the step, from 1.
        step: usize,
    },
    /// A patch replaces a list and has no resource version.
    #[error("step {step} replaces a list without a resource version")]
    Unversioned {
        /// The number of the step, from 1.
        step: usize,
    },
}

/// The first fault of a plan; `None` without any.
pub fn lint(plan: &Plan) -> Option<PlanFault> {
    let target = plan.target.object();
    let mut ended = false;
    for (index, step) in plan.steps.iter().enumerate() {
        let number = index + 1;
        for planned in step.alternatives().skip(1).flat_map(|other| &other.plan.requests) {
            if let Some(fault) = fault_of(&planned.request, target, &plan.incident, number) {
                return Some(fault);
            }
            if is_stray(&planned.request, &planned.undo) {
                return Some(PlanFault::StrayUndo { step: number });
            }
        }
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
        Request::Patch { .. } | Request::Delete { .. } | Request::Evict { .. } => None,
    }
}

fn is_stray(request: &Request, undo: &Undo) -> bool {
    match undo {
        Undo::Restore => !matches!(request, Request::Patch { .. }),
        Undo::DeleteCreated => !matches!(request, Request::Create { .. }),
        Undo::Irreversible { .. } => false,
    }
}
