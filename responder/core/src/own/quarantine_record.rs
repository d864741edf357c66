//! The record that a quarantine stores on its policy and its pod, so that another replica, or the same one after a
//! restart, can end it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use k8s_openapi::api::networking::v1::NetworkPolicy;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::denying_kind::DenyingKind;
use crate::object::{Locator, Name, Namespace, ObjectRef, Uid};
use crate::patch::{Entry, FieldChange as _, Patch, Standing};

/// The label of a quarantine, on its pod and its policy; the value is the incident.
pub const QUARANTINE_LABEL: &str = "responder.dev/quarantine";

const POD_NAME: &str = "responder.dev/pod";
const POD_UID: &str = "responder.dev/pod-uid";
const PLAYBOOK: &str = "responder.dev/playbook";
const OWNER_UID: &str = "responder.dev/owner-uid";
const EXPIRES_AT: &str = "responder.dev/expires-at";
const ON_EXPIRY: &str = "responder.dev/on-expiry";
/// The kind of the policy that denies, beside the NetworkPolicy.
const DENIED_BY: &str = "responder.dev/deny";
/// The removed labels as a JSON object, on the pod and on the policy.
const DETACHED_LABELS: &str = "responder.dev/detached-labels";

/// How a quarantine ends after its `ttl`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Deserialize, Serialize, JsonSchema)]
pub enum OnExpiry {
    /// The quarantine stays and is reported.
    #[default]
    Hold,
    /// The pod's labels are restored and the policy is deleted. A ReplicaSet then has one pod too many and deletes one,
    /// perhaps a healthy one.
    Release,
    /// The pod is deleted, then the policy.
    Delete,
}

impl OnExpiry {
    /// The name as written in a playbook.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Hold => "Hold",
            Self::Release => "Release",
            Self::Delete => "Delete",
        }
    }
}

/// A quarantine as stored on its policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuarantineRecord {
    /// The quarantined pod.
    pub pod: ObjectRef,
    /// The incident: the value of [`QUARANTINE_LABEL`].
    pub incident: String,
    /// The playbook that started it.
    pub playbook: String,
    /// The uid by which limits count the pod's owner, which a detached pod no longer names; `None` without an owner.
    pub owner: Option<Uid>,
    /// The end of its `ttl`; `None` without one.
    pub expires_at: Option<Timestamp>,
    /// How the quarantine ends at that time.
    pub on_expiry: OnExpiry,
    /// The labels that were removed from the pod.
    pub detached: BTreeMap<String, String>,
    /// The kind of the policy that denies the pod's traffic, beside the NetworkPolicy; `None` without one.
    pub denied_by: Option<DenyingKind>,
}

