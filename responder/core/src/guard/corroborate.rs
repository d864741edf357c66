//! Corroboration: whether the live pod is the pod that the alert is about.
//!
//! Names prove nothing: a second later another pod of a StatefulSet may be `web-0`. The container id, which comes from
//! the kernel, and the uid are proof. A contradiction is a refusal at every level of corroboration.

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::Pod;

use crate::alert::Alert;
use crate::corroboration::Corroboration;
use crate::pod;
use crate::refusal::{Refusal, RefusalReason};
use crate::sensor::SensorNode;
use crate::target::PodClaim;
use crate::trace::{CheckName, Trace};

/// The tolerated difference between the clocks of a node and of the API server. NTP keeps clocks within milliseconds;
/// five seconds is generous, and a matching container id has already proved more.
const SKEW: SignedDuration = SignedDuration::from_secs(5);

/// The level to which the live pod confirms the alert, or the refusal if it contradicts or does not reach `required`.
pub fn corroborate(
    claim: &PodClaim,
    alert: &Alert,
    live: &Pod,
    sensor: &SensorNode,
    required: Corroboration,
    trace: &mut Trace,
) -> Result<Corroboration, Refusal> {
    let by_uid = check_uid(claim, live, trace)?;
    let by_container = check_container(claim, alert.time(), live, by_uid, trace)?;
    if !by_container && !by_uid {
        check_age(alert.time(), live, trace)?;
    }
    check_node(claim, alert, live, sensor, trace)?;

    let level = match (by_container, by_uid) {
        (true, _) => Corroboration::Container,
        (false, true) => Corroboration::PodUid,
        (false, false) => Corroboration::Named,
    };
    if level >= required {
        trace.passed(
            CheckName::Corroboration,
            format!("{level}, and the playbook asks for {required}"),
        );
        return Ok(level);
    }
    let detail = format!("the alert corroborates by {level} only, and the playbook asks for {required}");
    Err(trace.refused(CheckName::Corroboration, RefusalReason::Uncorroborated, detail))
}

fn check_uid(claim: &PodClaim, live: &Pod, trace: &mut Trace) -> Result<bool, Refusal> {
    let Some(claimed) = &claim.uid else {
        trace.skipped(CheckName::PodUid, "the alert carries none");
        return Ok(false);
    };
    let uid = live.metadata.uid.as_deref().unwrap_or_default();
    if claimed.as_str() == uid {
        trace.passed(CheckName::PodUid, format!("{uid}, as the alert says"));
        return Ok(true);
    }
    let detail = format!("the live pod's uid is {uid}, and the alert is about {claimed}");
    Err(trace.refused(CheckName::PodUid, RefusalReason::TargetReplaced, detail))
}

fn check_container(
    claim: &PodClaim,
    time: Timestamp,
    live: &Pod,
    by_uid: bool,
    trace: &mut Trace,
) -> Result<bool, Refusal> {
    let Some(id) = &claim.container else {
        trace.skipped(CheckName::ContainerId, "the alert carries none");
        return Ok(false);
    };
    if let Some(container) = pod::container(live, id) {
        if let Some(started) = container
            .started_at
            .filter(|&started| started.duration_since(time) > SKEW)
        {
            let detail = format!("the container {id} started at {started}, after the alert of {time}");
            return Err(trace.refused(CheckName::ContainerStart, RefusalReason::Contradicted, detail));
        }
        let when = if container.has_restarted {
            "before its last restart"
        } else {
            "now"
        };
        trace.passed(
            CheckName::ContainerId,
            format!("{id} is the container {} {when}", container.status.name),
        );
        return Ok(true);
    }
    if by_uid {
        // Two restarts push an id out of the status; the uid still proves the pod.
        trace.skipped(
            CheckName::ContainerId,
            format!("{id} is no container of the pod now or before its last restart: by the pod's uid it is of an earlier run"),
        );
        return Ok(false);
    }
    let (reason, detail) = match pod::created_at(live) {
        Some(created) if created > time => (
            RefusalReason::TargetReplaced,
            format!(
                "the live pod was made at {created}, after the alert of {time}, and none of its containers is {id}"
            ),
        ),
        _ => (
            RefusalReason::Contradicted,
            format!("no container of the live pod is or was {id}"),
        ),
    };
    Err(trace.refused(CheckName::ContainerId, reason, detail))
}

/// A pod known only by name must be older than the alert. The API server cuts creation times to the second, so it must
/// be older by a whole second: a pod created with this name in the second of the alert is not taken for the alert's
/// pod.
fn check_age(time: Timestamp, live: &Pod, trace: &mut Trace) -> Result<(), Refusal> {
    let Some(created) = pod::created_at(live) else {
        let detail = "the live pod has no creation time".to_owned();
        return Err(trace.refused(CheckName::PodAge, RefusalReason::Uncorroborated, detail));
    };
    if time.duration_since(created) >= SignedDuration::from_secs(1) {
        trace.passed(
            CheckName::PodAge,
            format!("made at {created}, before the alert of {time}"),
        );
        return Ok(());
    }
    let detail = format!("the live pod was made at {created}, which is not before the alert of {time}");
    Err(trace.refused(CheckName::PodAge, RefusalReason::TargetReplaced, detail))
}

/// The `hostname` of a syscall alert is the name of the node or of the Falco pod on it. Another node than the pod's
/// contradicts the alert; a name that leads to no node says nothing.
fn check_node(
    claim: &PodClaim,
    alert: &Alert,
    live: &Pod,
    sensor: &SensorNode,
    trace: &mut Trace,
) -> Result<(), Refusal> {
    let (Some(hostname), Some(node), false) = (alert.hostname(), pod::node_name(live), claim.from_audit) else {
        trace.skipped(CheckName::AlertNode, "the alert says nothing of the pod's node");
        return Ok(());
    };
    if hostname == node {
        trace.passed(CheckName::AlertNode, format!("{node}, as the alert says"));
        return Ok(());
    }
    let shown = hostname.escape_debug();
    match sensor {
        SensorNode::Known(sensor) if sensor.as_str() == node => {
            trace.passed(CheckName::AlertNode, format!("{shown} is a Falco pod on {node}"));
        }
        SensorNode::Known(sensor) => {
            let detail = format!("the alert comes from the node {sensor}, and the pod runs on {node}");
            return Err(trace.refused(CheckName::AlertNode, RefusalReason::Contradicted, detail));
        }
        SensorNode::Unknown(why) => trace.skipped(CheckName::AlertNode, format!("{why}; the pod runs on {node}")),
        SensorNode::NotAsked => trace.skipped(CheckName::AlertNode, format!("the node of {shown} was not read")),
    }
    Ok(())
}

#[cfg(test)]
mod tests;
