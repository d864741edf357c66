//! The end of a quarantine's time. Step of the flow: revert.
//!
//! Everything that is needed stands on the policy, so a restart loses nothing: whoever comes later reads it and goes on.
//! What stands there is checked against the pod before anything is touched, because a tenant who may write
//! NetworkPolicies could write one that looks like ours and have us relabel or delete a pod for them: the pod must wear
//! the incident's label, and what is given back must be what the pod itself has recorded.

use std::collections::{BTreeMap, HashSet};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use k8s_openapi::api::networking::v1::NetworkPolicy;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use responder_core::action::{OnExpiry, QuarantineRecord};
use responder_core::guard::{QUARANTINE_LABEL, protected_by_labels, protected_by_name};
use responder_core::mode::{EffectiveMode, Mode, ModeSource, Permit};
use responder_core::notify::NotifyMoment;
use responder_core::object::{Kind, Locator, Name, Namespace, ObjectRef, Uid};
use responder_core::port::{Cluster, ClusterReader, Ledger, ReadError, Reply};
use responder_core::request::Request;
use tracing::Instrument as _;

use super::shared::Shared;
use crate::about::About;
use crate::audit::{AuditRecord, Trail};
use crate::lookup::{LiveObject, Lookup, lookup};
use crate::outcome::{RequestOutcome, UndoOutcome};
use crate::quarantine_end::QuarantineEnd;
use crate::queue::TargetKey;
use crate::revert;
use crate::send::{RequestSender, Until};
use crate::settle;
use crate::spans;
use crate::wait::WaitInPlace;

/// How long the end of a quarantine waits for a response that is at work on the same pod; then it comes again.
const KEY_PATIENCE: Duration = Duration::from_secs(30);

/// What was reported already, by the policy's uid, so that a quarantine that stays is reported once in the life of this
/// process and not with every look.
type Reported = BTreeMap<Uid, &'static str>;

/// Looks at once and then in turn, until the engine stops.
pub(super) async fn watch<C, L>(shared: Arc<Shared<C, L>>)
where
    C: Cluster,
    L: Ledger,
{
    let mut reported = Reported::new();
    let looks = async {
        loop {
            // One panic must not be the end of all ends.
            let sweep = AssertUnwindSafe(sweep(&shared, &mut reported)).catch_unwind().await;
            if sweep.is_err() {
                shared.accounting.panicked();
                tracing::error!("a look for quarantines whose time is over panicked: a defect of responder");
            }
            tokio::time::sleep(shared.config.expiry_interval).await;
        }
    };
    tokio::select! {
        () = shared.stop.cancelled() => {}
        () = looks => {}
    }
}

/// Ends every quarantine whose time is over.
pub(super) async fn sweep<C, L>(shared: &Arc<Shared<C, L>>, reported: &mut Reported)
where
    C: Cluster,
    L: Ledger,
{
    let policies = match shared.ports.cluster.network_policies_labelled(QUARANTINE_LABEL).await {
        Ok(policies) => policies,
        Err(error) => {
            tracing::warn!(%error, "could not look for quarantines whose time is over; trying again");
            return;
        }
    };
    let present: HashSet<&str> = policies
        .iter()
        .filter_map(|policy| policy.metadata.uid.as_deref())
        .collect();
    reported.retain(|uid, _| present.contains(uid.as_str()));
    for policy in &policies {
        let Some(uid) = policy.metadata.uid.as_deref().and_then(Uid::new) else {
            continue;
        };
        let record = match QuarantineRecord::of(policy) {
            Some(Ok(record)) => record,
            Some(Err(problem)) => {
                if reported.insert(uid, "unreadable") != Some("unreadable") {
                    tracing::warn!(%problem, "a quarantine can't be ended");
                }
                continue;
            }
            None => continue,
        };
        if record.expires_at.is_none_or(|end| end > shared.ports.clock.now()) {
            continue;
        }
        if reported.get(&uid) == Some(&"held") && record.on_expiry == OnExpiry::Hold {
            continue;
        }
        let span = spans::expiry(&about(shared, &record));
        let end = held_while(shared, &record, end(shared, policy, &uid, &record));
        let Some(end) = end.instrument(span.clone()).await else {
            continue;
        };
        span.record("responder.outcome", end.as_str());
        // The pod that was deleted has ended, and its policy is gone with it: that was told when it began.
        if end == QuarantineEnd::PodGone && reported.get(&uid) == Some(&QuarantineEnd::Deleted.as_str()) {
            continue;
        }
        // What stays as it is is told once.
        if reported.insert(uid, end.as_str()) == Some(end.as_str()) {
            continue;
        }
        span.in_scope(|| report(shared, &record, &end));
    }
}

