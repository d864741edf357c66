//! What deletions, evictions and patches are answered, by what became of their target; and that a refused one, and
//! every dry run, changes nothing and creates nothing.

use responder_core::object::ObjectRef;
use responder_core::patch::{Entry, Patch};
use responder_core::port::{Reply, SendErrorKind};
use responder_core::request::{Request, Verb};
use serde_json::json;

use super::stage::{Fixture, PREFIX, WriteOutcome, ensure, eventually};
use super::{ClusterUnderTest, Violation};

const VERBS: [Verb; 3] = [Verb::Delete, Verb::Evict, Verb::Patch];

fn request(verb: Verb, target: &ObjectRef) -> Request {
    let target = target.clone();
    match verb {
        Verb::Evict => Request::Evict {
            target,
            grace_seconds: Some(0),
        },
        Verb::Patch => Request::Patch {
            target,
            patch: Patch::new(vec![
                Entry::label(format!("{PREFIX}seen"), Some("yes".to_owned()), None).into(),
            ]),
        },
        // Creations have no target; their scenarios are their own.
        Verb::Delete | Verb::Create => Request::Delete {
            target,
            grace_seconds: Some(0),
        },
    }
}

/// The pod with this uid is gone, or ending.
async fn is_ending<W: ClusterUnderTest>(fixture: &Fixture<'_, W>, target: &ObjectRef) -> Result<bool, Violation> {
    let seen = fixture.read(target.at.name().as_str()).await?;
    Ok(seen.is_none_or(|pod| {
        pod.metadata.uid.as_deref() != Some(target.uid.as_str()) || pod.metadata.deletion_timestamp.is_some()
    }))
}

/// Present: each verb is rehearsed without a trace, then carried out.
pub async fn a_target_that_is_there_is_acted_on<W: ClusterUnderTest>(world: &W) -> WriteOutcome {
    for verb in VERBS {
        let fixture = Fixture::with_pod(world, &format!("there-{verb}")).await?;
        let target = fixture.target("web-0").await?;
        carries_out(&fixture, verb, &target).await?;
    }
    Ok(())
}

