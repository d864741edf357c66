//! Plans and traces, as an operator reads them.

use super::*;

#[test]
fn the_plan_of_a_delete() {
    insta::assert_snapshot!(plan(&World::new().decide(&delete())));
}

#[test]
fn the_plan_of_a_quarantine_that_leaks_dns() {
    let dns = json!({"metadata": {"name": "allow-dns"}, "spec": {"podSelector": {}, "policyTypes": ["Egress"], "egress": [{"ports": [{"port": 53, "protocol": "UDP"}]}]}});
    let world = World {
        policies: vec![dns],
        ..World::new()
    };
    insta::assert_snapshot!(plan(&world.decide(&quarantine())));
}

#[test]
fn the_plan_of_a_quarantine_of_a_stateful_pod_says_why_it_is_not_detached() {
    let mut world = World::new();
    edit(
        world.pod.as_mut().unwrap(),
        "/metadata/ownerReferences/0/kind",
        json!("StatefulSet"),
    );
    insta::assert_snapshot!(plan(&world.decide(&quarantine())));
}

#[test]
fn the_plan_of_a_cordon() {
    insta::assert_snapshot!(plan(&World::new().decide(&cordon())));
}

#[test]
fn the_plan_of_a_taint_beside_another_one() {
    let mut world = World::new();
    let foreign = json!([{"key": "example.org/gpu", "value": "a100", "effect": "NoSchedule"}]);
    edit(&mut world.node, "/spec/taints", foreign);
    let decision = world.decide(&taint("key: example.org/suspect"));
    insta::assert_snapshot!(plan(&decision));
    insta::assert_yaml_snapshot!("the_step_of_a_taint", plan(&decision).steps[0]);
}

#[test]
fn the_plan_of_labels_taken_from_the_alert() {
    let spec = playbook(
        "mode: Rehearse\nsteps: [{label: {labels: {suspect: {field: proc.name}, missing: {field: proc.pname}, team: null}}}]",
    );
    insta::assert_snapshot!(plan(&World::new().decide(&spec)));
}

#[test]
fn the_trace_of_a_decision() {
    insta::assert_snapshot!(World::new().decide(&delete()).trace);
}

#[test]
fn the_checks_of_a_trace_come_in_the_order_of_their_names() {
    let mut world = World {
        sender: Some(Sender::Anonymous),
        guard: "apiVersion: responder.dev/v1alpha1\nkind: Guard\nmetadata: {name: default}\nspec:\n  mode: Enforce\n  cluster: {name: prod-eu-1, field: cluster}\n  budgets:\n    - {scope: Namespace, class: Destroy, max: 9, per: 10m}\n    - {scope: Cluster, class: Annotate, max: 9, per: 10m, perNamespace: unlimited}\n",
        ..World::new()
    };
    world.alert["output_fields"]["k8s.pod.uid"] = json!("pod-uid");
    let spec = "apiVersion: responder.dev/v1alpha1\nkind: ClusterPlaybook\nmetadata: {name: p}\nspec:\n  description: A test.\n  mode: Enforce\n  match: {rules: [\"*\"], image: {glob: \"*\"}, pod: {matchLabels: {team: shop}}, when: \"true\"}\n  except:\n    - {pod: {matchLabels: {team: bank}}, reason: SEC-1}\n    - {fields: [{field: proc.name, equals: zsh}], reason: SEC-2}\n    - {fields: [{field: proc.name, equals: ash}], reason: SEC-3}\n  limits: {cooldown: {for: 10m}, targets: {max: 5, percentOfOwner: 50, per: 10m}}\n  steps: [{label: {labels: {a: b}}}, {delete: {}}]\n";
    let decision = world.decide(spec);
    insta::assert_snapshot!(decision.trace);
    let mut trace = decision.trace;
    assert!(is_in_order(&trace));
    trace.checks.swap(0, 1);
    assert!(!is_in_order(&trace));
}

#[test]
fn the_sender_is_the_first_check_of_the_trace() {
    let name = SenderName::new("falco").unwrap();
    for (sender, verdict, detail) in [
        (Sender::Basic(name), Verdict::Passed, "basic falco"),
        (Sender::Anonymous, Verdict::Skipped, "the sender was not authenticated"),
    ] {
        let world = World {
            sender: Some(sender),
            ..World::new()
        };
        let trace = world.decide(&delete()).trace;
        let first = &trace.checks[0];
        assert_eq!(
            (&first.name, first.verdict, &*first.detail),
            (&CheckName::Sender, verdict, detail)
        );
    }
}
