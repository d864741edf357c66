//! Nodes: what must stay schedulable, what other responses have reserved, and the control plane.

use super::*;

#[test]
fn the_last_schedulable_node_stays() {
    let mut world = World::new();
    for node in &mut world.nodes[1..] {
        edit(node, "/spec/unschedulable", json!(true));
    }
    assert_eq!(world.refusal(&cordon()), Some(RefusalReason::LastSchedulableNode));
}

#[test]
fn a_node_that_another_response_has_just_claimed_counts_as_cordoned() {
    let mut world = World::new();
    world.nodes.truncate(2);
    world.commit(&cordon());
    // The snapshot still shows worker-1 as schedulable: its cordon is in progress.
    edit(&mut world.alert, "/hostname", json!("worker-2"));
    edit(&mut world.alert, "/output_fields/container.id", json!("host"));
    world.node = node_json("worker-2");
    assert_eq!(world.refusal(&cordon()), Some(RefusalReason::LastSchedulableNode));
}

#[rstest]
#[case("", Some(RefusalReason::LastSchedulableNode))]
#[case("effect: PreferNoSchedule", None)]
fn the_last_schedulable_node_is_tainted_only_if_it_still_takes_pods(
    #[case] parameters: &str,
    #[case] refusal: Option<RefusalReason>,
) {
    let mut world = World::new();
    for node in &mut world.nodes[1..] {
        edit(node, "/spec/unschedulable", json!(true));
    }
    assert_eq!(world.refusal(&taint(parameters)), refusal);
}

/// The claim of one action counts for another, before a snapshot shows the change.
#[rstest]
#[case::a_taint_for_a_cordon(&taint(""), &cordon())]
#[case::a_cordon_for_a_taint(&cordon(), &taint(""))]
fn a_node_that_any_response_has_reserved_does_not_count_as_schedulable(#[case] first: &str, #[case] second: &str) {
    let mut world = World::new();
    world.nodes.truncate(2);
    world.commit(first);
    edit(&mut world.alert, "/hostname", json!("worker-2"));
    edit(&mut world.alert, "/output_fields/container.id", json!("host"));
    world.node = node_json("worker-2");
    assert_eq!(world.refusal(second), Some(RefusalReason::LastSchedulableNode));
}

#[test]
fn a_tainted_node_does_not_count_as_schedulable_whoever_tainted_it() {
    let mut world = World::new();
    world.nodes.truncate(2);
    let taint = json!([{"key": "example.org/suspect", "value": "abc", "effect": "NoSchedule"}]);
    edit(&mut world.nodes[1], "/spec/taints", taint);
    assert_eq!(world.refusal(&cordon()), Some(RefusalReason::LastSchedulableNode));
    edit(&mut world.nodes[1], "/spec/taints", json!([]));
    assert_eq!(world.refusal(&cordon()), None);
}

#[test]
fn a_control_plane_node_does_not_count_as_schedulable() {
    let mut world = World::new();
    world.nodes.truncate(2);
    let role = json!({"node-role.kubernetes.io/controlplane": "true"});
    edit(&mut world.nodes[1], "/metadata/labels", role);
    assert_eq!(world.refusal(&cordon()), Some(RefusalReason::LastSchedulableNode));
}

/// The second alert is about another node, and a sender names any host that it likes.
fn second_node(world: &mut World) {
    edit(&mut world.alert, "/hostname", json!("worker-2"));
    edit(&mut world.alert, "/output_fields/container.id", json!("host"));
    world.node = node_json("worker-2");
}

#[test]
fn without_a_guard_one_sender_cordons_one_node_an_hour() {
    let mut world = World::new();
    world.commit(&cordon());
    second_node(&mut world);
    assert_eq!(world.refusal(&cordon()), Some(RefusalReason::BudgetExhausted));
    assert_eq!(world.refusal(&taint("")), Some(RefusalReason::BudgetExhausted));
    edit(&mut world.alert, "/time", json!("2026-11-24T04:00:06Z"));
    assert_eq!(reason(&world.decide_at(&cordon(), "2026-11-24T04:00:08Z")), None);
}

#[test]
fn a_guard_sets_its_own_budget_of_nodes() {
    let mut world = World::new();
    world.guard = "apiVersion: responder.dev/v1alpha1\nkind: Guard\nmetadata: {name: default}\nspec: {mode: Enforce}\n";
    world.commit(&cordon());
    second_node(&mut world);
    assert_eq!(world.refusal(&cordon()), None);
}

#[test]
fn a_label_reserves_no_node() {
    let mut world = World::new();
    world.guard = "apiVersion: responder.dev/v1alpha1\nkind: Guard\nmetadata: {name: default}\nspec: {mode: Enforce}\n";
    world.nodes.truncate(2);
    world.commit(&playbook(
        "mode: Enforce\ntarget: Node\nsteps: [{label: {labels: {a: b}}}]",
    ));
    edit(&mut world.alert, "/hostname", json!("worker-2"));
    edit(&mut world.alert, "/output_fields/container.id", json!("host"));
    world.node = node_json("worker-2");
    assert_eq!(world.refusal(&cordon()), None);
}

#[rstest]
#[case::by_another_writer(None, "by another writer; responder will not remove it")]
#[case::by_another_response(Some("q/other"), "by q/other")]
fn an_existing_taint_is_noted_and_not_overwritten(#[case] by: Option<&str>, #[case] note: &str) {
    let mut world = World::new();
    let there = json!([{"key": "responder.dev/incident", "value": "other", "effect": "NoSchedule"}]);
    edit(&mut world.node, "/spec/taints", there);
    if let Some(by) = by {
        edit(
            &mut world.node,
            "/metadata/annotations",
            json!({"responder.dev/tainted-by.other": by}),
        );
    }
    let decision = world.decide(&taint(""));
    let Outcome::Refuse(refusal) = &decision.outcome else {
        panic!("{decision:?}")
    };
    assert_eq!(refusal.reason, RefusalReason::AlreadyDone);
    assert_eq!(
        refusal.detail,
        format!("node/worker-1 is already tainted responder.dev/incident=other:NoSchedule, {note}")
    );
}

#[test]
fn a_control_plane_node_is_protected() {
    let mut world = World::new();
    edit(
        &mut world.node,
        "/metadata/labels",
        json!({"node-role.kubernetes.io/control-plane": ""}),
    );
    assert_eq!(world.refusal(&cordon()), Some(RefusalReason::Protected));
}
