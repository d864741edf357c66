//! The action `annotate`: sets or removes annotations of the target.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::entries::{self, Map};
use super::text::{annotation_safe, compile_entries};
use super::{Action, ActionContext, ActionInfo, ActionProblem, Text, TextDoc};
use crate::class::ActionClass;
use crate::permission::Permission;
use crate::plan::StepPlan;
use crate::refusal::Refusal;
use crate::request::Verb;
use crate::target::TargetKind;

/// Sets or removes annotations of the target.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AnnotateDoc {
    /// The annotations, by key. A null value removes the entry; `{field: proc.name}` takes it from the alert.
    pub annotations: BTreeMap<String, Option<TextDoc>>,
}

impl AnnotateDoc {
    pub(super) const INFO: ActionInfo = ActionInfo {
        name: "annotate",
        summary: "Sets or removes annotations of the target.",
        class: ActionClass::Annotate,
        targets: TARGETS,
        verbs: &[Verb::Patch],
        undo: "gives back the entries that nobody has changed since",
        example: "annotate: {annotations: {incident: under-investigation, process: {field: proc.name}}}",
        widened_by: &[],
    };

    pub(super) fn compile(&self) -> Result<Annotate, ActionProblem> {
        let annotations = compile_entries("annotations", &self.annotations, check_value)?;
        Ok(Annotate { annotations })
    }
}

const TARGETS: &[TargetKind] = &[TargetKind::Pod, TargetKind::Owner, TargetKind::Node];

/// Kubernetes bounds all annotations of an object together at 256 KiB; one entry of ours stays far below that.
const LONGEST: usize = 4096;

fn check_value(text: &str) -> Result<(), String> {
    if text.len() <= LONGEST {
        Ok(())
    } else {
        Err(format!("the value has {} bytes, the most is {LONGEST}", text.len()))
    }
}

/// `annotate`, compiled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Annotate {
    annotations: BTreeMap<String, Option<Text>>,
}

impl Action for Annotate {
    fn name(&self) -> &'static str {
        AnnotateDoc::INFO.name
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
        Ok(entries::plan(
            Map::Annotations,
            &self.annotations,
            annotation_safe,
            context,
        ))
    }
}
