//! What is read, in how many reads, and what is made of what is not there.

use std::sync::{Arc, Mutex};

use responder_core::network::PolicyEngine;
use responder_core::port::ReadErrorKind;
use rstest::rstest;
use serde_json::{Value, json};
use tokio::time::Instant;

use responder_core::guard::Guard;
use responder_core::object::{ContainerId, Locator, Uid};
use responder_core::owner::OwnerChain;

use super::*;
use crate::host::Hosts;
use crate::owner_chain::MOST_OWNERS;
use crate::testing::{Before, TestWorld, Then, alert, pod_at, shell, uid_of};
use crate::wait::WaitInPlace;

const PATIENCE: Duration = Duration::from_secs(3);

const ALL: Needs = Needs {
    owners: true,
    node: true,
    namespace: true,
    policies: true,
    services: true,
    nodes: true,
    serving: true,
    removal: true,
};

fn world() -> TestWorld {
    TestWorld::new("")
}

fn solo() -> Subject {
    Subject::of(&alert("p", json!({}))).unwrap()
}

/// A pod of the Deployment.
fn web() -> Subject {
    Subject::of(&shell("p", "web-1", 1, 0)).unwrap()
}

/// A container on `worker-1`, of which no pod is named.
fn contained(id: &str) -> Subject {
    Subject::Container {
        container: ContainerId::new(id).unwrap(),
        uid: None,
        hostname: "worker-1".to_owned(),
    }
}

fn pod_key(name: &str) -> TargetKey {
    TargetKey::Pod(Namespace::new("web").unwrap(), Name::new(name).unwrap())
}

fn host(hostname: &str) -> Subject {
    Subject::Host {
        hostname: hostname.to_owned(),
    }
}

async fn read(world: &TestWorld, subject: &Subject, needs: Needs) -> Result<Snapshot, ReadError> {
    snapshot(
        &world.cluster,
        &*world.clock,
        &WaitInPlace,
        Hosts::default().under(&Guard::built_in()),
        subject,
        needs,
        PATIENCE,
    )
    .await
}

/// The names of the port's methods that are called from here on.
fn watched(world: &TestWorld) -> Arc<Mutex<Vec<&'static str>>> {
    let reads = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&reads);
    world.cluster.before(move |_, before| {
        if let Before::Read(method, _) = before {
            noted.lock().unwrap().push(method);
        }
        Then::Go
    });
    reads
}

#[tokio::test(start_paused = true)]
async fn a_decision_that_asks_for_nothing_costs_one_read() {
    let world = world();
    let reads = watched(&world);
    let snapshot = read(&world, &web(), Needs::default()).await.unwrap();
    assert_eq!(*reads.lock().unwrap(), ["pod"]);
    assert!(snapshot.pod.found().is_some());
    let expected = Snapshot {
        pod: snapshot.pod.clone(),
        ..Snapshot::empty(snapshot.taken_at)
    };
    assert_eq!(snapshot, expected);
}

#[tokio::test(start_paused = true)]
async fn a_pod_that_is_not_there_costs_one_read_whatever_is_asked() {
    let world = world();
    world.cluster.inner.remove(&pod_at("solo-1"));
    let reads = watched(&world);
    let snapshot = read(&world, &solo(), ALL).await.unwrap();
    assert_eq!(*reads.lock().unwrap(), ["pod"]);
    assert_eq!(snapshot.pod, Part::Missing);
    assert_eq!(snapshot.node, Part::NotAsked);
}

