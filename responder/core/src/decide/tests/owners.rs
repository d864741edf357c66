//! Controllers of custom kinds, percentages of an owner, protected owners, and what is said of a pod that none makes again.

use super::*;
use crate::obstacle::ObstacleKind;
use crate::owner::Uncounted;
use crate::plan::Undo;

const PROTECTED: &str = "apiVersion: responder.dev/v1alpha1\nkind: Guard\nmetadata: {name: default}\nspec:\n  mode: Enforce\n  protect: {owners: [{kind: Deployment, namespace: web, name: web}, {apiVersion: argoproj.io/v1, kind: Rollout, namespace: web, name: shop}]}\n";

fn rollout(replicas: Result<u32, &str>) -> CustomOwner {
    CustomOwner {
        kind: CustomKind::new("argoproj.io/v1alpha1", "Rollout").unwrap(),
        namespace: Namespace::new("web"),
        name: Name::new("shop").unwrap(),
        uid: Uid::new("rollout-uid").unwrap(),
        replicas: replicas.map_err(|why| Uncounted(why.to_owned())),
        labels: std::collections::BTreeMap::new(),
        annotations: std::collections::BTreeMap::new(),
    }
}

/// A pod of a ReplicaSet of a Rollout.
fn under_a_rollout(replicas: Result<u32, &str>) -> World {
    let mut world = World::new();
    world.owners.pop();
    world.custom = Some(rollout(replicas));
    world
}

/// The world with another pod of the same owner, and an alert about it.
fn another_pod(world: &mut World, number: usize) {
    let container = format!("{number:012x}");
    edit(&mut world.alert, "/output_fields/container.id", json!(container));
    let pod = world.pod.as_mut().unwrap();
    edit(pod, "/metadata/uid", json!(format!("pod-{number}")));
    edit(
        pod,
        "/status/containerStatuses/0/containerID",
        json!(format!("containerd://{container}")),
    );
}

/// The number of pods that are answered before the first refusal, and that refusal.
fn answered(world: &mut World, playbook: &str) -> (usize, Refusal) {
    for number in 0..20 {
        another_pod(world, number);
        match world.decide(playbook).outcome {
            Outcome::Act { claim, .. } => world.claims.push(*claim),
            Outcome::Refuse(refusal) => return (number, refusal),
        }
    }
    panic!("no limit holds");
}

fn percentage() -> String {
    playbook("mode: Enforce\nlimits: {targets: {percentOfOwner: 50, per: 10m, atLeast: 2}}\nsteps: [{delete: {}}]")
}

#[test]
fn a_pod_of_a_custom_controller_is_counted_by_that_controller() {
    let world = under_a_rollout(Ok(4));
    match world.decide(&percentage()).outcome {
        Outcome::Act { claim, .. } => assert_eq!(claim.owner, Uid::new("rollout-uid")),
        Outcome::Refuse(refusal) => panic!("{refusal}"),
    }
}

#[rstest]
#[case::of_its_scale(Ok(8), 4)]
#[case::of_the_set_below_it(Err("its scale could not be read"), 3)]
fn a_percentage_of_a_custom_controller_is_counted(#[case] replicas: Result<u32, &str>, #[case] pods: usize) {
    let mut world = under_a_rollout(replicas);
    world.replicas = Some(6);
    let (answered, refusal) = answered(&mut world, &percentage());
    assert_eq!((answered, refusal.reason), (pods, RefusalReason::LimitExhausted));
}

/// A Job has no number; so has a custom controller without a scale. Either is a tenant's to write, so the first targets,
/// as many as every owner has, are never refused.
#[rstest]
#[case::a_job(vec![(Kind::Job, "miner", "job-uid")], None, "a Job has no number of replicas")]
#[case::without_a_scale(
    Vec::new(),
    Some(rollout(Err("a Rollout.argoproj.io has no scale"))),
    "a Rollout.argoproj.io has no scale"
)]
fn of_an_owner_without_a_number_no_more_than_at_least_are_answered(
    #[case] owners: Vec<(Kind, &'static str, &'static str)>,
    #[case] custom: Option<CustomOwner>,
    #[case] why: &str,
) {
    let mut world = World {
        owners,
        custom,
        replicas: None,
        ..World::new()
    };
    let (answered, refusal) = answered(&mut world, &percentage());
    assert_eq!((answered, refusal.reason), (2, RefusalReason::LimitExhausted));
    let told = format!("can't be counted, since {why}, so `atLeast` holds: write `max` instead of `percentOfOwner`");
    assert!(refusal.detail.contains(&told), "{refusal}");
}

