mod coverage;
mod engines;
mod worlds;

use std::collections::BTreeMap;

use rstest::rstest;
use serde_json::{Value, json};

use super::*;

use crate::object::{Locator, Name, Namespace, ObjectRef, Uid};
use crate::own::{DenyingPolicy, OnExpiry, QUARANTINE_LABEL, QuarantineRecord};

#[expect(
    clippy::needless_pass_by_value,
    reason = "the specs are written in place, as `json!`"
)]
fn policy(name: &str, spec: Value) -> NetworkPolicy {
    serde_json::from_value(json!({"metadata": {"name": name, "namespace": "web"}, "spec": spec})).unwrap()
}

fn quarantined() -> BTreeMap<String, String> {
    BTreeMap::from([
        (QUARANTINE_LABEL.to_owned(), "abc".to_owned()),
        ("tier".to_owned(), "web".to_owned()),
    ])
}

fn endpoint() -> Endpoint {
    Endpoint {
        labels: quarantined(),
        namespace: "web".to_owned(),
        namespace_labels: Some(BTreeMap::from([
            ("kubernetes.io/metadata.name".to_owned(), "web".to_owned()),
            ("stage".to_owned(), "prod".to_owned()),
        ])),
        service_account: "default".to_owned(),
    }
}

fn under(engine: PolicyEngine, network_policies: Vec<NetworkPolicy>, policies: Vec<EnginePolicy>) -> Isolation {
    let policies = Policies {
        network_policies,
        others: EnginePolicies {
            engine: Some(engine),
            policies,
            ..EnginePolicies::default()
        },
    };
    isolation(&endpoint(), &policies)
}

fn under_cilium(policies: Vec<NetworkPolicy>) -> Isolation {
    under(PolicyEngine::Cilium, policies, Vec::new())
}

fn of(kind: PolicyKind, name: &str, spec: Value) -> EnginePolicy {
    EnginePolicy {
        kind,
        name: name.to_owned(),
        spec,
    }
}

/// Two policies that together leave nothing closed but what they name.
fn both_ways(egress: &[Value]) -> Vec<NetworkPolicy> {
    let mut policies = vec![policy(
        "in",
        json!({"podSelector": {}, "policyTypes": ["Ingress"], "ingress": [{}]}),
    )];
    for (index, rule) in egress.iter().enumerate() {
        let spec = json!({"podSelector": {}, "policyTypes": ["Egress"], "egress": [rule]});
        policies.push(policy(&format!("out-{index}"), spec));
    }
    policies
}

#[rstest]
#[case::by_label(
    json!({"podSelector": {"matchLabels": {"tier": "web"}}, "ingress": [{"from": [{"podSelector": {"matchLabels": {"app": "front"}}}], "ports": [{"port": 80}]}]}),
    "IsolatedExcept [ingress from pods with app=front of the namespace on tcp/80 (policy p)]"
)]
#[case::full_deny(json!({"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}), "Isolated")]
#[case::additive_two_rules(
    json!({"podSelector": {}, "policyTypes": ["Egress"], "egress": [{"to": [{"namespaceSelector": {}}], "ports": [{"port": 53, "protocol": "UDP"}]}, {"to": [{"ipBlock": {"cidr": "10.0.0.0/8"}}]}]}),
    "IsolatedExcept [egress to 10.0.0.0/8 on all ports (policy p); egress to all pods of all namespaces on udp/53 (policy p)]"
)]
#[case::allow_all(
    json!({"podSelector": {}, "policyTypes": ["Ingress", "Egress"], "ingress": [{}], "egress": [{}]}),
    "IsolatedExcept [ingress from everywhere on all ports (policy p); egress to everywhere on all ports (policy p)]"
)]
#[case::ip_block_with_except(
    json!({"podSelector": {}, "policyTypes": ["Egress"], "egress": [{"to": [{"ipBlock": {"cidr": "0.0.0.0/0", "except": ["169.254.169.254/32"]}}], "ports": [{"port": 8000, "endPort": 9000}]}]}),
    "IsolatedExcept [egress to 0.0.0.0/0 except 169.254.169.254/32 on tcp/8000-9000 (policy p)]"
)]
#[case::of_another_pod(json!({"podSelector": {"matchLabels": {"tier": "db"}}, "ingress": [{}]}), "Isolated")]
#[case::egress_rules_without_types_count(
    json!({"podSelector": {}, "egress": [{}]}),
    "IsolatedExcept [egress to everywhere on all ports (policy p)]"
)]
#[case::ingress_rules_under_egress_only_types_do_not_count(
    json!({"podSelector": {}, "policyTypes": ["Egress"], "ingress": [{}]}),
    "Isolated"
)]
fn each_shape_of_policy_is_understood(#[case] spec: Value, #[case] expected: &str) {
    let isolation = under_cilium(vec![policy("p", spec)]);
    assert_eq!(isolation.to_string(), expected);
}

