//! The action `cordon`: keeps new pods off a node, and records the response on it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::contract::{Action, ActionContext, ActionDoc, ActionInfo, ActionProblem, StepProblem};
use super::schedulable::{self, RESERVES, TARGETS};
use crate::class::ActionClass;
use crate::guard::Stock;
use crate::node;
use crate::object::Kind;
use crate::patch::{Change, Patch, Scalar, SpecField};
use crate::permission::Permission;
use crate::plan::StepPlan;
use crate::request::Verb;
use crate::snapshot::Needs;
use crate::target::TargetKind;

/// The response that cordoned a node, as `<playbook>/<incident>`. Responder never uncordons a node without it.
pub const CORDONED_BY: &str = "responder.dev/cordoned-by";
/// The alert's rule.
pub const CORDONED_FOR: &str = "responder.dev/cordoned-for";
/// The time, in RFC 3339.
pub const CORDONED_AT: &str = "responder.dev/cordoned-at";

/// `spec.unschedulable` of a node.
pub const UNSCHEDULABLE: SpecField = SpecField {
    name: "unschedulable",
    absent: Scalar::Bool(false),
};

/// Keeps new pods off a node.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CordonDoc {}

impl ActionDoc for CordonDoc {
    const INFO: ActionInfo = ActionInfo {
        name: "cordon",
        summary: "Keeps new pods off a node; its pods stay.",
        class: ActionClass::Contain,
        targets: TARGETS,
        verbs: &[Verb::Patch],
        undo: "uncordons, unless the cordon has changed since",
        example: "cordon: {}",
        widened_by: &[],
    };

    fn compile(&self) -> Result<Box<dyn Action>, ActionProblem> {
        Ok(Box::new(Cordon))
    }
}

/// `cordon`, compiled.
#[derive(Debug)]
struct Cordon;

impl Action for Cordon {
    fn info(&self) -> &'static ActionInfo {
        &CordonDoc::INFO
    }

    fn needs(&self, _: TargetKind) -> Needs {
        Needs {
            node: true,
            nodes: true,
            ..Needs::default()
        }
    }

    fn reserves(&self) -> &'static [Stock] {
        RESERVES
    }

    fn permissions(&self, _: TargetKind) -> Vec<Permission> {
        vec![Permission::on(Kind::Node, "patch")]
    }

    fn plan(&self, context: &ActionContext<'_>) -> Result<StepPlan, StepProblem> {
        let (target, live) = schedulable::node(context)?;
        if node::is_cordoned(live) {
            let by = node::annotation(live, CORDONED_BY).map_or_else(
                || "by another writer; responder will not uncordon it".to_owned(),
                |by| format!("by {}", by.escape_debug()),
            );
            return Ok(StepPlan::noting(format!("{} is already cordoned, {by}", target.at)));
        }
        schedulable::keep_enough(context, live)?;
        let marks = schedulable::marks(context, [CORDONED_AT, CORDONED_BY, CORDONED_FOR]);
        let mut changes: Vec<Change> = marks.map(Into::into).into();
        changes.push(UNSCHEDULABLE.change(Scalar::Bool(true), Scalar::Bool(false)).into());
        Ok(StepPlan::patching(target, Patch::new(changes)))
    }
}
