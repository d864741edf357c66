//! Reads of existing and of missing objects.

use responder_core::object::{ContainerId, Kind, Locator};
use responder_core::pod::container_statuses;
use responder_core::port::{ClusterReader, ReadError};
use serde_json::json;

use super::fixture::{Fixture, ScenarioResult, ensure, name};
use super::under_test::{ClusterUnderTest, Violation};

fn read<T>(answer: Result<T, ReadError>) -> Result<T, Violation> {
    answer.map_err(|error| Violation::from(error.to_string()))
}

/// In an existing namespace and in a missing one.
pub async fn a_missing_object_is_none_and_no_error<C: ClusterUnderTest>(cluster: &C) -> ScenarioResult {
    let fixture = Fixture::bare(cluster, "nothing").await?;
    let adapter = cluster.adapter();
    let nowhere = fixture.nowhere()?;
    for namespace in [&fixture.namespace, &nowhere] {
        ensure!(
            read(adapter.pod(namespace, &name("web-0")?).await)?.is_none(),
            "a pod in {namespace}"
        );
        ensure!(
            read(adapter.network_policies(namespace).await)?.is_empty(),
            "a policy in {namespace}"
        );
        ensure!(
            read(adapter.services(namespace).await)?.is_empty(),
            "a service in {namespace}"
        );
        for kind in Kind::ALL.into_iter().filter(|kind| kind.is_namespaced()) {
            let at = Locator::namespaced(kind, namespace.clone(), name("absent")?);
            let at = at.ok_or_else(|| Violation::from(format!("{kind} is not namespaced")))?;
            if kind.is_built_in() {
                ensure!(read(adapter.owner(&at).await)?.is_none(), "an owner at {at}");
            }
            ensure!(read(adapter.object(&at).await)?.is_none(), "an object at {at}");
        }
    }
    ensure!(read(adapter.node(&name(nowhere.as_str())?).await)?.is_none(), "a node");
    ensure!(read(adapter.namespace(&nowhere).await)?.is_none(), "a namespace");
    ensure!(
        read(adapter.pods_named(&name(nowhere.as_str())?).await)?.is_empty(),
        "a pod of that name"
    );
    Ok(())
}

/// Undo and verification compare the fields of a pod, a node and a policy, which the role can only list.
pub async fn an_object_of_any_kind_is_read_as_json<C: ClusterUnderTest>(cluster: &C) -> ScenarioResult {
    let fixture = Fixture::with_pod(cluster, "object").await?;
    let policy = |name: &str, app: &str| {
        json!({
            "apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
            "metadata": {"name": name, "namespace": fixture.namespace},
            "spec": {"podSelector": {"matchLabels": {"app": app}}, "policyTypes": ["Ingress"]},
        })
    };
    fixture
        .create(&[policy("first", "web"), policy("second", "db")])
        .await?;
    let places = [
        (fixture.at("web-0")?, "/metadata/labels/app", "web"),
        (
            fixture.place(Kind::NetworkPolicy, "second")?,
            "/spec/podSelector/matchLabels/app",
            "db",
        ),
        (
            Locator::node(fixture.node.clone()),
            "/metadata/name",
            fixture.node.as_str(),
        ),
    ];
    for (at, pointer, expected) in places {
        let object = read(cluster.adapter().object(&at).await)?;
        let object = object.ok_or_else(|| Violation::from(format!("there is no {at}")))?;
        let text = |pointer: &str| object.pointer(pointer).and_then(serde_json::Value::as_str);
        ensure!(
            text(pointer) == Some(expected),
            "{at} has {:?} at {pointer}",
            text(pointer)
        );
        for pointer in ["/metadata/uid", "/metadata/resourceVersion"] {
            ensure!(
                text(pointer).is_some_and(|text| !text.is_empty()),
                "{at} has no {pointer}"
            );
        }
    }
    Ok(())
}

/// Corroboration needs the pod's uid, node, start time and container ids. In both clusters each container id begins
/// with the pod's uid, by kwok's configuration.
pub async fn a_running_pod_names_its_node_and_its_containers<C: ClusterUnderTest>(cluster: &C) -> ScenarioResult {
    let fixture = Fixture::with_pod(cluster, "running").await?;
    let pod = fixture
        .read("web-0")
        .await?
        .ok_or_else(|| Violation::from("the pod does not exist".to_owned()))?;
    let node = pod.spec.as_ref().and_then(|spec| spec.node_name.as_deref());
    ensure!(node == Some(fixture.node.as_str()), "it runs on {node:?}");
    let status = pod
        .status
        .as_ref()
        .ok_or_else(|| Violation::from("it has no status".to_owned()))?;
    ensure!(
        status.phase.as_deref() == Some("Running"),
        "its phase is {:?}",
        status.phase
    );
    let Some([container]) = status.container_statuses.as_deref() else {
        return Err(Violation::from(format!(
            "its containers are {:?}",
            status.container_statuses
        )));
    };
    let running = container.state.as_ref().and_then(|state| state.running.as_ref());
    ensure!(
        running.is_some_and(|running| running.started_at.is_some()),
        "its container's state is {:?}",
        container.state
    );
    let id = container.container_id.as_deref().and_then(ContainerId::new);
    let uid: String = pod
        .metadata
        .uid
        .iter()
        .flat_map(|uid| uid.chars())
        .filter(|digit| *digit != '-')
        .collect();
    ensure!(
        id.as_ref().is_some_and(|id| id.as_str().starts_with(&uid)),
        "its container is {id:?} and its uid {uid}"
    );
    Ok(())
}

