//! The action `evict`: evicts a pod, as its PodDisruptionBudget allows.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::removal::{IRREVERSIBLE, removable};
use super::{Action, ActionContext, ActionInfo, ActionProblem};
use crate::class::ActionClass;
use crate::object::Kind;
use crate::permission::Permission;
use crate::plan::{Expectation, PlannedRequest, StepPlan, Undo};
use crate::refusal::Refusal;
use crate::request::{Request, Verb};
use crate::target::TargetKind;

/// Evicts a pod, as its PodDisruptionBudget allows.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EvictDoc {
    /// Seconds that the pod has to end in. By default its own `terminationGracePeriodSeconds`. With 0 the object goes
    /// at once, and nobody waits for the kubelet to end the containers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 3600))]
    pub grace_period_seconds: Option<u32>,
}

impl EvictDoc {
    pub(super) const INFO: ActionInfo = ActionInfo {
        name: "evict",
        summary: "Evicts a pod, as its PodDisruptionBudget allows.",
        class: ActionClass::Destroy,
        targets: TARGETS,
        verbs: &[Verb::Evict],
        undo: "none",
        example: "evict: {gracePeriodSeconds: 5}",
        widened_by: &[],
    };

    pub(super) fn compile(&self) -> Result<Evict, ActionProblem> {
        match self.grace_period_seconds {
            Some(seconds) if seconds > 3600 => Err(ActionProblem {
                parameter: "gracePeriodSeconds".to_owned(),
                message: format!("{seconds} s is more than an hour: what has to go does not get that long"),
            }),
            grace_seconds => Ok(Evict { grace_seconds }),
        }
    }
}

const TARGETS: &[TargetKind] = &[TargetKind::Pod];

/// `evict`, compiled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evict {
    grace_seconds: Option<u32>,
}

impl Action for Evict {
    fn name(&self) -> &'static str {
        EvictDoc::INFO.name
    }

    fn class(&self) -> ActionClass {
        ActionClass::Destroy
    }

    fn targets(&self) -> &'static [TargetKind] {
        TARGETS
    }

    fn permissions(&self, _: TargetKind) -> Vec<Permission> {
        vec![Permission::on_sub(Kind::Pod, "eviction", "create")]
    }

    fn plan(&self, context: &ActionContext<'_>) -> Result<StepPlan, Refusal> {
        let target = removable(context)?.clone();
        Ok(StepPlan {
            expects: vec![Expectation::Gone { target: target.clone() }],
            requests: vec![PlannedRequest {
                request: Request::Evict {
                    target,
                    grace_seconds: self.grace_seconds,
                },
                undo: Undo::Irreversible { because: IRREVERSIBLE },
            }],
            ..StepPlan::default()
        })
    }
}
