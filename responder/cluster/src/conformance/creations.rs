//! Creating and deleting a NetworkPolicy.

use std::collections::BTreeMap;

use k8s_openapi::api::networking::v1::{NetworkPolicy, NetworkPolicySpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta};
use responder_core::object::{Kind, Locator, Namespace, ObjectRef};
use responder_core::own::{OwnObject, QuarantinePolicy};
use responder_core::port::{ClusterReader, Reply, SendErrorKind};
use responder_core::request::Request;

use super::fixture::{Fixture, PREFIX, ScenarioResult, ensure, name, other_uid};
use super::under_test::{ClusterUnderTest, Violation};

/// A policy that isolates the pods with `conformance.responder.dev/incident: <incident>`.
fn policy(namespace: &Namespace, incident: &str) -> Result<Request, Violation> {
    let labels = BTreeMap::from([(format!("{PREFIX}incident"), incident.to_owned())]);
    let at = Locator::namespaced(Kind::NetworkPolicy, namespace.clone(), name("isolate")?)
        .ok_or_else(|| Violation::from("a policy is namespaced".to_owned()))?;
    let manifest = NetworkPolicy {
        metadata: ObjectMeta {
            labels: Some(labels.clone()),
            ..ObjectMeta::default()
        },
        spec: Some(NetworkPolicySpec {
            pod_selector: Some(LabelSelector {
                match_labels: Some(labels),
                match_expressions: None,
            }),
            policy_types: Some(vec!["Ingress".to_owned(), "Egress".to_owned()]),
            ..NetworkPolicySpec::default()
        }),
    };
    Ok(Request::Create {
        object: Box::new(OwnObject::NetworkPolicy(QuarantinePolicy { at, manifest })),
    })
}

async fn policies<C: ClusterUnderTest>(fixture: &Fixture<'_, C>) -> Result<Vec<NetworkPolicy>, Violation> {
    let read = fixture.cluster.adapter().network_policies(&fixture.namespace).await;
    read.map_err(|error| Violation::from(error.to_string()))
}

async fn created<C: ClusterUnderTest>(fixture: &Fixture<'_, C>, request: &Request) -> Result<ObjectRef, Violation> {
    match fixture.send(request, false).await {
        Ok(Reply::Created(uid)) => Ok(ObjectRef { at: request.at(), uid }),
        other => Err(Violation::from(format!("{request} was answered {other:?}"))),
    }
}

/// The dry run changes nothing, the creation returns the uid, and a second creation is refused.
pub async fn a_policy_is_created_once<C: ClusterUnderTest>(cluster: &C) -> ScenarioResult {
    let fixture = Fixture::bare(cluster, "policy").await?;
    let request = policy(&fixture.namespace, "one")?;
    fixture.rehearses(&request).await?;
    let target = created(&fixture, &request).await?;
    let read = policies(&fixture).await?;
    let [read] = &*read else {
        return Err(Violation::from(format!("there are {} policies", read.len())));
    };
    ensure!(
        read.metadata.uid.as_deref() == Some(target.uid.as_str()),
        "it was created as {:?}",
        read.metadata.uid
    );
    let types = read.spec.as_ref().and_then(|spec| spec.policy_types.clone());
    ensure!(types.as_ref().map(Vec::len) == Some(2), "its types are {types:?}");
    fixture
        .refuses(&policy(&fixture.namespace, "two")?, SendErrorKind::AlreadyExists)
        .await
}

/// The API server does not create a missing namespace.
pub async fn a_policy_in_a_missing_namespace_creates_neither<C: ClusterUnderTest>(cluster: &C) -> ScenarioResult {
    let fixture = Fixture::bare(cluster, "policy-nowhere").await?;
    let nowhere = fixture.nowhere()?;
    fixture
        .refuses(&policy(&nowhere, "one")?, SendErrorKind::NotFound)
        .await
}

/// An invalid label value, in the policy's own labels and in its selector.
pub async fn an_invalid_policy_is_not_created<C: ClusterUnderTest>(cluster: &C) -> ScenarioResult {
    let fixture = Fixture::bare(cluster, "policy-invalid").await?;
    fixture
        .refuses(&policy(&fixture.namespace, "two words")?, SendErrorKind::Invalid)
        .await?;
    let mut selecting = policy(&fixture.namespace, "one")?;
    if let Request::Create { object } = &mut selecting
        && let OwnObject::NetworkPolicy(policy) = &mut **object
    {
        let labels = BTreeMap::from([("app".to_owned(), "two words".to_owned())]);
        let selector = LabelSelector {
            match_labels: Some(labels),
            match_expressions: None,
        };
        policy.manifest.spec = Some(NetworkPolicySpec {
            pod_selector: Some(selector),
            ..NetworkPolicySpec::default()
        });
    }
    fixture.refuses(&selecting, SendErrorKind::Invalid).await
}

/// The undo of a creation names the uid of the policy.
pub async fn a_policy_is_deleted_by_its_uid_only<C: ClusterUnderTest>(cluster: &C) -> ScenarioResult {
    let fixture = Fixture::bare(cluster, "policy-undo").await?;
    let target = created(&fixture, &policy(&fixture.namespace, "one")?).await?;
    let deletion = |target: &ObjectRef| Request::Delete {
        target: target.clone(),
        grace_seconds: None,
    };
    let other = ObjectRef {
        uid: other_uid()?,
        ..target.clone()
    };
    fixture.refuses(&deletion(&other), SendErrorKind::UidMismatch).await?;
    fixture.rehearses(&deletion(&target)).await?;
    fixture.answers(&deletion(&target), false, Ok(&Reply::Gone)).await?;
    fixture.refuses(&deletion(&target), SendErrorKind::NotFound).await
}

/// After a restart, the responder finds its quarantines by this label.
pub async fn policies_are_found_by_a_label_in_any_namespace<C: ClusterUnderTest>(cluster: &C) -> ScenarioResult {
    let (here, there) = (
        Fixture::bare(cluster, "policy-here").await?,
        Fixture::bare(cluster, "policy-there").await?,
    );
    created(&here, &policy(&here.namespace, "one")?).await?;
    created(&there, &policy(&there.namespace, "two")?).await?;
    let found = cluster
        .adapter()
        .network_policies_labelled(&format!("{PREFIX}incident"))
        .await;
    let found = found.map_err(|error| Violation::from(error.to_string()))?;
    for fixture in [&here, &there] {
        let one = found
            .iter()
            .any(|policy| policy.metadata.namespace.as_deref() == Some(fixture.namespace.as_str()));
        ensure!(one, "the policy in {} was not found", fixture.namespace);
    }
    let none = cluster
        .adapter()
        .network_policies_labelled(&format!("{PREFIX}unused"))
        .await;
    ensure!(
        none.as_ref().is_ok_and(Vec::is_empty),
        "a label that nothing carries found {none:?}"
    );
    Ok(())
}