/// An alert may have the id of a container and no name of a pod.
pub async fn the_pods_of_a_node_have_the_ids_of_their_containers<C: ClusterUnderTest>(cluster: &C) -> ScenarioResult {
    let fixture = Fixture::with_pod(cluster, "on-node").await?;
    let live = fixture
        .read("web-0")
        .await?
        .ok_or_else(|| Violation::from("the pod does not exist".to_owned()))?;
    let id = container_statuses(&live)
        .find_map(|status| ContainerId::new(status.container_id.as_deref()?))
        .ok_or_else(|| Violation::from("it has no container id".to_owned()))?;
    let first = ContainerId::new(&id.as_str()[..12]).ok_or_else(|| Violation::from("the id is short".to_owned()))?;
    let pods = read(cluster.adapter().pods_on(&fixture.node).await)?;
    let mut having = pods.iter().filter(|pod| pod.has(&first));
    let names = having.next().and_then(|pod| pod.names.clone());
    let names = names.map(|(namespace, name)| format!("{namespace}/{name}"));
    ensure!(
        names == Some(format!("{}/web-0", fixture.namespace)) && having.next().is_none(),
        "the pod of the container is {names:?}"
    );
    ensure!(
        read(cluster.adapter().pods_on(&name("nowhere")?).await)?.is_empty(),
        "a pod on a node that is not there"
    );
    Ok(())
}

/// The `hostname` of a host alert may be the name of a Falco pod.
pub async fn pods_of_one_name_are_found_in_every_namespace<C: ClusterUnderTest>(cluster: &C) -> ScenarioResult {
    let (here, there) = (
        Fixture::bare(cluster, "named-here").await?,
        Fixture::bare(cluster, "named-there").await?,
    );
    for fixture in [&here, &there] {
        fixture
            .create(&[fixture.pod("falco-x7k2p"), fixture.pod("falco-other")])
            .await?;
    }
    let found = read(cluster.adapter().pods_named(&name("falco-x7k2p")?).await)?;
    let mut namespaces: Vec<_> = found
        .iter()
        .filter_map(|pod| pod.metadata.namespace.as_deref())
        .collect();
    namespaces.sort_unstable();
    ensure!(
        namespaces == [here.namespace.as_str(), there.namespace.as_str()],
        "it was found in {namespaces:?}"
    );
    Ok(())
}

/// Namespace selectors rely on `kubernetes.io/metadata.name`.
pub async fn a_namespace_carries_its_name_as_a_label<C: ClusterUnderTest>(cluster: &C) -> ScenarioResult {
    let fixture = Fixture::bare(cluster, "labelled").await?;
    let namespace = read(cluster.adapter().namespace(&fixture.namespace).await)?;
    let labels = namespace
        .and_then(|namespace| namespace.metadata.labels.clone())
        .unwrap_or_default();
    let label = labels.get("kubernetes.io/metadata.name").map(String::as_str);
    ensure!(label == Some(fixture.namespace.as_str()), "its labels are {labels:?}");
    Ok(())
}

/// A quarantine needs the Services that it detaches a pod from.
pub async fn services_are_read_from_one_namespace_only<C: ClusterUnderTest>(cluster: &C) -> ScenarioResult {
    let (here, there) = (
        Fixture::bare(cluster, "served-here").await?,
        Fixture::bare(cluster, "served-there").await?,
    );
    for (fixture, name) in [(&here, "here"), (&there, "there")] {
        let service = json!({
            "apiVersion": "v1", "kind": "Service",
            "metadata": {"name": name, "namespace": fixture.namespace},
            "spec": {"selector": {"app": "web"}, "ports": [{"port": 80}]},
        });
        fixture.create(&[service]).await?;
    }
    let found = read(cluster.adapter().services(&here.namespace).await)?;
    let names: Vec<_> = found
        .iter()
        .filter_map(|service| service.metadata.name.as_deref())
        .collect();
    ensure!(names == ["here"], "the services are {names:?}");
    let selector = found[0]
        .spec
        .as_ref()
        .and_then(|spec| spec.selector.clone())
        .unwrap_or_default();
    ensure!(
        selector.get("app").map(String::as_str) == Some("web"),
        "it selects {selector:?}"
    );
    Ok(())
}

/// Neither cluster under test runs a policy engine.
pub async fn a_cluster_without_a_policy_engine_reports_none<C: ClusterUnderTest>(cluster: &C) -> ScenarioResult {
    let fixture = Fixture::bare(cluster, "engine").await?;
    let policies = cluster.adapter().engine_policies(&fixture.namespace).await;
    ensure!(policies.engine.is_none(), "the engine is {:?}", policies.engine);
    ensure!(policies.unread.is_empty(), "not read: {:?}", policies.unread);
    Ok(())
}
