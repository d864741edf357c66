//! The NetworkPolicy of a quarantine: it selects only the label of its incident, and allows no traffic.

use std::collections::BTreeMap;

use k8s_openapi::api::networking::v1::{
    NetworkPolicy, NetworkPolicyEgressRule, NetworkPolicyPeer, NetworkPolicyPort, NetworkPolicySpec,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use serde::{Deserialize as _, Serialize};
use serde_json::Value;

use super::quarantine_record::{QUARANTINE_LABEL, QuarantineRecord};
use crate::object::{Kind, Locator, Name, ObjectRef};
use crate::selector::Selector;

/// The NetworkPolicy of a quarantine.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct QuarantinePolicy {
    /// Where the policy is created.
    pub at: Locator,
    /// The manifest of the policy.
    pub manifest: NetworkPolicy,
}

impl QuarantinePolicy {
    /// The policy of a record; with `allow_dns` it allows egress to the cluster's DNS. `None` if [`QuarantinePolicy::place`]
    /// is.
    pub fn of(record: &QuarantineRecord, allow_dns: bool) -> Option<Self> {
        let at = Self::place(record)?;
        let manifest = NetworkPolicy {
            metadata: ObjectMeta {
                name: Some(at.name().to_string()),
                namespace: at.namespace().map(ToString::to_string),
                labels: Some(record.policy_labels()),
                annotations: Some(record.policy_annotations()),
                // The garbage collector deletes the policy after the pod.
                owner_references: Some(vec![record.pod_as_owner()]),
                ..ObjectMeta::default()
            },
            spec: Some(NetworkPolicySpec {
                pod_selector: Some(selects_label(QUARANTINE_LABEL, &record.incident)),
                policy_types: Some(vec!["Ingress".to_owned(), "Egress".to_owned()]),
                ingress: None,
                egress: allow_dns.then(|| vec![to_cluster_dns()]),
            }),
        };
        Some(Self { at, manifest })
    }

    /// Where the policy of a record is created: in the pod's namespace, with the incident in its name; `None` for an
    /// incident that fits no name.
    pub fn place(record: &QuarantineRecord) -> Option<Locator> {
        let name = Name::new(&format!("responder-quarantine-{}", record.incident))?;
        Locator::namespaced(Kind::NetworkPolicy, record.pod.at.namespace()?.clone(), name)
    }

    /// Whether a live policy has the labels, the record and the spec of this one. It may expire earlier: an earlier run of
    /// the same response, which was killed before it patched the pod, has created it then.
    pub fn is_same_as(&self, live: &Value) -> bool {
        let Ok(live) = NetworkPolicy::deserialize(live) else {
            return false;
        };
        let ours = &self.manifest;
        let (Some(live_spec), Some(our_spec)) = (&live.spec, &ours.spec) else {
            return false;
        };
        let (Some(Ok(live_record)), Some(Ok(our_record))) = (QuarantineRecord::of(&live), QuarantineRecord::of(ours))
        else {
            return false;
        };
        let is_no_later = match (live_record.expires_at, our_record.expires_at) {
            (None, None) => true,
            (Some(live), Some(ours)) => live <= ours,
            _ => false,
        };
        let live_record = QuarantineRecord {
            expires_at: our_record.expires_at,
            ..live_record
        };
        let labels = live.metadata.labels.as_ref();
        let mut our_labels = ours.metadata.labels.iter().flatten();
        our_labels.all(|(key, value)| labels.and_then(|labels| labels.get(key)) == Some(value))
            && live_record == our_record
            && is_no_later
            && live.metadata.deletion_timestamp.is_none()
            && live_spec.pod_selector == our_spec.pod_selector
            && live_spec.policy_types == our_spec.policy_types
            // The API server omits empty lists.
            && live_spec.ingress.as_deref().unwrap_or_default() == our_spec.ingress.as_deref().unwrap_or_default()
            && live_spec.egress.as_deref().unwrap_or_default() == our_spec.egress.as_deref().unwrap_or_default()
    }