#[tokio::test(start_paused = true)]
async fn everything_that_is_asked_is_read() {
    let world = world();
    let snapshot = read(&world, &web(), ALL).await.unwrap();
    let owners: Vec<String> = snapshot
        .owners
        .found()
        .unwrap()
        .owners
        .iter()
        .map(|owner| owner.known().unwrap().object.to_string())
        .collect();
    assert_eq!(
        owners,
        [
            "replicaset/web/web-7d9f (uid replicaset-uid)",
            "deployment/web/web (uid deployment-uid)"
        ]
    );
    let topmost = snapshot.owners.found().unwrap().topmost().unwrap();
    assert_eq!(topmost.known().unwrap().replicas, Some(3));
    assert_eq!(
        snapshot.node.found().unwrap().metadata.name.as_deref(),
        Some("worker-1")
    );
    assert_eq!(
        snapshot.namespace.found().unwrap().metadata.labels.as_ref().unwrap()["team"],
        "shop"
    );
    assert_eq!(
        snapshot.policies.found().unwrap().others.engine,
        Some(PolicyEngine::Plain("kube-router"))
    );
    assert_eq!(snapshot.services.found().unwrap().len(), 2);
    assert_eq!(snapshot.nodes.found().unwrap().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_read_that_fails_fails_the_whole_but_for_the_policies_of_an_engine() {
    let world = world();
    let reads = watched(&world);
    read(&world, &web(), ALL).await.unwrap();
    let count = reads.lock().unwrap().len();
    assert!(count >= 8, "{reads:?}");
    let mut survived = 0;
    for place in 0..count {
        let world = self::world();
        world.cluster.before(move |cluster, before| {
            if let Before::Read(_, read) = before
                && read == place
            {
                cluster.fail_reads([ReadErrorKind::Unavailable]);
            }
            Then::Go
        });
        match read(&world, &web(), ALL).await {
            Err(error) => assert_eq!(error.kind, ReadErrorKind::Unavailable, "read {place}"),
            // Containment does not wait for them: isolation is unverified then.
            Ok(snapshot) => {
                let others = &snapshot.policies.found().unwrap().others;
                assert_eq!((others.unread.len(), others.engine), (1, None), "read {place}");
                survived += 1;
            }
        }
    }
    assert_eq!(survived, 1);
}

#[tokio::test(start_paused = true)]
async fn a_pod_on_no_node_misses_its_node() {
    let world = world();
    world.apply(
        "{apiVersion: v1, kind: Pod, metadata: {name: solo-1, namespace: web}, spec: {containers: []}, status: {phase: Pending}}",
    );
    let snapshot = read(&world, &solo(), ALL).await.unwrap();
    assert_eq!(snapshot.node, Part::Missing);
}

// --- the chain of controllers ----------------------------------------------------------------------

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

// --- a container that the status does not show yet ---------------------------------------------------

/// `solo-1` as the kubelet has not reported it yet, or with the container's id.
fn starting(reported: bool) -> String {
    let container = if reported {
        json!({"name": "app", "image": "app:1", "imageID": "", "ready": true, "restartCount": 0,
            "containerID": format!("containerd://{}", uid_of(17).replace('-', "")),
            "state": {"running": {"startedAt": "2026-11-24T03:00:00Z"}}})
    } else {
        json!({"name": "app", "image": "app:1", "imageID": "", "ready": false, "restartCount": 0,
            "state": {"waiting": {"reason": "ContainerCreating"}}})
    };
    json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "solo-1", "namespace": "web", "uid": uid_of(17)},
        "spec": {"nodeName": "worker-1", "containers": [{"name": "app", "image": "app:1"}]},
        "status": {"phase": "Running", "containerStatuses": [container]},
    })
    .to_string()
}

#[tokio::test(start_paused = true)]
async fn a_container_that_shows_within_the_patience_is_waited_for() {
    let world = world();
    world.apply(&starting(false));
    world.cluster.before(|cluster, before| {
        if let Before::Read("pod", 3) = before {
            cluster.apply(&starting(true)).unwrap();
        }
        Then::Go
    });
    let began = Instant::now();
    let snapshot = read(&world, &solo(), Needs::default()).await.unwrap();
    let Subject::Pod(claim) = solo() else { panic!() };
    assert!(pod::container(snapshot.pod.found().unwrap(), &claim.container.unwrap()).is_some());
    assert_eq!(world.cluster.reads(), 4);
    // 100, 200 and 400 ms.
    assert!(began.elapsed() >= Duration::from_millis(700) && began.elapsed() < PATIENCE);
}

