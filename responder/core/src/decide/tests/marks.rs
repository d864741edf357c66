//! Marks that the target's tenant can write: none refuses a response. A step that one makes useless fails by its name, and
//! its `otherwise` runs.

use crate::obstacle::ObstacleKind;
use crate::own::{OnExpiry, QuarantinePolicy, QuarantineRecord};
use crate::plan::{Branch, PlannedStep};

use super::*;

fn quarantine_or_delete() -> String {
    playbook("mode: Enforce\nsteps: [{quarantine: {ttl: 2h}, otherwise: {delete: {}}}]")
}

/// The first step of the response.
fn step(world: &World, spec: &str) -> PlannedStep {
    plan(&world.decide(spec)).steps[0].clone()
}

fn obstacle(world: &World, spec: &str) -> Option<ObstacleKind> {
    step(world, spec).obstacle.map(|obstacle| obstacle.kind)
}

fn controlled_by(api_version: &str, kind: &str, name: &str, uid: &str) -> Value {
    json!([{"apiVersion": api_version, "kind": kind, "name": name, "uid": uid, "controller": true}])
}

fn allow_all() -> Value {
    json!({
        "metadata": {"name": "open", "namespace": "web"},
        "spec": {"podSelector": {}, "policyTypes": ["Ingress", "Egress"], "ingress": [{}], "egress": [{}]},
    })
}

/// A world whose pod has these fields besides.
fn with_pod(edits: &[(&str, Value)]) -> World {
    let mut world = World::new();
    for (pointer, value) in edits {
        edit(world.pod.as_mut().unwrap(), pointer, value.clone());
    }
    world
}

#[test]
fn a_label_of_ours_without_a_policy_of_ours_is_replaced() {
    let mut world = World::new();
    world.pod.as_mut().unwrap()["metadata"]["labels"]["responder.dev/quarantine"] = json!("x");
    let step = step(&world, &quarantine());
    assert_eq!(step.plan.requests.len(), 2);
    assert!(
        step.plan.notes.iter().any(|note| note.contains("is replaced")),
        "{:?}",
        step.plan.notes
    );
}

/// The policy that a response to the pod with this uid has created, as a value.
fn our_policy(uid: &str) -> Value {
    let record = QuarantineRecord {
        pod: crate::object::ObjectRef {
            at: crate::object::Locator::pod(Namespace::new("web").unwrap(), Name::new("web-0").unwrap()),
            uid: Uid::new(uid).unwrap(),
        },
        incident: "abcdefghij".to_owned(),
        playbook: "p".to_owned(),
        owner: None,
        expires_at: None,
        on_expiry: OnExpiry::Hold,
        detached: std::collections::BTreeMap::new(),
        denied_by: None,
    };
    serde_json::to_value(QuarantinePolicy::of(&record, false).unwrap().manifest).unwrap()
}

#[rstest]
#[case::untouched(our_policy("pod-uid"), true)]
#[case::of_another_pod(our_policy("other-uid"), false)]
#[case::with_a_rule_of_the_tenants(
    { let mut policy = our_policy("pod-uid"); policy["spec"]["egress"] = json!([{}]); policy },
    false
)]
#[case::of_another_incident(
    { let mut policy = our_policy("pod-uid"); policy["metadata"]["labels"]["responder.dev/quarantine"] = json!("x"); policy },
    false
)]
fn a_quarantine_is_done_already_only_by_our_own_untouched_policy(#[case] policy: Value, #[case] is_done: bool) {
    let mut world = World {
        policies: vec![policy],
        ..World::new()
    };
    world.pod.as_mut().unwrap()["metadata"]["labels"]["responder.dev/quarantine"] = json!("abcdefghij");
    let expected = is_done.then_some(RefusalReason::AlreadyDone);
    assert_eq!(world.refusal(&quarantine()), expected);
}

#[test]
fn a_quarantine_that_isolates_nothing_fails_and_its_otherwise_is_planned() {
    let world = World {
        policies: vec![allow_all()],
        ..World::new()
    };
    assert_eq!(obstacle(&world, &quarantine()), Some(ObstacleKind::WouldNotIsolate));
    let step = step(&world, &quarantine_or_delete());
    assert_eq!(step.next().unwrap().action, "delete");
    assert_eq!(step.next().unwrap().plan.requests.len(), 1);
}

#[test]
fn a_pod_on_the_hosts_network_is_deleted_instead() {
    let world = with_pod(&[("/spec/hostNetwork", json!(true))]);
    assert_eq!(obstacle(&world, &quarantine()), Some(ObstacleKind::HostNetwork));
    assert_eq!(step(&world, &quarantine_or_delete()).next().unwrap().action, "delete");
}

