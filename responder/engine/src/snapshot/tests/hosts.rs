//! The nodes of hosts, and the Falco pods that name them.

use super::*;

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