#[test]
fn without_a_known_policy_engine_nothing_is_verified() {
    let isolation = isolation(&endpoint(), &Policies::default());
    assert_eq!(
        isolation.to_string(),
        "Unverified: no policy engine was recognised in the cluster"
    );
}

#[test]
fn a_quarantine_that_isolates_nothing_is_futile_and_half_of_one_is_not() {
    let open = policy(
        "open",
        json!({"podSelector": {}, "policyTypes": ["Ingress", "Egress"], "ingress": [{}], "egress": [{}]}),
    );
    let half = policy(
        "half",
        json!({"podSelector": {}, "policyTypes": ["Egress"], "egress": [{}]}),
    );
    assert!(under_cilium(vec![open]).is_futile());
    assert!(!under_cilium(vec![half]).is_futile());
}

#[rstest]
#[case::nothing(json!({"podSelector": {"matchLabels": {QUARANTINE_LABEL: "abc"}}, "policyTypes": ["Ingress", "Egress"]}), "Isolated")]
#[case::dns(
    json!({"podSelector": {"matchLabels": {QUARANTINE_LABEL: "abc"}}, "policyTypes": ["Ingress", "Egress"], "egress": [{
        "ports": [{"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}],
        "to": [{
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}},
            "podSelector": {"matchLabels": {"k8s-app": "kube-dns"}},
        }],
    }]}),
    "Isolated"
)]
#[case::changed_to_allow_more(
    json!({"podSelector": {"matchLabels": {QUARANTINE_LABEL: "abc"}}, "policyTypes": ["Egress"], "egress": [{}]}),
    "IsolatedExcept [egress to everywhere on all ports (policy responder-quarantine-abc)]"
)]
#[case::forged_over_all_pods(
    json!({"podSelector": {}, "policyTypes": ["Ingress"], "ingress": [{}]}),
    "IsolatedExcept [ingress from everywhere on all ports (policy responder-quarantine-abc)]"
)]
fn the_policy_of_a_quarantine_is_no_leak_as_long_as_it_is_one(#[case] spec: Value, #[case] expected: &str) {
    let mut labelled = policy("responder-quarantine-abc", spec);
    labelled.metadata.labels = Some(BTreeMap::from([(QUARANTINE_LABEL.to_owned(), "abc".to_owned())]));
    assert_eq!(under_cilium(vec![labelled]).to_string(), expected);
}

#[test]
fn what_is_not_read_or_not_understood_is_not_called_isolated() {
    let antrea = vec![
        of(PolicyKind::AntreaClusterNetworkPolicy, "a", json!({})),
        of(PolicyKind::AntreaNetworkPolicy, "b", json!({})),
    ];
    assert_eq!(
        under(PolicyEngine::Antrea, Vec::new(), antrea).to_string(),
        "Unverified: Antrea ClusterNetworkPolicy a and 1 more are not understood and may allow more"
    );
    let malformed = |name: &str| of(PolicyKind::CalicoGlobalNetworkPolicy, name, json!({"order": "first"}));
    let isolation = under(PolicyEngine::Calico, Vec::new(), vec![malformed("p"), malformed("q")]);
    let [p, q] = &isolation.unverified[..] else {
        panic!("each is told once: {isolation}")
    };
    assert!(p.starts_with("GlobalNetworkPolicy p is not understood: "), "{p}");
    assert!(q.starts_with("GlobalNetworkPolicy q is not understood: "), "{q}");
}

#[test]
fn a_policy_of_an_engine_that_does_not_run_is_a_leak_and_no_reason_to_give_up() {
    let open =
        json!({"endpointSelector": {}, "ingress": [{"fromEntities": ["all"]}], "egress": [{"toEntities": ["all"]}]});
    let policies = vec![of(PolicyKind::CiliumNetworkPolicy, "open", open)];
    let isolation = under(PolicyEngine::Calico, Vec::new(), policies.clone());
    assert_eq!(
        (isolation.leaks.len(), isolation.is_futile()),
        (2, false),
        "{isolation}"
    );
    assert!(under(PolicyEngine::Cilium, Vec::new(), policies).is_futile());
}

