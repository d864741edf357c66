//! The shared logic of `label` and `annotate`: entries of a metadata map are set or removed on any target.

use std::collections::BTreeMap;

use super::contract::{Action, ActionContext, ActionInfo};
use super::text::Text;
use crate::object::Kind;
use crate::patch::{Change, Entry, EntryMap, Patch};
use crate::permission::Permission;
use crate::plan::StepPlan;
use crate::refusal::Refusal;
use crate::target::{Target, TargetKind};

/// The kinds of target that both accept.
pub(super) const TARGETS: &[TargetKind] = &[TargetKind::Pod, TargetKind::Owner, TargetKind::Node];

/// The undo of both.
pub(super) const UNDO: &str = "restores the entries that have not changed since";

/// `label` or `annotate`, compiled.
#[derive(Debug)]
pub(super) struct Entries {
    pub(super) info: &'static ActionInfo,
    pub(super) map: EntryMap,
    pub(super) texts: BTreeMap<String, Option<Text>>,
    /// Encodes alert text for this map.
    pub(super) encode: fn(&str) -> String,
}

impl Action for Entries {
    fn info(&self) -> &'static ActionInfo {
        self.info
    }

    fn permissions(&self, target: TargetKind) -> Vec<Permission> {
        let kinds: &[Kind] = match target {
            TargetKind::Pod => &[Kind::Pod],
            TargetKind::Owner => &Kind::OWNERS,
            TargetKind::Node => &[Kind::Node],
        };
        kinds.iter().map(|&kind| Permission::on(kind, "patch")).collect()
    }

    /// Plans one patch with the entries that differ from the live ones.
    fn plan(&self, context: &ActionContext<'_>) -> Result<StepPlan, Refusal> {
        let mut notes = Vec::new();
        let current = self.current(context).unwrap_or_default();
        let mut changes: Vec<Change> = Vec::new();
        let noun = self.map.noun();
        for (key, text) in &self.texts {
            let value = match text {
                None => None,
                Some(text) => {
                    let Some(value) = text.resolve(context.alert, self.encode) else {
                        notes.push(format!(
                            "the {noun} {key} is left out: the alert does not carry its field"
                        ));
                        continue;
                    };
                    Some(value)
                }
            };
            let before = current.get(key);
            if before == value.as_ref() {
                notes.push(format!("the {noun} {key} is already so"));
            } else {
                changes.push(Entry::new(self.map, key, value, before.cloned()).into());
            }
        }
        let step = if changes.is_empty() {
            StepPlan::default()
        } else {
            StepPlan::patching(context.target.object(), Patch::new(changes))
        };
        Ok(StepPlan { notes, ..step })
    }
}

impl Entries {
    fn current(&self, context: &ActionContext<'_>) -> Option<BTreeMap<String, String>> {
        let snapshot = context.snapshot;
        let metadata = match context.target {
            Target::Pod { .. } => &snapshot.pod.found()?.metadata,
            Target::Node { .. } => &snapshot.node.found()?.metadata,
            Target::Owner { .. } => {
                let owner = snapshot.owners.found()?.topmost()?;
                return Some(match self.map {
                    EntryMap::Label => owner.labels.clone(),
                    EntryMap::Annotation => owner.annotations.clone(),
                });
            }
        };
        match self.map {
            EntryMap::Label => metadata.labels.clone(),
            EntryMap::Annotation => metadata.annotations.clone(),
        }
    }
}
