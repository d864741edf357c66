//! The action `label`: sets or removes labels of the target.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::entries::{self, Map};
use super::text::{compile_entries, label_safe};
use super::{Action, ActionContext, ActionInfo, ActionProblem, Text, TextDoc};
use crate::class::ActionClass;
use crate::permission::Permission;
use crate::plan::StepPlan;
use crate::refusal::Refusal;
use crate::request::Verb;
use crate::target::TargetKind;

/// Sets or removes labels of the target.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LabelDoc {
    /// The labels, by key. A null value removes the entry; `{field: proc.name}` takes it from the alert.
    pub labels: BTreeMap<String, Option<TextDoc>>,
}

impl LabelDoc {
    pub(super) const INFO: ActionInfo = ActionInfo {
        name: "label",
        summary: "Sets or removes labels of the target.",
        class: ActionClass::Annotate,
        targets: TARGETS,
        verbs: &[Verb::Patch],
        undo: "gives back the entries that nobody has changed since",
        example: "label: {labels: {incident: under-investigation, process: {field: proc.name}}}",
        widened_by: &[],
    };

    pub(super) fn compile(&self) -> Result<Label, ActionProblem> {
        let labels = compile_entries("labels", &self.labels, check_value)?;
        Ok(Label { labels })
    }
}

const TARGETS: &[TargetKind] = &[TargetKind::Pod, TargetKind::Owner, TargetKind::Node];

fn check_value(text: &str) -> Result<(), String> {
    if text.is_empty() || label_safe(text) == text {
        return Ok(());
    }
    Err(format!(
        "`{}` is not a label value: at most 63 letters, digits, `-`, `_` and `.`, with a letter or digit at both ends",
        text.escape_debug()
    ))
}

/// `label`, compiled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label {
    labels: BTreeMap<String, Option<Text>>,
}

impl Action for Label {
    fn name(&self) -> &'static str {
        LabelDoc::INFO.name
    }

    fn class(&self) -> ActionClass {
        ActionClass::Annotate
    }

    fn targets(&self) -> &'static [TargetKind] {
        TARGETS
    }

    fn permissions(&self, target: TargetKind) -> Vec<Permission> {
        entries::permissions(target)
    }

    fn plan(&self, context: &ActionContext<'_>) -> Result<StepPlan, Refusal> {
        Ok(entries::plan(Map::Labels, &self.labels, label_safe, context))
    }
}