/// The policy with which a quarantine of this pod denies.
fn denial_with(kind: DenyingKind, allow_dns: bool) -> EnginePolicy {
    let record = QuarantineRecord {
        pod: ObjectRef {
            at: Locator::pod(Namespace::new("web").unwrap(), Name::new("web-0").unwrap()),
            uid: Uid::new("pod-uid").unwrap(),
        },
        incident: "abc".to_owned(),
        playbook: "p".to_owned(),
        owner: None,
        expires_at: None,
        on_expiry: OnExpiry::Hold,
        detached: BTreeMap::new(),
        denied_by: Some(kind),
    };
    EnginePolicy::of_quarantine(&DenyingPolicy::of(&record, allow_dns).unwrap()).unwrap()
}

fn denial(kind: DenyingKind) -> EnginePolicy {
    denial_with(kind, false)
}

/// Two policies of two kinds that allow everything in both directions.
fn open_both_ways(engine: PolicyEngine) -> (Vec<NetworkPolicy>, Vec<EnginePolicy>) {
    let of_engine = match engine {
        PolicyEngine::Cilium => of(
            PolicyKind::CiliumClusterwideNetworkPolicy,
            "open",
            json!({"endpointSelector": {}, "ingress": [{"fromEntities": ["all"]}], "egress": [{"toEntities": ["all"]}]}),
        ),
        _ => of(
            PolicyKind::CalicoGlobalNetworkPolicy,
            "open",
            json!({"order": 1, "selector": "all()", "types": ["Ingress", "Egress"], "ingress": [{"action": "Allow"}], "egress": [{"action": "Allow"}]}),
        ),
    };
    (both_ways(&[json!({})]), vec![of_engine])
}

#[rstest]
#[case(PolicyEngine::Cilium, DenyingKind::Cilium)]
#[case(PolicyEngine::Calico, DenyingKind::Calico)]
#[case(PolicyEngine::Calico, DenyingKind::CalicoV3)]
fn a_quarantine_that_denies_leaks_nothing_of_what_comes_after(#[case] engine: PolicyEngine, #[case] kind: DenyingKind) {
    let (network_policies, mut policies) = open_both_ways(engine);
    assert!(under(engine, network_policies.clone(), policies.clone()).is_futile());
    policies.push(denial(kind));
    assert_eq!(under(engine, network_policies, policies).to_string(), "Isolated");
}

#[rstest]
#[case::a_tier_before(
    DenyingKind::Calico,
    of(PolicyKind::CalicoGlobalNetworkPolicy, "p", json!({"tier": "security", "selector": "all()", "types": ["Egress"], "egress": [{"action": "Allow"}]})),
    "IsolatedExcept [egress to everywhere on all ports (GlobalNetworkPolicy p)]"
)]
#[case::an_order_before(
    DenyingKind::Calico,
    of(PolicyKind::CalicoNetworkPolicy, "p", json!({"order": -2e9, "selector": "all()", "types": ["Egress"], "egress": [{"action": "Allow"}]})),
    "IsolatedExcept [egress to everywhere on all ports (Calico NetworkPolicy p)]"
)]
#[case::the_tier_of_administrators_which_calico_may_enforce(
    DenyingKind::Calico,
    of(PolicyKind::ClusterNetworkPolicy, "p", json!({"tier": "Admin", "priority": 1, "subject": {"namespaces": {}}, "egress": [{"action": "Accept", "to": [{"networks": ["0.0.0.0/0"]}]}]})),
    "IsolatedExcept [egress to 0.0.0.0/0 on all ports (ClusterNetworkPolicy p)]"
)]
#[case::nothing_comes_before_a_denial_of_ciliums(
    DenyingKind::Cilium,
    of(PolicyKind::CiliumClusterwideNetworkPolicy, "p", json!({"endpointSelector": {}, "egress": [{"toEntities": ["all"]}]})),
    "Isolated"
)]
fn a_quarantine_that_denies_leaks_what_comes_before(
    #[case] kind: DenyingKind,
    #[case] before: EnginePolicy,
    #[case] expected: &str,
) {
    let engine = match kind {
        DenyingKind::Cilium => PolicyEngine::Cilium,
        DenyingKind::Calico | DenyingKind::CalicoV3 => PolicyEngine::Calico,
    };
    let tier = of(PolicyKind::CalicoTier, "security", json!({"order": 100}));
    let policies = vec![tier, before, denial(kind)];
    assert_eq!(under(engine, both_ways(&[json!({})]), policies).to_string(), expected);
}

