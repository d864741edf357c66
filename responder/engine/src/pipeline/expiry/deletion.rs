//! The deletion of a pod at the end of its quarantine: as strong as any other, so the guard of today has its say, and it
//! takes a slot of the budgets.

use k8s_openapi::api::core::v1::Pod;
use responder_core::action::PodRemoval;
use responder_core::decide::end_claim;
use responder_core::guard::{LedgerView, protected_by_labels, protected_by_name};
use responder_core::mode::{EffectiveMode, Mode, ModeSource};
use responder_core::object::{Namespace, ObjectRef};
use responder_core::own::QuarantineRecord;
use responder_core::port::{Cluster, ClusterReader, Ledger, ReadError, Reply};
use responder_core::request::Request;
use serde::Deserialize as _;

use super::close::{ExpirySender, failed, remove};
use crate::lookup::LiveObject;
use crate::outcome::RequestOutcome;
use crate::pipeline::reserve::reserve;
use crate::pipeline::shared::Shared;
use crate::quarantine_end::QuarantineEnd;
use crate::send::SendOptions;

/// Deletes the pod; the policies stay until the pod is gone. A pod that ends already is deleted again only if its end is
/// further away than the guard's `maxGrace`.
pub(super) async fn delete<C: Cluster, L: Ledger>(
    shared: &Shared<C, L>,
    sender: &ExpirySender<'_, C>,
    policy: ObjectRef,
    record: &QuarantineRecord,
    namespace: &Namespace,
    seen: &LiveObject,
) -> QuarantineEnd {
    let guard = &shared.rules.guard;
    let now = shared.clock.now();
    let live = match Pod::deserialize(&*seen.fields) {
        Ok(live) => live,
        Err(error) => {
            let because = format!("the pod can't be read: {error}");
            return QuarantineEnd::Failed { because };
        }
    };
    let grace_seconds = match PodRemoval::of(None, &live, now, guard.max_grace) {
        PodRemoval::Sent { grace_seconds, .. } => grace_seconds,
        PodRemoval::Ending { .. } => return QuarantineEnd::Deleted,
    };
    let mode = match may_delete(shared, namespace).await {
        Ok(Ok(mode)) => mode,
        Ok(Err(because)) => return QuarantineEnd::Held { because },
        Err(error) => return failed(&error),
    };
    let limits = shared.loaded(&record.playbook).map(|playbook| &playbook.limits);
    let claim = |view: &LedgerView| end_claim(guard, view, record, limits, now);
    let claim = match reserve(shared, claim).await {
        Ok(claim) => claim,
        Err(refusal) => {
            let because = refusal.to_string();
            return QuarantineEnd::Held { because };
        }
    };
    let request = Request::Delete {
        target: record.pod.clone(),
        grace_seconds,
    };
    let outcome = sender
        .send(&request, &mode.permit(), SendOptions::expiry())
        .await
        .outcome;
    if outcome.is_certainly_nothing() {
        shared.refund(claim, &record.incident).await;
    }
    match outcome {
        RequestOutcome::Done {
            reply: Reply::Terminating,
        } => QuarantineEnd::Deleted,
        RequestOutcome::Done { .. } => remove(sender, policy, record, &mode.permit(), QuarantineEnd::Deleted).await,
        RequestOutcome::TargetGone { .. } | RequestOutcome::TargetReplaced { .. } => {
            remove(sender, policy, record, &mode.permit(), QuarantineEnd::PodGone).await
        }
        other => QuarantineEnd::Failed {
            because: other.to_string(),
        },
    }
}

/// Whether a pod of this namespace may be deleted at the end of its time, or what stands against it: that is as strong as
/// any other deletion, so the guard of today has its say.
async fn may_delete<C: ClusterReader, L>(
    shared: &Shared<C, L>,
    namespace: &Namespace,
) -> Result<Result<EffectiveMode, String>, ReadError> {
    let guard = &shared.rules.guard;
    if let Some(why) = protected_by_name(guard, shared.config.own.namespace.as_ref(), namespace) {
        return Ok(Err(why));
    }
    let mut ceiling = (ModeSource::Guard, guard.mode);
    if !guard.namespaces.is_empty() || !guard.protect.selectors.is_empty() {
        let Some(live) = shared.cluster.namespace(namespace).await? else {
            return Ok(Err(format!("the namespace {namespace} is not there")));
        };
        if let Some(why) = protected_by_labels(guard, &live) {
            return Ok(Err(why));
        }
        let labels = live.metadata.labels.clone().unwrap_or_default();
        if let Some(entry) = guard.namespaces.iter().find(|entry| entry.selector.matches(&labels)) {
            ceiling = (ModeSource::GuardNamespace, entry.mode);
        }
    }
    let mode = EffectiveMode::safest(shared.config.process_mode, ceiling, &[]);
    if mode.mode() == Mode::Enforce {
        return Ok(Ok(mode));
    }
    Ok(Err(format!(
        "deleting it would be {} now, by {}",
        mode.mode(),
        mode.set_by()
    )))
}
