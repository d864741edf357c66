//! Detects the NetworkPolicy engine of a cluster from the API groups and DaemonSets that it has. Part of the step
//! *snapshot*.
//!
//! An API server stores NetworkPolicies whether or not an engine enforces them, so a quarantine in a cluster without a
//! known engine is reported as unverified. Only proof of an engine is listed. The groups of the AdminNetworkPolicy
//! resources (`policy.networking.k8s.io`) and of Amazon's VPC CNI (`networking.k8s.aws`) are also installed in clusters
//! that enforce nothing, so they are left out.

use responder_core::snapshot::PolicyEngine;

/// API groups that only an engine serves, and the engine. The more specific come first: Calico under Tigera's operator
/// serves both of its groups.
const GROUPS: [(&str, &str); 7] = [
    ("cilium.io", "cilium"),
    ("crd.projectcalico.org", "calico"),
    ("projectcalico.org", "calico"),
    ("crd.antrea.io", "antrea"),
    ("k8s.ovn.org", "ovn-kubernetes"),
    ("kubeovn.io", "kube-ovn"),
    ("operator.tigera.io", "calico"),
];

/// DaemonSets of engines, by the names in the engines' own manifests and charts. `kube-router` and Weave Net serve no
/// API group of their own.
const DAEMON_SETS: [(&str, &str); 7] = [
    ("cilium", "cilium"),
    ("calico-node", "calico"),
    ("canal", "calico"),
    ("antrea-agent", "antrea"),
    ("ovnkube-node", "ovn-kubernetes"),
    ("kube-router", "kube-router"),
    ("weave-net", "weave-net"),
];

/// The engine that serves one of these API groups.
pub(crate) fn by_groups(served: &[&str]) -> Option<PolicyEngine> {
    first(&GROUPS, served)
}

/// The engine that runs as one of these DaemonSets.
pub(crate) fn by_daemon_sets(names: &[&str]) -> Option<PolicyEngine> {
    first(&DAEMON_SETS, names)
}

fn first(table: &[(&str, &str)], present: &[&str]) -> Option<PolicyEngine> {
    table
        .iter()
        .find(|(sign, _)| present.contains(sign))
        .map(|(_, engine)| PolicyEngine((*engine).to_owned()))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(&["apps", "cilium.io"], Some("cilium"))]
    #[case(&["operator.tigera.io", "crd.projectcalico.org"], Some("calico"))]
    #[case(&["policy.networking.k8s.io", "networking.k8s.aws"], None)]
    #[case(&["networking.k8s.io"], None)]
    #[case(&[], None)]
    fn an_engine_is_detected_by_the_groups_it_serves(#[case] groups: &[&str], #[case] engine: Option<&str>) {
        assert_eq!(by_groups(groups).as_ref().map(|found| found.0.as_str()), engine);
    }

    #[test]
    fn an_engine_without_groups_is_detected_by_its_daemon_set() {
        assert_eq!(
            by_daemon_sets(&["kube-proxy", "kube-router"]),
            Some(PolicyEngine("kube-router".to_owned()))
        );
        assert_eq!(by_daemon_sets(&["kube-proxy"]), None);
    }
}