#[rstest]
#[case(PolicyEngine::Calico, DenyingKind::Cilium)]
#[case(PolicyEngine::Cilium, DenyingKind::Calico)]
fn a_denial_that_no_running_engine_enforces_denies_nothing(#[case] engine: PolicyEngine, #[case] kind: DenyingKind) {
    let isolation = under(engine, both_ways(&[json!({})]), vec![denial(kind)]);
    assert!(isolation.is_futile(), "{isolation}");
}

#[test]
fn a_denial_that_was_changed_or_forged_counts_as_it_stands() {
    let out = || both_ways(&[json!({"to": [{"ipBlock": {"cidr": "10.0.0.0/8"}}]})]);
    let mut changed = denial(DenyingKind::Calico);
    changed.spec["egress"] =
        json!([{"action": "Allow", "protocol": "TCP", "destination": {"ports": [443]}}, {"action": "Deny"}]);
    assert_eq!(
        under(PolicyEngine::Calico, out(), vec![changed]).to_string(),
        "IsolatedExcept [egress to everywhere on tcp/443 (Calico NetworkPolicy default.responder-quarantine-abc)]"
    );
    let mut elsewhere = denial(DenyingKind::Cilium);
    elsewhere.spec["endpointSelector"] = json!({"matchLabels": {QUARANTINE_LABEL: "def"}});
    let isolation = under(PolicyEngine::Cilium, out(), vec![elsewhere]);
    assert_eq!(isolation.leaks.len(), 2, "{isolation}");
}

#[test]
fn the_dns_that_a_quarantine_allows_is_no_leak_of_its_denial() {
    let policies = vec![denial_with(DenyingKind::Calico, true)];
    let isolation = under(PolicyEngine::Calico, both_ways(&[json!({})]), policies);
    assert_eq!(isolation.to_string(), "Isolated");
}

#[rstest]
#[case(Some(PolicyEngine::Cilium), &DenyingKind::ALL, Ok(DenyingKind::Cilium))]
#[case(Some(PolicyEngine::Calico), &DenyingKind::ALL, Ok(DenyingKind::Calico))]
#[case(Some(PolicyEngine::Calico), &[DenyingKind::CalicoV3], Ok(DenyingKind::CalicoV3))]
#[case(
    Some(PolicyEngine::Cilium),
    &[DenyingKind::Calico],
    Err("cilium runs, and the API server does not serve CiliumNetworkPolicy.cilium.io")
)]
#[case(
    Some(PolicyEngine::OvnKubernetes),
    &DenyingKind::ALL,
    Err("no kind of policy that ovn-kubernetes enforces is denied with in this version")
)]
#[case(None, &DenyingKind::ALL, Err("no policy engine was recognised in the cluster"))]
fn a_quarantine_denies_by_a_kind_that_is_served_and_enforced(
    #[case] engine: Option<PolicyEngine>,
    #[case] can_deny: &[DenyingKind],
    #[case] expected: Result<DenyingKind, &str>,
) {
    let policies = EnginePolicies {
        engine,
        can_deny: can_deny.to_vec(),
        ..EnginePolicies::default()
    };
    assert_eq!(policies.denying_kind(), expected.map_err(str::to_owned));
}

#[test]
fn a_served_kind_of_policy_is_known_as_one_that_denies_by_its_group() {
    for denying in DenyingKind::ALL {
        let kind = PolicyKind::of_denying(denying);
        assert_eq!(kind.denying(denying.kind().group()), Some(denying));
        let place = kind
            .served_at()
            .iter()
            .find(|place| place.group == denying.kind().group());
        assert_eq!(place.unwrap().versions, [denying.kind().version()]);
        assert_eq!(kind.plural(), denying.kind().plural());
    }
    assert_eq!(PolicyKind::AntreaNetworkPolicy.denying("crd.antrea.io"), None);
    assert_eq!(PolicyKind::CalicoTier.denying("crd.projectcalico.org"), None);
}

#[test]
fn many_leaks_are_counted_and_not_all_named() {
    let policies = (0..25).map(|index| policy(&format!("p{index:02}"), json!({"podSelector": {}, "ingress": [{}]})));
    let text = under_cilium(policies.collect()).to_string();
    assert!(text.ends_with("; and 15 more]"), "{text}");
}