#[tokio::test(start_paused = true)]
async fn a_container_that_never_shows_is_waited_for_as_long_as_the_patience() {
    let world = world();
    world.apply(&starting(false));
    let began = Instant::now();
    let snapshot = read(&world, &solo(), Needs::default()).await.unwrap();
    assert!(snapshot.pod.found().is_some());
    assert!(began.elapsed() >= PATIENCE && began.elapsed() < PATIENCE + Duration::from_millis(100));
    // At 0, 100, 300, 700, 1500, 2500 and 3000 ms.
    assert_eq!(world.cluster.reads(), 7);
}

#[tokio::test(start_paused = true)]
async fn who_has_no_patience_reads_once() {
    let world = world();
    world.apply(&starting(false));
    let (cluster, clock, subject) = (&world.cluster, &*world.clock, solo());
    let (hosts, guard) = (Hosts::default(), Guard::built_in());
    let read = snapshot(
        cluster,
        clock,
        &WaitInPlace,
        hosts.under(&guard),
        &subject,
        Needs::default(),
        Duration::ZERO,
    );
    read.await.unwrap();
    assert_eq!(world.cluster.reads(), 1);
}

#[rstest]
#[case::another_container_that_is_reported(json!({"container.id": "cccccccccccc"}), true, json!({}))]
#[case::another_pod(json!({"k8s.pod.uid": "another"}), false, json!({}))]
#[case::ending(json!({}), false, json!({"deletionTimestamp": "2026-11-24T03:00:00Z"}))]
#[case::no_container_in_the_alert(json!({"container.id": null}), false, json!({}))]
#[tokio::test(start_paused = true)]
async fn what_waiting_would_not_change_is_not_waited_for(
    #[case] fields: Value,
    #[case] reported: bool,
    #[case] metadata: Value,
) {
    let world = world();
    let mut pod: Value = serde_json::from_str(&starting(reported)).unwrap();
    for (key, value) in metadata.as_object().unwrap() {
        pod["metadata"][key] = value.clone();
    }
    world.apply(&pod.to_string());
    let subject = Subject::of(&alert("p", json!({"output_fields": fields}))).unwrap();
    read(&world, &subject, Needs::default()).await.unwrap();
    assert_eq!(world.cluster.reads(), 1);
}

// --- hosts -----------------------------------------------------------------------------------------

fn node_of(snapshot: &Snapshot) -> Option<&str> {
    snapshot.node.found()?.metadata.name.as_deref()
}

#[rstest]
#[case::of_the_node("worker-3")]
#[case::of_the_operating_system("Worker-3")]
#[case::with_its_domain("worker-3.corp.example")]
#[tokio::test(start_paused = true)]
async fn a_host_is_the_node_of_its_name(#[case] hostname: &str) {
    let world = world();
    let snapshot = read(&world, &host(hostname), Needs::default()).await.unwrap();
    assert_eq!(node_of(&snapshot), Some("worker-3"));
    assert!(snapshot.falco_pod.found().is_none() && snapshot.pod == Part::NotAsked);
}

#[tokio::test(start_paused = true)]
async fn a_host_is_the_node_of_the_falco_pod_of_its_name() {
    let world = world();
    let snapshot = read(&world, &host("falco-x7k2p"), ALL).await.unwrap();
    assert_eq!(node_of(&snapshot), Some("worker-2"));
    assert!(snapshot.falco_pod.found().is_some());
    assert_eq!(snapshot.nodes.found().unwrap().len(), 3);
}

fn named_like_falco(namespace: &str) -> String {
    format!(
        "{{apiVersion: v1, kind: Pod, metadata: {{name: falco-x7k2p, namespace: {namespace}}}, spec: {{nodeName: worker-3, containers: []}}}}"
    )
}

