//! The end of one quarantine, as its playbook asks: the pod is released, deleted, or held.

use k8s_openapi::api::networking::v1::NetworkPolicy;
use responder_core::guard::{protected_by_labels, protected_by_name};
use responder_core::mode::{EffectiveMode, Mode, ModeSource, Permit};
use responder_core::object::{Namespace, ObjectRef, Uid};
use responder_core::own::{OnExpiry, QuarantinePolicy, QuarantineRecord};
use responder_core::port::{Cluster, ClusterReader, ReadError, Reply};
use responder_core::request::Request;

use crate::about::About;
use crate::lookup::{Lookup, lookup};
use crate::outcome::{RequestOutcome, UndoOutcome};
use crate::pipeline::shared::Shared;
use crate::quarantine_end::QuarantineEnd;
use crate::revert;
use crate::send::{RequestSender, SendOptions};
use crate::wait::WaitInPlace;

type ExpirySender<'a, C> = RequestSender<'a, C, WaitInPlace>;

/// Ends one quarantine.
pub(super) async fn end<C: Cluster, L>(
    shared: &Shared<C, L>,
    policy: &NetworkPolicy,
    uid: &Uid,
    record: &QuarantineRecord,
    about: &About,
) -> QuarantineEnd {
    let place =
        QuarantinePolicy::place(record).filter(|at| policy.metadata.name.as_deref() == Some(at.name().as_str()));
    let Some((at, namespace)) = place.and_then(|at| Some((at.clone(), at.namespace()?.clone()))) else {
        return QuarantineEnd::Held {
            because: format!("its policy is not named responder-quarantine-{}", record.incident),
        };
    };
    let isolates_its_pod_only = QuarantinePolicy::selects_only(policy, &record.incident);
    let policy = ObjectRef { at, uid: uid.clone() };
    let sender = RequestSender {
        cluster: &*shared.cluster,
        clock: &*shared.clock,
        wait: &WaitInPlace,
        sinks: &shared.sinks,
        about,
    };
    // To give back what was taken is no new action: no ceiling but that of the process stands against it.
    let permit = EffectiveMode::safest(shared.config.process_mode, &[]).permit();
    let seen = match lookup(&*shared.cluster, &record.pod).await {
        Ok(Lookup::Same(seen)) => seen,
        Ok(Lookup::Gone | Lookup::Replaced(_)) => {
            return remove(&sender, policy, &permit, QuarantineEnd::PodGone).await;
        }
        Err(error) => return failed(&error),
    };
    // Only the policy is left, and isolates no pod: the release was stopped before it deleted the policy, or the response
    // before it patched the pod.
    let is_released = isolates_its_pod_only && record.is_off(&seen.fields);
    if record.on_expiry == OnExpiry::Release && is_released {
        return remove(&sender, policy, &permit, QuarantineEnd::Released { left: Vec::new() }).await;
    }
    if let Some(because) = record.contradiction(&seen.fields) {
        return QuarantineEnd::Held { because };
    }
    match record.on_expiry {
        OnExpiry::Hold => QuarantineEnd::Held {
            because: "until a person ends it, as its playbook asks".to_owned(),
        },
        OnExpiry::Release => release(&sender, policy, record, &permit).await,
        // A deletion was asked for before. While the pod ends, perhaps for as long as its owner has written, it stays cut
        // off.
        OnExpiry::Delete if seen.is_ending() => QuarantineEnd::Deleted,
        OnExpiry::Delete => match may_delete(shared, &namespace).await {
            Ok(Ok(mode)) => delete(&sender, policy, record, &mode.permit()).await,
            Ok(Err(because)) => QuarantineEnd::Held { because },
            Err(error) => failed(&error),
        },
    }
}

fn failed(error: &ReadError) -> QuarantineEnd {
    QuarantineEnd::Failed {
        because: error.to_string(),
    }
}

/// Gives the pod its labels back, and removes the policy.
async fn release<C: Cluster>(
    sender: &ExpirySender<'_, C>,
    policy: ObjectRef,
    record: &QuarantineRecord,
    permit: &Permit,
) -> QuarantineEnd {
    let left = match revert::restore(sender, &record.pod, &record.pod_patch(), permit).await {
        UndoOutcome::PartlyUndone { left } => left,
        UndoOutcome::Undone | UndoOutcome::Nothing { .. } | UndoOutcome::Irreversible { .. } => Vec::new(),
        UndoOutcome::Failed { because } => return QuarantineEnd::Failed { because },
    };
    remove(sender, policy, permit, QuarantineEnd::Released { left }).await
}

/// Deletes the pod; the policy stays until the pod is gone.
async fn delete<C: Cluster>(
    sender: &ExpirySender<'_, C>,
    policy: ObjectRef,
    record: &QuarantineRecord,
    permit: &Permit,
) -> QuarantineEnd {
    let request = Request::Delete {
        target: record.pod.clone(),
        grace_seconds: None,
    };
    match sender.send(&request, permit, SendOptions::expiry()).await.outcome {
        RequestOutcome::Done {
            reply: Reply::Terminating,
        } => QuarantineEnd::Deleted,
        RequestOutcome::Done { .. } => remove(sender, policy, permit, QuarantineEnd::Deleted).await,
        RequestOutcome::TargetGone { .. } | RequestOutcome::TargetReplaced { .. } => {
            remove(sender, policy, permit, QuarantineEnd::PodGone).await
        }
        other => QuarantineEnd::Failed {
            because: other.to_string(),
        },
    }
}

/// Removes the policy, as the last act of this end.
async fn remove<C: Cluster>(
    sender: &ExpirySender<'_, C>,
    policy: ObjectRef,
    permit: &Permit,
    end: QuarantineEnd,
) -> QuarantineEnd {
    match revert::delete(sender, policy, permit).await {
        UndoOutcome::Failed { because } => QuarantineEnd::Failed { because },
        _ => end,
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
    let mode = EffectiveMode::safest(shared.config.process_mode, &[ceiling]);
    if mode.mode() == Mode::Enforce {
        return Ok(Ok(mode));
    }
    Ok(Err(format!(
        "deleting it would be {} now, by {}",
        mode.mode(),
        mode.set_by()
    )))
}