#[test]
fn a_budget_with_a_percentage_that_cannot_be_counted_says_what_to_write() {
    let mut world = World {
        owners: vec![(Kind::Job, "miner", "job-uid")],
        replicas: None,
        guard: "apiVersion: responder.dev/v1alpha1\nkind: Guard\nmetadata: {name: default}\nspec:\n  mode: Enforce\n  budgets: [{scope: Owner, class: Destroy, max: 5, per: 10m, percent: 50}]\n",
        ..World::new()
    };
    let (answered, refusal) = answered(&mut world, &delete());
    assert_eq!((answered, refusal.reason), (1, RefusalReason::BudgetExhausted));
    let told = "since a Job has no number of replicas, so `atLeast` holds: leave out `percent`";
    assert!(refusal.detail.contains(told), "{refusal}");
}

/// The tenant hides its owner's number behind a reference that is not believed.
#[test]
fn a_reference_that_is_not_believed_neither_refuses_nor_lifts_a_percentage() {
    let mut world = World::new();
    world.broken = Some("the ReplicaSet web-abc is gone".to_owned());
    let (answered, refusal) = answered(&mut world, &percentage());
    assert_eq!((answered, refusal.reason), (2, RefusalReason::LimitExhausted));
}

#[test]
fn a_custom_controller_is_never_changed() {
    let spec = playbook("mode: Enforce\ntarget: Owner\nsteps: [{annotate: {annotations: {example.org/a: b}}}]");
    let decision = under_a_rollout(Ok(4)).decide(&spec);
    let plan = plan(&decision);
    assert_eq!(plan.requests().count(), 0);
    let obstacle = plan.steps[0].obstacle.as_ref().unwrap();
    assert_eq!(obstacle.kind, ObstacleKind::OwnerUnknown);
    assert!(obstacle.detail.contains("the Rollout.argoproj.io shop"), "{obstacle}");
}

// --- protected owners ----------------------------------------------------------------------------

#[rstest]
#[case::of_a_pod("steps: [{delete: {}}]")]
#[case::of_the_owner("target: Owner\nsteps: [{annotate: {annotations: {example.org/a: b}}}]")]
fn a_protected_owner_and_its_pods_are_left_alone(#[case] spec: &str) {
    let spec = playbook(&format!("mode: Enforce\n{spec}"));
    for mut world in [World::new(), under_a_rollout(Ok(4))] {
        assert_eq!(world.refusal(&spec), None);
        world.guard = PROTECTED;
        assert_eq!(world.refusal(&spec), Some(RefusalReason::Protected));
    }
}

#[rstest]
#[case::of_another_name(|world: &mut World| world.owners[1].1 = "other")]
#[case::not_believed(|world: &mut World| world.broken = Some("the Deployment web does not select it".to_owned()))]
#[case::by_a_label(|world: &mut World| {
    world.owners.clear();
    edit(world.pod.as_mut().unwrap(), "/metadata/ownerReferences", json!([]));
    edit(world.pod.as_mut().unwrap(), "/metadata/labels", json!({"app": "web", "protect": "true"}));
})]
fn only_a_believed_owner_protects(#[case] spoil: fn(&mut World)) {
    let mut world = World {
        guard: PROTECTED,
        ..World::new()
    };
    spoil(&mut world);
    assert_eq!(world.refusal(&delete()), None);
}

/// The chain is believed as far as the protected owner; above it, it is not.
#[test]
fn an_owner_protects_under_a_link_that_is_not_believed() {
    let world = World {
        guard: PROTECTED,
        broken: Some("the Application.app.example shop is gone".to_owned()),
        believed: 2,
        ..World::new()
    };
    assert_eq!(world.refusal(&delete()), Some(RefusalReason::Protected));
}

