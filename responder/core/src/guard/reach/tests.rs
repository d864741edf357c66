use proptest::prelude::*;
use rstest::rstest;
use serde_json::{Value, json};

use super::*;
use crate::own::QUARANTINE_LABEL;

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

fn cilium() -> PolicyEngine {
    PolicyEngine("cilium".to_owned())
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
    let isolation = isolation(&quarantined(), &[policy("p", spec)], Some(&cilium()));
    assert_eq!(isolation.to_string(), expected);
}

#[test]
fn without_a_known_policy_engine_nothing_is_verified() {
    let isolation = isolation(&quarantined(), &[], None);
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
    assert!(isolation(&quarantined(), &[open], Some(&cilium())).is_futile());
    assert!(!isolation(&quarantined(), &[half], Some(&cilium())).is_futile());
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
    assert_eq!(
        isolation(&quarantined(), &[labelled], Some(&cilium())).to_string(),
        expected
    );
}

/// A model small enough to try every connection: pods with one label, one port, both directions.
#[derive(Debug, Clone)]
struct SmallPolicy {
    selects_tier: Option<&'static str>,
    ingress: Option<Vec<Option<&'static str>>>,
    egress: Option<Vec<Option<&'static str>>>,
}

impl SmallPolicy {
    fn object(&self, index: usize) -> NetworkPolicy {
        let selector =
            |tier: Option<&str>| tier.map_or_else(|| json!({}), |tier| json!({"matchLabels": {"tier": tier}}));
        let rules = |rules: &[Option<&str>], key: &str| -> Vec<Value> {
            rules
                .iter()
                .map(|peer| json!({key: [{"podSelector": selector(*peer)}]}))
                .collect()
        };
        let types: Vec<&str> = [
            self.ingress.as_ref().map(|_| "Ingress"),
            self.egress.as_ref().map(|_| "Egress"),
        ]
        .into_iter()
        .flatten()
        .collect();
        policy(
            &format!("p{index}"),
            json!({
                "podSelector": selector(self.selects_tier),
                "policyTypes": types,
                "ingress": self.ingress.as_ref().map(|peers| rules(peers, "from")),
                "egress": self.egress.as_ref().map(|peers| rules(peers, "to")),
            }),
        )
    }

    /// Whether this policy, by the text of the specification, allows traffic between the quarantined pod and some peer.
    fn allows_some_peer(&self) -> bool {
        let is_selected = self.selects_tier.is_none_or(|tier| tier == "web");
        let some = |rules: &Option<Vec<Option<&str>>>| rules.as_ref().is_some_and(|peers| !peers.is_empty());
        is_selected && (some(&self.ingress) || some(&self.egress))
    }
}

fn small_policy() -> impl Strategy<Value = SmallPolicy> {
    let tier = || prop::option::of(prop::sample::select(vec!["web", "db"]));
    let rules = move || prop::option::of(prop::collection::vec(tier(), 0..3));
    // A policy without types would default to Ingress; the table above covers that case.
    (tier(), rules(), rules())
        .prop_filter("has a type", |(_, ingress, egress)| {
            ingress.is_some() || egress.is_some()
        })
        .prop_map(|(selects_tier, ingress, egress)| SmallPolicy {
            selects_tier,
            ingress,
            egress,
        })
}

proptest! {
    #[test]
    fn a_leak_is_reported_exactly_where_a_connection_is_allowed(world in prop::collection::vec(small_policy(), 0..5)) {
        let policies: Vec<_> = world.iter().enumerate().map(|(index, policy)| policy.object(index)).collect();
        let found = isolation(&quarantined(), &policies, Some(&cilium()));
        prop_assert_eq!(found == Isolation::Isolated, !world.iter().any(SmallPolicy::allows_some_peer));
        for (index, policy) in world.iter().enumerate() {
            let name = format!("p{index}");
            prop_assert_eq!(found.leaks().iter().any(|leak| leak.policy == name), policy.allows_some_peer());
        }
    }
}