/// Does something while the pod's key is held; `None` where a response was at work on the pod for too long, or where it
/// panicked: then it is counted, and the key is free again.
async fn held_while<C, L, T>(
    shared: &Arc<Shared<C, L>>,
    record: &QuarantineRecord,
    task: impl Future<Output = T>,
) -> Option<T>
where
    C: Cluster,
    L: Ledger,
{
    let key = TargetKey::Pod(record.pod.at.namespace()?.clone(), record.pod.at.name().clone());
    let waiting = shared.queue().work.hold(&key);
    if let Some(mut woken) = waiting
        && tokio::time::timeout(KEY_PATIENCE, &mut woken).await.is_err()
    {
        woken.close();
        // It may have come in the last moment.
        if woken.try_recv().is_err() {
            return None;
        }
    }
    let done = AssertUnwindSafe(task).catch_unwind().await;
    shared.queue().work.release(&key);
    shared.dispatch();
    done.inspect_err(|_| {
        shared.accounting.panicked();
        tracing::error!(
            incident = record.incident,
            "the end of a quarantine panicked: a defect of responder"
        );
    })
    .ok()
}

fn report<C, L>(shared: &Arc<Shared<C, L>>, record: &QuarantineRecord, end: &QuarantineEnd)
where
    C: Cluster,
    L: Ledger,
{
    shared.accounting.expired(end.as_str());
    let playbook = shared.loaded(&record.playbook);
    let pod = record.pod.at.to_string();
    if let Some(playbook) = playbook {
        let message = format!("the time of quarantine {} is over: {end}", record.incident);
        settle::tell(
            &*shared.ports.notifier,
            playbook,
            NotifyMoment::Expired,
            Some(&pod),
            &message,
        );
    }
    shared.ports.audit.write(&AuditRecord::Expired {
        at: shared.ports.clock.now(),
        about: about(shared, record),
        pod,
        end: end.clone(),
    });
}

fn about<C, L>(shared: &Shared<C, L>, record: &QuarantineRecord) -> About {
    About {
        incident: Some(record.incident.clone()),
        target: Some(record.pod.at.to_string()),
        target_uid: Some(record.pod.uid.clone()),
        mode: Some(shared.config.process_mode),
        ..shared.about_named(record.playbook.clone())
    }
}

