//! What merge patches do to pods and nodes, and what they never do.

use responder_core::action::UNSCHEDULABLE;
use responder_core::object::{Kind, Locator, ObjectRef};
use responder_core::patch::{Change, Entry, Patch, Scalar, Taint, TaintChange, TaintEffect};
use responder_core::port::{ClusterReader, Reply, SendErrorKind};
use responder_core::request::Request;
use serde_json::{Value, json};

use super::stage::{Fixture, PREFIX, WriteOutcome, ensure, eventually, name, other_uid};
use super::{ClusterUnderTest, Violation};

fn label(key: &str, value: Option<&str>) -> Change {
    Entry::label(format!("{PREFIX}{key}"), value.map(str::to_owned), None).into()
}

fn annotation(key: &str, value: Option<&str>) -> Change {
    Entry::annotation(format!("{PREFIX}{key}"), value.map(str::to_owned), None).into()
}

fn cordon(unschedulable: bool) -> Change {
    let change = UNSCHEDULABLE.change(Scalar::Bool(unschedulable), Scalar::Bool(!unschedulable));
    change.into()
}

fn patch(target: &ObjectRef, patch: Patch) -> Request {
    Request::Patch {
        target: target.clone(),
        patch,
    }
}

fn labelling(target: &ObjectRef, key: &str, value: Option<&str>) -> Request {
    patch(target, Patch::new(vec![label(key, value)]))
}

fn unschedulable(target: &ObjectRef, unschedulable: bool) -> Request {
    patch(target, Patch::new(vec![cordon(unschedulable)]))
}

async fn patched<W: ClusterUnderTest>(fixture: &Fixture<'_, W>, request: &Request) -> Result<String, Violation> {
    match fixture.send(request, false).await {
        Ok(Reply::Patched { resource_version }) => Ok(resource_version),
        other => Err(Violation::from(format!("{request} was answered {other:?}"))),
    }
}

/// Set, then taken away, and what was there before stays.
pub async fn labels_and_annotations_are_set_and_taken_away<W: ClusterUnderTest>(world: &W) -> WriteOutcome {
    let fixture = Fixture::with_pod(world, "labels").await?;
    let target = fixture.target("web-0").await?;
    for value in [Some("first"), Some("second"), None] {
        let request = patch(
            &target,
            Patch::new(vec![label("seen", value), annotation("why", value)]),
        );
        fixture.rehearses(&request).await?;
        patched(&fixture, &request).await?;
        let pod = fixture
            .read("web-0")
            .await?
            .ok_or_else(|| Violation::from("the pod is gone".to_owned()))?;
        let label = pod
            .metadata
            .labels
            .as_ref()
            .and_then(|labels| labels.get(&format!("{PREFIX}seen")));
        let annotation = pod
            .metadata
            .annotations
            .as_ref()
            .and_then(|all| all.get(&format!("{PREFIX}why")));
        ensure!(label.map(String::as_str) == value, "{request} left the label {label:?}");
        ensure!(
            annotation.map(String::as_str) == value,
            "{request} left the annotation {annotation:?}"
        );
        let own = pod.metadata.labels.as_ref().and_then(|labels| labels.get("app"));
        ensure!(
            own.map(String::as_str) == Some("web"),
            "{request} left the pod's own label {own:?}"
        );
    }
    Ok(())
}

/// The same patch again is taken, and the object's version stays.
pub async fn a_patch_that_changes_nothing_keeps_the_version<W: ClusterUnderTest>(world: &W) -> WriteOutcome {
    let fixture = Fixture::with_pod(world, "no-change").await?;
    let request = labelling(&fixture.target("web-0").await?, "seen", Some("yes"));
    let (first, second) = (patched(&fixture, &request).await?, patched(&fixture, &request).await?);
    ensure!(first == second, "the version went from {first} to {second}");
    Ok(())
}

fn labelling_at(version: &str, target: &ObjectRef, value: &str) -> Request {
    let live = json!({"metadata": {"resourceVersion": version}});
    patch(
        target,
        Patch::new(vec![label("seen", Some(value))]).at_version_of(&live),
    )
}

