//! A second pair of eyes on a plan: what no plan may ever ask, checked on the plan itself and not on how it was made.

use crate::guard::QUARANTINE_LABEL;
use crate::object::ObjectRef;
use crate::plan::{Plan, Undo};
use crate::request::{OwnObject, Request};

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
    /// A policy selects more than the pod of its incident.
    #[error("step {step} makes a policy that selects more than the label of this incident")]
    WideSelector {
        /// The step, from 1.
        step: usize,
    },
    /// An undo goes to another object than its request.
    #[error("the undo of step {step} goes to another object than its request")]
    StrayUndo {
        /// The step, from 1.
        step: usize,
    },
    /// A patch that changes nothing, or that sets a resource version by hand.
    #[error("step {step} has an empty patch")]
    EmptyPatch {
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
        Request::Create { object } => match object.as_ref() {
            OwnObject::NetworkPolicy { manifest, at } => {
                let selector = manifest.spec.as_ref().and_then(|spec| spec.pod_selector.as_ref());
                let labels = selector.and_then(|selector| selector.match_labels.as_ref());
                let selects_incident =
                    labels.is_some_and(|labels| labels.get(QUARANTINE_LABEL).is_some_and(|value| value == incident));
                let is_beside_target = at.namespace() == target.at.namespace();
                (!selects_incident || !is_beside_target).then_some(PlanFault::WideSelector { step })
            }
        },
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
        Request::Patch { patch, .. } => {
            let is_empty = patch.labels.is_empty() && patch.annotations.is_empty() && patch.unschedulable.is_none();
            is_empty.then_some(PlanFault::EmptyPatch { step })
        }
        Request::Delete { .. } | Request::Evict { .. } => None,
    }
}

fn is_stray(request: &Request, undo: &Undo) -> bool {
    match undo {
        Undo::Restore { target, .. } => request.target() != Some(target),
        Undo::DeleteCreated { at } => *at != request.at(),
        Undo::Irreversible { .. } => false,
    }
}
