//! How a cluster answers deletions, evictions and patches, depending on the state of their target. A refused request
//! and a dry run change and create nothing.

use responder_core::object::ObjectRef;
use responder_core::patch::{Entry, Patch};
use responder_core::port::{Reply, SendErrorKind};
use responder_core::request::{Request, Verb};
use serde_json::json;

use super::fixture::{Fixture, PREFIX, ScenarioResult, ensure, eventually};
use super::under_test::{ClusterUnderTest, Violation};

const VERBS: [Verb; 3] = [Verb::Delete, Verb::Evict, Verb::Patch];

fn request(verb: Verb, target: &ObjectRef) -> Request {
    let target = target.clone();
    match verb {
        Verb::Evict => Request::Evict {
            blocked_for: None,
            target,
            grace_seconds: Some(0),
        },
        Verb::Patch => Request::Patch {
            target,
            patch: Patch::new(vec![
                Entry::label(format!("{PREFIX}seen"), Some("yes".to_owned()), None).into(),
            ]),
        },
        // A creation has no target; `creations` covers it.
        Verb::Delete | Verb::Create => Request::Delete {
            target,
            grace_seconds: Some(0),
        },
    }
}

/// The pod with this uid is gone or terminating.
async fn is_ending<C: ClusterUnderTest>(fixture: &Fixture<'_, C>, target: &ObjectRef) -> Result<bool, Violation> {
    let seen = fixture.read(target.at.name().as_str()).await?;
    Ok(seen.is_none_or(|pod| {
        pod.metadata.uid.as_deref() != Some(target.uid.as_str()) || pod.metadata.deletion_timestamp.is_some()
    }))
}

/// The target exists: a dry run of each verb changes nothing, then the request is carried out.
pub async fn an_existing_target_is_acted_on<C: ClusterUnderTest>(cluster: &C) -> ScenarioResult {
    for verb in VERBS {
        let fixture = Fixture::with_pod(cluster, &format!("there-{verb}")).await?;
        let target = fixture.target("web-0").await?;
        carries_out(&fixture, verb, &target).await?;
    }
    Ok(())
}

async fn carries_out<C: ClusterUnderTest>(fixture: &Fixture<'_, C>, verb: Verb, target: &ObjectRef) -> ScenarioResult {
    let request = request(verb, target);
    fixture.rehearses(&request).await?;
    let reply = fixture.send(&request, false).await;
    match (verb, &reply) {
        (Verb::Delete, Ok(Reply::Gone)) => {
            ensure!(
                fixture.read("web-0").await?.is_none(),
                "{request} was answered Gone, but the pod exists"
            );
            Ok(())
        }
        (Verb::Evict, Ok(Reply::Terminating)) => {
            eventually("the evicted pod is terminating", || is_ending(fixture, target)).await
        }
        (Verb::Patch, Ok(Reply::Patched { resource_version })) => {
            let pod = fixture
                .read("web-0")
                .await?
                .ok_or_else(|| Violation::from("the pod is gone".to_owned()))?;
            let labels = pod.metadata.labels.clone().unwrap_or_default();
            ensure!(
                labels.contains_key("conformance.responder.dev/seen"),
                "{request} left the labels {labels:?}"
            );
            ensure!(
                pod.metadata.resource_version.as_ref() == Some(resource_version),
                "{request} answered version {resource_version}, and it is {:?}",
                pod.metadata.resource_version
            );
            Ok(())
        }
        _ => Err(Violation::from(format!("{request} was answered {reply:?}"))),
    }
}

/// The target is replaced by a pod of the same name with another uid, which must stay untouched.
pub async fn a_replaced_target_is_left_alone<C: ClusterUnderTest>(cluster: &C) -> ScenarioResult {
    let fixture = Fixture::with_pod(cluster, "replaced").await?;
    let target = fixture.target("web-0").await?;
    cluster.replace_pod(&fixture.namespace, target.at.name()).await?;
    fixture
        .refuses(&request(Verb::Delete, &target), SendErrorKind::UidMismatch)
        .await?;
    fixture
        .refuses(&request(Verb::Evict, &target), SendErrorKind::UidMismatch)
        .await?;
    fixture
        .refuses(&request(Verb::Patch, &target), SendErrorKind::Invalid)
        .await
}

