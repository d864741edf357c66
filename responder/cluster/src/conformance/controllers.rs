//! How the controllers of pods react when a response deletes a pod, releases one, or gives one back.

use std::collections::BTreeMap;

use responder_core::object::{Kind, ObjectRef};
use responder_core::patch::{Entry, Patch};
use responder_core::port::{ClusterReader, Reply, SendErrorKind};
use responder_core::request::Request;
use serde_json::{Value, json};

use super::fixture::{Fixture, ScenarioResult, ensure, eventually, uid};
use super::under_test::{ClusterUnderTest, Violation};

fn uid_of(object: &Value) -> &str {
    object
        .pointer("/metadata/uid")
        .and_then(Value::as_str)
        .unwrap_or_default()
}

fn is_controlled(pod: &Value) -> bool {
    let references = pod.pointer("/metadata/ownerReferences").and_then(Value::as_array);
    references
        .into_iter()
        .flatten()
        .any(|reference| reference.get("controller") == Some(&Value::Bool(true)))
}

/// A fixture with a ReplicaSet of two pods, and the names of the pods.
async fn with_set<'c, C: ClusterUnderTest>(
    cluster: &'c C,
    name: &str,
) -> Result<(Fixture<'c, C>, Vec<String>), Violation> {
    let fixture = Fixture::bare(cluster, name).await?;
    fixture.create(&[fixture.set("ReplicaSet", "web", 2)]).await?;
    let names: Vec<_> = fixture.living_pods().await?.into_keys().collect();
    ensure!(names.len() == 2, "a set of two has {names:?}");
    Ok((fixture, names))
}

/// A ReplicaSet replaces a deleted pod by one with another name and another uid.
pub async fn a_deleted_pod_is_replaced_by_another<C: ClusterUnderTest>(cluster: &C) -> ScenarioResult {
    let (fixture, names) = with_set(cluster, "successor").await?;
    let target = fixture.target(&names[0]).await?;
    let request = Request::Delete {
        target: target.clone(),
        grace_seconds: Some(0),
    };
    fixture.rehearses(&request).await?;
    fixture.answers(&request, false, Ok(&Reply::Gone)).await?;
    eventually("the set has two pods again", || async {
        let pods = fixture.living_pods().await?;
        Ok(pods.len() == 2 && !pods.contains_key(&names[0]) && pods.contains_key(&names[1]))
    })
    .await?;
    fixture.answers(&request, false, Err(SendErrorKind::NotFound)).await
}

/// The owner chain is read with the fields that decisions need.
pub async fn an_owner_is_read_with_its_replicas_selector_and_controller<C: ClusterUnderTest>(
    cluster: &C,
) -> ScenarioResult {
    let (fixture, names) = with_set(cluster, "owner").await?;
    let at = fixture.place(Kind::ReplicaSet, "web")?;
    let owner = cluster
        .adapter()
        .owner(&at)
        .await
        .map_err(|error| Violation::from(error.to_string()))?;
    let owner = owner.ok_or_else(|| Violation::from("the set was not found".to_owned()))?;
    ensure!(owner.owner.object.at == at, "it is at {}", owner.owner.object.at);
    ensure!(owner.owner.replicas == Some(2), "it wants {:?}", owner.owner.replicas);
    let labels = owner
        .owner
        .selector
        .and_then(|selector| selector.match_labels)
        .unwrap_or_default();
    ensure!(
        labels == BTreeMap::from([("app".to_owned(), "web".to_owned())]),
        "it selects {labels:?}"
    );
    ensure!(owner.controlled_by.is_none(), "above it is {:?}", owner.controlled_by);
    let above = cluster
        .adapter()
        .owner(&fixture.at(&names[0])?)
        .await
        .map_err(|error| Violation::from(error.to_string()))?;
    let above = above
        .and_then(|pod| pod.controlled_by)
        .ok_or_else(|| Violation::from("the pod has no controller".to_owned()))?;
    ensure!(
        (&*above.api_version, &*above.kind, &*above.name) == ("apps/v1", "ReplicaSet", "web"),
        "it is {above:?}"
    );
    ensure!(
        above.uid == owner.owner.object.uid.as_str(),
        "the reference says {}",
        above.uid
    );
    Ok(())
}

fn label(target: &ObjectRef, value: Option<&str>) -> Request {
    Request::Patch {
        target: target.clone(),
        patch: Patch::new(vec![Entry::label("app", value.map(str::to_owned), None).into()]),
    }
}