/// A patch that names the version that it was planned for.
pub async fn a_patch_for_an_older_version_is_a_conflict<W: ClusterUnderTest>(world: &W) -> WriteOutcome {
    let fixture = Fixture::with_pod(world, "older").await?;
    let target = fixture.target("web-0").await?;
    let first = patched(&fixture, &labelling(&target, "seen", Some("1"))).await?;
    let second = patched(&fixture, &labelling_at(&first, &target, "2")).await?;
    ensure!(first != second, "a change left the version {first}");
    fixture
        .refuses(&labelling_at(&first, &target, "3"), SendErrorKind::Conflict)
        .await
}

/// Both are wrong: the answer is about the version.
pub async fn an_older_version_counts_before_another_uid<W: ClusterUnderTest>(world: &W) -> WriteOutcome {
    let fixture = Fixture::with_pod(world, "older-other").await?;
    let target = fixture.target("web-0").await?;
    let first = patched(&fixture, &labelling(&target, "seen", Some("1"))).await?;
    patched(&fixture, &labelling(&target, "seen", Some("2"))).await?;
    let other = ObjectRef {
        uid: other_uid()?,
        ..target
    };
    fixture
        .refuses(&labelling_at(&first, &other, "3"), SendErrorKind::Conflict)
        .await
}

/// Alert text may end in a label; what can't be one is refused, in the rehearsal too.
pub async fn what_is_no_label_value_is_invalid<W: ClusterUnderTest>(world: &W) -> WriteOutcome {
    let fixture = Fixture::with_pod(world, "no-label").await?;
    let target = fixture.target("web-0").await?;
    for value in ["two words", "-dash", "\u{e9}", &"x".repeat(64)] {
        fixture
            .refuses(&labelling(&target, "seen", Some(value)), SendErrorKind::Invalid)
            .await?;
    }
    fixture
        .refuses(&labelling(&target, "no/key", Some("x")), SendErrorKind::Invalid)
        .await
}

/// A missing pod, node, namespace or policy stays missing. Server-side apply would make it.
pub async fn a_patch_never_creates_what_it_was_to_change<W: ClusterUnderTest>(world: &W) -> WriteOutcome {
    let fixture = Fixture::bare(world, "missing").await?;
    let absent = |kind| {
        Locator::new(kind, None, name(fixture.nowhere()?.as_str())?)
            .ok_or_else(|| Violation::from("not cluster-scoped".to_owned()))
    };
    let places = [
        fixture.at("web-0")?,
        Locator::pod(fixture.nowhere()?, name("web-0")?),
        absent(Kind::Node)?,
        absent(Kind::Namespace)?,
        fixture.place(Kind::NetworkPolicy, "absent")?,
        fixture.place(Kind::Deployment, "absent")?,
    ];
    for at in places {
        let target = ObjectRef { at, uid: other_uid()? };
        fixture
            .refuses(&labelling(&target, "seen", Some("yes")), SendErrorKind::NotFound)
            .await?;
        if target.at.kind() == Kind::Node {
            fixture
                .refuses(&unschedulable(&target, true), SendErrorKind::NotFound)
                .await?;
        }
    }
    Ok(())
}

/// Cordoned with a note, then uncordoned.
pub async fn a_node_is_cordoned_and_uncordoned<W: ClusterUnderTest>(world: &W) -> WriteOutcome {
    let fixture = Fixture::bare(world, "cordon").await?;
    let target = fixture.node_target().await?;
    for (cordoned, note) in [(true, Some("because")), (false, None)] {
        let request = patch(&target, Patch::new(vec![annotation("why", note), cordon(cordoned)]));
        fixture.rehearses(&request).await?;
        patched(&fixture, &request).await?;
        let node = world
            .cluster()
            .node(&fixture.node)
            .await
            .map_err(|error| Violation::from(error.to_string()))?;
        let node = node.ok_or_else(|| Violation::from("the node is gone".to_owned()))?;
        let spec = node.spec.as_ref().and_then(|spec| spec.unschedulable);
        let seen = node
            .metadata
            .annotations
            .as_ref()
            .and_then(|all| all.get(&format!("{PREFIX}why")));
        ensure!(
            spec.unwrap_or(false) == cordoned,
            "{request} left unschedulable {spec:?}"
        );
        ensure!(seen.map(String::as_str) == note, "{request} left the note {seen:?}");
    }
    Ok(())
}

fn taint(value: &str) -> Change {
    let taint = Taint {
        key: format!("{PREFIX}incident"),
        value: value.to_owned(),
        effect: TaintEffect::NoSchedule,
    };
    TaintChange::added(taint).into()
}

