//! The mode of a response: the safest of its settings and ceilings.

use super::context::Context;
use crate::mode::{EffectiveMode, ModeSource};
use crate::snapshot::Snapshot;
use crate::target::Target;
use crate::trace::{CheckName, Trace};

/// The safest mode of all settings.
pub(super) fn mode(context: &Context<'_>, snapshot: &Snapshot, target: &Target, trace: &mut Trace) -> EffectiveMode {
    let labels = snapshot
        .namespace
        .found()
        .filter(|_| target.at().namespace().is_some())
        .map(|live| live.metadata.labels.clone().unwrap_or_default());
    let rollout = labels.as_ref().and_then(|labels| {
        context
            .playbook
            .rollout
            .iter()
            .find(|entry| entry.namespaces.matches(labels))
    });
    let ceiling = labels.as_ref().and_then(|labels| {
        context
            .guard
            .namespaces
            .iter()
            .find(|entry| entry.selector.matches(labels))
    });
    let playbook = rollout.map_or((ModeSource::Playbook, context.playbook.mode), |entry| {
        (ModeSource::Rollout, entry.mode)
    });
    let guard = ceiling.map_or((ModeSource::Guard, context.guard.mode), |entry| {
        (ModeSource::GuardNamespace, entry.mode)
    });
    let mode = EffectiveMode::safest(context.process_mode, &[playbook, guard]);
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