#[tokio::test(start_paused = true)]
async fn a_tenants_pod_that_is_called_like_falcos_points_nowhere() {
    let world = world();
    world.apply(&named_like_falco("web"));
    let snapshot = read(&world, &host("falco-x7k2p"), Needs::default()).await.unwrap();
    assert_eq!(node_of(&snapshot), Some("worker-2"));
    let falco = Locator::pod(Namespace::new("falco").unwrap(), Name::new("falco-x7k2p").unwrap());
    world.cluster.inner.remove(&falco);
    let snapshot = read(&world, &host("falco-x7k2p"), Needs::default()).await.unwrap();
    assert_eq!((snapshot.node, snapshot.falco_pod), (Part::Missing, Part::Missing));
}

fn in_security(name: &str) -> Subject {
    Subject::Pod(PodClaim {
        namespace: Namespace::new("security").unwrap(),
        name: Name::new(name).unwrap(),
        container: None,
        uid: None,
        from_audit: false,
    })
}

/// A DaemonSet with the pod `falco-q9z2w` on `worker-3`, in the namespace `security`.
fn falco_in_security(template: &str, pod: &str) -> TestWorld {
    let world = world();
    world.apply(&format!(
        "{{apiVersion: apps/v1, kind: DaemonSet, metadata: {{name: falco, namespace: security, uid: falco-set}}, \
         spec: {{selector: {{matchLabels: {{app: falco}}}}, template: {{metadata: {{labels: {{app: falco}}}}, spec: {template}}}}}}}"
    ));
    world.apply(&format!(
        "{{apiVersion: v1, kind: Pod, metadata: {{name: falco-q9z2w, namespace: security, labels: {{app: falco}}, \
         ownerReferences: [{{apiVersion: apps/v1, kind: DaemonSet, name: falco, uid: falco-set, controller: true}}]}}, spec: {pod}}}"
    ));
    world
}

const WATCHES: &str = "{nodeName: worker-3, containers: [{name: falco, image: falcosecurity/falco, securityContext: {privileged: true}}]}";
const PLAIN: &str = "{nodeName: worker-3, containers: [{name: falco, image: falcosecurity/falco}]}";

/// What Pod Security has not let through is no Falco: a template without pods of its own is written by any author of
/// DaemonSets.
#[rstest]
#[case::a_falco(WATCHES, WATCHES, Some("worker-3"))]
#[case::a_pod_without_rights(WATCHES, PLAIN, None)]
#[case::a_template_without_rights(PLAIN, WATCHES, None)]
#[tokio::test(start_paused = true)]
async fn a_falco_pod_in_any_namespace_leads_to_its_node_if_its_daemon_set_runs_falco_on_the_nodes(
    #[case] template: &str,
    #[case] pod: &str,
    #[case] node: Option<&str>,
) {
    let world = falco_in_security(template, pod);
    let snapshot = read(&world, &host("falco-q9z2w"), Needs::default()).await.unwrap();
    assert_eq!(node_of(&snapshot), node);
}

#[tokio::test(start_paused = true)]
async fn a_pod_in_a_namespace_of_the_guards_sensors_leads_to_its_node() {
    let world = falco_in_security(PLAIN, PLAIN);
    let guard = Guard {
        sensors: vec![Namespace::new("security").unwrap()],
        ..Guard::built_in()
    };
    let hosts = Hosts::default();
    let found = hosts.under(&guard).node(&world.cluster, "falco-q9z2w").await.unwrap();
    assert_eq!(found, Name::new("worker-3"));
}

#[tokio::test(start_paused = true)]
async fn the_daemon_set_is_read_for_a_pod_that_looks_like_falco_and_for_no_other() {
    let falco = in_security("falco-q9z2w");
    for (pod, reads) in [(WATCHES, 2), (PLAIN, 1)] {
        let world = falco_in_security(WATCHES, pod);
        let before = world.cluster.reads();
        let snapshot = read(&world, &falco, Needs::default()).await.unwrap();
        assert_eq!(world.cluster.reads() - before, reads, "{pod}");
        assert_eq!(snapshot.owners.found().is_some(), reads == 2);
    }
}

