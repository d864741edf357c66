//! What a quarantine writes on its policy and its pod, so that it can be ended by whoever comes later: another replica,
//! or this one after a restart.

use std::collections::BTreeMap;

use jiff::Timestamp;
use k8s_openapi::api::networking::v1::NetworkPolicy;

use super::OnExpiry;
use crate::guard::QUARANTINE_LABEL;
use crate::object::{Locator, Name, Namespace, ObjectRef, Uid};
use crate::request::MergePatch;

const POD_NAME: &str = "responder.dev/pod";
const POD_UID: &str = "responder.dev/pod-uid";
const PLAYBOOK: &str = "responder.dev/playbook";
const EXPIRES_AT: &str = "responder.dev/expires-at";
const ON_EXPIRY: &str = "responder.dev/on-expiry";
/// On the pod and on the policy: the labels that were taken away, as a JSON object.
const DETACHED_LABELS: &str = "responder.dev/detached-labels";

/// A quarantine as it is written down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuarantineRecord {
    /// The pod.
    pub pod: ObjectRef,
    /// The incident: the value of [`QUARANTINE_LABEL`].
    pub incident: String,
    /// The playbook that asked for it.
    pub playbook: String,
    /// When its time is over; `None` for no end.
    pub expires_at: Option<Timestamp>,
    /// What happens then.
    pub on_expiry: OnExpiry,
    /// The labels that were taken away.
    pub detached: BTreeMap<String, String>,
}

/// A policy that wears our label and can't be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the policy {policy} wears {QUARANTINE_LABEL} and its {annotation} is missing or malformed: it was changed by hand; end this quarantine by hand"
)]
pub struct RecordProblem {
    /// The policy.
    pub policy: String,
    /// The annotation.
    pub annotation: &'static str,
}

impl QuarantineRecord {
    pub(super) fn policy_labels(&self) -> BTreeMap<String, String> {
        BTreeMap::from([
            (QUARANTINE_LABEL.to_owned(), self.incident.clone()),
            ("app.kubernetes.io/managed-by".to_owned(), "responder".to_owned()),
        ])
    }

    pub(super) fn policy_annotations(&self) -> BTreeMap<String, String> {
        let mut annotations = BTreeMap::from([
            (POD_NAME.to_owned(), self.pod.at.name().to_string()),
            (POD_UID.to_owned(), self.pod.uid.to_string()),
            (PLAYBOOK.to_owned(), self.playbook.clone()),
            (ON_EXPIRY.to_owned(), self.on_expiry.as_str().to_owned()),
            (DETACHED_LABELS.to_owned(), self.detached_as_json()),
        ]);
        if let Some(at) = self.expires_at {
            annotations.insert(EXPIRES_AT.to_owned(), at.to_string());
        }
        annotations
    }

    fn detached_as_json(&self) -> String {
        serde_json::json!(self.detached).to_string()
    }

    /// The patch that puts the pod into quarantine, and the one that takes it out.
    pub fn pod_patch(&self) -> (MergePatch, MergePatch) {
        let mut patch = MergePatch::default();
        let mut before = MergePatch::default();
        for (key, value) in &self.detached {
            patch.labels.insert(key.clone(), None);
            before.labels.insert(key.clone(), Some(value.clone()));
        }
        patch
            .labels
            .insert(QUARANTINE_LABEL.to_owned(), Some(self.incident.clone()));
        before.labels.insert(QUARANTINE_LABEL.to_owned(), None);
        if !self.detached.is_empty() {
            patch
                .annotations
                .insert(DETACHED_LABELS.to_owned(), Some(self.detached_as_json()));
            before.annotations.insert(DETACHED_LABELS.to_owned(), None);
        }
        (patch, before)
    }

    /// Reads the record from a policy; `None` for a policy that is not a quarantine's.
    pub fn of(policy: &NetworkPolicy) -> Option<Result<Self, RecordProblem>> {
        let incident = policy.metadata.labels.as_ref()?.get(QUARANTINE_LABEL)?;
        Some(Self::read(policy, incident))
    }