#[rstest]
#[case::the_protected_one("shop", Some(RefusalReason::Unreadable))]
#[case::another("other", None)]
fn a_protected_owner_that_cannot_be_read_is_not_taken_for_an_unprotected_one(
    #[case] name: &str,
    #[case] expected: Option<RefusalReason>,
) {
    let mut world = under_a_rollout(Ok(4));
    world.custom = None;
    world.guard = PROTECTED;
    world.broken = Some("could not read rollout.argoproj.io/web/shop: forbidden".to_owned());
    world.believed = 1;
    world.unread = Some(CustomLocator {
        kind: CustomKind::new("argoproj.io/v1alpha1", "Rollout").unwrap(),
        namespace: Namespace::new("web").unwrap(),
        name: Name::new(name).unwrap(),
    });
    assert_eq!(world.refusal(&delete()), expected);
}

#[test]
fn a_node_is_not_protected_by_the_owners_of_its_pods() {
    let world = World {
        guard: PROTECTED,
        ..World::new()
    };
    assert_eq!(world.refusal(&cordon()), None);
}

// --- what comes after a deletion -----------------------------------------------------------------

fn bare(world: &mut World) {
    world.owners.clear();
    edit(world.pod.as_mut().unwrap(), "/metadata/ownerReferences", json!([]));
}

#[rstest]
#[case::bare(bare, "nothing makes another: it has no controller")]
#[case::controlled(|_: &mut World| (), "its controller makes another")]
#[case::not_believed(
    |world: &mut World| world.broken = Some("the ReplicaSet web-abc is gone".to_owned()),
    "its controller is not believed, since the ReplicaSet web-abc is gone"
)]
#[case::custom(
    |world: &mut World| { world.owners.clear(); world.custom = Some(rollout(Ok(4))); },
    "the Rollout.argoproj.io shop may make another"
)]
fn a_deletion_says_whether_another_pod_comes(#[case] change: fn(&mut World), #[case] expected: &str) {
    let mut world = World::new();
    change(&mut world);
    let decision = world.decide(&delete());
    let request = plan(&decision).requests().next().unwrap();
    match &request.undo {
        Undo::Irreversible { because } => assert!(because.contains(expected), "{because}"),
        other => panic!("{other:?}"),
    }
}

#[rstest]
#[case::by_default("delete: {}", false)]
#[case::by_default("evict: {}", false)]
#[case::on_demand("delete: {daemonSetPods: true}", true)]
#[case::on_demand("evict: {daemonSetPods: true}", true)]
fn a_pod_of_a_daemon_set_is_removed_on_demand(#[case] step: &str, #[case] removes: bool) {
    let mut world = World {
        owners: vec![(Kind::DaemonSet, "agent", "ds-uid")],
        ..World::new()
    };
    let reference =
        json!([{"apiVersion": "apps/v1", "kind": "DaemonSet", "name": "agent", "uid": "ds-uid", "controller": true}]);
    edit(world.pod.as_mut().unwrap(), "/metadata/ownerReferences", reference);
    let decision = world.decide(&playbook(&format!("mode: Enforce\nsteps: [{{{step}}}]")));
    let step = &plan(&decision).steps[0];
    let obstacle = step.obstacle.as_ref();
    assert_eq!(obstacle.is_none(), removes);
    assert!(obstacle.is_none_or(|obstacle| obstacle.kind.advice().contains("daemonSetPods")));
    assert_eq!(
        step.plan.notes.iter().any(|note| note.contains("starts another")),
        removes
    );
}

/// Operators make DaemonSets, and the role need not allow to read the operator's own object above one.
#[test]
fn a_daemon_set_is_believed_under_a_controller_that_is_not() {
    let mut world = World {
        owners: vec![(Kind::DaemonSet, "agent", "ds-uid")],
        broken: Some("could not read installation.operator.example/web/default: forbidden".to_owned()),
        believed: 1,
        ..World::new()
    };
    let reference =
        json!([{"apiVersion": "apps/v1", "kind": "DaemonSet", "name": "agent", "uid": "ds-uid", "controller": true}]);
    edit(world.pod.as_mut().unwrap(), "/metadata/ownerReferences", reference);
    let decision = world.decide(&delete());
    let obstacle = plan(&decision).steps[0].obstacle.as_ref().unwrap();
    assert_eq!(obstacle.kind, ObstacleKind::DaemonSetPod);
}
