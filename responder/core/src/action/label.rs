//! The action `label`: sets or removes labels of the target.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::contract::{Action, ActionDoc, ActionInfo, ActionProblem};
use super::entries::{Entries, TARGETS, UNDO};
use super::text::{TextDoc, compile_entries, label_safe};
use crate::class::ActionClass;
use crate::patch::EntryMap;
use crate::request::Verb;

/// Sets or removes labels of the target.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LabelDoc {
    /// The labels, by key. `null` removes the entry; `{field: proc.name}` takes the value from the alert.
    pub labels: BTreeMap<String, Option<TextDoc>>,
}

impl ActionDoc for LabelDoc {
    const INFO: ActionInfo = ActionInfo {
        name: "label",
        summary: "Sets or removes labels of the target.",
        class: ActionClass::Annotate,
        targets: TARGETS,
        verbs: &[Verb::Patch],
        undo: UNDO,
        example: "label: {labels: {incident: under-investigation, process: {field: proc.name}}}",
        widened_by: &[],
    };

    fn compile(&self) -> Result<Box<dyn Action>, ActionProblem> {
        Ok(Box::new(Entries {
            info: &Self::INFO,
            map: EntryMap::Label,
            texts: compile_entries("labels", &self.labels, check_value)?,
            encode: label_safe,
        }))
    }
}

fn check_value(text: &str) -> Result<(), String> {
    if text.is_empty() || label_safe(text) == text {
        return Ok(());
    }
    Err(format!(
        "`{}` is not a label value: at most 63 letters, digits, `-`, `_` and `.`, with a letter or digit at both ends",
        text.escape_debug()
    ))
}
