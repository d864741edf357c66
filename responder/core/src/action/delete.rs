//! The action `delete`: deletes a pod.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::contract::{Action, ActionDoc, ActionInfo, ActionProblem};
use super::removal::{Removal, RemovalVerb, TARGETS};
use crate::class::ActionClass;
use crate::request::Verb;

/// Deletes a pod.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DeleteDoc {
    /// The grace period in seconds; by default the pod's own `terminationGracePeriodSeconds`, as far as the guard's
    /// `maxGrace` allows. With 0 the pod is removed
    /// immediately, without waiting for its containers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 3600))]
    pub grace_period_seconds: Option<u32>,
    /// Whether a pod of a DaemonSet is removed as well. By default it is not, since the DaemonSet starts another on the same
    /// node.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub daemon_set_pods: bool,
}

impl ActionDoc for DeleteDoc {
    const INFO: ActionInfo = ActionInfo {
        name: "delete",
        summary: "Deletes a pod.",
        class: ActionClass::Destroy,
        targets: TARGETS,
        verbs: &[Verb::Delete],
        undo: "none",
        example: "delete: {gracePeriodSeconds: 5}",
        widened_by: &[],
    };

    fn compile(&self) -> Result<Box<dyn Action>, ActionProblem> {
        Removal::compile(
            &Self::INFO,
            RemovalVerb::Delete,
            self.grace_period_seconds,
            None,
            self.daemon_set_pods,
        )
    }
}
