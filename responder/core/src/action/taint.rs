//! The action `taint`: keeps new pods off a node, except those that tolerate the taint, and records the response on it.
//!
//! The value of the taint is the incident, so the undo removes this taint and no other. `NoExecute` ends pods, is of the
//! class Destroy, and is not in this version.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::contract::{Action, ActionContext, ActionDoc, ActionInfo, ActionProblem, StepProblem};
use super::schedulable::{self, RESERVES, TAINTED_BY, TARGETS};
use super::text::{OWN_PREFIX, is_key, is_of_kubernetes, not_a_key};
use crate::class::ActionClass;
use crate::guard::Stock;
use crate::node;
use crate::object::Kind;
use crate::patch::{Change, Patch, Taint, TaintChange, TaintEffect};
use crate::permission::Permission;
use crate::plan::StepPlan;
use crate::refusal::{Refusal, RefusalReason};
use crate::request::Verb;
use crate::snapshot::Needs;
use crate::target::TargetKind;

/// The default key.
const KEY: &str = "responder.dev/incident";
/// The alert's rule. The key ends as [`TAINTED_BY`].
const TAINTED_FOR: &str = "responder.dev/tainted-for";
/// The time, in RFC 3339. The key ends as [`TAINTED_BY`].
const TAINTED_AT: &str = "responder.dev/tainted-at";

/// Keeps new pods off a node, except those that tolerate the taint.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TaintDoc {
    /// The key of the taint: `responder.dev/incident` by default. Its value is the name of the incident.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// The effect on pods that do not tolerate the taint: `NoSchedule` by default.
    #[serde(default)]
    pub effect: TaintEffect,
}

impl ActionDoc for TaintDoc {
    const INFO: ActionInfo = ActionInfo {
        name: "taint",
        summary: "Keeps new pods off a node, except those that tolerate the taint; its pods stay.",
        class: ActionClass::Contain,
        targets: TARGETS,
        verbs: &[Verb::Patch],
        undo: "removes this taint; all others stay",
        example: "taint: {effect: NoSchedule}",
        widened_by: &[],
    };

    fn compile(&self) -> Result<Box<dyn Action>, ActionProblem> {
        let key = self.key.as_deref().unwrap_or(KEY);
        check_key(key).map_err(|message| ActionProblem::of("key", message))?;
        Ok(Box::new(TaintNode {
            key: key.to_owned(),
            effect: self.effect,
        }))
    }
}

fn check_key(key: &str) -> Result<(), String> {
    let shown = key.escape_debug();
    if !is_key(key) {
        return Err(not_a_key(key));
    }
    if is_of_kubernetes(key) {
        return Err(format!(
            "`{shown}` is reserved for Kubernetes, whose controllers set and remove such taints: choose another prefix"
        ));
    }
    if key.starts_with(OWN_PREFIX) && key != KEY {
        return Err(format!(
            "`{shown}` is reserved for responder: leave `key` out to use `{KEY}`, or choose another prefix"
        ));
    }
    Ok(())
}

/// `taint`, compiled.
#[derive(Debug)]
struct TaintNode {
    key: String,
    effect: TaintEffect,
}

impl TaintNode {
    /// Whether the node stops taking pods. With `PreferNoSchedule` it does not.
    fn keeps_off(&self) -> bool {
        self.effect == TaintEffect::NoSchedule
    }
}

impl Action for TaintNode {
    fn info(&self) -> &'static ActionInfo {
        &TaintDoc::INFO
    }

    fn needs(&self, _: TargetKind) -> Needs {
        Needs {
            node: true,
            nodes: self.keeps_off(),
            ..Needs::default()
        }
    }

    fn reserves(&self) -> &'static [Stock] {
        if self.keeps_off() { RESERVES } else { &[] }
    }

    fn permissions(&self, _: TargetKind) -> Vec<Permission> {
        vec![Permission::on(Kind::Node, "patch")]
    }

    fn plan(&self, context: &ActionContext<'_>) -> Result<StepPlan, StepProblem> {
        let (target, live) = schedulable::node(context)?;
        let fields = json!({
            "metadata": {"resourceVersion": live.metadata.resource_version},
            "spec": live.spec,
        });
        let taint = Taint {
            key: self.key.clone(),
            value: context.incident.to_owned(),
            effect: self.effect,
        };
        if let Some(value) = taint.value_on(&fields) {
            let by = node::annotation(live, &format!("{TAINTED_BY}.{value}")).map_or_else(
                || "by another writer; responder will not remove it".to_owned(),
                |by| format!("by {}", by.escape_debug()),
            );
            let (key, value, effect) = (&self.key, value.escape_debug(), self.effect.as_str());
            return Ok(StepPlan::noting(format!(
                "{} is already tainted {key}={value}:{effect}, {by}",
                target.at
            )));
        }
        // A cordoned node already takes no pods.
        if self.keeps_off() && !node::is_cordoned(live) {
            schedulable::keep_enough(context, live)?;
        }
        let of_incident = |key: &str| format!("{key}.{}", context.incident);
        let [at, by, why] = [TAINTED_AT, TAINTED_BY, TAINTED_FOR].map(of_incident);
        let mut changes: Vec<Change> = schedulable::marks(context, [&at, &by, &why]).map(Into::into).into();
        changes.push(TaintChange::added(taint).into());
        let patch = Patch::against(changes, &fields)
            .map_err(|problem| Refusal::new(RefusalReason::PlanUnsound, format!("{}: {problem}", target.at)))?;
        Ok(StepPlan::patching(target, patch))
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::left_out(None, None)]
    #[case::the_default(Some(KEY), None)]
    #[case::without_a_prefix(Some("suspect"), None)]
    #[case::of_an_organisation(Some("example.org/suspect"), None)]
    #[case::one_that_only_looks_like_it(Some("notkubernetes.io/suspect"), None)]
    #[case::of_kubernetes(Some("kubernetes.io/suspect"), Some("reserved for Kubernetes"))]
    #[case::of_its_node_controller(Some("node.kubernetes.io/unschedulable"), Some("reserved for Kubernetes"))]
    #[case::of_its_projects(Some("x.k8s.io/suspect"), Some("reserved for Kubernetes"))]
    #[case::of_ours(Some("responder.dev/quarantine"), Some("reserved for responder"))]
    #[case::two_prefixes(Some("a/b/c"), Some("not a key"))]
    #[case::empty(Some(""), Some("not a key"))]
    fn a_key_is_valid_and_not_reserved(#[case] key: Option<&str>, #[case] problem: Option<&str>) {
        let doc = TaintDoc {
            key: key.map(str::to_owned),
            ..TaintDoc::default()
        };
        match (doc.compile(), problem) {
            (Ok(_), None) => {}
            (Err(found), Some(problem)) if found.message.contains(problem) => assert_eq!(found.parameter, "key"),
            (compiled, _) => panic!("{key:?}: {compiled:?}"),
        }
    }

    #[rstest]
    #[case(TaintEffect::NoSchedule, 1)]
    #[case(TaintEffect::PreferNoSchedule, 0)]
    fn only_no_schedule_reserves_the_node(#[case] effect: TaintEffect, #[case] stocks: usize) {
        let action = TaintDoc { key: None, effect }.compile().unwrap();
        assert_eq!(action.reserves().len(), stocks);
        assert_eq!(action.needs(TargetKind::Node).nodes, stocks == 1);
    }
}