    /// Whether the policy is in the target's namespace and selects only pods with the label of this incident.
    pub fn is_confined_to(&self, incident: &str, target: &ObjectRef) -> bool {
        let selector = self.manifest.spec.as_ref().and_then(|spec| spec.pod_selector.as_ref());
        let labels = selector.and_then(|selector| selector.match_labels.as_ref());
        let value = labels.and_then(|labels| labels.get(QUARANTINE_LABEL));
        value.is_some_and(|value| value == incident) && self.at.namespace() == target.at.namespace()
    }

    /// Whether a live policy belongs to a quarantine and allows no more than one: it selects only the label of its
    /// incident, allows no ingress, and egress at most to the cluster's DNS. The label alone proves nothing, because a
    /// tenant who can write policies can put it on one that allows everything.
    pub fn is_untouched(live: &NetworkPolicy) -> bool {
        let labels = live.metadata.labels.as_ref();
        let incident = labels.and_then(|labels| labels.get(QUARANTINE_LABEL));
        let (Some(incident), Some(spec)) = (incident, &live.spec) else {
            return false;
        };
        let egress = spec.egress.as_deref().unwrap_or_default();
        Self::selects_only(live, incident)
            && isolates_both_ways(live)
            && spec.ingress.as_ref().is_none_or(Vec::is_empty)
            && (egress.is_empty() || egress == [to_cluster_dns()])
    }

    /// Whether a live policy selects exactly the label of this incident.
    pub fn selects_only(live: &NetworkPolicy, incident: &str) -> bool {
        let selector = live.spec.as_ref().and_then(|spec| spec.pod_selector.as_ref());
        selector == Some(&selects_label(QUARANTINE_LABEL, incident))
    }

    /// Why a live policy does not isolate a pod with these labels at all, which no leak shows; `None` if it does.
    pub fn flaw(live: &NetworkPolicy, labels: &BTreeMap<String, String>) -> Option<&'static str> {
        let selector = live.spec.as_ref().and_then(|spec| spec.pod_selector.as_ref());
        let selector = selector.and_then(Selector::of);
        if !selector.is_some_and(|selector| selector.matches(labels)) {
            return Some("does not select the pod");
        }
        (!isolates_both_ways(live)).then_some("does not isolate both ways")
    }
}

/// Whether a policy isolates its pods in both directions. A policy without types isolates egress only if it has egress
/// rules; the API server keeps the types that responder writes.
/// Source: <https://kubernetes.io/docs/concepts/services-networking/network-policies/#networkpolicy-resource>
fn isolates_both_ways(policy: &NetworkPolicy) -> bool {
    let types = policy.spec.as_ref().and_then(|spec| spec.policy_types.as_deref());
    ["Ingress", "Egress"]
        .iter()
        .all(|way| types.unwrap_or_default().iter().any(|has| has == way))
}

fn selects_label(key: &str, value: &str) -> LabelSelector {
    LabelSelector {
        match_labels: Some(BTreeMap::from([(key.to_owned(), value.to_owned())])),
        match_expressions: None,
    }
}

/// Egress to pods with `k8s-app: kube-dns`, the label of both CoreDNS and kube-dns.
/// Source: <https://kubernetes.io/docs/tasks/administer-cluster/dns-custom-nameservers/>
fn to_cluster_dns() -> NetworkPolicyEgressRule {
    let port = |protocol: &str| NetworkPolicyPort {
        port: Some(IntOrString::Int(53)),
        protocol: Some(protocol.to_owned()),
        end_port: None,
    };
    NetworkPolicyEgressRule {
        ports: Some(vec![port("UDP"), port("TCP")]),
        to: Some(vec![NetworkPolicyPeer {
            namespace_selector: Some(selects_label("kubernetes.io/metadata.name", "kube-system")),
            pod_selector: Some(selects_label("k8s-app", "kube-dns")),
            ip_block: None,
        }]),
    }
}