/// Ends one quarantine.
async fn end<C, L>(
    shared: &Arc<Shared<C, L>>,
    policy: &NetworkPolicy,
    uid: &Uid,
    record: &QuarantineRecord,
) -> QuarantineEnd
where
    C: Cluster,
    L: Ledger,
{
    let Some((namespace, at)) = place(policy, record) else {
        return QuarantineEnd::Held {
            because: "its policy has not the name that we give".to_owned(),
        };
    };
    let selector = policy.spec.as_ref().and_then(|spec| spec.pod_selector.as_ref());
    let policy = ObjectRef { at, uid: uid.clone() };
    let cluster = &*shared.ports.cluster;
    let about = about(shared, record);
    let sender = RequestSender {
        cluster,
        clock: &*shared.ports.clock,
        wait: &WaitInPlace,
        accounting: &shared.accounting,
        trail: Some(Trail {
            audit: &*shared.ports.audit,
            about: &about,
        }),
    };
    // To give back what we took is no new action: no ceiling but that of the process stands against it.
    let permit = EffectiveMode::safest(shared.config.process_mode, &[]).permit();
    let seen = match lookup(cluster, &record.pod).await {
        Ok(Lookup::Same(seen)) => seen,
        Ok(Lookup::Gone | Lookup::Replaced(_)) => {
            return remove(&sender, policy, &permit, QuarantineEnd::PodGone).await;
        }
        Err(error) => {
            return QuarantineEnd::Failed {
                because: error.to_string(),
            };
        }
    };
    if record.on_expiry == OnExpiry::Release && is_released(&seen, selector, record) {
        return remove(&sender, policy, &permit, QuarantineEnd::Released { left: Vec::new() }).await;
    }
    if let Some(because) = contradiction(&seen, record) {
        return QuarantineEnd::Held { because };
    }
    match record.on_expiry {
        OnExpiry::Hold => QuarantineEnd::Held {
            because: "until a person ends it, as its playbook asks".to_owned(),
        },
        OnExpiry::Release => {
            let (left, before) = record.pod_patch();
            match revert::restore(&sender, &record.pod, &left, &before, &permit).await {
                UndoOutcome::PartlyUndone { left } => {
                    remove(&sender, policy, &permit, QuarantineEnd::Released { left }).await
                }
                UndoOutcome::Undone | UndoOutcome::Nothing { .. } | UndoOutcome::Irreversible { .. } => {
                    remove(&sender, policy, &permit, QuarantineEnd::Released { left: Vec::new() }).await
                }
                UndoOutcome::Failed { because } => QuarantineEnd::Failed { because },
            }
        }
        // It was asked for before. While it ends, perhaps for as long as its owner has written, it stays cut off.
        OnExpiry::Delete if seen.is_ending => QuarantineEnd::Deleted,
        OnExpiry::Delete => {
            let permit = match may_delete(shared, &namespace).await {
                Ok(Ok(mode)) => mode.permit(),
                Ok(Err(because)) => return QuarantineEnd::Held { because },
                Err(error) => {
                    return QuarantineEnd::Failed {
                        because: error.to_string(),
                    };
                }
            };
            let request = Request::Delete {
                target: record.pod.clone(),
                grace_seconds: None,
            };
            match sender.send(&request, &permit, Until::expiry()).await.outcome {
                RequestOutcome::Done {
                    reply: Reply::Terminating,
                } => QuarantineEnd::Deleted,
                RequestOutcome::Done { .. } => remove(&sender, policy, &permit, QuarantineEnd::Deleted).await,
                RequestOutcome::TargetGone { .. } | RequestOutcome::TargetReplaced { .. } => {
                    remove(&sender, policy, &permit, QuarantineEnd::PodGone).await
                }
                other => QuarantineEnd::Failed {
                    because: other.to_string(),
                },
            }
        }
    }
}

/// Where the policy is, if it has the name that we give.
fn place(policy: &NetworkPolicy, record: &QuarantineRecord) -> Option<(Namespace, Locator)> {
    let name = policy.metadata.name.as_deref()?;
    if name != format!("responder-quarantine-{}", record.incident) {
        return None;
    }
    let namespace = record.pod.at.namespace()?.clone();
    Some((
        namespace.clone(),
        Locator::namespaced(Kind::NetworkPolicy, namespace, Name::new(name)?)?,
    ))
}

/// Whether the pod is out of quarantine already, and only the policy is left: whoever released it was stopped before the
/// policy was removed, or whoever began it before the pod was patched. A policy that selects no more than the label of a
/// quarantine that the pod does not wear isolates nothing.
fn is_released(seen: &LiveObject, selector: Option<&LabelSelector>, record: &QuarantineRecord) -> bool {
    let (left, _) = record.pod_patch();
    let ours = LabelSelector {
        match_labels: Some(BTreeMap::from([(QUARANTINE_LABEL.to_owned(), record.incident.clone())])),
        match_expressions: None,
    };
    selector == Some(&ours)
        && !seen.labels.contains_key(QUARANTINE_LABEL)
        && !left.annotations.keys().any(|key| seen.annotations.contains_key(key))
}

/// What the pod says against the record on the policy.
fn contradiction(seen: &LiveObject, record: &QuarantineRecord) -> Option<String> {
    if seen.labels.get(QUARANTINE_LABEL) != Some(&record.incident) {
        return Some(format!("{} does not wear the label of this quarantine", record.pod.at));
    }
    let (left, _) = record.pod_patch();
    let differs = left
        .annotations
        .iter()
        .any(|(key, value)| seen.annotations.get(key) != value.as_ref());
    differs.then(|| format!("{} has recorded other labels than its policy", record.pod.at))
}

/// Whether a pod of this namespace may be deleted at the end of its time: that is as strong as any other deletion, so the
/// guard of today has its say.
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
        let Some(live) = shared.ports.cluster.namespace(namespace).await? else {
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

async fn remove<C: Cluster>(
    sender: &RequestSender<'_, C, WaitInPlace>,
    policy: ObjectRef,
    permit: &Permit,
    end: QuarantineEnd,
) -> QuarantineEnd {
    match revert::delete(sender, policy, permit).await {
        UndoOutcome::Failed { because } => QuarantineEnd::Failed { because },
        _ => end,
    }
}

#[cfg(test)]
mod tests;
