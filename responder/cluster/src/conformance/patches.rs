//! How merge patches change pods and nodes.

use responder_core::action::UNSCHEDULABLE;
use responder_core::object::{Kind, Locator, ObjectRef};
use responder_core::patch::{Change, Entry, Patch, Scalar, Taint, TaintChange, TaintEffect};
use responder_core::port::{ClusterReader, Reply, SendErrorKind};
use responder_core::request::Request;
use serde_json::{Value, json};

use super::fixture::{Fixture, PREFIX, ScenarioResult, ensure, eventually, name, other_uid};
use super::under_test::{ClusterUnderTest, Violation};

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

async fn patched<C: ClusterUnderTest>(fixture: &Fixture<'_, C>, request: &Request) -> Result<String, Violation> {
    match fixture.send(request, false).await {
        Ok(Reply::Patched { resource_version }) => Ok(resource_version),
        other => Err(Violation::from(format!("{request} was answered {other:?}"))),
    }
}

/// Entries are set, changed and removed; other entries stay.
pub async fn labels_and_annotations_are_set_and_removed<C: ClusterUnderTest>(cluster: &C) -> ScenarioResult {
    let fixture = Fixture::with_pod(cluster, "labels").await?;
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

/// The same patch is accepted twice, and the second leaves the resource version as it is.
pub async fn a_patch_that_changes_nothing_keeps_the_version<C: ClusterUnderTest>(cluster: &C) -> ScenarioResult {
    let fixture = Fixture::with_pod(cluster, "no-change").await?;
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

/// The patch names the resource version that it was planned for.
pub async fn a_patch_for_an_older_version_is_a_conflict<C: ClusterUnderTest>(cluster: &C) -> ScenarioResult {
    let fixture = Fixture::with_pod(cluster, "older").await?;
    let target = fixture.target("web-0").await?;
    let first = patched(&fixture, &labelling(&target, "seen", Some("1"))).await?;
    let second = patched(&fixture, &labelling_at(&first, &target, "2")).await?;
    ensure!(first != second, "a change left the version {first}");
    fixture
        .refuses(&labelling_at(&first, &target, "3"), SendErrorKind::Conflict)
        .await
}

/// Version and uid are both wrong: the answer is about the version.
pub async fn an_older_version_is_checked_before_the_uid<C: ClusterUnderTest>(cluster: &C) -> ScenarioResult {
    let fixture = Fixture::with_pod(cluster, "older-other").await?;
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

/// Alert text may end up in a label, and an invalid value is refused, in a dry run too.
pub async fn an_invalid_label_is_refused<C: ClusterUnderTest>(cluster: &C) -> ScenarioResult {
    let fixture = Fixture::with_pod(cluster, "no-label").await?;
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

/// A missing pod, node, namespace or policy stays missing. Server-side apply would create it.
pub async fn a_patch_never_creates_a_missing_object<C: ClusterUnderTest>(cluster: &C) -> ScenarioResult {
    let fixture = Fixture::bare(cluster, "missing").await?;
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

/// The node is cordoned with an annotation, then uncordoned.
pub async fn a_node_is_cordoned_and_uncordoned<C: ClusterUnderTest>(cluster: &C) -> ScenarioResult {
    let fixture = Fixture::bare(cluster, "cordon").await?;
    let target = fixture.node_target().await?;
    for (cordoned, note) in [(true, Some("because")), (false, None)] {
        let request = patch(&target, Patch::new(vec![annotation("why", note), cordon(cordoned)]));
        fixture.rehearses(&request).await?;
        patched(&fixture, &request).await?;
        let node = cluster
            .adapter()
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

async fn live_node<C: ClusterUnderTest>(fixture: &Fixture<'_, C>) -> Result<Value, Violation> {
    let at = Locator::node(fixture.node.clone());
    let read = fixture.cluster.adapter().object(&at).await;
    let read = read.map_err(|error| Violation::from(error.to_string()))?;
    let node = read.ok_or_else(|| Violation::from("the node is gone".to_owned()))?;
    Ok((*node).clone())
}

/// The change, computed for the node as it was read.
fn tainting(target: &ObjectRef, change: Change, live: &Value) -> Result<Request, Violation> {
    let worked_out = Patch::against(vec![change], live).map_err(|problem| Violation::from(problem.to_string()))?;
    Ok(patch(target, worked_out))
}

/// Rehearses and sends the change, again if the node's controllers were faster; returns the node afterwards.
async fn written<C: ClusterUnderTest>(
    fixture: &Fixture<'_, C>,
    target: &ObjectRef,
    change: &Change,
) -> Result<Value, Violation> {
    eventually("one patch meets no other change of the node", || async {
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

/// The values of the scenario's own taints, in order.
fn values(live: &Value) -> Vec<&str> {
    let taints = live.pointer("/spec/taints").and_then(Value::as_array);
    let ours = taints.into_iter().flatten().filter(|taint| {
        let key = taint.get("key").and_then(Value::as_str);
        key.is_some_and(|key| key.starts_with(PREFIX))
    });
    ours.filter_map(|taint| taint.get("value").and_then(Value::as_str))
        .collect()
}

/// Another taint exists before and afterwards. The removal of the last taint leaves no list.
pub async fn a_taint_is_added_beside_other_taints_and_removed_alone<C: ClusterUnderTest>(
    cluster: &C,
) -> ScenarioResult {
    let fixture = Fixture::bare(cluster, "taint").await?;
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

/// The list was computed before another change of the node; computed again, it is accepted.
pub async fn a_list_for_an_older_version_is_a_conflict<C: ClusterUnderTest>(cluster: &C) -> ScenarioResult {
    let fixture = Fixture::bare(cluster, "taint-late").await?;
    let target = fixture.node_target().await?;
    let late = tainting(&target, taint("abc"), &live_node(&fixture).await?)?;
    patched(&fixture, &labelling(&target, "seen", Some("yes"))).await?;
    fixture.refuses(&late, SendErrorKind::Conflict).await?;
    let live = written(&fixture, &target, &taint("abc")).await?;
    ensure!(values(&live) == ["abc"], "it left {:?}", live["spec"]["taints"]);
    Ok(())
}

/// A node with the same name and another uid is another machine.
pub async fn a_replaced_node_is_left_alone<C: ClusterUnderTest>(cluster: &C) -> ScenarioResult {
    let fixture = Fixture::bare(cluster, "other-node").await?;
    let target = ObjectRef {
        at: Locator::node(fixture.node.clone()),
        uid: other_uid()?,
    };
    fixture
        .refuses(&unschedulable(&target, true), SendErrorKind::Invalid)
        .await
}
