//! Which NetworkPolicy engine a cluster runs, told by what it has installed. Part of the step *snapshot*.
//!
//! An API server stores NetworkPolicies whether or not anything enforces them, so a quarantine in a cluster without a
//! known engine is reported as unverified. Only what proves an engine is listed: the groups of the
//! AdminNetworkPolicy resources (`policy.networking.k8s.io`) and of Amazon's VPC CNI (`networking.k8s.aws`) are
//! installed in clusters that enforce nothing, and say nothing.

use responder_core::snapshot::PolicyEngine;

/// API groups that only an engine serves, the more telling first: a Calico that runs under Tigera's operator has both.
const GROUPS: [(&str, &str); 7] = [
    ("cilium.io", "cilium"),
    ("crd.projectcalico.org", "calico"),
    ("projectcalico.org", "calico"),
    ("crd.antrea.io", "antrea"),
    ("k8s.ovn.org", "ovn-kubernetes"),
    ("kubeovn.io", "kube-ovn"),
    ("operator.tigera.io", "calico"),
];

/// DaemonSets of engines, by the names that their own manifests and charts give them. `kube-router` and Weave Net
/// bring no API group of their own.
const DAEMON_SETS: [(&str, &str); 7] = [
    ("cilium", "cilium"),
    ("calico-node", "calico"),
    ("canal", "calico"),
    ("antrea-agent", "antrea"),
    ("ovnkube-node", "ovn-kubernetes"),
    ("kube-router", "kube-router"),
    ("weave-net", "weave-net"),
];

/// The engine that one of these API groups belongs to.
pub(crate) fn by_groups(served: &[&str]) -> Option<PolicyEngine> {
    first(&GROUPS, served)
}

/// The engine that one of these DaemonSets belongs to.
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
    fn an_engine_is_told_by_the_groups_it_serves(#[case] groups: &[&str], #[case] engine: Option<&str>) {
        assert_eq!(by_groups(groups).as_ref().map(|found| found.0.as_str()), engine);
    }

    #[test]
    fn an_engine_without_groups_is_told_by_its_daemon_set() {
        assert_eq!(
            by_daemon_sets(&["kube-proxy", "kube-router"]),
            Some(PolicyEngine("kube-router".to_owned()))
        );
        assert_eq!(by_daemon_sets(&["kube-proxy"]), None);
    }
}
