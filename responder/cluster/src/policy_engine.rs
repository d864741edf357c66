//! Recognises the engine of network policies by the workload that runs it. Part of the step *snapshot*.
//!
//! An API server stores policies whether or not an engine enforces them. The API groups of an engine prove nothing: an
//! uninstalled one leaves its definitions behind, and other projects install them too. So the DaemonSet of the engine must
//! have a pod that is ready, in a namespace where no tenant can make one of that name.

use responder_core::guard::{FloorPart, in_floor};
use responder_core::network::PolicyEngine;
use serde::Deserialize;

/// DaemonSets of engines, by the names in the engines' own manifests and charts, and in those of distributions. The more
/// specific come first: Canal runs Calico's policies beside Flannel.
///
/// K3s runs kube-router's policies within its own process, and the daemons of kindnet and of Amazon's VPC CNI run with and
/// without policies: those can't be told by a workload.
pub(crate) const DAEMON_SETS: [(&str, PolicyEngine); 12] = [
    ("cilium", PolicyEngine::Cilium),
    // GKE's Dataplane V2. Source: <https://cloud.google.com/kubernetes-engine/docs/concepts/dataplane-v2>
    ("anetd", PolicyEngine::Cilium),
    ("calico-node", PolicyEngine::Calico),
    ("canal", PolicyEngine::Calico),
    // Source: <https://docs.rke2.io/networking/basic_network_options>
    ("rke2-canal", PolicyEngine::Calico),
    ("antrea-agent", PolicyEngine::Antrea),
    ("ovnkube-node", PolicyEngine::OvnKubernetes),
    ("kube-ovn-cni", PolicyEngine::KubeOvn),
    ("kube-router", PolicyEngine::Plain("kube-router")),
    ("weave-net", PolicyEngine::Plain("weave-net")),
    ("kube-network-policies", PolicyEngine::Plain("kube-network-policies")),
    ("azure-npm", PolicyEngine::Plain("azure-npm")),
];

/// A DaemonSet, as far as it matters here.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct DaemonSetDoc {
    metadata: PlaceDoc,
    #[serde(default)]
    status: Option<StatusDoc>,
}

#[derive(Debug, Clone, Deserialize)]
struct PlaceDoc {
    name: String,
    #[serde(default)]
    namespace: String,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct StatusDoc {
    #[serde(default)]
    number_ready: i64,
}

impl DaemonSetDoc {
    /// A status is missing in manifests only.
    fn runs(&self) -> bool {
        self.status.as_ref().is_none_or(|status| status.number_ready > 0)
    }
}

/// Whether network plugins are installed in this namespace. A DaemonSet called like one elsewhere is not one.
fn is_trusted(namespace: &str) -> bool {
    let parts = [FloorPart::Kubernetes, FloorPart::Network, FloorPart::Distribution];
    in_floor(namespace).is_some_and(|entry| parts.contains(&entry.part))
}

/// The engine that runs as one of these DaemonSets.
pub(crate) fn recognised(daemon_sets: &[DaemonSetDoc]) -> Option<PolicyEngine> {
    let running: Vec<&DaemonSetDoc> = daemon_sets
        .iter()
        .filter(|set| set.runs() && is_trusted(&set.metadata.namespace))
        .collect();
    let runs = |name: &str| running.iter().any(|set| set.metadata.name == name);
    DAEMON_SETS
        .iter()
        .find(|(name, _)| runs(name))
        .map(|(_, engine)| *engine)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    #[rstest]
    #[case::in_kube_system("cilium", "kube-system", 3, Some(PolicyEngine::Cilium))]
    #[case::under_tigeras_operator("calico-node", "calico-system", 1, Some(PolicyEngine::Calico))]
    #[case::of_openshift("ovnkube-node", "openshift-ovn-kubernetes", 1, Some(PolicyEngine::OvnKubernetes))]
    #[case::of_gke("anetd", "kube-system", 1, Some(PolicyEngine::Cilium))]
    #[case::of_rke2("rke2-canal", "kube-system", 1, Some(PolicyEngine::Calico))]
    #[case::without_kinds_of_its_own("kube-router", "kube-system", 1, Some(PolicyEngine::Plain("kube-router")))]
    #[case::that_does_not_run("cilium", "kube-system", 0, None)]
    #[case::of_deckhouse("cilium", "d8-cni-cilium", 1, Some(PolicyEngine::Cilium))]
    #[case::of_a_tenant("cilium", "shop", 3, None)]
    #[case::beside_another_part_of_the_cluster("cilium", "argocd", 3, None)]
    #[case::of_no_engine("kube-proxy", "kube-system", 3, None)]
    fn an_engine_is_recognised_by_its_running_workload(
        #[case] name: &str,
        #[case] namespace: &str,
        #[case] ready: i64,
        #[case] engine: Option<PolicyEngine>,
    ) {
        let set = json!({"metadata": {"name": name, "namespace": namespace}, "status": {"numberReady": ready}});
        assert_eq!(recognised(&[serde_json::from_value(set).unwrap()]), engine);
    }
}