    fn read(policy: &NetworkPolicy, incident: &str) -> Result<Self, RecordProblem> {
        let empty = BTreeMap::new();
        let annotations = policy.metadata.annotations.as_ref().unwrap_or(&empty);
        let problem = |annotation| RecordProblem {
            policy: policy
                .metadata
                .name
                .clone()
                .unwrap_or_default()
                .escape_debug()
                .to_string(),
            annotation,
        };
        let get = |key: &'static str| annotations.get(key).ok_or_else(|| problem(key));
        let namespace = policy
            .metadata
            .namespace
            .as_deref()
            .and_then(Namespace::new)
            .ok_or_else(|| problem(POD_NAME))?;
        let name = Name::new(get(POD_NAME)?).ok_or_else(|| problem(POD_NAME))?;
        let uid = Uid::new(get(POD_UID)?).ok_or_else(|| problem(POD_UID))?;
        let expires_at = annotations
            .get(EXPIRES_AT)
            .map(|text| text.parse().map_err(|_| problem(EXPIRES_AT)))
            .transpose()?;
        let on_expiry = [OnExpiry::Hold, OnExpiry::Release, OnExpiry::Delete]
            .into_iter()
            .find(|way| annotations.get(ON_EXPIRY).is_some_and(|text| text == way.as_str()))
            .ok_or_else(|| problem(ON_EXPIRY))?;
        let detached = serde_json::from_str(get(DETACHED_LABELS)?).map_err(|_| problem(DETACHED_LABELS))?;
        Ok(Self {
            pod: ObjectRef {
                at: Locator::pod(namespace, name),
                uid,
            },
            incident: incident.to_owned(),
            playbook: get(PLAYBOOK)?.clone(),
            expires_at,
            on_expiry,
            detached,
        })
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
    use rstest::rstest;

    use super::*;

    fn record() -> QuarantineRecord {
        QuarantineRecord {
            pod: ObjectRef {
                at: Locator::pod(Namespace::new("web").unwrap(), Name::new("web-0").unwrap()),
                uid: Uid::new("pod-uid").unwrap(),
            },
            incident: "abc".to_owned(),
            playbook: "remote-shell".to_owned(),
            expires_at: Some("2026-11-24T05:00:00Z".parse().unwrap()),
            on_expiry: OnExpiry::Release,
            detached: BTreeMap::from([("app".to_owned(), "web".to_owned())]),
        }
    }

    fn policy(record: &QuarantineRecord) -> NetworkPolicy {
        NetworkPolicy {
            metadata: ObjectMeta {
                name: Some("responder-quarantine-abc".to_owned()),
                namespace: Some("web".to_owned()),
                labels: Some(record.policy_labels()),
                annotations: Some(record.policy_annotations()),
                ..ObjectMeta::default()
            },
            spec: None,
        }
    }

    #[test]
    fn a_restarted_controller_reads_the_quarantine_that_was_written() {
        assert_eq!(QuarantineRecord::of(&policy(&record())), Some(Ok(record())));
        let endless = QuarantineRecord {
            expires_at: None,
            ..record()
        };
        assert_eq!(QuarantineRecord::of(&policy(&endless)), Some(Ok(endless)));
    }

    #[test]
    fn a_policy_of_somebody_else_is_no_quarantine() {
        let mut other = policy(&record());
        other.metadata.labels = None;
        assert_eq!(QuarantineRecord::of(&other), None);
    }

    #[rstest]
    #[case(POD_UID, "")]
    #[case(POD_NAME, "../web")]
    #[case(EXPIRES_AT, "soon")]
    #[case(ON_EXPIRY, "delete")]
    #[case(DETACHED_LABELS, "[]")]
    fn an_annotation_that_was_changed_by_hand_is_named(#[case] annotation: &'static str, #[case] value: &str) {
        let mut changed = policy(&record());
        changed
            .metadata
            .annotations
            .as_mut()
            .unwrap()
            .insert(annotation.to_owned(), value.to_owned());
        assert_eq!(
            QuarantineRecord::of(&changed).unwrap().unwrap_err().annotation,
            annotation
        );
    }

    #[test]
    fn leaving_quarantine_is_the_inverse_of_entering_it() {
        let (patch, before) = record().pod_patch();
        assert_eq!(
            patch.labels.keys().collect::<Vec<_>>(),
            before.labels.keys().collect::<Vec<_>>()
        );
        assert_eq!(before.labels["app"].as_deref(), Some("web"));
        assert_eq!(before.labels[QUARANTINE_LABEL], None);
    }
}
