//! The mode of a response: the safest of its settings and ceilings.

use std::collections::BTreeMap;

use super::context::Context;
use crate::mode::{EffectiveMode, ModeCeiling, ModeSource};
use crate::selector::Selector;
use crate::snapshot::Snapshot;
use crate::target::Target;
use crate::trace::{CheckName, Trace};

/// The safest mode of all settings. A namespace that was not read, or that is not there, may be any: the lowest mode that an
/// entry could give it counts, so a lost read raises none.
pub(super) fn mode(context: &Context<'_>, snapshot: &Snapshot, target: &Target, trace: &mut Trace) -> EffectiveMode {
    let (playbook, guard) = (context.playbook, context.guard);
    let labels = match (target.at().namespace(), snapshot.namespace.found()) {
        (None, _) => NamespaceLabels::None,
        (Some(_), None) => NamespaceLabels::Unread,
        (Some(_), Some(live)) => NamespaceLabels::Read(live.metadata.labels.clone().unwrap_or_default()),
    };
    let rollout = playbook.rollout.iter().map(|entry| (&entry.namespaces, entry.mode));
    let playbook = labels.ceiling(
        (ModeSource::Playbook, playbook.mode),
        rollout.map(|(selector, mode)| (selector, (ModeSource::Rollout, mode))),
    );
    let namespaces = guard.namespaces.iter().map(|entry| (&entry.selector, entry.mode));
    let guard = labels.ceiling(
        (ModeSource::Guard, guard.mode),
        namespaces.map(|(selector, mode)| (selector, (ModeSource::GuardNamespace, mode))),
    );
    let mode = EffectiveMode::safest(context.process_mode, playbook, &[guard]);
    trace.passed(
        CheckName::Mode,
        format!(
            "{} by {} ({}: {}, {}: {}, process: {})",
            mode.mode(),
            mode.set_by(),
            playbook.0,
            playbook.1,
            guard.0,
            guard.1,
            context.process_mode
        ),
    );
    mode
}

/// The labels of the target's namespace.
enum NamespaceLabels {
    /// The target is in no namespace: entries for namespaces are not about it.
    None,
    /// They are not known.
    Unread,
    /// As read.
    Read(BTreeMap<String, String>),
}

impl NamespaceLabels {
    /// The ceiling of the first entry that selects the namespace, or else `plain`; of a namespace that was not read the
    /// lowest of all.
    fn ceiling<'s>(
        &self,
        plain: ModeCeiling,
        entries: impl Iterator<Item = (&'s Selector, ModeCeiling)>,
    ) -> ModeCeiling {
        let mut entries = entries;
        match self {
            Self::None => plain,
            Self::Unread => {
                entries.map(|(_, ceiling)| ceiling).fold(
                    plain,
                    |lowest, ceiling| if ceiling.1 < lowest.1 { ceiling } else { lowest },
                )
            }
            Self::Read(labels) => entries
                .find(|(selector, _)| selector.matches(labels))
                .map_or(plain, |(_, ceiling)| ceiling),
        }
    }
}
