use responder_core::alert::Bounds;
use responder_core::object::{Kind, Locator};
use responder_core::pod;
use responder_core::port::ClusterReader as _;

use super::*;

fn alert(time: &str, hostname: &str, fields: &Value) -> Alert {
    let alert = json!({"rule": "r", "priority": "Notice", "time": time, "hostname": hostname, "source": "syscall", "output_fields": fields});
    Alert::decode(alert.to_string().as_bytes(), &Bounds::default()).unwrap()
}

fn of(pod: &str, container: &str) -> Value {
    json!({
        "k8s.ns.name": "web",
        "k8s.pod.name": pod,
        "container.id": container,
        "container.name": "app",
        "container.image.repository": "example/app",
        "container.image.tag": "1.0",
    })
}

async fn pod(cluster: &SimulatedCluster, name: &str) -> std::sync::Arc<k8s_openapi::api::core::v1::Pod> {
    cluster
        .pod(&Namespace::new("web").unwrap(), &Name::new(name).unwrap())
        .await
        .unwrap()
        .unwrap()
}

fn cluster(alerts: &[Alert]) -> SimulatedCluster {
    AssumedTargets::of(alerts).complete(None).unwrap()
}

#[tokio::test]
async fn a_pod_is_older_than_its_first_alert_and_has_every_container_that_alerts_name() {
    let cluster = cluster(&[
        alert("2026-07-14T03:00:00.5Z", "worker-1", &of("web-0", "bbbbbbbbbbbb")),
        alert("2026-07-13T03:00:00.5Z", "worker-1", &of("web-0", "aaaaaaaaaaaa")),
    ]);
    let live = pod(&cluster, "web-0").await;
    assert_eq!(pod::created_at(&live).unwrap().to_string(), "2026-07-13T02:00:00Z");
    assert_eq!(pod::node_name(&live), Some("worker-1"));
    let containers: Vec<_> = pod::container_statuses(&live)
        .map(|status| {
            (
                status.name.as_str(),
                status.image.as_str(),
                status.container_id.as_deref().unwrap(),
            )
        })
        .collect();
    let image = "example/app:1.0";
    assert_eq!(
        containers,
        [
            ("app", image, "containerd://aaaaaaaaaaaa"),
            ("app-2", image, "containerd://bbbbbbbbbbbb")
        ]
    );
    assert!(cluster.node(&Name::new("worker-1").unwrap()).await.unwrap().is_some());
}

#[tokio::test]
async fn a_pod_lacks_what_no_alert_tells() {
    let bare = json!({"k8s.ns.name": "web", "k8s.pod.name": "web-0", "container.id": "aaaaaaaaaaaa", "container.image.repository": null});
    let live = pod(&cluster(&[alert("2026-07-14T03:00:00Z", "not a name", &bare)]), "web-0").await;
    assert_eq!(pod::node_name(&live), None);
    assert_eq!(live.spec.as_ref().unwrap().containers[0].image, None);
    assert!(pod::controller(&live).is_none());
}

#[tokio::test]
async fn pods_of_one_deployment_share_their_owners_and_count_as_its_replicas() {
    let alerts = ["web-6d4cf56db6-x7k2p", "web-6d4cf56db6-4xkzq", "web-7c9d8b5f6d-hn7tb"]
        .map(|name| alert("2026-07-14T03:00:00Z", "worker-1", &of(name, "aaaaaaaaaaaa")));
    let cluster = cluster(&alerts);
    let owner = async |kind, name| {
        let at = Locator::namespaced(kind, Namespace::new("web").unwrap(), Name::new(name).unwrap()).unwrap();
        cluster.owner(&at).await.unwrap().unwrap()
    };
    let set = owner(Kind::ReplicaSet, "web-6d4cf56db6").await;
    assert_eq!(set.owner.replicas, Some(2));
    let above = set.controlled_by.unwrap();
    let deployment = owner(Kind::Deployment, "web").await;
    assert_eq!(
        (above.name.as_str(), above.uid.as_str()),
        ("web", deployment.owner.object.uid.as_str())
    );
    assert_eq!(deployment.owner.replicas, Some(3));
    let live = pod(&cluster, "web-6d4cf56db6-x7k2p").await;
    assert_eq!(pod::controller(&live).unwrap().uid, set.owner.object.uid.as_str());
}

#[test]
fn the_manifests_do_not_depend_on_the_order_of_the_alerts() {
    let mut alerts = [
        ("web-0", "bbbbbbbbbbbb"),
        ("web-1", "cccccccccccc"),
        ("web-0", "aaaaaaaaaaaa"),
    ]
    .map(|(name, id)| alert("2026-07-14T03:00:00Z", "worker-1", &of(name, id)));
    let before = AssumedTargets::of(&alerts).manifests();
    alerts.reverse();
    assert_eq!(AssumedTargets::of(&alerts).manifests(), before);
}

/// Falco gives the name of its node, or that of its pod on the node, depending on its configuration.
#[tokio::test]
async fn hostnames_of_alerts_about_one_pod_are_one_node() {
    let cluster = cluster(&[
        alert("2026-07-14T03:00:00.5Z", "worker-1", &of("web-0", "aaaaaaaaaaaa")),
        alert("2026-07-14T03:00:01.5Z", "falco-xczjd", &of("web-0", "aaaaaaaaaaaa")),
        alert("2026-07-14T03:00:02.5Z", "falco-xczjd", &of("web-1", "bbbbbbbbbbbb")),
    ]);
    for name in ["web-0", "web-1"] {
        let live = pod(&cluster, name).await;
        assert_eq!(pod::node_name(&live), Some("worker-1"));
    }
    assert!(
        cluster
            .node(&Name::new("falco-xczjd").unwrap())
            .await
            .unwrap()
            .is_none()
    );
}
