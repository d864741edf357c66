//! What `label` and `annotate` share: entries of a metadata map that are set, replaced or removed on any target.

use std::collections::BTreeMap;

use super::{ActionContext, Text};
use crate::object::Kind;
use crate::permission::Permission;
use crate::plan::{Expectation, PlannedRequest, StepPlan, Undo};
use crate::request::{MergePatch, Request};
use crate::target::{Target, TargetKind};

/// Which map of the metadata.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Map {
    Labels,
    Annotations,
}

impl Map {
    const fn noun(self) -> &'static str {
        match self {
            Self::Labels => "label",
            Self::Annotations => "annotation",
        }
    }

    fn patch(self, entries: BTreeMap<String, Option<String>>) -> MergePatch {
        match self {
            Self::Labels => MergePatch {
                labels: entries,
                ..MergePatch::default()
            },
            Self::Annotations => MergePatch {
                annotations: entries,
                ..MergePatch::default()
            },
        }
    }
}

/// One patch with the entries that are not already so, and the patch that gives back what was there.
pub(super) fn plan(
    map: Map,
    entries: &BTreeMap<String, Option<Text>>,
    encode: fn(&str) -> String,
    context: &ActionContext<'_>,
) -> StepPlan {
    let mut step = StepPlan::default();
    let current = current(map, context).unwrap_or_default();
    let mut wanted = BTreeMap::new();
    for (key, text) in entries {
        let value = match text {
            None => None,
            Some(text) => {
                let Some(value) = text.resolve(context.alert, encode) else {
                    step.notes.push(format!(
                        "the {} {key} is left out: the alert does not carry its field",
                        map.noun()
                    ));
                    continue;
                };
                Some(value)
            }
        };
        if current.get(key) == value.as_ref() {
            step.notes.push(format!("the {} {key} is already so", map.noun()));
        } else {
            wanted.insert(key.clone(), value);
        }
    }
    if wanted.is_empty() {
        return step;
    }
    let before = wanted
        .keys()
        .map(|key| (key.clone(), current.get(key).cloned()))
        .collect();
    let (target, patch) = (context.target.object().clone(), map.patch(wanted));
    step.expects.push(Expectation::Patched {
        target: target.clone(),
        patch: patch.clone(),
    });
    step.requests.push(PlannedRequest {
        undo: Undo::Restore {
            target: target.clone(),
            left: patch.clone(),
            before: map.patch(before),
        },
        request: Request::Patch { target, patch },
    });
    step
}

fn current(map: Map, context: &ActionContext<'_>) -> Option<BTreeMap<String, String>> {
    let snapshot = context.snapshot;
    let metadata = match context.target {
        Target::Pod { .. } => &snapshot.pod.found()?.metadata,
        Target::Node { .. } => &snapshot.node.found()?.metadata,
        Target::Owner { .. } => {
            let owner = snapshot.owners.found()?.topmost()?;
            return Some(match map {
                Map::Labels => owner.labels.clone(),
                Map::Annotations => owner.annotations.clone(),
            });
        }
    };
    match map {
        Map::Labels => metadata.labels.clone(),
        Map::Annotations => metadata.annotations.clone(),
    }
}

/// The rights to patch the metadata of a target.
pub(super) fn permissions(target: TargetKind) -> Vec<Permission> {
    match target {
        TargetKind::Pod => vec![Permission::on(Kind::Pod, "patch")],
        TargetKind::Node => vec![Permission::on(Kind::Node, "patch")],
        TargetKind::Owner => Kind::OWNERS.map(|kind| Permission::on(kind, "patch")).into(),
    }
}
