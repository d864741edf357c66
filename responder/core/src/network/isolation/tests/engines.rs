//! Policies of each engine's own kinds, by its precedence.

use super::*;

/// Sources: projectcalico/calico #5940 and #9292.
#[rstest]
#[case::first_in_the_default_tier(
    json!({"order": 100, "selector": "all()", "types": ["Ingress", "Egress"], "ingress": [{"action": "Allow"}], "egress": [{"action": "Allow"}]}),
    "IsolatedExcept [ingress from everywhere on all ports (GlobalNetworkPolicy p); egress to everywhere on all ports (GlobalNetworkPolicy p)]"
)]
#[case::after_kubernetes_policies(
    json!({"order": 2000, "selector": "tier == 'web'", "types": ["Egress"], "egress": [{"action": "Allow", "protocol": "TCP", "destination": {"nets": ["10.0.0.0/8"], "ports": [80, "8000:9000", "http"]}}]}),
    "IsolatedExcept [egress to 10.0.0.0/8 on tcp/80, tcp/8000-9000, port http (GlobalNetworkPolicy p)]"
)]
#[case::in_a_tier_before(
    json!({"tier": "security", "selector": "has(tier)", "types": ["Ingress"], "ingress": [{"action": "Allow", "source": {"selector": "role == 'scanner'"}}]}),
    "IsolatedExcept [ingress from endpoints with role == 'scanner' on all ports (GlobalNetworkPolicy p)]"
)]
#[case::a_pass_from_the_last_tier_meets_the_profile_that_allows(
    json!({"order": 1, "selector": "all()", "types": ["Egress"], "egress": [{"action": "Pass", "destination": {"notNets": ["10.0.0.0/8"]}}]}),
    "IsolatedExcept [egress to 0.0.0.0/0 except 10.0.0.0/8 or ::/0 except 10.0.0.0/8 on all ports (GlobalNetworkPolicy p)]"
)]
#[case::of_another_pod(json!({"selector": "tier == 'db'", "ingress": [{"action": "Allow"}]}), "Isolated")]
#[case::of_another_namespace(
    json!({"namespaceSelector": "stage == 'dev'", "ingress": [{"action": "Allow"}]}),
    "Isolated"
)]
#[case::by_the_namespace_as_calico_names_it(
    json!({"selector": "projectcalico.org/namespace == 'web'", "ingress": [{"action": "Allow"}]}),
    "IsolatedExcept [ingress from everywhere on all ports (GlobalNetworkPolicy p)]"
)]
#[case::of_host_endpoints(json!({"selector": "all()", "preDNAT": true, "ingress": [{"action": "Allow"}]}), "Isolated")]
#[case::denied_before(
    json!({"order": 1, "selector": "all()", "types": ["Egress"], "egress": [{"action": "Deny"}, {"action": "Allow"}]}),
    "Isolated"
)]
#[case::a_log_decides_nothing(
    json!({"order": 1, "selector": "all()", "types": ["Egress"], "egress": [{"action": "Log"}]}),
    "Isolated"
)]
#[case::with_a_selector_that_is_not_understood(
    json!({"selector": "tier ~ 'web'", "ingress": [{"action": "Allow"}]}),
    "IsolatedExcept [ingress from everywhere on all ports (GlobalNetworkPolicy p)]"
)]
fn a_policy_of_calicos_leaks_by_its_tier_and_its_order(#[case] spec: Value, #[case] expected: &str) {
    let policies = vec![
        of(PolicyKind::CalicoTier, "security", json!({"order": 100})),
        of(PolicyKind::CalicoGlobalNetworkPolicy, "p", spec),
    ];
    assert_eq!(under(PolicyEngine::Calico, Vec::new(), policies).to_string(), expected);
}

#[test]
fn a_denial_of_calicos_takes_the_leak_of_a_later_network_policy() {
    let egress = || {
        vec![policy(
            "out",
            json!({"podSelector": {}, "policyTypes": ["Egress"], "egress": [{}]}),
        )]
    };
    let deny = |order: u32| {
        let spec = json!({"order": order, "selector": "all()", "types": ["Egress"], "egress": [{"action": "Deny"}]});
        vec![of(PolicyKind::CalicoGlobalNetworkPolicy, "deny", spec)]
    };
    assert_eq!(under(PolicyEngine::Calico, egress(), deny(10)).to_string(), "Isolated");
    for (engine, order) in [
        (PolicyEngine::Calico, 1000),
        (PolicyEngine::Calico, 2000),
        (PolicyEngine::Cilium, 10),
    ] {
        let isolation = under(engine, egress(), deny(order));
        assert_eq!(isolation.open, [Direction::Egress], "{engine} at {order}: {isolation}");
    }
}