/// Detaches a pod as a quarantine does: the pod keeps running without an owner, and the set has two pods of its own.
async fn detach<C: ClusterUnderTest>(fixture: &Fixture<'_, C>, target: &ObjectRef) -> ScenarioResult {
    let request = label(target, None);
    fixture.rehearses(&request).await?;
    let reply = fixture.send(&request, false).await;
    ensure!(
        matches!(reply, Ok(Reply::Patched { .. })),
        "{request} was answered {reply:?}"
    );
    eventually("the pod is released and replaced", || async {
        let pods = fixture.living_pods().await?;
        let alone = pods
            .get(target.at.name().as_str())
            .is_some_and(|pod| !is_controlled(pod) && uid_of(pod) == target.uid.as_str());
        Ok(alone && pods.values().filter(|pod| is_controlled(pod)).count() == 2)
    })
    .await
}

/// The ReplicaSet releases the pod without terminating it.
pub async fn a_relabelled_pod_is_released_and_replaced<C: ClusterUnderTest>(cluster: &C) -> ScenarioResult {
    let (fixture, names) = with_set(cluster, "let-go").await?;
    let target = fixture.target(&names[0]).await?;
    detach(&fixture, &target).await
}

/// A quarantine is undone: the ReplicaSet adopts the pod and terminates a surplus one.
pub async fn a_pod_with_its_labels_restored_is_adopted_again<C: ClusterUnderTest>(cluster: &C) -> ScenarioResult {
    let (fixture, names) = with_set(cluster, "taken-back").await?;
    let target = fixture.target(&names[0]).await?;
    detach(&fixture, &target).await?;
    let reply = fixture.send(&label(&target, Some("web")), false).await;
    ensure!(
        matches!(reply, Ok(Reply::Patched { .. })),
        "the undo was answered {reply:?}"
    );
    eventually("the set has two pods, all of them its own", || async {
        let pods = fixture.living_pods().await?;
        Ok(pods.len() == 2 && pods.values().all(is_controlled))
    })
    .await
}

/// A StatefulSet reuses the name, so only the uid distinguishes the new pod from the old one.
pub async fn a_stateful_sets_successor_has_the_same_name_and_another_uid<C: ClusterUnderTest>(
    cluster: &C,
) -> ScenarioResult {
    let fixture = Fixture::bare(cluster, "stateful").await?;
    fixture.create(&[fixture.set("StatefulSet", "web", 1)]).await?;
    let target = fixture.target("web-0").await?;
    let request = Request::Delete {
        target: target.clone(),
        grace_seconds: Some(0),
    };
    fixture.answers(&request, false, Ok(&Reply::Gone)).await?;
    eventually("the successor exists", || async {
        let pod = fixture.read("web-0").await?;
        Ok(pod.is_some_and(|pod| pod.metadata.uid.as_deref() != Some(target.uid.as_str())))
    })
    .await?;
    fixture.answers(&request, true, Err(SendErrorKind::UidMismatch)).await?;
    fixture.answers(&request, false, Err(SendErrorKind::UidMismatch)).await
}

/// By default, an API server deletes a Job and leaves its pods running.
pub async fn deleting_a_job_ends_its_pods<C: ClusterUnderTest>(cluster: &C) -> ScenarioResult {
    let fixture = Fixture::bare(cluster, "job").await?;
    fixture.create(&[fixture.job("miner")]).await?;
    let job = fixture.place(Kind::Job, "miner")?;
    let read = cluster
        .adapter()
        .owner(&job)
        .await
        .map_err(|error| Violation::from(error.to_string()))?;
    let read = read.ok_or_else(|| Violation::from("the job was not found".to_owned()))?;
    let mut pod = fixture.pod("miner-0");
    pod["metadata"]["labels"] = json!({"app": "miner"});
    pod["metadata"]["ownerReferences"] = json!([{"apiVersion": "batch/v1", "kind": "Job", "name": "miner", "uid": read.owner.object.uid, "controller": false}]);
    fixture.create(&[pod]).await?;
    let target = ObjectRef {
        at: job,
        uid: uid(read.owner.object.uid.as_str())?,
    };
    let request = Request::Delete {
        target,
        grace_seconds: None,
    };
    fixture.rehearses(&request).await?;
    fixture.answers(&request, false, Ok(&Reply::Gone)).await?;
    eventually("the job's pods are gone or terminating", || async {
        Ok(fixture.living_pods().await?.is_empty())
    })
    .await
}
