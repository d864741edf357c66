//! Manifests, handwritten and from dumps.

use std::fs;

use responder_core::custom_kind::{CustomKind, CustomLocator};
use responder_core::network::PolicyEngine;
use responder_core::object::{ContainerId, Kind};
use responder_core::owner::Uncounted;
use responder_core::port::CustomOwnerAnswer;
use rstest::rstest;

use super::*;

#[tokio::test]
async fn omitted_fields_are_filled_in() {
    let cluster = demo();
    let pod = cluster
        .pod(&namespace("web"), &name("web-7d9f-aaaaa"))
        .await
        .unwrap()
        .unwrap();
    let uid = pod.metadata.uid.clone().unwrap();
    assert!(Uid::new(&uid).is_some() && uid.len() == 36);
    assert!(pod.metadata.resource_version.is_some() && pod.metadata.creation_timestamp.is_some());
    assert_eq!(pod.spec.as_ref().unwrap().node_name.as_deref(), Some("worker-1"));
    let status = pod.status.as_ref().unwrap();
    assert_eq!(status.phase.as_deref(), Some("Running"));
    let containers = status.container_statuses.as_ref().unwrap();
    let ids: Vec<_> = containers
        .iter()
        .map(|container| ContainerId::new(container.container_id.as_deref().unwrap()).unwrap())
        .collect();
    assert!(ids[0].as_str().starts_with(&uid[..8]));
    assert!(!ids[0].is_same_as(&ids[1]));
    let started = containers[0]
        .state
        .as_ref()
        .unwrap()
        .running
        .as_ref()
        .unwrap()
        .started_at
        .as_ref()
        .unwrap();
    assert!(
        started.0 < "2021-01-01T00:00:00Z".parse().unwrap(),
        "older than any recording"
    );
    assert!(cluster.namespace(&namespace("web")).await.unwrap().is_some());
    assert!(
        cluster
            .node(&name("worker-1"))
            .await
            .unwrap()
            .unwrap()
            .metadata
            .uid
            .is_some()
    );
}

#[tokio::test]
async fn the_owner_chain_is_found_without_a_uid_in_the_manifest() {
    let cluster = demo();
    let pod = cluster.owner(&at("web-7d9f-aaaaa")).await.unwrap().unwrap();
    let set = pod.controlled_by.unwrap();
    let set_at = Locator::namespaced(Kind::ReplicaSet, namespace("web"), name(&set.name)).unwrap();
    let owner = cluster.owner(&set_at).await.unwrap().unwrap();
    assert_eq!(owner.owner.object.uid.as_str(), set.uid);
    let deployment = owner.controlled_by.unwrap();
    assert_eq!(
        (deployment.kind.as_str(), deployment.name.as_str()),
        ("Deployment", "web")
    );
}

#[tokio::test]
async fn a_pod_that_a_set_selects_belongs_to_it() {
    let pod = demo().owner(&at("web-7d9f-bbbbb")).await.unwrap().unwrap();
    assert_eq!(pod.controlled_by.unwrap().name, "web-7d9f");
}

#[tokio::test]
async fn the_policy_engine_is_detected_from_the_manifests() {
    let web = Namespace::new("web").unwrap();
    assert_eq!(
        demo().engine_policies(&web).await.engine,
        Some(PolicyEngine::Plain("kube-router"))
    );
}

#[tokio::test]
async fn definitions_that_an_uninstalled_engine_has_left_behind_are_no_engine() {
    let definition = "{apiVersion: apiextensions.k8s.io/v1, kind: CustomResourceDefinition, metadata: {name: x.cilium.io}, spec: {group: cilium.io}}";
    let cluster = SimulatedCluster::from_manifests([("crd.yaml", definition)]).unwrap();
    assert_eq!(
        cluster.engine_policies(&Namespace::new("web").unwrap()).await.engine,
        None
    );
}