async fn carries_out<W: ClusterUnderTest>(fixture: &Fixture<'_, W>, verb: Verb, target: &ObjectRef) -> WriteOutcome {
    let request = request(verb, target);
    fixture.rehearses(&request).await?;
    let reply = fixture.send(&request, false).await;
    match (verb, &reply) {
        (Verb::Delete, Ok(Reply::Gone)) => {
            ensure!(
                fixture.read("web-0").await?.is_none(),
                "{request} was answered Gone and the pod is there"
            );
            Ok(())
        }
        (Verb::Evict, Ok(Reply::Terminating)) => {
            eventually("the evicted pod ends", || is_ending(fixture, target)).await
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

/// Replaced: a pod of the same name with another uid. None of it may be touched.
pub async fn a_replaced_target_is_left_alone<W: ClusterUnderTest>(world: &W) -> WriteOutcome {
    let fixture = Fixture::with_pod(world, "replaced").await?;
    let target = fixture.target("web-0").await?;
    world.replace_pod(&fixture.namespace, target.at.name()).await?;
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

/// Gone: nothing of the name is there.
pub async fn a_target_that_is_gone_is_not_found<W: ClusterUnderTest>(world: &W) -> WriteOutcome {
    let fixture = Fixture::with_pod(world, "gone").await?;
    let target = fixture.target("web-0").await?;
    world.delete(&target.at).await?;
    for verb in VERBS {
        fixture
            .refuses(&request(verb, &target), SendErrorKind::NotFound)
            .await?;
    }
    Ok(())
}

/// Under a budget without room: an eviction is refused, in dry run too; a deletion and a patch know no budget.
pub async fn a_budget_blocks_an_eviction_and_nothing_else<W: ClusterUnderTest>(world: &W) -> WriteOutcome {
    for verb in VERBS {
        let fixture = Fixture::with_pod(world, &format!("blocked-{verb}")).await?;
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

/// Under a budget without room, and replaced: an eviction says nothing of the uid.
pub async fn a_budget_is_looked_at_before_the_uid<W: ClusterUnderTest>(world: &W) -> WriteOutcome {
    let fixture = Fixture::with_pod(world, "blocked-replaced").await?;
    let target = fixture.target("web-0").await?;
    fixture.create(&[fixture.budget("web", 1)]).await?;
    world.replace_pod(&fixture.namespace, target.at.name()).await?;
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

/// Under two budgets, with room or without: no eviction is possible.
pub async fn two_budgets_block_every_eviction<W: ClusterUnderTest>(world: &W) -> WriteOutcome {
    let fixture = Fixture::with_pod(world, "two-budgets").await?;
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

/// Under two budgets, and replaced.
pub async fn two_budgets_are_looked_at_before_the_uid<W: ClusterUnderTest>(world: &W) -> WriteOutcome {
    let fixture = Fixture::with_pod(world, "two-replaced").await?;
    fixture
        .create(&[fixture.budget("one", 0), fixture.budget("two", 0)])
        .await?;
    let target = fixture.target("web-0").await?;
    world.replace_pod(&fixture.namespace, target.at.name()).await?;
    fixture
        .refuses(&request(Verb::Evict, &target), SendErrorKind::SeveralBudgets)
        .await
}

/// Under a budget with room, and replaced: now the uid decides.
pub async fn a_replaced_pod_under_a_budget_with_room_is_left_alone<W: ClusterUnderTest>(world: &W) -> WriteOutcome {
    let fixture = Fixture::with_pod(world, "room-replaced").await?;
    fixture
        .create(&[fixture.pod("web-1"), fixture.budget("web", 1)])
        .await?;
    let target = fixture.target("web-0").await?;
    world.replace_pod(&fixture.namespace, target.at.name()).await?;
    fixture
        .refuses(&request(Verb::Evict, &target), SendErrorKind::UidMismatch)
        .await
}

/// Under a budget with room for one: the second eviction is blocked.
pub async fn a_budget_with_room_lets_so_many_go_and_no_more<W: ClusterUnderTest>(world: &W) -> WriteOutcome {
    let fixture = Fixture::with_pod(world, "room").await?;
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
    ensure!(!is_ending(&fixture, &second).await?, "the second pod is ending");
    Ok(())
}

/// With a grace, a deletion is accepted and not yet done.
pub async fn a_deletion_with_grace_is_under_way_and_not_done<W: ClusterUnderTest>(world: &W) -> WriteOutcome {
    for grace_seconds in [Some(5), None] {
        let fixture = Fixture::with_pod(world, &format!("grace-{}", grace_seconds.unwrap_or_default())).await?;
        let target = fixture.target("web-0").await?;
        let request = Request::Delete {
            target: target.clone(),
            grace_seconds,
        };
        fixture.rehearses(&request).await?;
        fixture.answers(&request, false, Ok(&Reply::Terminating)).await?;
        ensure!(
            is_ending(&fixture, &target).await?,
            "{request} was accepted and the pod goes on"
        );
    }
    Ok(())
}

/// A finalizer holds a pod beyond a grace of nothing.
pub async fn a_finalizer_holds_what_is_deleted<W: ClusterUnderTest>(world: &W) -> WriteOutcome {
    let fixture = Fixture::bare(world, "finalizer").await?;
    let mut pod = fixture.pod("web-0");
    pod["metadata"]["finalizers"] = json!(["conformance.responder.dev/hold"]);
    fixture.create(&[pod]).await?;
    let target = fixture.target("web-0").await?;
    let request = request(Verb::Delete, &target);
    fixture.rehearses(&request).await?;
    fixture.answers(&request, false, Ok(&Reply::Terminating)).await?;
    ensure!(
        is_ending(&fixture, &target).await?,
        "{request} was accepted and the pod goes on"
    );
    Ok(())
}