/// Source: cilium/cilium #41894.
#[rstest]
#[case::to_the_world(
    json!({"endpointSelector": {}, "egress": [{"toEntities": ["world"]}]}),
    "IsolatedExcept [egress to the world on all ports (CiliumNetworkPolicy p)]"
)]
#[case::with_the_source_of_the_label(
    json!({"endpointSelector": {"matchLabels": {"k8s:tier": "web"}}, "ingress": [{"fromEndpoints": [{"matchLabels": {"app": "front"}}], "toPorts": [{"ports": [{"port": "80", "protocol": "TCP"}]}]}]}),
    "IsolatedExcept [ingress from pods with app=front of the namespace on tcp/80 (CiliumNetworkPolicy p)]"
)]
#[case::by_the_labels_of_its_namespace(
    json!({"endpointSelector": {"matchLabels": {"io.cilium.k8s.namespace.labels.stage": "prod"}}, "egress": [{"toFQDNs": [{"matchName": "example.org"}]}]}),
    "IsolatedExcept [egress to its toFQDNs on all ports (CiliumNetworkPolicy p)]"
)]
#[case::any_port_of_any_protocol(
    json!({"endpointSelector": {}, "egress": [{"toCIDRSet": [{"cidr": "0.0.0.0/0", "except": ["10.0.0.0/8"]}], "toPorts": [{"ports": [{"port": "0"}]}]}]}),
    "IsolatedExcept [egress to 0.0.0.0/0 except 10.0.0.0/8 on all of tcp, all of udp, all of sctp (CiliumNetworkPolicy p)]"
)]
#[case::by_rules_of_http(
    json!({"endpointSelector": {}, "egress": [{"toPorts": [{"ports": [{"port": "80", "protocol": "TCP"}], "rules": {"http": [{}]}}]}]}),
    "IsolatedExcept [egress to everywhere on tcp/80, by rules of its application (CiliumNetworkPolicy p)]"
)]
#[case::an_empty_rule_allows_nothing(json!({"endpointSelector": {}, "ingress": [{}], "egress": [{}]}), "Isolated")]
#[case::no_endpoints_are_nobody(json!({"endpointSelector": {}, "ingress": [{"fromEndpoints": []}]}), "Isolated")]
#[case::of_another_pod(json!({"endpointSelector": {"matchLabels": {"any:tier": "db"}}, "ingress": [{"fromEntities": ["all"]}]}), "Isolated")]
#[case::of_nodes(json!({"nodeSelector": {}, "ingress": [{"fromEntities": ["all"]}]}), "Isolated")]
#[case::denied_by_the_same_policy(
    json!({"endpointSelector": {}, "egress": [{"toEntities": ["world"]}], "egressDeny": [{"toCIDR": ["0.0.0.0/0", "::/0"]}]}),
    "Isolated"
)]
fn a_policy_of_ciliums_leaks_what_no_policy_denies(#[case] spec: Value, #[case] expected: &str) {
    let policies = vec![of(PolicyKind::CiliumNetworkPolicy, "p", spec)];
    assert_eq!(under(PolicyEngine::Cilium, Vec::new(), policies).to_string(), expected);
}

/// Source: <https://network-policy-api.sigs.k8s.io/api-overview/>
#[rstest]
#[case::admin(
    PolicyKind::ClusterNetworkPolicy,
    json!({"tier": "Admin", "priority": 1, "subject": {"namespaces": {}}, "ingress": [{"action": "Accept", "from": [{"namespaces": {"matchLabels": {"stage": "ops"}}}], "protocols": [{"tcp": {"destinationPort": {"number": 9100}}}]}]}),
    "IsolatedExcept [ingress from all pods of namespaces with stage=ops on tcp/9100 (ClusterNetworkPolicy p)]"
)]
#[case::baseline(
    PolicyKind::ClusterNetworkPolicy,
    json!({"tier": "Baseline", "priority": 1, "subject": {"namespaces": {}}, "egress": [{"action": "Accept", "to": [{"networks": ["0.0.0.0/0"]}]}]}),
    "Isolated"
)]
#[case::a_pass_leads_to_the_quarantine(
    PolicyKind::ClusterNetworkPolicy,
    json!({"tier": "Admin", "priority": 1, "subject": {"namespaces": {}}, "egress": [{"action": "Pass", "to": [{"networks": ["0.0.0.0/0"]}]}]}),
    "Isolated"
)]
#[case::of_the_older_kind(
    PolicyKind::AdminNetworkPolicy,
    json!({"priority": 5, "subject": {"pods": {"namespaceSelector": {}, "podSelector": {"matchLabels": {"tier": "web"}}}}, "egress": [{"action": "Allow", "to": [{"networks": ["0.0.0.0/0"]}], "ports": [{"portNumber": {"protocol": "TCP", "port": 443}}, {"portRange": {"protocol": "UDP", "start": 1, "end": 9}}]}]}),
    "IsolatedExcept [egress to 0.0.0.0/0 on tcp/443, udp/1-9 (AdminNetworkPolicy p)]"
)]
#[case::of_another_namespace(
    PolicyKind::AdminNetworkPolicy,
    json!({"priority": 5, "subject": {"namespaces": {"matchLabels": {"stage": "dev"}}}, "egress": [{"action": "Allow", "to": [{"networks": ["0.0.0.0/0"]}]}]}),
    "Isolated"
)]
fn a_policy_of_the_administrators_comes_before_the_quarantine(
    #[case] kind: PolicyKind,
    #[case] spec: Value,
    #[case] expected: &str,
) {
    let policies = vec![of(kind, "p", spec)];
    assert_eq!(
        under(PolicyEngine::OvnKubernetes, Vec::new(), policies).to_string(),
        expected
    );
}

/// Which of them wins is not defined.
#[test]
fn of_two_policies_of_one_priority_the_one_that_allows_is_a_leak() {
    let all = |action: &str| json!([{"action": action, "to": [{"networks": ["0.0.0.0/0"]}]}]);
    let policy = |name: &str, priority: u32, action: &str| {
        let spec = json!({"tier": "Admin", "priority": priority, "subject": {"namespaces": {}}, "egress": all(action)});
        of(PolicyKind::ClusterNetworkPolicy, name, spec)
    };
    let under_both = |first: u32, second: u32| {
        let policies = vec![policy("a-deny", first, "Deny"), policy("b-accept", second, "Accept")];
        under(PolicyEngine::OvnKubernetes, Vec::new(), policies).to_string()
    };
    assert_eq!(under_both(4, 5), "Isolated");
    assert_eq!(
        under_both(5, 5),
        "IsolatedExcept [egress to 0.0.0.0/0 on all ports (ClusterNetworkPolicy b-accept)]"
    );
}