/// The pods beside a Falco are not protected, and their decisions say so once it is known.
#[tokio::test(start_paused = true)]
async fn the_namespace_of_a_recognised_falco_is_remembered() {
    let world = falco_in_security(WATCHES, WATCHES);
    world.apply("{apiVersion: v1, kind: Pod, metadata: {name: relay, namespace: security}, spec: {nodeName: worker-3, containers: [{name: a, image: b}]}}");
    let (hosts, guard) = (Hosts::default(), Guard::built_in());
    let relay = async |guard| {
        let hosts = hosts.under(guard);
        let (subject, clock) = (in_security("relay"), &*world.clock);
        let read = snapshot(
            &world.cluster,
            clock,
            &WaitInPlace,
            hosts,
            &subject,
            Needs::default(),
            PATIENCE,
        );
        read.await.unwrap().has_sensor
    };
    assert!(!relay(&guard).await);
    hosts.under(&guard).node(&world.cluster, "falco-q9z2w").await.unwrap();
    assert!(relay(&guard).await);
    let named = Guard {
        sensors: vec![Namespace::new("security").unwrap()],
        ..Guard::built_in()
    };
    assert!(!relay(&named).await, "the guard protects it");
}

#[tokio::test(start_paused = true)]
async fn two_falco_pods_of_one_name_name_no_node() {
    let world = world();
    world.apply(&named_like_falco("falco-system"));
    let snapshot = read(&world, &host("falco-x7k2p"), Needs::default()).await.unwrap();
    assert_eq!((snapshot.node, snapshot.falco_pod), (Part::Missing, Part::Missing));
}

#[rstest]
#[case("nowhere")]
#[case("../nodes/worker-1")]
#[case("worker")]
#[tokio::test(start_paused = true)]
async fn a_host_that_nothing_is_called_is_missing(#[case] hostname: &str) {
    let snapshot = read(&world(), &host(hostname), Needs::default()).await.unwrap();
    assert_eq!(snapshot.node, Part::Missing);
}

// --- a container without its pod's name -------------------------------------------------------------

#[rstest]
#[case::of_a_pod("000000110000", Some("solo-1"))]
#[case::of_none("ffffffffffff", None)]
#[tokio::test(start_paused = true)]
async fn the_pod_of_a_container_is_read_where_it_is_found(#[case] id: &str, #[case] pod: Option<&str>) {
    let snapshot = read(&world(), &contained(id), Needs::default()).await.unwrap();
    let live = snapshot.pod.found().and_then(|live| live.metadata.name.as_deref());
    assert_eq!(live, pod);
    assert_eq!(matches!(snapshot.located, LocatedPod::Found { .. }), pod.is_some());
}

// --- the key of what a playbook steps up to ----------------------------------------------------------

#[rstest]
#[case::pod(web(), TargetKind::Pod, Some(pod_key("web-1")))]
#[case::owner(web(), TargetKind::Owner, Some(TargetKey::Owner(Uid::new("deployment-uid").unwrap())))]
#[case::node(web(), TargetKind::Node, Some(TargetKey::Node(Name::new("worker-1").unwrap())))]
#[case::no_owner(solo(), TargetKind::Owner, None)]
#[case::host(host("worker-2"), TargetKind::Node, Some(TargetKey::Node(Name::new("worker-2").unwrap())))]
#[case::falco(host("falco-x7k2p"), TargetKind::Node, Some(TargetKey::Node(Name::new("worker-2").unwrap())))]
#[case::nowhere(host("nowhere"), TargetKind::Node, None)]
#[case::a_container(contained("000000110000"), TargetKind::Pod, Some(pod_key("solo-1")))]
#[case::a_container_of_no_pod(contained("ffffffffffff"), TargetKind::Pod, None)]
#[tokio::test(start_paused = true)]
async fn two_ways_to_one_object_lead_to_one_key(
    #[case] subject: Subject,
    #[case] target: TargetKind,
    #[case] expected: Option<TargetKey>,
) {
    let (world, hosts, guard) = (world(), Hosts::default(), Guard::built_in());
    let key = key_of_target(
        &world.cluster,
        &WaitInPlace,
        hosts.under(&guard),
        &subject,
        target,
        PATIENCE,
    );
    let key = key.await.unwrap();
    assert_eq!(key, expected);
}
