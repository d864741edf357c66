//! The policies with which a quarantine denies, of kinds that others define.

use std::collections::BTreeMap;

use responder_core::network::{EnginePolicy, PolicyKind};
use responder_core::object::ObjectRef;
use responder_core::own::{DenyingKind, DenyingPolicy, OnExpiry, OwnObject, QuarantineRecord};
use responder_core::port::{ClusterReader, Reply, SendErrorKind};
use responder_core::request::Request;
use serde_json::Value;

use super::fixture::{Fixture, ScenarioResult, ensure, eventually, other_uid};
use super::under_test::{ClusterUnderTest, Violation};

const OF_CILIUM: &str = include_str!("definitions/ciliumnetworkpolicies.cilium.io.json");
const OF_CALICO: &str = include_str!("definitions/networkpolicies.crd.projectcalico.org.json");

/// The policy of a quarantine of the fixture's pod.
async fn policy<C: ClusterUnderTest>(
    fixture: &Fixture<'_, C>,
    kind: DenyingKind,
    allow_dns: bool,
) -> Result<DenyingPolicy, Violation> {
    let record = QuarantineRecord {
        pod: fixture.target("web-0").await?,
        incident: "abcdefghij".to_owned(),
        playbook: "conformance".to_owned(),
        owner: None,
        expires_at: None,
        on_expiry: OnExpiry::Hold,
        detached: BTreeMap::new(),
        denied_by: Some(kind),
    };
    DenyingPolicy::of(&record, allow_dns).ok_or_else(|| Violation::from("there is no such policy".to_owned()))
}

fn creation(policy: &DenyingPolicy) -> Request {
    Request::Create {
        object: Box::new(OwnObject::DenyingPolicy(policy.clone())),
    }
}

async fn stored<C: ClusterUnderTest>(
    fixture: &Fixture<'_, C>,
    policy: &DenyingPolicy,
) -> Result<Option<std::sync::Arc<Value>>, Violation> {
    let read = fixture.cluster.adapter().object(policy.at()).await;
    read.map_err(|error| Violation::from(error.to_string()))
}

/// Defines the kind, waits until the API server takes a policy of it, and leads one through its life.
async fn denies<C: ClusterUnderTest>(
    cluster: &C,
    name: &str,
    kind: DenyingKind,
    definition: &str,
    allow_dns: bool,
) -> ScenarioResult {
    let fixture = Fixture::with_pod(cluster, name).await?;
    let definition: Value = serde_json::from_str(definition).map_err(|error| Violation::from(error.to_string()))?;
    fixture.create(&[definition]).await?;
    let policy = policy(&fixture, kind, allow_dns).await?;
    let creation = creation(&policy);
    eventually(&format!("{} is served", kind.as_str()), || async {
        Ok(fixture.send(&creation, true).await == Ok(Reply::Rehearsed))
    })
    .await?;
    ensure!(
        stored(&fixture, &policy).await?.is_none(),
        "the dry run created {}",
        policy.at()
    );

    let Ok(Reply::Created(uid)) = fixture.send(&creation, false).await else {
        return Err(Violation::from(format!("{} was not created", policy.at())));
    };
    let live = stored(&fixture, &policy).await?;
    ensure!(
        live.as_ref().is_some_and(|live| policy.is_same_as(live)),
        "{} was stored as {live:?}",
        policy.at()
    );
    fixture
        .answers(&creation, false, Err(SendErrorKind::AlreadyExists))
        .await?;

    // What decides about leaks sees it as it was planned.
    let read = cluster.adapter().engine_policies(&fixture.namespace).await;
    ensure!(
        read.can_deny.contains(&kind),
        "kinds that can deny: {:?}",
        read.can_deny
    );
    let planned = EnginePolicy::of_quarantine(&policy);
    ensure!(
        read.policies.iter().any(|policy| Some(policy) == planned.as_ref()),
        "the policies are {:?}",
        read.policies
    );
    ensure!(
        read.policies
            .iter()
            .filter(|policy| policy.kind == PolicyKind::of_denying(kind))
            .count()
            == 1,
        "there are other policies: {:?}",
        read.policies
    );

    let deletion = |uid| Request::Delete {
        target: ObjectRef {
            at: policy.at().clone(),
            uid,
        },
        grace_seconds: None,
    };
    fixture
        .answers(&deletion(other_uid()?), false, Err(SendErrorKind::UidMismatch))
        .await?;
    fixture
        .answers(&deletion(uid.clone()), true, Ok(&Reply::Rehearsed))
        .await?;
    ensure!(
        stored(&fixture, &policy).await?.is_some(),
        "the dry run deleted {}",
        policy.at()
    );
    fixture.answers(&deletion(uid.clone()), false, Ok(&Reply::Gone)).await?;
    fixture
        .answers(&deletion(uid), false, Err(SendErrorKind::NotFound))
        .await?;

    // It goes with its pod.
    ensure!(
        matches!(fixture.send(&creation, false).await, Ok(Reply::Created(_))),
        "{} was not created again",
        policy.at()
    );
    cluster.delete(&fixture.at("web-0")?).await?;
    eventually(&format!("{} went with its pod", policy.at()), || async {
        Ok(stored(&fixture, &policy).await?.is_none())
    })
    .await
}

/// A CiliumNetworkPolicy.
pub async fn a_quarantine_denies_by_a_policy_of_ciliums<C: ClusterUnderTest>(cluster: &C) -> ScenarioResult {
    denies(cluster, "denied-by-cilium", DenyingKind::Cilium, OF_CILIUM, false).await
}

/// A NetworkPolicy of Calico's, which denies all but DNS.
pub async fn a_quarantine_denies_by_a_policy_of_calicos<C: ClusterUnderTest>(cluster: &C) -> ScenarioResult {
    denies(cluster, "denied-by-calico", DenyingKind::Calico, OF_CALICO, true).await
}

/// No scenario defines `projectcalico.org/v3`.
pub async fn a_kind_that_is_not_served_is_neither_there_nor_created<C: ClusterUnderTest>(
    cluster: &C,
) -> ScenarioResult {
    let fixture = Fixture::with_pod(cluster, "denied-by-none").await?;
    let policy = policy(&fixture, DenyingKind::CalicoV3, false).await?;
    ensure!(stored(&fixture, &policy).await?.is_none(), "{} is there", policy.at());
    fixture.refuses(&creation(&policy), SendErrorKind::Rejected).await?;
    let read = cluster.adapter().engine_policies(&fixture.namespace).await;
    ensure!(
        !read.can_deny.contains(&DenyingKind::CalicoV3),
        "kinds that can deny: {:?}",
        read.can_deny
    );
    Ok(())
}
