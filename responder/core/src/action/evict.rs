//! The action `evict`: evicts a pod, if its PodDisruptionBudget allows.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::contract::{Action, ActionDoc, ActionInfo, ActionProblem};
use super::removal::{Removal, RemovalVerb, TARGETS};
use crate::class::ActionClass;
use crate::request::Verb;
use crate::span::Span;

/// Evicts a pod, if its PodDisruptionBudget allows.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EvictDoc {
    /// The grace period in seconds; by default the pod's own `terminationGracePeriodSeconds`, as far as the guard's
    /// `maxGrace` allows. With 0 the pod is removed
    /// immediately, without waiting for its containers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 3600))]
    pub grace_period_seconds: Option<u32>,
    /// How long a PodDisruptionBudget may block the eviction before the step fails; by default the step's `timeout`. Its
    /// `otherwise` says how the response goes on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blocked_for: Option<Span>,
    /// Whether a pod of a DaemonSet is removed as well. By default it is not, since the DaemonSet starts another on the same
    /// node.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub daemon_set_pods: bool,
}

impl ActionDoc for EvictDoc {
    const INFO: ActionInfo = ActionInfo {
        name: "evict",
        summary: "Evicts a pod, as its PodDisruptionBudget allows.",
        class: ActionClass::Destroy,
        targets: TARGETS,
        verbs: &[Verb::Evict],
        undo: "none",
        example: "evict: {gracePeriodSeconds: 5}",
        widened_by: &[],
    };

    fn compile(&self) -> Result<Box<dyn Action>, ActionProblem> {
        Removal::compile(
            &Self::INFO,
            RemovalVerb::Evict,
            self.grace_period_seconds,
            self.blocked_for,
            self.daemon_set_pods,
        )
    }
}
