//! What is read, in how many reads, and what is made of what is not there.

mod hosts;
mod owners;

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
