//! What the controllers of pods do when a response takes one away, lets one go, or gives one back.

use std::collections::BTreeMap;

use responder_core::object::{Kind, ObjectRef};
use responder_core::patch::{Entry, Patch};
use responder_core::port::{ClusterReader, Reply, SendErrorKind};
use responder_core::request::Request;
use serde_json::{Value, json};

use super::stage::{Fixture, WriteOutcome, ensure, eventually, uid};
use super::{ClusterUnderTest, Violation};

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

/// A stage with a ReplicaSet of two pods, and the names of the pods.
async fn with_set<'w, W: ClusterUnderTest>(
    world: &'w W,
    name: &str,
) -> Result<(Fixture<'w, W>, Vec<String>), Violation> {
    let fixture = Fixture::bare(world, name).await?;
    fixture.create(&[fixture.set("ReplicaSet", "web", 2)]).await?;
    let names: Vec<_> = fixture.living_pods().await?.into_keys().collect();
    ensure!(names.len() == 2, "a set of two has {names:?}");
    Ok((fixture, names))
}

/// A ReplicaSet's pod is followed by one of another name and another uid.
pub async fn a_deleted_pod_is_replaced_by_another<W: ClusterUnderTest>(world: &W) -> WriteOutcome {
    let (fixture, names) = with_set(world, "successor").await?;
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

/// What the owner chain is made of.
pub async fn an_owner_says_how_many_and_which_and_who_is_above<W: ClusterUnderTest>(world: &W) -> WriteOutcome {
    let (fixture, names) = with_set(world, "owner").await?;
    let at = fixture.place(Kind::ReplicaSet, "web")?;
    let owner = world
        .cluster()
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
    let above = world
        .cluster()
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

/// A quarantine's detaching: the pod lives on, on its own, and the set has its two pods.
async fn detach<W: ClusterUnderTest>(fixture: &Fixture<'_, W>, target: &ObjectRef) -> WriteOutcome {
    let request = label(target, None);
    fixture.rehearses(&request).await?;
    let reply = fixture.send(&request, false).await;
    ensure!(
        matches!(reply, Ok(Reply::Patched { .. })),
        "{request} was answered {reply:?}"
    );
    eventually("the pod is let go and replaced", || async {
        let pods = fixture.living_pods().await?;
        let alone = pods
            .get(target.at.name().as_str())
            .is_some_and(|pod| !is_controlled(pod) && uid_of(pod) == target.uid.as_str());
        Ok(alone && pods.values().filter(|pod| is_controlled(pod)).count() == 2)
    })
    .await
}

/// Its ReplicaSet lets go of it, without ending it.
pub async fn a_pod_whose_labels_change_is_let_go_and_replaced<W: ClusterUnderTest>(world: &W) -> WriteOutcome {
    let (fixture, names) = with_set(world, "let-go").await?;
    let target = fixture.target(&names[0]).await?;
    detach(&fixture, &target).await
}

/// A quarantine's undo: the ReplicaSet takes the pod back and ends one that it has too many of.
pub async fn a_pod_that_gets_its_labels_back_is_taken_back<W: ClusterUnderTest>(world: &W) -> WriteOutcome {
    let (fixture, names) = with_set(world, "taken-back").await?;
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

/// Only the uid tells the two apart.
pub async fn a_stateful_sets_successor_has_the_name_and_another_uid<W: ClusterUnderTest>(world: &W) -> WriteOutcome {
    let fixture = Fixture::bare(world, "stateful").await?;
    fixture.create(&[fixture.set("StatefulSet", "web", 1)]).await?;
    let target = fixture.target("web-0").await?;
    let request = Request::Delete {
        target: target.clone(),
        grace_seconds: Some(0),
    };
    fixture.answers(&request, false, Ok(&Reply::Gone)).await?;
    eventually("the successor is there", || async {
        let pod = fixture.read("web-0").await?;
        Ok(pod.is_some_and(|pod| pod.metadata.uid.as_deref() != Some(target.uid.as_str())))
    })
    .await?;
    fixture.answers(&request, true, Err(SendErrorKind::UidMismatch)).await?;
    fixture.answers(&request, false, Err(SendErrorKind::UidMismatch)).await
}

/// By default an API server deletes a Job and leaves its pods running.
pub async fn deleting_a_job_ends_its_pods<W: ClusterUnderTest>(world: &W) -> WriteOutcome {
    let fixture = Fixture::bare(world, "job").await?;
    fixture.create(&[fixture.job("miner")]).await?;
    let job = fixture.place(Kind::Job, "miner")?;
    let read = world
        .cluster()
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
    eventually("the job's pods are gone or ending", || async {
        Ok(fixture.living_pods().await?.is_empty())
    })
    .await
}
