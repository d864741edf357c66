//! The NetworkPolicy of a quarantine: what it selects, what it allows, and how one that is still ours is told from others.

use std::collections::BTreeMap;

use k8s_openapi::api::networking::v1::{NetworkPolicy, NetworkPolicyEgressRule, NetworkPolicyPeer, NetworkPolicyPort};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

/// The label of a quarantine, on its pod and on its policy; its value is the incident.
pub const QUARANTINE_LABEL: &str = "responder.dev/quarantine";

/// Whether a policy is a quarantine's and still allows no more than one: it selects the label of its incident alone, lets
/// nothing in, and out at most the cluster's DNS. The label alone proves nothing: whoever may write policies in the
/// namespace may write it on one that allows everything.
pub(super) fn is_untouched_policy(policy: &NetworkPolicy) -> bool {
    let incident = policy
        .metadata
        .labels
        .as_ref()
        .and_then(|labels| labels.get(QUARANTINE_LABEL));
    let (Some(incident), Some(spec)) = (incident, &policy.spec) else {
        return false;
    };
    let egress = spec.egress.as_deref().unwrap_or_default();
    spec.pod_selector.as_ref() == Some(&selects_label(QUARANTINE_LABEL, incident))
        && isolates_both_ways(policy)
        && spec.ingress.as_ref().is_none_or(Vec::is_empty)
        && (egress.is_empty() || egress == [to_cluster_dns()])
}

/// Whether a policy isolates what it selects in both directions. One that names no types isolates egress only where it has
/// rules for it; the API server keeps those that we write.
/// Source: <https://kubernetes.io/docs/concepts/services-networking/network-policies/#networkpolicy-resource>
pub fn isolates_both_ways(policy: &NetworkPolicy) -> bool {
    let types = policy.spec.as_ref().and_then(|spec| spec.policy_types.as_deref());
    ["Ingress", "Egress"]
        .iter()
        .all(|way| types.unwrap_or_default().iter().any(|has| has == way))
}

pub(crate) fn selects_label(key: &str, value: &str) -> LabelSelector {
    LabelSelector {
        match_labels: Some(BTreeMap::from([(key.to_owned(), value.to_owned())])),
        match_expressions: None,
    }
}

/// CoreDNS and kube-dns both wear `k8s-app: kube-dns`.
/// Source: <https://kubernetes.io/docs/tasks/administer-cluster/dns-custom-nameservers/>
pub(crate) fn to_cluster_dns() -> NetworkPolicyEgressRule {
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