#[tokio::test]
async fn policies_of_every_kind_are_read_from_the_cluster_and_from_the_namespace() {
    let manifests = "
{apiVersion: v1, kind: Namespace, metadata: {name: web}}
---
{apiVersion: cilium.io/v2, kind: CiliumNetworkPolicy, metadata: {name: here, namespace: web}, spec: {endpointSelector: {}}, specs: [{endpointSelector: {}}]}
---
{apiVersion: cilium.io/v2, kind: CiliumNetworkPolicy, metadata: {name: elsewhere, namespace: db}, spec: {endpointSelector: {}}}
---
{apiVersion: crd.projectcalico.org/v1, kind: GlobalNetworkPolicy, metadata: {name: everywhere}, spec: {selector: all()}}
---
{apiVersion: projectcalico.org/v3, kind: NetworkPolicy, metadata: {name: calicos, namespace: web}, spec: {selector: all()}}
---
{apiVersion: policy.networking.k8s.io/v1alpha1, kind: AdminNetworkPolicy, metadata: {name: admins}, spec: {priority: 1}}
";
    let cluster = SimulatedCluster::from_manifests([("policies.yaml", manifests)]).unwrap();
    let read = cluster.engine_policies(&Namespace::new("web").unwrap()).await;
    let mut names: Vec<String> = read.policies.iter().map(ToString::to_string).collect();
    names.sort();
    assert_eq!(
        names,
        [
            "AdminNetworkPolicy admins",
            "Calico NetworkPolicy calicos",
            "CiliumNetworkPolicy here",
            "CiliumNetworkPolicy here",
            "GlobalNetworkPolicy everywhere",
        ]
    );
}

/// The number of replicas of a custom controller, where the cluster has it and this definition of its kind.
async fn custom_replicas(spec: &str, subresources: Option<&str>) -> Result<u32, String> {
    let object = format!(
        "{{apiVersion: postgresql.cnpg.io/v1, kind: Cluster, metadata: {{name: db, namespace: web}}, spec: {spec}}}"
    );
    let definition = subresources.map_or_else(String::new, |subresources| {
        format!(
            "{{apiVersion: apiextensions.k8s.io/v1, kind: CustomResourceDefinition, metadata: {{name: clusters.postgresql.cnpg.io}}, \
             spec: {{group: postgresql.cnpg.io, names: {{kind: Cluster}}, versions: [{{name: v1, subresources: {subresources}}}]}}}}"
        )
    });
    let cluster = SimulatedCluster::from_manifests([("cluster.yaml", &*object), ("definition.yaml", &*definition)]);
    let at = CustomLocator {
        kind: CustomKind::new("postgresql.cnpg.io/v1", "Cluster").unwrap(),
        namespace: namespace("web"),
        name: name("db"),
    };
    match cluster.unwrap().custom_owner(&at).await.unwrap() {
        CustomOwnerAnswer::Found(found) => found.owner.replicas.map_err(|Uncounted(why)| why),
        other => panic!("{other:?}"),
    }
}

#[rstest]
#[case::undefined("{replicas: 3}", None, Ok(3))]
#[case::undefined_and_elsewhere(
    "{instances: 3}",
    None,
    Err("the Cluster.postgresql.cnpg.io has no number at .spec.replicas")
)]
#[case::defined("{instances: 3}", Some("{scale: {specReplicasPath: .spec.instances}}"), Ok(3))]
#[case::defined_without_a_scale(
    "{replicas: 3}",
    Some("{status: {}}"),
    Err("a Cluster.postgresql.cnpg.io has no scale")
)]
#[tokio::test]
async fn the_scale_of_a_custom_controller_is_where_its_definition_says(
    #[case] spec: &str,
    #[case] subresources: Option<&str>,
    #[case] expected: Result<u32, &str>,
) {
    let replicas = custom_replicas(spec, subresources).await;
    assert_eq!(replicas, expected.map_err(str::to_owned));
}

#[test]
fn kinds_without_an_effect_are_stored_and_listed() {
    let cluster = demo();
    assert_eq!(cluster.inert_kinds(), BTreeMap::from([("ConfigMap".to_owned(), 1)]));
    assert!(cluster.objects().contains_key("ConfigMap/web/settings"));
}

#[tokio::test]
async fn the_same_manifests_make_the_same_cluster() {
    assert_eq!(demo().objects(), demo().objects());
}

#[tokio::test]
async fn the_values_of_a_dump_are_kept() {
    let dump = r#"{"apiVersion": "v1", "kind": "List", "items": [
        {"apiVersion": "v1", "kind": "Pod",
         "metadata": {"name": "db-0", "namespace": "web", "uid": "0a1b", "resourceVersion": "4711", "creationTimestamp": "2024-05-01T10:00:00Z"},
         "spec": {"nodeName": "worker-9", "containers": [{"name": "db", "image": "db:1"}]},
         "status": {"phase": "Failed", "reason": "Evicted"}}]}"#;
    let cluster = SimulatedCluster::from_manifests([("dump.json", dump)]).unwrap();
    let pod = cluster.pod(&namespace("web"), &name("db-0")).await.unwrap().unwrap();
    assert_eq!(pod.metadata.uid.as_deref(), Some("0a1b"));
    assert_eq!(pod.metadata.resource_version.as_deref(), Some("4711"));
    assert_eq!(pod.spec.as_ref().unwrap().node_name.as_deref(), Some("worker-9"));
    assert_eq!(pod.status.as_ref().unwrap().phase.as_deref(), Some("Failed"));
}