#[rstest]
#[case::node("v1", "Node", "worker-1", "n")]
#[case::daemon_set_that_is_not_there("apps/v1", "DaemonSet", "agent", "d")]
#[case::unknown_kind("example.org/v1", "Agent", "a", "a")]
fn a_controller_that_is_not_there_shields_no_pod(
    #[case] api_version: &str,
    #[case] kind: &str,
    #[case] name: &str,
    #[case] uid: &str,
    #[values(delete(), quarantine())] spec: String,
) {
    let mut world = with_pod(&[("/metadata/ownerReferences", controlled_by(api_version, kind, name, uid))]);
    world.owners.clear();
    world.broken = Some(format!("there is no {kind} {name}"));
    let step = step(&world, &spec);
    assert_eq!(step.obstacle, None);
    assert!(!step.plan.requests.is_empty());
}

#[test]
fn the_pod_of_a_real_daemon_set_is_an_obstacle_to_its_removal_only() {
    let owner = controlled_by("apps/v1", "DaemonSet", "agent", "ds-uid");
    let mut world = with_pod(&[("/metadata/ownerReferences", owner)]);
    world.owners = vec![(Kind::DaemonSet, "agent", "ds-uid")];
    assert_eq!(obstacle(&world, &delete()), Some(ObstacleKind::DaemonSetPod));
    assert_eq!(obstacle(&world, &quarantine()), None);
}

#[test]
fn a_namespace_with_a_name_like_kubernetes_own_is_not_protected() {
    let mut world = with_pod(&[("/metadata/namespace", json!("kube-evil"))]);
    edit(&mut world.alert, "/output_fields/k8s.ns.name", json!("kube-evil"));
    assert_eq!(world.refusal(&delete()), None);
}

fn ending(at: &str, grace: i64) -> World {
    with_pod(&[
        ("/metadata/deletionTimestamp", json!(at)),
        ("/metadata/deletionGracePeriodSeconds", json!(grace)),
    ])
}

#[test]
fn a_pod_that_ends_in_three_years_is_deleted_again() {
    // Deleted at 2026-11-24T03:00:00Z, seven seconds ago.
    let world = ending("2030-01-24T12:46:40Z", 100_000_000);
    let step = step(&world, &delete());
    // Thirty seconds from now, counted from the first deletion.
    insta::assert_snapshot!(step.plan.requests[0].request, @"delete pod/web/web-0 (grace 37 s)");
}

#[test]
fn a_pod_that_ends_as_soon_as_a_deletion_would_end_it_is_left_to_its_end() {
    let world = ending("2026-11-24T03:00:30Z", 30);
    assert_eq!(world.refusal(&delete()), Some(RefusalReason::Terminating));
}

#[test]
fn a_pod_that_is_ending_is_quarantined() {
    for world in [
        ending("2030-01-24T12:46:40Z", 100_000_000),
        ending("2026-11-24T03:00:30Z", 30),
    ] {
        assert_eq!(step(&world, &quarantine()).plan.requests.len(), 2);
    }
}

#[test]
fn a_grace_of_years_is_cut_to_the_guards() {
    let world = with_pod(&[("/spec/terminationGracePeriodSeconds", json!(100_000_000))]);
    insta::assert_snapshot!(step(&world, &delete()).plan.requests[0].request, @"delete pod/web/web-0 (grace 300 s)");
}

#[rstest]
#[case::none(None, None, ObstacleKind::NoOwner)]
#[case::one_that_is_not_there(
    Some(controlled_by("apps/v1", "ReplicaSet", "gone", "g")),
    Some("there is no ReplicaSet gone"),
    ObstacleKind::OwnerUnknown
)]
fn a_pod_without_a_believed_controller_fails_a_response_to_its_controller(
    #[case] references: Option<Value>,
    #[case] broken: Option<&str>,
    #[case] expected: ObstacleKind,
) {
    let spec = playbook("mode: Enforce\ntarget: Owner\nsteps: [{annotate: {annotations: {example.org/a: b}}}]");
    let mut world = with_pod(&[("/metadata/ownerReferences", references.unwrap_or_else(|| json!([])))]);
    world.owners.clear();
    world.broken = broken.map(str::to_owned);
    assert_eq!(obstacle(&world, &spec), Some(expected));
    assert!(matches!(plan(&world.decide(&spec)).target, Target::Pod { .. }));
}

