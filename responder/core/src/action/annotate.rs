//! The action `annotate`: sets or removes annotations of the target.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::contract::{Action, ActionDoc, ActionInfo, ActionProblem};
use super::entries::{Entries, TARGETS, UNDO};
use super::text::{TextDoc, annotation_safe, compile_entries};
use crate::class::ActionClass;
use crate::patch::EntryMap;
use crate::request::Verb;

/// Sets or removes annotations of the target.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AnnotateDoc {
    /// The annotations, by key. `null` removes the entry; `{field: proc.name}` takes the value from the alert.
    pub annotations: BTreeMap<String, Option<TextDoc>>,
}

impl ActionDoc for AnnotateDoc {
    const INFO: ActionInfo = ActionInfo {
        name: "annotate",
        summary: "Sets or removes annotations of the target.",
        class: ActionClass::Annotate,
        targets: TARGETS,
        verbs: &[Verb::Patch],
        undo: UNDO,
        example: "annotate: {annotations: {incident: under-investigation, process: {field: proc.name}}}",
        widened_by: &[],
    };

    fn compile(&self) -> Result<Box<dyn Action>, ActionProblem> {
        Ok(Box::new(Entries {
            info: &Self::INFO,
            map: EntryMap::Annotation,
            texts: compile_entries("annotations", &self.annotations, check_value)?,
            encode: annotation_safe,
        }))
    }
}

/// The longest value, in bytes. Kubernetes limits all annotations of an object together to 256 KiB.
const LONGEST: usize = 4096;

fn check_value(text: &str) -> Result<(), String> {
    if text.len() <= LONGEST {
        Ok(())
    } else {
        Err(format!("the value has {} bytes, the most is {LONGEST}", text.len()))
    }
}