#[tokio::test]
async fn the_items_of_a_typed_list_need_not_repeat_what_they_are() {
    let dump = r#"{"apiVersion": "v1", "kind": "PodList", "items": [
        {"metadata": {"name": "db-0", "namespace": "web"}, "spec": {"containers": []}}]}"#;
    let cluster = SimulatedCluster::from_manifests([("pods.json", dump)]).unwrap();
    assert!(cluster.pod(&namespace("web"), &name("db-0")).await.unwrap().is_some());
}

#[tokio::test]
async fn a_directory_is_read_with_its_subdirectories() {
    let directory = tempfile::tempdir().unwrap();
    fs::create_dir(directory.path().join("web")).unwrap();
    fs::write(
        directory.path().join("web/pod.yaml"),
        "{apiVersion: v1, kind: Pod, metadata: {name: a, namespace: web}, spec: {containers: []}}",
    )
    .unwrap();
    fs::write(
        directory.path().join("node.json"),
        r#"{"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n"}}"#,
    )
    .unwrap();
    fs::write(directory.path().join("README.md"), "no manifest").unwrap();
    fs::create_dir(directory.path().join("..data")).unwrap();
    fs::write(directory.path().join("..data/pod.yaml"), "no: manifest").unwrap();
    let cluster = SimulatedCluster::from_dir(directory.path()).unwrap();
    assert!(cluster.pod(&namespace("web"), &name("a")).await.unwrap().is_some());
    assert!(cluster.node(&name("n")).await.unwrap().is_some());
}

#[test]
fn an_empty_directory_is_not_a_cluster() {
    let directory = tempfile::tempdir().unwrap();
    assert!(matches!(
        SimulatedCluster::from_dir(directory.path()),
        Err(ManifestError::Empty { .. })
    ));
    assert!(matches!(
        SimulatedCluster::from_dir(&directory.path().join("none")),
        Err(ManifestError::Unreadable { .. })
    ));
}

#[test]
fn all_faults_are_reported_in_one_run() {
    let wrong = "\
apiVersion: v1
kind: Pod
metadata: {name: web-0, namespace: web}
spec:
  containers: [{name: web, image: 7}]
---
kind: Pod
metadata: {name: web-1}
---
apiVersion: v1
kind: Pod
metadata: {generateName: web-}
---
apiVersion: v1
kind: Node
metadata: {name: Worker}
---
apiVersion: v1
kind: Node
metadata: {name: worker-1}
---
- a list
";
    let twice = "{apiVersion: v1, kind: Node, metadata: {name: worker-1}}";
    let error = SimulatedCluster::from_manifests([("wrong.yaml", wrong), ("twice.yaml", twice)]).unwrap_err();
    insta::assert_snapshot!(error, @"
    wrong.yaml, document 1: Pod/web/web-0: spec.containers[0].image: invalid type: integer `7`, expected a string
    wrong.yaml, document 2: `apiVersion` is missing: a manifest begins with apiVersion and kind
    wrong.yaml, document 3: a Pod without `metadata.name`: add one (`generateName` is not filled in here)
    wrong.yaml, document 4: `Worker` can't be the name of a Node
    wrong.yaml, document 6: this is not an object: a manifest has apiVersion, kind and metadata
    twice.yaml, document 1: Node/worker-1 is already in wrong.yaml, document 5: remove one
    ");
}

#[rstest]
#[case::syntax("a: [")]
#[case::json("{\"apiVersion\": ")]
#[case::duplicate_keys("apiVersion: v1\nkind: Pod\nkind: Node\nmetadata: {name: a}")]
fn a_syntax_error_says_where_it_is(#[case] text: &str) {
    let error = SimulatedCluster::from_manifests([("broken.yaml", text)])
        .unwrap_err()
        .to_string();
    assert!(
        error.starts_with("broken.yaml, document 1: ") && error.contains("line"),
        "{error}"
    );
}

#[tokio::test]
async fn labels_keep_the_text_that_was_quoted() {
    let pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: a, namespace: web, labels: {on: \"yes\", version: \"012\"}}\nspec: {containers: []}\n";
    let cluster = SimulatedCluster::from_manifests([("pod.yaml", pod)]).unwrap();
    let labels = cluster
        .pod(&namespace("web"), &name("a"))
        .await
        .unwrap()
        .unwrap()
        .metadata
        .labels
        .clone()
        .unwrap();
    assert_eq!((labels["on"].as_str(), labels["version"].as_str()), ("yes", "012"));
}
