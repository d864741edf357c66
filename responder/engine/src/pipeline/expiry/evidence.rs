//! The evidence of a quarantine: its policy and its pod, held against each other. Pure.

use std::collections::BTreeMap;

use k8s_openapi::api::networking::v1::NetworkPolicy;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use responder_core::action::QuarantineRecord;
use responder_core::guard::QUARANTINE_LABEL;
use responder_core::object::{Kind, Locator, Name, Namespace};

use crate::lookup::LiveObject;

/// The namespace and the place of the policy, if it has the name that a quarantine's policy has.
pub(super) fn place(policy: &NetworkPolicy, record: &QuarantineRecord) -> Option<(Namespace, Locator)> {
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

/// Whether the pod is out of quarantine already, and only the policy is left: a process that released it was stopped
/// before the policy was removed, or one that began it before the pod was patched. A policy that selects no more than the
/// label of a quarantine that the pod does not wear isolates nothing.
pub(super) fn is_released(seen: &LiveObject, selector: Option<&LabelSelector>, record: &QuarantineRecord) -> bool {
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
pub(super) fn contradiction(seen: &LiveObject, record: &QuarantineRecord) -> Option<String> {
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