#[test]
fn a_disbelieved_owner_is_counted_by_the_uid_that_it_claims() {
    let spec = playbook("mode: Enforce\nlimits: {cooldown: {per: Owner, for: 10m}}\nsteps: [{delete: {}}]");
    let claimed = |pod_uid: &str, container: &str| {
        let mut world = with_pod(&[
            (
                "/metadata/ownerReferences",
                controlled_by("apps/v1", "ReplicaSet", "gone", "deploy-uid"),
            ),
            ("/metadata/uid", json!(pod_uid)),
            (
                "/status/containerStatuses/0/containerID",
                json!(format!("containerd://{container}")),
            ),
        ]);
        edit(&mut world.alert, "/output_fields/container.id", json!(container));
        world.broken = Some("there is no ReplicaSet gone".to_owned());
        world
    };
    let mut world = claimed("pod-uid", "aaaaaaaaaaaa");
    world.commit(&spec);
    let claims = world.claims;
    let another = World {
        claims,
        ..claimed("other-uid", "bbbbbbbbbbbb")
    };
    assert_eq!(another.refusal(&spec), Some(RefusalReason::Cooldown));
}

#[test]
fn a_branch_of_class_destroy_lacks_what_an_uncorroborated_alert_does_not_give() {
    let spec = playbook(
        "mode: Enforce\ncorroboration: Named\nsteps: [{quarantine: {ttl: 2h, onExpiry: Delete}, otherwise: {delete: {}}}]",
    );
    let mut world = World::new();
    world.alert["output_fields"]
        .as_object_mut()
        .unwrap()
        .remove("container.id");
    let step = step(&world, &spec);
    assert!(
        matches!(&step.otherwise, Some(Branch::Lacking(refusal)) if refusal.reason == RefusalReason::Uncorroborated),
        "{:?}",
        step.otherwise
    );
    assert!(
        step.plan
            .notes
            .iter()
            .any(|note| note.starts_with("its end is Hold, not Delete")),
        "{:?}",
        step.plan.notes
    );
}

// --- any write of a tenant --------------------------------------------------------------------

/// A change of the world that the tenant of `web-0` can make: with the rights of `edit` in its namespace, and as the
/// author of the pod.
#[derive(Debug, Clone)]
enum TenantChange {
    /// A field of the pod, as the tenant makes it or edits it later.
    Pod(&'static str, Value),
    /// A policy beside the pod.
    Policy(Value),
    /// The controllers that its references name are not there.
    Disbelieved,
    /// Its controllers have no number of replicas.
    Uncounted,
    /// The pod names no controller.
    Orphaned,
}

fn key() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("responder.dev/quarantine".to_owned()),
        Just("responder.dev/detached-labels".to_owned()),
        Just("app".to_owned()),
        Just("pod-template-hash".to_owned()),
        Just("app.kubernetes.io/name".to_owned()),
        Just("example.org/a".to_owned()),
        "[a-z]{1,8}",
    ]
}

fn map() -> impl Strategy<Value = Value> {
    proptest::collection::btree_map(key(), "[a-z0-9]{0,10}", 0..5).prop_map(|map| json!(map))
}

fn tenant_change() -> impl Strategy<Value = TenantChange> {
    prop_oneof![
        map().prop_map(|labels| TenantChange::Pod("/metadata/labels", labels)),
        map().prop_map(|annotations| TenantChange::Pod("/metadata/annotations", annotations)),
        proptest::collection::vec("[a-z]{1,8}/[a-z]{1,8}", 0..3)
            .prop_map(|finalizers| TenantChange::Pod("/metadata/finalizers", json!(finalizers))),
        (
            prop_oneof![
                Just(("v1", "Node")),
                Just(("apps/v1", "DaemonSet")),
                Just(("apps/v1", "ReplicaSet")),
                Just(("apps/v1", "StatefulSet")),
                Just(("batch/v1", "Job")),
                Just(("example.org/v1", "Agent")),
            ],
            "[a-z]{1,8}",
            any::<bool>()
        )
            .prop_map(|((api_version, kind), uid, controller)| TenantChange::Pod(
                "/metadata/ownerReferences",
                json!([{"apiVersion": api_version, "kind": kind, "name": "x", "uid": uid, "controller": controller}])
            )),
        any::<bool>().prop_map(|on| TenantChange::Pod("/spec/hostNetwork", json!(on))),
        any::<bool>().prop_map(|on| TenantChange::Pod("/spec/hostPID", json!(on))),
        (0_i64..200_000_000).prop_map(|grace| TenantChange::Pod("/spec/terminationGracePeriodSeconds", json!(grace))),
        Just(TenantChange::Pod("/spec/tolerations", json!([{"operator": "Exists"}]))),
        Just(TenantChange::Policy(allow_all())),
        Just(TenantChange::Policy(our_policy("pod-uid"))),
        Just(TenantChange::Policy(our_policy("other-uid"))),
        Just(TenantChange::Disbelieved),
        Just(TenantChange::Orphaned),
        Just(TenantChange::Uncounted),
    ]
}

