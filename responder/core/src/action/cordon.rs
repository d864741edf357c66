//! The action `cordon`: keeps new pods off a node, and records who did it and why.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::Node;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::text::annotation_safe;
use super::{Action, ActionContext, ActionInfo, ActionProblem, NodeReserve};
use crate::class::ActionClass;
use crate::node;
use crate::object::Kind;
use crate::permission::Permission;
use crate::plan::{Expectation, PlannedRequest, StepPlan, Undo};
use crate::refusal::{Refusal, RefusalReason};
use crate::request::{MergePatch, Request, Verb};
use crate::snapshot::Needs;
use crate::target::{Target, TargetKind};

/// Which response cordoned a node, as `<playbook>/<incident>`. A node without it was cordoned by somebody else, and is
/// never uncordoned by us.
pub const CORDONED_BY: &str = "responder.dev/cordoned-by";
/// Why: the alert's rule.
pub const CORDONED_FOR: &str = "responder.dev/cordoned-for";
/// When, in RFC 3339.
pub const CORDONED_AT: &str = "responder.dev/cordoned-at";

/// Keeps new pods off a node.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CordonDoc {}

impl CordonDoc {
    pub(super) const INFO: ActionInfo = ActionInfo {
        name: "cordon",
        summary: "Keeps new pods off a node; those on it stay.",
        class: ActionClass::Contain,
        targets: TARGETS,
        verbs: &[Verb::Patch],
        undo: "uncordons, unless somebody has changed it since",
        example: "cordon: {}",
        widened_by: &[],
    };

    #[expect(
        clippy::unnecessary_wraps,
        clippy::unused_self,
        reason = "every action of the list compiles by this form"
    )]
    pub(super) fn compile(&self) -> Result<Cordon, ActionProblem> {
        Ok(Cordon)
    }
}

const TARGETS: &[TargetKind] = &[TargetKind::Node];

/// `cordon`, compiled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cordon;

impl Action for Cordon {
    fn name(&self) -> &'static str {
        CordonDoc::INFO.name
    }

    fn class(&self) -> ActionClass {
        ActionClass::Contain
    }

    fn targets(&self) -> &'static [TargetKind] {
        TARGETS
    }

    fn needs(&self) -> Needs {
        Needs {
            node: true,
            nodes: true,
            ..Needs::default()
        }
    }

    fn permissions(&self, _: TargetKind) -> Vec<Permission> {
        vec![Permission::on(Kind::Node, "patch")]
    }

    fn plan(&self, context: &ActionContext<'_>) -> Result<StepPlan, Refusal> {
        let (Target::Node { node: target }, Some(live), Some(all)) = (
            context.target,
            context.snapshot.node.found(),
            context.snapshot.nodes.found(),
        ) else {
            return Err(Refusal::new(RefusalReason::PlanUnsound, "the snapshot holds no nodes"));
        };
        if node::is_cordoned(live) {
            let by = node::annotation(live, CORDONED_BY).map_or_else(
                || "by somebody else; it will not be uncordoned by us".to_owned(),
                |by| format!("by {}", by.escape_debug()),
            );
            return Ok(StepPlan {
                notes: vec![format!("{} is already cordoned, {by}", target.at)],
                ..StepPlan::default()
            });
        }
        keep_enough(live, all, context.nodes)?;

        let annotations = BTreeMap::from([
            (
                CORDONED_BY.to_owned(),
                Some(format!("{}/{}", context.playbook, context.incident)),
            ),
            (
                CORDONED_FOR.to_owned(),
                Some(annotation_safe(context.alert.rule().as_str())),
            ),
            (CORDONED_AT.to_owned(), Some(context.now.to_string())),
        ]);
        let before = MergePatch {
            annotations: annotations.keys().map(|key| (key.clone(), None)).collect(),
            unschedulable: Some(false),
            ..MergePatch::default()
        };
        let patch = MergePatch {
            annotations,
            unschedulable: Some(true),
            ..MergePatch::default()
        };
        Ok(StepPlan {
            expects: vec![Expectation::Patched {
                target: target.clone(),
                patch: patch.clone(),
            }],
            requests: vec![PlannedRequest {
                undo: Undo::Restore {
                    target: target.clone(),
                    left: patch.clone(),
                    before,
                },
                request: Request::Patch {
                    target: target.clone(),
                    patch,
                },
            }],
            ..StepPlan::default()
        })
    }
}

/// Refuses the cordon that would leave too few nodes. Whoever cordoned the others counts the same, and so do nodes that
/// another response has claimed but that the snapshot does not show as cordoned yet.
fn keep_enough(live: &Node, all: &[Node], reserve: NodeReserve<'_>) -> Result<(), Refusal> {
    let is_claimed = |node: &Node| {
        node.metadata
            .uid
            .as_deref()
            .is_some_and(|uid| reserve.claimed.iter().any(|claimed| claimed.as_str() == uid))
    };
    let stays = |node: &&Node| node.metadata.uid != live.metadata.uid && node::takes_pods(node) && !is_claimed(node);
    let left = all.iter().filter(stays).count();
    let keep = reserve.keep.of(all.len());
    if left >= keep {
        return Ok(());
    }
    let detail = format!(
        "{left} of {} nodes would still take pods, and at least {keep} must",
        all.len()
    );
    Err(Refusal::new(RefusalReason::LastSchedulableNode, detail))
}
