//! The mode of a response, and the target that it resolves to.

use super::*;

#[rstest]
#[case(Mode::Observe, "Enforce", Mode::Observe)]
#[case(Mode::Enforce, "Rehearse", Mode::Rehearse)]
#[case(Mode::Enforce, "Enforce", Mode::Enforce)]
fn the_mode_is_the_safest(#[case] process: Mode, #[case] written: &str, #[case] expected: Mode) {
    let world = World {
        process_mode: process,
        ..World::new()
    };
    let decision = world.decide(&playbook(&format!("mode: {written}\nsteps: [{{delete: {{}}}}]")));
    assert_eq!(plan(&decision).mode.mode(), expected);
}

#[test]
fn a_rollout_raises_the_mode_in_the_namespaces_that_it_selects() {
    let spec = playbook(
        "mode: Observe\nrollout: [{namespaces: {matchLabels: {ring: canary}}, mode: Enforce}]\nsteps: [{delete: {}}]",
    );
    let mut world = World::new();
    assert_eq!(plan(&world.decide(&spec)).mode.mode(), Mode::Observe);
    world.namespace_labels = json!({"ring": "canary"});
    assert_eq!(plan(&world.decide(&spec)).mode.mode(), Mode::Enforce);
}

#[rstest]
#[case::an_entry_of_the_playbook(
    "mode: Enforce\nrollout: [{namespaces: {matchLabels: {ring: prod}}, mode: Observe}]",
    "",
    Mode::Observe
)]
#[case::the_playbooks_own(
    "mode: Observe\nrollout: [{namespaces: {matchLabels: {ring: canary}}, mode: Enforce}]",
    "",
    Mode::Observe
)]
#[case::an_entry_of_the_guard(
    "mode: Enforce",
    "apiVersion: responder.dev/v1alpha1\nkind: Guard\nmetadata: {name: default}\nspec:\n  mode: Enforce\n  namespaces: [{selector: {matchLabels: {ring: prod}}, mode: Rehearse}]\n",
    Mode::Rehearse
)]
fn a_namespace_that_was_not_read_has_the_lowest_mode_that_it_could_have(
    #[case] modes: &str,
    #[case] guard: &'static str,
    #[case] expected: Mode,
) {
    let world = World {
        namespace_labels: Value::Null,
        guard,
        ..World::new()
    };
    let decision = world.decide(&playbook(&format!("{modes}\nsteps: [{{delete: {{}}}}]")));
    assert_eq!(plan(&decision).mode.mode(), expected);
}

#[test]
fn a_host_alert_finds_its_node_by_the_falco_pod_on_it() {
    let mut world = World::new();
    edit(&mut world.alert, "/hostname", json!("falco-xczjd"));
    edit(&mut world.alert, "/output_fields/container.id", json!("host"));
    world.falco_pod = Some(
        json!({"metadata": {"name": "falco-xczjd", "namespace": "falco"}, "spec": {"containers": [], "nodeName": "worker-1"}}),
    );
    assert_eq!(plan(&world.decide(&cordon())).target.to_string(), "node/worker-1");
}

#[test]
fn an_owner_is_the_topmost_controller() {
    let spec =
        playbook("mode: Enforce\ntarget: Owner\nsteps: [{annotate: {annotations: {example.org/seen: \"yes\"}}}]");
    assert_eq!(
        plan(&World::new().decide(&spec)).target.to_string(),
        "deployment/web/web"
    );
}
