//! The shared logic of `label` and `annotate`: entries of a metadata map are set or removed on any target.

use std::collections::BTreeMap;

use super::contract::{Action, ActionContext, ActionInfo, StepProblem};
use super::text::Text;
use crate::class::ActionClass;
use crate::object::Kind;
use crate::patch::{Change, Entry, EntryMap, Patch};
use crate::permission::Permission;
use crate::plan::StepPlan;
use crate::selector::Selector;
use crate::snapshot::Needs;
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

    /// Contain for a removal and for any label of a node: load balancers, exclusions and placement hang on them.
    fn class(&self, target: TargetKind) -> ActionClass {
        let is_label = self.map == EntryMap::Label;
        let removes = self.texts.values().any(Option::is_none);
        if is_label && (removes || target == TargetKind::Node) {
            ActionClass::Contain
        } else {
            self.info.class
        }
    }

    fn strongest_class(&self, target: TargetKind) -> ActionClass {
        if self.selects(target) {
            ActionClass::Contain
        } else {
            self.class(target)
        }
    }

    fn needs(&self, target: TargetKind) -> Needs {
        let selects = self.selects(target);
        Needs {
            services: selects,
            policies: selects,
            owners: selects,
            ..Needs::default()
        }
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
    fn plan(&self, context: &ActionContext<'_>) -> Result<StepPlan, StepProblem> {
        let mut notes = Vec::new();
        let current = self.current(context).unwrap_or_default();
        let mut changes: Vec<Change> = Vec::new();
        let noun = self.map.noun();
        for (key, text) in &self.texts {
            let value = match text {
                None => None,
                Some(text) => {
                    let Some(value) = text.resolve(context.alert, context.redactor, self.encode) else {
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
        let selected_by = self.selected_by(context);
        if let Some((key, author)) = &selected_by {
            notes.push(format!("the label {key} counts as Contain: {author} selects by it"));
        }
        Ok(StepPlan {
            notes,
            raised_to: selected_by.map(|_| ActionClass::Contain),
            ..step
        })
    }
}

impl Entries {
    /// Whether an entry may be one that Services, controllers and policies select by.
    fn selects(&self, target: TargetKind) -> bool {
        self.map == EntryMap::Label && target == TargetKind::Pod
    }

    /// A key of these labels by which something in the namespace selects pods, and what does.
    fn selected_by(&self, context: &ActionContext<'_>) -> Option<(&str, String)> {
        if !self.selects(context.target.kind()) {
            return None;
        }
        let snapshot = context.snapshot;
        let selects = |selector: &Selector| {
            let mut keys = selector.keys();
            keys.find_map(|key| self.texts.get_key_value(key).map(|(key, _)| key.as_str()))
        };
        let of_services = snapshot.services.found().into_iter().flatten().filter_map(|service| {
            let selector = Selector::of_map(service.spec.as_ref()?.selector.as_ref()?);
            Some((selector, "the Service", service.metadata.name.as_deref()))
        });
        let policies = snapshot
            .policies
            .found()
            .map(|policies| policies.network_policies.as_slice());
        let of_policies = policies.into_iter().flatten().filter_map(|policy| {
            let selector = Selector::of(policy.spec.as_ref()?.pod_selector.as_ref()?)?;
            Some((selector, "the NetworkPolicy", policy.metadata.name.as_deref()))
        });
        let owners = snapshot.owners.found().map(|chain| chain.owners.as_slice());
        let of_owners = owners.into_iter().flatten().filter_map(|owner| {
            let selector = Selector::of(owner.known()?.selector.as_ref()?)?;
            Some((selector, "the controller", Some(owner.name().as_str())))
        });
        let mut all = of_services.chain(of_policies).chain(of_owners);
        all.find_map(|(selector, noun, name)| {
            let key = selects(&selector)?;
            Some((key, format!("{noun} {}", name.unwrap_or_default().escape_debug())))
        })
    }

    fn current(&self, context: &ActionContext<'_>) -> Option<BTreeMap<String, String>> {
        let snapshot = context.snapshot;
        let metadata = match context.target {
            Target::Pod { .. } => &snapshot.pod.found()?.metadata,
            Target::Node { .. } => &snapshot.node.found()?.metadata,
            Target::Owner { .. } => {
                let owner = snapshot.owners.found()?.topmost()?.known()?;
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
