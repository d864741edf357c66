//! What is as good as everything, however it is written.

use super::*;

/// Sources: ahmetb/kubernetes-network-policy-recipes #6, cloudnativelabs/kube-router #326.
#[rstest]
#[case::but_for_one_address(&[json!({"to": [{"ipBlock": {"cidr": "0.0.0.0/0", "except": ["169.254.169.254/32"]}}]})])]
#[case::but_for_private_networks(
    &[json!({"to": [{"ipBlock": {"cidr": "0.0.0.0/0", "except": ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"]}}]})]
)]
#[case::two_halves(&[json!({"to": [{"ipBlock": {"cidr": "0.0.0.0/1"}}, {"ipBlock": {"cidr": "128.0.0.0/1"}}]})])]
#[case::two_halves_in_two_policies(
    &[json!({"to": [{"ipBlock": {"cidr": "0.0.0.0/1"}}]}), json!({"to": [{"ipBlock": {"cidr": "128.0.0.0/1"}}]})]
)]
#[case::with_all_namespaces(&[json!({"to": [{"ipBlock": {"cidr": "0.0.0.0/0"}}, {"namespaceSelector": {}}]})])]
#[case::of_ipv6(&[json!({"to": [{"ipBlock": {"cidr": "::/0"}}]})])]
#[case::of_ipv6_as_it_is_routed(&[json!({"to": [{"ipBlock": {"cidr": "2000::/3"}}]})])]
#[case::all_ports_of_tcp(&[json!({"ports": [{"protocol": "TCP"}]})])]
#[case::all_ports_by_their_numbers(&[json!({"ports": [{"port": 1, "endPort": 65535}]})])]
#[case::all_ports_in_two_policies(
    &[json!({"ports": [{"port": 1, "endPort": 30000}]}), json!({"ports": [{"port": 30001, "endPort": 65535}]})]
)]
#[case::all_ports_of_udp(&[json!({"ports": [{"protocol": "UDP", "port": 1024, "endPort": 65535}]})])]
fn everything_but_a_little_is_everything(#[case] egress: &[Value]) {
    let isolation = under_cilium(both_ways(egress));
    assert!(isolation.is_futile(), "{isolation}");
}

#[rstest]
#[case::one_network(&[json!({"to": [{"ipBlock": {"cidr": "10.0.0.0/8"}}]})])]
#[case::one_port(&[json!({"ports": [{"port": 443}]})])]
#[case::pods_alone(&[json!({"to": [{"namespaceSelector": {}}]})])]
fn a_part_is_not_everything(#[case] egress: &[Value]) {
    let isolation = under_cilium(both_ways(egress));
    assert_eq!(isolation.open, [Direction::Ingress], "{isolation}");
    assert!(isolation.leaks_of(Direction::Egress).next().is_some());
}