async fn live_node<W: ClusterUnderTest>(fixture: &Fixture<'_, W>) -> Result<Value, Violation> {
    let at = Locator::node(fixture.node.clone());
    let read = fixture.world.cluster().object(&at).await;
    let read = read.map_err(|error| Violation::from(error.to_string()))?;
    let node = read.ok_or_else(|| Violation::from("the node is gone".to_owned()))?;
    Ok((*node).clone())
}

/// Worked out for the node as it was read.
fn tainting(target: &ObjectRef, change: Change, live: &Value) -> Result<Request, Violation> {
    let worked_out = Patch::on(vec![change], live).map_err(|problem| Violation::from(problem.to_string()))?;
    Ok(patch(target, worked_out))
}

/// Rehearsed and patched, anew where the node's own controllers were there first. The node as it is then.
async fn written<W: ClusterUnderTest>(
    fixture: &Fixture<'_, W>,
    target: &ObjectRef,
    change: &Change,
) -> Result<Value, Violation> {
    eventually("the node is at rest for one patch", || async {
        let request = tainting(target, change.clone(), &live_node(fixture).await?)?;
        let before = fixture.state().await?;
        for dry_run in [true, false] {
            match fixture.send(&request, dry_run).await {
                Ok(Reply::Rehearsed) => fixture.unchanged(&before, "the dry run").await?,
                Ok(Reply::Patched { .. }) => return Ok(true),
                Err(SendErrorKind::Conflict) => return Ok(false),
                other => return Err(Violation::from(format!("{request} was answered {other:?}"))),
            }
        }
        Ok(false)
    })
    .await?;
    live_node(fixture).await
}

/// Values of the taints of the scenarios, in the order in which they stand.
fn values(live: &Value) -> Vec<&str> {
    let taints = live.pointer("/spec/taints").and_then(Value::as_array);
    let ours = taints.into_iter().flatten().filter(|taint| {
        let key = taint.get("key").and_then(Value::as_str);
        key.is_some_and(|key| key.starts_with(PREFIX))
    });
    ours.filter_map(|taint| taint.get("value").and_then(Value::as_str))
        .collect()
}

/// A taint of another writer is there before it and after it. The last one to go leaves no empty list.
pub async fn a_taint_stands_beside_those_of_others_and_is_taken_away_alone<W: ClusterUnderTest>(
    world: &W,
) -> WriteOutcome {
    let fixture = Fixture::bare(world, "taint").await?;
    let target = fixture.node_target().await?;
    let foreign = Change::from(TaintChange::added(Taint {
        key: format!("{PREFIX}foreign"),
        value: "foreign".to_owned(),
        effect: TaintEffect::PreferNoSchedule,
    }));
    let steps = [
        (foreign.clone(), &["foreign"][..]),
        (taint("abc"), &["foreign", "abc"]),
        (foreign.reversed(), &["abc"]),
        (taint("abc").reversed(), &[]),
    ];
    for (change, expected) in steps {
        let live = written(&fixture, &target, &change).await?;
        ensure!(values(&live) == expected, "{change} left {:?}", live["spec"]["taints"]);
    }
    Ok(())
}

/// A list that was worked out before another writer's change is refused as a whole, and what is worked out anew is taken.
pub async fn a_list_that_another_writer_has_changed_is_a_conflict<W: ClusterUnderTest>(world: &W) -> WriteOutcome {
    let fixture = Fixture::bare(world, "taint-late").await?;
    let target = fixture.node_target().await?;
    let late = tainting(&target, taint("abc"), &live_node(&fixture).await?)?;
    patched(&fixture, &labelling(&target, "seen", Some("yes"))).await?;
    fixture.refuses(&late, SendErrorKind::Conflict).await?;
    let live = written(&fixture, &target, &taint("abc")).await?;
    ensure!(values(&live) == ["abc"], "it left {:?}", live["spec"]["taints"]);
    Ok(())
}

/// A node of the name with another uid is another machine.
pub async fn another_node_of_the_name_is_left_alone<W: ClusterUnderTest>(world: &W) -> WriteOutcome {
    let fixture = Fixture::bare(world, "other-node").await?;
    let target = ObjectRef {
        at: Locator::node(fixture.node.clone()),
        uid: other_uid()?,
    };
    fixture
        .refuses(&unschedulable(&target, true), SendErrorKind::Invalid)
        .await
}
