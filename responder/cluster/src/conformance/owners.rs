//! Controllers of custom kinds: what the chain of a pod and its limits need of them.

use responder_core::custom_kind::{CustomKind, CustomLocator};
use responder_core::object::Kind;
use responder_core::owner::CustomOwner;
use responder_core::port::{ClusterReader, CustomOwnerAnswer};
use serde_json::{Value, json};

use super::fixture::{Fixture, ScenarioResult, ensure, eventually, name};
use super::under_test::{ClusterUnderTest, Violation};

const ROLLOUTS: &str = include_str!("definitions/rollouts.argoproj.io.json");

fn at<C: ClusterUnderTest>(
    fixture: &Fixture<'_, C>,
    api_version: &str,
    kind: &str,
    of: &str,
) -> Result<CustomLocator, Violation> {
    let kind = CustomKind::new(api_version, kind).ok_or_else(|| Violation::from(format!("{kind} is known")))?;
    let (namespace, name) = (fixture.namespace.clone(), name(of)?);
    Ok(CustomLocator { kind, namespace, name })
}

async fn answer<C: ClusterUnderTest>(cluster: &C, at: &CustomLocator) -> Result<CustomOwnerAnswer, Violation> {
    let answer = cluster.adapter().custom_owner(at).await;
    answer.map_err(|error| Violation::from(error.to_string()))
}

async fn found<C: ClusterUnderTest>(cluster: &C, at: &CustomLocator) -> Result<CustomOwner, Violation> {
    match answer(cluster, at).await? {
        CustomOwnerAnswer::Found(found) => {
            ensure!(found.controlled_by.is_none(), "above {at} is {:?}", found.controlled_by);
            Ok(found.owner)
        }
        other => Err(Violation::from(format!("{at} is {other:?}"))),
    }
}

/// Defines a kind and waits until it is served, which the API server does some time after it has taken the definition.
async fn define<C: ClusterUnderTest>(
    fixture: &Fixture<'_, C>,
    definition: Value,
    absent: &CustomLocator,
) -> ScenarioResult {
    fixture.create(&[definition]).await?;
    eventually(&format!("{} is served", absent.kind), || async {
        let answer = fixture.cluster.adapter().custom_owner(absent).await;
        Ok(answer == Ok(CustomOwnerAnswer::Missing))
    })
    .await
}

/// A pod's ReplicaSet names its Rollout, and the Rollout has its number of replicas in its `scale`.
pub async fn a_rollout_is_read_with_its_scale<C: ClusterUnderTest>(cluster: &C) -> ScenarioResult {
    let fixture = Fixture::bare(cluster, "rollout").await?;
    let place = |of: &str| at(&fixture, "argoproj.io/v1alpha1", "Rollout", of);
    let definition: Value = serde_json::from_str(ROLLOUTS).map_err(|error| Violation::from(error.to_string()))?;
    define(&fixture, definition, &place("absent")?).await?;
    let rollout = json!({
        "apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout",
        "metadata": {
            "name": "shop", "namespace": fixture.namespace,
            "labels": {"app": "web"}, "annotations": {"example.org/team": "shop"},
        },
        "spec": {"replicas": 4, "selector": {"matchLabels": {"app": "web"}}},
    });
    fixture.create(&[rollout]).await?;
    let owner = found(cluster, &place("shop")?).await?;
    ensure!(owner.replicas == Ok(4), "it wants {:?}", owner.replicas);
    ensure!(
        owner.namespace.as_ref() == Some(&fixture.namespace),
        "it is in {:?}",
        owner.namespace
    );
    let (label, annotation) = (owner.labels.get("app"), owner.annotations.get("example.org/team"));
    ensure!(
        label.is_some_and(|label| label == "web") && annotation.is_some_and(|team| team == "shop"),
        "its labels are {:?}, its annotations {:?}",
        owner.labels,
        owner.annotations
    );
    let mut set = fixture.set("ReplicaSet", "shop-77c", 1);
    set["metadata"]["ownerReferences"] = json!([
        {"apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "name": "shop", "uid": owner.uid, "controller": true},
    ]);
    fixture.create(&[set]).await?;
    let set = cluster
        .adapter()
        .owner(&fixture.place(Kind::ReplicaSet, "shop-77c")?)
        .await;
    let set = set.map_err(|error| Violation::from(error.to_string()))?;
    let above = set.and_then(|set| set.controlled_by);
    ensure!(
        above
            .as_ref()
            .is_some_and(|above| above.uid == owner.uid.as_str() && above.kind == "Rollout"),
        "above the set is {above:?}"
    );
    Ok(())
}

/// A kind without a `scale` has no number of replicas, wherever its objects hold one.
pub async fn a_custom_kind_without_a_scale_has_no_number_of_replicas<C: ClusterUnderTest>(
    cluster: &C,
) -> ScenarioResult {
    let fixture = Fixture::bare(cluster, "unscaled").await?;
    let group = "unscaled.conformance.responder.dev";
    let api_version = format!("{group}/v1");
    let definition = json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("runners.{group}")},
        "spec": {
            "group": group, "scope": "Namespaced",
            "names": {"kind": "Runner", "listKind": "RunnerList", "plural": "runners", "singular": "runner"},
            "versions": [{
                "name": "v1", "served": true, "storage": true,
                "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}},
            }],
        },
    });
    define(&fixture, definition, &at(&fixture, &api_version, "Runner", "absent")?).await?;
    let runner = json!({
        "apiVersion": api_version, "kind": "Runner",
        "metadata": {"name": "one", "namespace": fixture.namespace},
        "spec": {"replicas": 3},
    });
    fixture.create(&[runner]).await?;
    let owner = found(cluster, &at(&fixture, &api_version, "Runner", "one")?).await?;
    ensure!(owner.replicas.is_err(), "it wants {:?}", owner.replicas);
    let unserved = at(&fixture, &api_version, "Walker", "one")?;
    let answer = answer(cluster, &unserved).await?;
    ensure!(answer == CustomOwnerAnswer::NotServed, "{unserved} is {answer:?}");
    Ok(())
}

/// An author of pods can name any group.
pub async fn a_group_that_is_not_served_is_no_error<C: ClusterUnderTest>(cluster: &C) -> ScenarioResult {
    let fixture = Fixture::bare(cluster, "unserved").await?;
    let nothing = at(&fixture, "nothing.example/v1", "Nothing", "at-all")?;
    let answer = answer(cluster, &nothing).await?;
    ensure!(answer == CustomOwnerAnswer::NotServed, "{nothing} is {answer:?}");
    Ok(())
}