/// No pod of that name exists.
pub async fn a_deleted_target_is_not_found<C: ClusterUnderTest>(cluster: &C) -> ScenarioResult {
    let fixture = Fixture::with_pod(cluster, "gone").await?;
    let target = fixture.target("web-0").await?;
    cluster.delete(&target.at).await?;
    for verb in VERBS {
        fixture
            .refuses(&request(verb, &target), SendErrorKind::NotFound)
            .await?;
    }
    Ok(())
}

/// A budget without room blocks an eviction, in a dry run too. It does not affect deletions and patches.
pub async fn a_budget_blocks_an_eviction_and_nothing_else<C: ClusterUnderTest>(cluster: &C) -> ScenarioResult {
    for verb in VERBS {
        let fixture = Fixture::with_pod(cluster, &format!("blocked-{verb}")).await?;
        fixture.create(&[fixture.budget("web", 1)]).await?;
        let target = fixture.target("web-0").await?;
        if verb == Verb::Evict {
            fixture
                .refuses(&request(verb, &target), SendErrorKind::BlockedByBudget)
                .await?;
        } else {
            carries_out(&fixture, verb, &target).await?;
        }
    }
    Ok(())
}

/// The pod is replaced, and its budget has no room: the answer to an eviction does not mention the uid.
pub async fn a_budget_is_checked_before_the_uid<C: ClusterUnderTest>(cluster: &C) -> ScenarioResult {
    let fixture = Fixture::with_pod(cluster, "blocked-replaced").await?;
    let target = fixture.target("web-0").await?;
    fixture.create(&[fixture.budget("web", 1)]).await?;
    cluster.replace_pod(&fixture.namespace, target.at.name()).await?;
    fixture
        .refuses(&request(Verb::Evict, &target), SendErrorKind::BlockedByBudget)
        .await?;
    fixture
        .refuses(&request(Verb::Delete, &target), SendErrorKind::UidMismatch)
        .await?;
    fixture
        .refuses(&request(Verb::Patch, &target), SendErrorKind::Invalid)
        .await
}

/// Two budgets select the pod: no eviction is possible, however much room they have.
pub async fn two_budgets_block_every_eviction<C: ClusterUnderTest>(cluster: &C) -> ScenarioResult {
    let fixture = Fixture::with_pod(cluster, "two-budgets").await?;
    fixture
        .create(&[fixture.budget("one", 0), fixture.budget("two", 0)])
        .await?;
    let target = fixture.target("web-0").await?;
    fixture
        .refuses(&request(Verb::Evict, &target), SendErrorKind::SeveralBudgets)
        .await?;
    carries_out(&fixture, Verb::Patch, &target).await?;
    fixture
        .answers(&request(Verb::Delete, &target), false, Ok(&Reply::Gone))
        .await
}

/// Two budgets select the pod, and the pod is replaced.
pub async fn two_budgets_are_checked_before_the_uid<C: ClusterUnderTest>(cluster: &C) -> ScenarioResult {
    let fixture = Fixture::with_pod(cluster, "two-replaced").await?;
    fixture
        .create(&[fixture.budget("one", 0), fixture.budget("two", 0)])
        .await?;
    let target = fixture.target("web-0").await?;
    cluster.replace_pod(&fixture.namespace, target.at.name()).await?;
    fixture
        .refuses(&request(Verb::Evict, &target), SendErrorKind::SeveralBudgets)
        .await
}

/// The pod is replaced, and its budget has room: the uid decides.
pub async fn a_replaced_pod_under_a_budget_with_room_is_left_alone<C: ClusterUnderTest>(cluster: &C) -> ScenarioResult {
    let fixture = Fixture::with_pod(cluster, "room-replaced").await?;
    fixture
        .create(&[fixture.pod("web-1"), fixture.budget("web", 1)])
        .await?;
    let target = fixture.target("web-0").await?;
    cluster.replace_pod(&fixture.namespace, target.at.name()).await?;
    fixture
        .refuses(&request(Verb::Evict, &target), SendErrorKind::UidMismatch)
        .await
}

