//! The chain of controllers above a pod.

use super::*;

async fn chain(world: &TestWorld, subject: &Subject) -> OwnerChain {
    let needs = Needs {
        owners: true,
        ..Needs::default()
    };
    read(world, subject, needs)
        .await
        .unwrap()
        .owners
        .found()
        .unwrap()
        .clone()
}

#[tokio::test(start_paused = true)]
async fn a_bare_pod_has_an_empty_chain() {
    assert_eq!(chain(&world(), &solo()).await, OwnerChain::default());
}

#[tokio::test(start_paused = true)]
async fn a_controller_that_was_made_anew_under_its_name_breaks_the_chain() {
    let world = world();
    world.apply(
        "{apiVersion: apps/v1, kind: Deployment, metadata: {name: web, namespace: web, uid: another-uid}, \
         spec: {replicas: 3, selector: {matchLabels: {app: web}}, template: {metadata: {labels: {app: web}}, spec: {containers: []}}}}",
    );
    let chain = chain(&world, &web()).await;
    assert!(chain.doubt().unwrap().contains("another-uid"), "{chain:?}");
    assert_eq!(chain.owners.len(), 1);
    assert_eq!(chain.topmost(), None);
}

#[tokio::test(start_paused = true)]
async fn a_controller_that_is_gone_breaks_the_chain() {
    let world = world();
    let at = |kind, name| Locator::namespaced(kind, Namespace::new("web").unwrap(), Name::new(name).unwrap()).unwrap();
    world.cluster.inner.remove(&at(Kind::Deployment, "web"));
    let chain = chain(&world, &web()).await;
    assert_eq!(chain.doubt(), Some("the ReplicaSet web-7d9f is gone"));
    assert_eq!(chain.topmost(), None);
}

fn controlled_by(kind: &str, api_version: &str, name: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "solo-1", "namespace": "web", "labels": {"a": "b"}, "ownerReferences": [
            {"apiVersion": api_version, "kind": kind, "name": name, "uid": "u", "controller": true},
        ]},
        "spec": {"containers": [{"name": "app", "image": "app:1"}]},
    })
}

#[rstest]
#[case::of_the_core_group("ConfigMap", "v1", "web")]
#[case::no_controller_of_pods("Namespace", "v1", "web")]
#[case::no_name("ReplicaSet", "apps/v1", "../web")]
#[tokio::test(start_paused = true)]
async fn a_controller_that_is_not_followed_breaks_the_chain(
    #[case] kind: &str,
    #[case] api_version: &str,
    #[case] name: &str,
) {
    let world = world();
    world.apply(&controlled_by(kind, api_version, name).to_string());
    let reads = watched(&world);
    let chain = chain(&world, &solo()).await;
    assert!(chain.doubt().unwrap().contains("not followed"), "{chain:?}");
    assert_eq!(*reads.lock().unwrap(), ["pod"]);
}

/// A Rollout above the ReplicaSet of `solo-1`.
const ROLLOUT: &str = "
{apiVersion: argoproj.io/v1alpha1, kind: Rollout, metadata: {name: shop, namespace: web, uid: rollout-uid}, spec: {replicas: 8}}
---
{apiVersion: apps/v1, kind: ReplicaSet, metadata: {name: shop-77c, namespace: web, uid: u, ownerReferences: \
 [{apiVersion: argoproj.io/v1alpha1, kind: Rollout, name: shop, uid: rollout-uid, controller: true}]}, \
 spec: {replicas: 2, selector: {matchLabels: {a: b}}, template: {metadata: {labels: {a: b}}, spec: {containers: []}}}}
";

fn under_a_rollout() -> TestWorld {
    let world = world();
    world.apply(ROLLOUT);
    world.apply(&controlled_by("ReplicaSet", "apps/v1", "shop-77c").to_string());
    world
}

#[tokio::test(start_paused = true)]
async fn a_chain_goes_on_through_a_controller_of_a_custom_kind() {
    let world = under_a_rollout();
    let reads = watched(&world);
    let chain = chain(&world, &solo()).await;
    assert_eq!(chain.broken, None);
    assert_eq!(chain.counted(), Uid::new("rollout-uid").as_ref());
    assert_eq!(chain.replicas(), Ok(8));
    assert_eq!(*reads.lock().unwrap(), ["pod", "owner", "custom_owner"]);
}

/// The tenant chooses the kind that its pod's reference names, so no failed read of one is a failure of the snapshot.
#[rstest]
#[case(ReadErrorKind::Forbidden)]
#[case(ReadErrorKind::Unavailable)]
#[case(ReadErrorKind::Timeout)]
#[case(ReadErrorKind::Malformed)]
#[tokio::test(start_paused = true)]
async fn a_custom_controller_that_cannot_be_read_is_counted_by_its_uid(#[case] kind: ReadErrorKind) {
    let world = under_a_rollout();
    world.cluster.before(move |cluster, before| {
        if let Before::Read("custom_owner", _) = before {
            cluster.fail_reads([kind]);
        }
        Then::Go
    });
    let chain = chain(&world, &solo()).await;
    assert_eq!(chain.topmost(), None);
    assert_eq!(chain.counted(), Uid::new("rollout-uid").as_ref());
    assert_eq!(chain.replicas(), Ok(2), "that of the ReplicaSet");
    let unread = chain.broken.unwrap().unread.unwrap();
    assert_eq!(unread.to_string(), "rollout.argoproj.io/web/shop");
}

#[rstest]
#[case::of_another_uid("Rollout", "shop", "has the uid rollout-uid, and the reference says another")]
#[case::that_is_gone("Rollout", "other", "is gone")]
#[case::of_a_kind_that_is_not_served("Nothing", "shop", "does not serve (argoproj.io/v1alpha1)")]
#[tokio::test(start_paused = true)]
async fn a_custom_controller_is_not_believed_without_its_object(
    #[case] kind: &str,
    #[case] name: &str,
    #[case] why: &str,
) {
    let world = under_a_rollout();
    world.apply(&controlled_by(kind, "argoproj.io/v1alpha1", name).to_string());
    let chain = chain(&world, &solo()).await;
    assert!(chain.doubt().unwrap().contains(why), "{chain:?}");
    assert_eq!((chain.believed(), chain.counted()), (&[][..], Uid::new("u").as_ref()));
    assert_eq!(chain.broken.as_ref().unwrap().unread, None);
}

#[tokio::test(start_paused = true)]
async fn an_owner_that_no_request_can_name_has_no_key() {
    let (world, hosts) = (under_a_rollout(), Hosts::default());
    let guard = Guard::built_in();
    let subject = solo();
    let key = key_of_target(
        &world.cluster,
        &WaitInPlace,
        hosts.under(&guard),
        &subject,
        TargetKind::Owner,
        PATIENCE,
    );
    assert_eq!(key.await.unwrap(), None);
}

#[tokio::test(start_paused = true)]
async fn a_chain_that_runs_in_a_circle_ends() {
    let world = world();
    world.apply(
        "{apiVersion: apps/v1, kind: ReplicaSet, metadata: {name: circle, namespace: web, uid: u, ownerReferences: \
         [{apiVersion: apps/v1, kind: ReplicaSet, name: circle, uid: u, controller: true}]}, \
         spec: {replicas: 1, selector: {matchLabels: {a: b}}, template: {metadata: {labels: {a: b}}, spec: {containers: []}}}}",
    );
    world.apply(&controlled_by("ReplicaSet", "apps/v1", "circle").to_string());
    let chain = chain(&world, &solo()).await;
    assert!(chain.broken.is_some());
    assert_eq!(chain.owners.len(), MOST_OWNERS);
}