fn changed(mut world: World, changes: &[TenantChange]) -> World {
    for change in changes {
        match change {
            TenantChange::Pod(pointer, value) => edit(world.pod.as_mut().unwrap(), pointer, value.clone()),
            TenantChange::Policy(policy) => world.policies.push(policy.clone()),
            TenantChange::Disbelieved => {
                world.owners.clear();
                world.broken = Some("its controller is not there".to_owned());
            }
            TenantChange::Uncounted => world.replicas = None,
            TenantChange::Orphaned => {
                world.owners.clear();
                edit(world.pod.as_mut().unwrap(), "/metadata/ownerReferences", json!([]));
            }
        }
    }
    world
}

/// Every action on pods, controllers and nodes, with what acts in the unchanged world.
fn acting() -> Vec<String> {
    [
        "steps: [{delete: {}}]",
        "steps: [{evict: {}}]",
        "steps: [{quarantine: {ttl: 2h}, otherwise: {delete: {}}}]",
        "steps: [{quarantine: {ttl: 2h, onExpiry: Delete, detach: Always}}]",
        "limits: {cooldown: {per: Owner, for: 1m}, targets: {percentOfOwner: 50, per: 1m}}\nsteps: [{delete: {}}]",
        "target: Owner\nsteps: [{annotate: {annotations: {example.org/b: x}}}]",
        "target: Node\nsteps: [{cordon: {}}]",
        "target: Node\nsteps: [{taint: {key: example.org/suspect, effect: NoSchedule}}]",
    ]
    .iter()
    .map(|steps| playbook(&format!("mode: Enforce\n{steps}")))
    .collect()
}

#[test]
fn every_acting_playbook_acts_in_the_unchanged_world() {
    for spec in acting() {
        let decision = World::new().decide(&spec);
        assert_eq!(plan(&decision).steps[0].obstacle, None, "{spec}");
    }
}

/// Whether the tenant's writes alone have put our own untouched quarantine of this pod in place: then the pod is isolated
/// as the response would isolate it.
fn is_quarantined_as_ours(world: &World) -> bool {
    let labels = &world.pod.as_ref().unwrap()["metadata"]["labels"];
    labels["responder.dev/quarantine"] == "abcdefghij"
        && world.policies.iter().any(|policy| *policy == our_policy("pod-uid"))
}

proptest! {
    #[test]
    fn no_write_of_a_tenant_refuses_a_response_that_acts(
        changes in proptest::collection::vec(tenant_change(), 1..5),
        spec in proptest::sample::select(acting()),
    ) {
        let world = changed(World::new(), &changes);
        prop_assume!(!is_quarantined_as_ours(&world));
        prop_assert_eq!(world.refusal(&spec), None, "{:?}", changes);
    }

    #[test]
    fn a_tenant_that_also_deletes_its_pod_refuses_only_what_it_does_itself(
        changes in proptest::collection::vec(tenant_change(), 0..5),
        spec in proptest::sample::select(acting()),
        since in 0_i64..100_000, grace in 0_i64..200_000_000,
    ) {
        let now: Timestamp = NOW.parse().unwrap();
        let end = Timestamp::from_second(now.as_second() - since + grace).unwrap();
        let world = changed(ending(&end.to_string(), grace), &changes);
        if let Some(reason) = world.refusal(&spec) {
            let authors = reason.basis().authors;
            prop_assert!(authors.contains(&crate::refusal::RefusalAuthor::Tenant), "{:?} {:?}", reason, changes);
        }
    }

    #[test]
    fn however_long_a_tenant_lets_its_pod_end_the_response_ends_it_by_the_guards_grace(
        since in 0_i64..1_000_000, grace in 0_i64..200_000_000, own in 0_i64..1_000_000,
    ) {
        let now: Timestamp = NOW.parse().unwrap();
        let begun = now.as_second() - since;
        prop_assume!(begun + grace > now.as_second());
        let at = Timestamp::from_second(begun + grace).unwrap();
        let mut world = ending(&at.to_string(), grace);
        edit(world.pod.as_mut().unwrap(), "/spec/terminationGracePeriodSeconds", json!(own));
        let decision = world.decide(&delete());
        let left = at.as_second() - now.as_second();
        match &decision.outcome {
            Outcome::Refuse(refusal) => {
                prop_assert_eq!(refusal.reason, RefusalReason::Terminating);
                prop_assert!(left <= 302, "it ends in {} s", left);
            }
            Outcome::Act { plan, .. } => {
                let crate::request::Request::Delete { grace_seconds: Some(sent), .. } = plan.steps[0].plan.requests[0].request else {
                    return Err(TestCaseError::fail("no deletion with a grace"));
                };
                // The API server counts from the first deletion.
                let ends_in = begun + i64::from(sent) - now.as_second();
                prop_assert!((0..=300).contains(&ends_in) || sent == 0, "it ends in {} s", ends_in);
                prop_assert!(ends_in < left);
            }
        }
    }
}