/// The budget has room for one eviction: the second is blocked.
pub async fn a_budget_allows_no_more_evictions_than_it_has_room_for<C: ClusterUnderTest>(
    cluster: &C,
) -> ScenarioResult {
    let fixture = Fixture::with_pod(cluster, "room").await?;
    fixture
        .create(&[fixture.pod("web-1"), fixture.budget("web", 1)])
        .await?;
    let first = fixture.target("web-0").await?;
    fixture.rehearses(&request(Verb::Evict, &first)).await?;
    fixture
        .answers(&request(Verb::Evict, &first), false, Ok(&Reply::Terminating))
        .await?;
    let second = fixture.target("web-1").await?;
    fixture
        .answers(
            &request(Verb::Evict, &second),
            false,
            Err(SendErrorKind::BlockedByBudget),
        )
        .await?;
    ensure!(!is_ending(&fixture, &second).await?, "the second pod is terminating");
    Ok(())
}

/// A deletion with a grace period is accepted, and the pod is terminating.
pub async fn a_deletion_with_grace_is_accepted_and_not_done<C: ClusterUnderTest>(cluster: &C) -> ScenarioResult {
    for grace_seconds in [Some(5), None] {
        let fixture = Fixture::with_pod(cluster, &format!("grace-{}", grace_seconds.unwrap_or_default())).await?;
        let target = fixture.target("web-0").await?;
        let request = Request::Delete {
            target: target.clone(),
            grace_seconds,
        };
        fixture.rehearses(&request).await?;
        fixture.answers(&request, false, Ok(&Reply::Terminating)).await?;
        ensure!(
            is_ending(&fixture, &target).await?,
            "{request} was accepted, but the pod is not terminating"
        );
    }
    Ok(())
}

/// The end of a pod that is being deleted, and its grace in seconds, as the pod says them.
async fn end_of<C: ClusterUnderTest>(fixture: &Fixture<'_, C>) -> Result<(i64, i64), Violation> {
    let pod = fixture.read("web-0").await?;
    let metadata = pod.map(|pod| pod.metadata.clone()).unwrap_or_default();
    match (metadata.deletion_timestamp, metadata.deletion_grace_period_seconds) {
        (Some(at), Some(grace)) => Ok((at.0.as_second(), grace)),
        seen => Err(Violation::from(format!("the pod is not being deleted: {seen:?}"))),
    }
}

/// A shorter grace of a second deletion is counted from the first one; a longer one changes nothing. An action that cuts
/// an end works it out from that.
pub async fn a_second_deletion_counts_its_shorter_grace_from_the_first<C: ClusterUnderTest>(
    cluster: &C,
) -> ScenarioResult {
    let fixture = Fixture::bare(cluster, "second").await?;
    // A kubelet would wait for its containers; a simulated one is told to.
    let mut pod = fixture.pod("web-0");
    pod["metadata"]["annotations"] = json!({format!("{PREFIX}outlives"): "its deletion"});
    fixture.create(&[pod]).await?;
    let target = fixture.target("web-0").await?;
    let with_grace = |seconds| Request::Delete {
        target: target.clone(),
        grace_seconds: Some(seconds),
    };
    fixture
        .answers(&with_grace(1_000_000), false, Ok(&Reply::Terminating))
        .await?;
    let (first_end, first_grace) = end_of(&fixture).await?;
    ensure!(first_grace == 1_000_000, "the first grace is {first_grace} s");
    let begun = first_end - first_grace;

    fixture
        .answers(&with_grace(2_000_000), false, Ok(&Reply::Terminating))
        .await?;
    let seen = end_of(&fixture).await?;
    ensure!(seen == (first_end, first_grace), "a longer grace made it {seen:?}");

    fixture
        .answers(&with_grace(500_000), false, Ok(&Reply::Terminating))
        .await?;
    let seen = end_of(&fixture).await?;
    ensure!(
        seen == (begun + 500_000, 500_000),
        "a grace of 500000 s from {begun} made it {seen:?}"
    );
    Ok(())
}

/// A finalizer holds a pod that is deleted with a grace period of zero.
pub async fn a_finalizer_holds_a_deleted_pod<C: ClusterUnderTest>(cluster: &C) -> ScenarioResult {
    let fixture = Fixture::bare(cluster, "finalizer").await?;
    let mut pod = fixture.pod("web-0");
    pod["metadata"]["finalizers"] = json!(["conformance.responder.dev/hold"]);
    fixture.create(&[pod]).await?;
    let target = fixture.target("web-0").await?;
    let request = request(Verb::Delete, &target);
    fixture.rehearses(&request).await?;
    fixture.answers(&request, false, Ok(&Reply::Terminating)).await?;
    ensure!(
        is_ending(&fixture, &target).await?,
        "{request} was accepted, but the pod is not terminating"
    );
    Ok(())
}
