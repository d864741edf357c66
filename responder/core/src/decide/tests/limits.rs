//! Claims: answered alerts, cooldowns, budgets and limits that count by owner.

use super::*;

#[test]
fn an_alert_is_answered_once_by_each_playbook() {
    let mut world = World::new();
    world.commit(&delete());
    assert_eq!(world.refusal(&delete()), Some(RefusalReason::Duplicate));
}

#[test]
fn a_cooldown_per_owner_holds_for_the_replacement() {
    let spec = playbook("mode: Enforce\nlimits: {cooldown: {per: Owner, for: 10m}}\nsteps: [{delete: {}}]");
    let mut world = World::new();
    world.commit(&spec);
    edit(&mut world.alert, "/output_fields/container.id", json!("bbbbbbbbbbbb"));
    let pod = world.pod.as_mut().unwrap();
    edit(pod, "/metadata/uid", json!("replacement-uid"));
    edit(
        pod,
        "/status/containerStatuses/0/containerID",
        json!("containerd://bbbbbbbbbbbbbbbb"),
    );
    assert_eq!(world.refusal(&spec), Some(RefusalReason::Cooldown));
}

#[test]
fn a_budget_of_the_guard_is_not_exceeded() {
    let mut world = World::new();
    world.guard = "apiVersion: responder.dev/v1alpha1\nkind: Guard\nmetadata: {name: default}\nspec:\n  mode: Enforce\n  budgets: [{scope: Namespace, class: Destroy, max: 1, per: 10m}]\n";
    world.commit(&delete());
    edit(&mut world.alert, "/output_fields/container.id", json!("bbbbbbbbbbbb"));
    let pod = world.pod.as_mut().unwrap();
    edit(pod, "/metadata/uid", json!("second-uid"));
    edit(
        pod,
        "/status/containerStatuses/0/containerID",
        json!("containerd://bbbbbbbbbbbbbbbb"),
    );
    assert_eq!(world.refusal(&delete()), Some(RefusalReason::BudgetExhausted));
}

#[test]
fn a_budget_of_the_cluster_says_what_it_counted_and_keeps_a_reserve() {
    let mut world = World::new();
    world.guard = "apiVersion: responder.dev/v1alpha1\nkind: Guard\nmetadata: {name: default}\nspec:\n  mode: Enforce\n  budgets: [{scope: Cluster, class: Destroy, max: 2, per: 10m, reserve: {minPriority: Critical, slots: 1}}]\n";
    let decision = world.decide(&delete());
    let counted: Vec<String> = decision
        .trace
        .checks
        .iter()
        .filter(|check| matches!(check.name, CheckName::Budget(..)))
        .map(|check| check.detail.clone())
        .collect();
    let of_this_budget = [
        "0 of 2 targets in the cluster in 10m",
        "0 of 1 targets for alerts of namespace web in 10m",
        "0 of 1 targets for alerts below Critical (1 are reserved) in 10m",
    ];
    assert_eq!(counted, of_this_budget);
}
