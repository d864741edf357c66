//! The end of one quarantine, as its playbook asks: the pod is released, deleted, or held.

use k8s_openapi::api::networking::v1::NetworkPolicy;
use responder_core::mode::Permit;
use responder_core::object::{ObjectRef, Uid};
use responder_core::own::{OnExpiry, QuarantinePolicy, QuarantineRecord};
use responder_core::port::{Cluster, Ledger};

use super::close::{ExpirySender, failed, remove};
use super::deletion::delete;
use crate::about::About;
use crate::lookup::{Lookup, lookup};
use crate::outcome::UndoOutcome;
use crate::pipeline::shared::Shared;
use crate::quarantine_end::QuarantineEnd;
use crate::revert;
use crate::send::RequestSender;
use crate::wait::WaitInPlace;

/// Ends one quarantine.
pub(super) async fn end<C: Cluster, L: Ledger>(
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
    let permit = Permit::to_give_back(shared.config.process_mode);
    let seen = match lookup(&*shared.cluster, &record.pod).await {
        Ok(Lookup::Same(seen)) => seen,
        Ok(Lookup::Gone | Lookup::Replaced(_)) => {
            return remove(&sender, policy, record, &permit, QuarantineEnd::PodGone).await;
        }
        Err(error) => return failed(&error),
    };
    // Only the policy is left, and isolates no pod: the release was stopped before it deleted the policy, or the response
    // before it patched the pod.
    let is_released = isolates_its_pod_only && record.is_off(&seen.fields);
    if record.on_expiry == OnExpiry::Release && is_released {
        return remove(
            &sender,
            policy,
            record,
            &permit,
            QuarantineEnd::Released { left: Vec::new() },
        )
        .await;
    }
    if let Some(because) = record.contradiction(&seen.fields) {
        return QuarantineEnd::Held { because };
    }
    match record.on_expiry {
        OnExpiry::Hold => QuarantineEnd::Held {
            because: "until a person ends it, as its playbook asks".to_owned(),
        },
        OnExpiry::Release => release(&sender, policy, record, &permit).await,
        OnExpiry::Delete => delete(shared, &sender, policy, record, &namespace, &seen).await,
    }
}

/// Gives the pod its labels back, and removes the policies.
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
    remove(sender, policy, record, permit, QuarantineEnd::Released { left }).await
}
