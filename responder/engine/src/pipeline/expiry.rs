//! The end of a quarantine's time. Step of the flow: revert.
//!
//! Everything that the end needs is recorded on the policy, so a restart loses nothing: the next process reads it and goes
//! on. The record is checked against the pod before anything is touched, because a tenant who may write NetworkPolicies
//! could write one that looks like ours and have a pod relabelled or deleted: the pod must wear the incident's label, and
//! the labels that it gets back must be those that the pod itself has recorded.

mod close;
mod deletion;
mod end;

use std::collections::{BTreeMap, HashSet};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use k8s_openapi::api::networking::v1::NetworkPolicy;
use responder_core::object::Uid;
use responder_core::own::{OnExpiry, QUARANTINE_LABEL, QuarantineRecord};
use responder_core::port::{Cluster, Ledger};
use tracing::Instrument as _;

use self::end::end;
use super::shared::Shared;
use super::worker::dispatch;
use crate::about::About;
use crate::event::Event;
use crate::quarantine_end::QuarantineEnd;
use crate::queue::TargetKey;
use crate::spans;

/// How long the end of a quarantine waits for a response that is at work on the same pod; then it comes again.
const KEY_PATIENCE: Duration = Duration::from_secs(30);

/// The last report about each policy, so that a quarantine that stays as it is is reported once in the life of this
/// process and not at every look.
type ReportedEnds = BTreeMap<Uid, &'static str>;

/// Looks at once and then in turn, until the engine stops.
pub(super) async fn watch<C: Cluster, L: Ledger>(shared: Arc<Shared<C, L>>) {
    let mut reported = ReportedEnds::new();
    let mut missed = HashSet::new();
    let looks = async {
        loop {
            // One panic must not end the looks.
            let sweep = AssertUnwindSafe(sweep(&shared, &mut reported, &mut missed));
            let sweep = sweep.catch_unwind().await;
            if sweep.is_err() {
                tracing::error!("a look for quarantines whose time is over panicked: a defect of responder");
                shared.sinks.tell(&Event::Panicked { undecided: 0 });
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
async fn sweep<C: Cluster, L: Ledger>(
    shared: &Arc<Shared<C, L>>,
    reported: &mut ReportedEnds,
    missed: &mut HashSet<Uid>,
) {
    let policies = match shared.cluster.network_policies_labelled(QUARANTINE_LABEL).await {
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
    let_go_of_ended(shared, &policies, missed).await;
    for policy in &policies {
        end_if_over(shared, policy, reported).await;
    }
}

/// Forgets the holds on pods whose policy is gone: the pod went, and the policy with it, or the quarantine has ended, and then
/// the pod does not wear its label either. The list may lag, so a policy must be missing at two looks.
async fn let_go_of_ended<C: Cluster, L: Ledger>(
    shared: &Arc<Shared<C, L>>,
    policies: &[NetworkPolicy],
    missed: &mut HashSet<Uid>,
) {
    let Ok(view) = shared.ledger.view().await else { return };
    let incidents: HashSet<&str> = policies
        .iter()
        .filter_map(|policy| {
            policy
                .metadata
                .labels
                .as_ref()?
                .get(QUARANTINE_LABEL)
                .map(String::as_str)
        })
        .collect();
    let missing: HashSet<Uid> = view
        .holds
        .values()
        .filter(|hold| !incidents.contains(hold.incident.as_str()))
        .map(|hold| hold.pod.clone())
        .collect();
    for pod in missing.intersection(missed) {
        shared.let_go(pod).await;
    }
    *missed = missing;
}

/// Ends one quarantine, if its time is over, and tells the end, unless it was told before.
async fn end_if_over<C: Cluster, L: Ledger>(
    shared: &Arc<Shared<C, L>>,
    policy: &NetworkPolicy,
    reported: &mut ReportedEnds,
) {
    let Some(uid) = policy.metadata.uid.as_deref().and_then(Uid::new) else {
        return;
    };
    let record = match QuarantineRecord::of(policy) {
        Some(Ok(record)) => record,
        Some(Err(problem)) => {
            if reported.insert(uid, "unreadable") != Some("unreadable") {
                tracing::warn!(%problem, "a quarantine can't be ended");
            }
            return;
        }
        None => return,
    };
    if record.expires_at.is_none_or(|end| end > shared.clock.now()) {
        return;
    }
    if reported.get(&uid) == Some(&"held") && record.on_expiry == OnExpiry::Hold {
        return;
    }
    let about = About {
        incident: Some(record.incident.clone()),
        target: Some(record.pod.at.to_string()),
        target_uid: Some(record.pod.uid.clone()),
        mode: Some(shared.config.process_mode),
        ..shared.about_named(&record.playbook)
    };
    let span = spans::expiry(&about);
    let end = held_while(shared, &record, end(shared, policy, &uid, &record, &about));
    let Some(end) = end.instrument(span.clone()).await else {
        return;
    };
    spans::ended(&span, end.as_str(), false);
    // The pod that was deleted has ended, and its policy is gone with it: its end was told when the deletion began.
    if end == QuarantineEnd::PodGone && reported.get(&uid) == Some(&QuarantineEnd::Deleted.as_str()) {
        return;
    }
    if reported.insert(uid, end.as_str()) == Some(end.as_str()) {
        return;
    }
    span.in_scope(|| {
        shared.sinks.tell(&Event::Expired {
            playbook: shared.loaded(&record.playbook).map(|playbook| &**playbook),
            about: &about,
            record: &record,
            end: &end,
        });
    });
}

/// Runs a task while the pod's key is held; `None` where a response was at work on the pod for too long, or where the task
/// panicked: then that is counted, and the key is free again.
async fn held_while<C: Cluster, L: Ledger, T>(
    shared: &Arc<Shared<C, L>>,
    record: &QuarantineRecord,
    task: impl Future<Output = T>,
) -> Option<T> {
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
    dispatch(shared);
    done.inspect_err(|_| {
        tracing::error!(
            incident = record.incident,
            "the end of a quarantine panicked: a defect of responder"
        );
        shared.sinks.tell(&Event::Panicked { undecided: 0 });
    })
    .ok()
}

#[cfg(test)]
mod tests;