/// A policy with the quarantine label and an unreadable record.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the policy {policy} has the label {QUARANTINE_LABEL}, and its {annotation} is missing or malformed: it was changed by hand; end this quarantine by hand"
)]
pub struct RecordProblem {
    /// The name of the policy.
    pub policy: String,
    /// The key of the annotation.
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
        if let Some(owner) = &self.owner {
            annotations.insert(OWNER_UID.to_owned(), owner.to_string());
        }
        if let Some(at) = self.expires_at {
            annotations.insert(EXPIRES_AT.to_owned(), at.to_string());
        }
        if let Some(kind) = self.denied_by {
            annotations.insert(DENIED_BY.to_owned(), kind.as_str().to_owned());
        }
        annotations
    }

    /// The annotations of the policy that denies.
    pub(super) fn denying_annotations(&self) -> BTreeMap<String, String> {
        let pod = self.pod_annotations().map(|(key, value)| (key.to_owned(), value));
        pod.chain([(PLAYBOOK.to_owned(), self.playbook.clone())]).collect()
    }

    /// The annotations that tell the pod.
    pub(super) fn pod_annotations(&self) -> impl Iterator<Item = (&'static str, String)> {
        let (name, uid) = (self.pod.at.name().to_string(), self.pod.uid.to_string());
        [(POD_NAME, name), (POD_UID, uid)].into_iter()
    }

    /// The reference to the pod, after which the garbage collector deletes a policy.
    pub(super) fn pod_as_owner(&self) -> OwnerReference {
        OwnerReference {
            api_version: "v1".to_owned(),
            kind: "Pod".to_owned(),
            name: self.pod.at.name().to_string(),
            uid: self.pod.uid.to_string(),
            block_owner_deletion: Some(false),
            controller: Some(false),
        }
    }

    fn detached_as_json(&self) -> String {
        serde_json::json!(self.detached).to_string()
    }

    /// The patch that puts the pod into quarantine; its undo takes the pod out.
    pub fn pod_patch(&self) -> Patch {
        let detached = self.detached.iter();
        let mut labels: BTreeMap<&str, Entry> = detached
            .map(|(key, value)| (key.as_str(), Entry::label(key, None, Some(value.clone()))))
            .collect();
        labels.insert(QUARANTINE_LABEL, self.label());
        Patch::new(
            labels
                .into_values()
                .chain(self.detached_note())
                .map(Into::into)
                .collect(),
        )
    }

    fn label(&self) -> Entry {
        Entry::label(QUARANTINE_LABEL, Some(self.incident.clone()), None)
    }

    /// The pod's own record of the removed labels; `None` if none were removed.
    fn detached_note(&self) -> Option<Entry> {
        let note = || Entry::annotation(DETACHED_LABELS, Some(self.detached_as_json()), None);
        (!self.detached.is_empty()).then(note)
    }

    /// Whether a live pod has neither the label nor the record of this quarantine.
    pub fn is_off(&self, pod: &Value) -> bool {
        let is_off = |mark: &Entry| mark.standing(pod) == Standing::AsBefore;
        is_off(&self.label()) && self.detached_note().as_ref().is_none_or(is_off)
    }

    /// Why a live pod contradicts this record; `None` if it does not. A tenant can have written the record.
    pub fn contradiction(&self, pod: &Value) -> Option<String> {
        let is_on = |mark: &Entry| mark.standing(pod) == Standing::AsLeft;
        let at = &self.pod.at;
        if !is_on(&self.label()) {
            return Some(format!("{at} does not have the label of this quarantine"));
        }
        let is_recorded = self.detached_note().as_ref().is_none_or(is_on);
        (!is_recorded).then(|| format!("{at} has recorded other labels than its policy"))
    }

    /// Reads the record of a policy; `None` for a policy without the quarantine label.
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
        let owner = annotations
            .get(OWNER_UID)
            .map(|text| Uid::new(text).ok_or_else(|| problem(OWNER_UID)))
            .transpose()?;
        let expires_at = annotations
            .get(EXPIRES_AT)
            .map(|text| text.parse().map_err(|_| problem(EXPIRES_AT)))
            .transpose()?;
        let on_expiry = [OnExpiry::Hold, OnExpiry::Release, OnExpiry::Delete]
            .into_iter()
            .find(|way| annotations.get(ON_EXPIRY).is_some_and(|text| text == way.as_str()))
            .ok_or_else(|| problem(ON_EXPIRY))?;
        let detached = serde_json::from_str(get(DETACHED_LABELS)?).map_err(|_| problem(DETACHED_LABELS))?;
        let denied_by = annotations
            .get(DENIED_BY)
            .map(|text| DenyingKind::named(text).ok_or_else(|| problem(DENIED_BY)))
            .transpose()?;
        Ok(Self {
            pod: ObjectRef {
                at: Locator::pod(namespace, name),
                uid,
            },
            incident: incident.to_owned(),
            playbook: get(PLAYBOOK)?.clone(),
            owner,
            expires_at,
            on_expiry,
            detached,
            denied_by,
        })
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    fn record() -> QuarantineRecord {
        QuarantineRecord {
            pod: ObjectRef {
                at: Locator::pod(Namespace::new("web").unwrap(), Name::new("web-0").unwrap()),
                uid: Uid::new("pod-uid").unwrap(),
            },
            incident: "abc".to_owned(),
            playbook: "remote-shell".to_owned(),
            owner: Uid::new("rs-uid"),
            expires_at: Some("2026-11-24T05:00:00Z".parse().unwrap()),
            on_expiry: OnExpiry::Release,
            detached: BTreeMap::from([("app".to_owned(), "web".to_owned())]),
            denied_by: None,
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
        for kind in DenyingKind::ALL {
            let denied = QuarantineRecord {
                denied_by: Some(kind),
                ..record()
            };
            assert_eq!(QuarantineRecord::of(&policy(&denied)), Some(Ok(denied)));
        }
    }

    #[test]
    fn a_policy_of_another_writer_is_no_quarantine() {
        let mut other = policy(&record());
        other.metadata.labels = None;
        assert_eq!(QuarantineRecord::of(&other), None);
    }

    #[rstest]
    #[case(POD_UID, "")]
    #[case(POD_NAME, "../web")]
    #[case(OWNER_UID, "a b")]
    #[case(EXPIRES_AT, "soon")]
    #[case(ON_EXPIRY, "delete")]
    #[case(DETACHED_LABELS, "[]")]
    #[case(DENIED_BY, "NetworkPolicy")]
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
    fn the_undo_of_the_patch_takes_the_pod_out() {
        let patch = record().pod_patch();
        assert_eq!(
            patch.to_string(),
            r#"[label app removed, label responder.dev/quarantine=abc, annotation responder.dev/detached-labels={\"app\":\"web\"}]"#
        );
        assert_eq!(
            patch.reversed().to_string(),
            "[label app=web, label responder.dev/quarantine removed, annotation responder.dev/detached-labels removed]"
        );
    }

    #[test]
    fn a_pod_is_in_its_quarantine_or_out_of_it_or_contradicts_it() {
        let wears = |label: Option<&str>, note: Option<&str>| json!({"metadata": {"labels": {QUARANTINE_LABEL: label}, "annotations": {DETACHED_LABELS: note}}});
        let recorded = Some("{\"app\":\"web\"}");
        let (on, off) = (wears(Some("abc"), recorded), wears(None, None));
        assert_eq!((record().contradiction(&on), record().is_off(&on)), (None, false));
        assert!(record().is_off(&off));
        let another = record().contradiction(&wears(Some("def"), recorded)).unwrap();
        assert!(another.contains("does not have the label"), "{another}");
        let other_labels = record().contradiction(&wears(Some("abc"), Some("{}"))).unwrap();
        assert!(other_labels.contains("other labels"), "{other_labels}");
    }
}
