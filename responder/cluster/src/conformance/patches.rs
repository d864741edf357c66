//! How merge patches change pods and nodes.

use std::collections::BTreeMap;

use responder_core::object::{Kind, Locator, ObjectRef};
use responder_core::port::{ClusterReader, Reply, SendErrorKind};
use responder_core::request::{MergePatch, Request};

use super::fixture::{Fixture, PREFIX, ScenarioResult, ensure, name, other_uid};
use super::{ClusterUnderTest, Violation};

fn entries(key: &str, value: Option<&str>) -> BTreeMap<String, Option<String>> {
    BTreeMap::from([(format!("{PREFIX}{key}"), value.map(str::to_owned))])
}

fn labelling(target: &ObjectRef, key: &str, value: Option<&str>) -> Request {
    let patch = MergePatch {
        labels: entries(key, value),
        ..MergePatch::default()
    };
    Request::Patch {
        target: target.clone(),
        patch,
    }
}

fn unschedulable(target: &ObjectRef, unschedulable: bool) -> Request {
    let patch = MergePatch {
        unschedulable: Some(unschedulable),
        ..MergePatch::default()
    };
    Request::Patch {
        target: target.clone(),
        patch,
    }
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
        let patch = MergePatch {
            labels: entries("seen", value),
            annotations: entries("why", value),
            ..MergePatch::default()
        };
        let request = Request::Patch {
            target: target.clone(),
            patch,
        };
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

fn at_version(mut request: Request, version: &str) -> Request {
    if let Request::Patch { patch, .. } = &mut request {
        patch.resource_version = Some(version.to_owned());
    }
    request
}

/// The patch names the resource version that it was planned for.
pub async fn a_patch_for_an_older_version_is_a_conflict<C: ClusterUnderTest>(cluster: &C) -> ScenarioResult {
    let fixture = Fixture::with_pod(cluster, "older").await?;
    let target = fixture.target("web-0").await?;
    let first = patched(&fixture, &labelling(&target, "seen", Some("1"))).await?;
    let second = patched(&fixture, &at_version(labelling(&target, "seen", Some("2")), &first)).await?;
    ensure!(first != second, "a change left the version {first}");
    fixture
        .refuses(
            &at_version(labelling(&target, "seen", Some("3")), &first),
            SendErrorKind::Conflict,
        )
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
        .refuses(
            &at_version(labelling(&other, "seen", Some("3")), &first),
            SendErrorKind::Conflict,
        )
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
        let patch = MergePatch {
            unschedulable: Some(cordoned),
            annotations: entries("why", note),
            ..MergePatch::default()
        };
        let request = Request::Patch {
            target: target.clone(),
            patch,
        };
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
