use std::sync::Arc;

use k8s_openapi::api::core::v1::{Namespace, Node, Pod};
use rstest::rstest;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::object::ContainerId;
use crate::playbook::testing::{alert, playbook};
use crate::snapshot::{Part, Snapshot};
use crate::trace::{Trace, Verdict};

const SHELL: &str = "aaaaaaaaaaaa";
const SIDECAR: &str = "bbbbbbbbbbbb";
const ENDED: &str = "cccccccccccc";

fn object<T: DeserializeOwned>(value: Value) -> Part<Arc<T>> {
    Part::Found(Arc::new(serde_json::from_value(value).unwrap()))
}

fn snapshot() -> Snapshot {
    let mut snapshot = Snapshot::empty("2026-05-01T10:00:01Z".parse().unwrap());
    snapshot.pod = object::<Pod>(json!({
        "metadata": {"name": "web-0", "namespace": "web", "labels": {"app": "web"}},
        "spec": {"containers": [
            {"name": "main", "image": "registry.example/web/nginx:1.2"},
            {"name": "sidecar", "image": "registry.example/ops/agent:3"},
        ]},
        "status": {"containerStatuses": [
            {"name": "main", "image": "sha256:1", "imageID": "", "ready": true, "restartCount": 1, "containerID": format!("containerd://{SHELL}"),
             "lastState": {"terminated": {"exitCode": 1, "containerID": format!("containerd://{ENDED}")}}},
            {"name": "sidecar", "image": "sha256:2", "imageID": "", "ready": true, "restartCount": 0, "containerID": format!("containerd://{SIDECAR}")},
        ]},
    }));
    snapshot.namespace = object::<Namespace>(json!({"metadata": {"name": "web", "labels": {"tier": "web"}}}));
    snapshot.node =
        object::<Node>(json!({"metadata": {"name": "worker-1", "labels": {"pool": "general"}}, "spec": {}}));
    snapshot
}

fn holds(asked: &str, container: Option<&str>, snapshot: &Snapshot) -> Result<(), String> {
    let id = container.map(|id| ContainerId::new(id).unwrap());
    let mut trace = Trace::default();
    let playbook = playbook(&format!("{{minPriority: Debug, {asked}}}"));
    let holds = playbook
        .live_match
        .holds(&alert(json!({})), snapshot, id.as_ref(), &mut trace);
    let failed = trace.checks.iter().any(|check| check.verdict == Verdict::Failed);
    assert_eq!(failed, holds.is_err(), "{trace}");
    holds
}

/// Source: falcosecurity/plugins #851, falcosecurity/falco #3257.
#[rstest]
#[case::as_the_container_runtime_spells_it("image: {glob: 'docker.io/library/nginx:*'}", true)]
#[case::as_the_spec_spells_it("image: {glob: 'nginx:1.27'}", true)]
#[case::with_its_registry_alone("image: {glob: 'docker.io/nginx:1.27'}", true)]
#[case::by_its_digest("image: {glob: 'docker.io/library/nginx@sha256:*1'}", true)]
#[case::short_and_by_its_digest("image: {glob: 'nginx@sha256:*1'}", true)]
#[case::an_exception_in_another_spelling("image: {notGlob: ['docker.io/library/*']}", false)]
#[case::another_registry("image: {glob: 'registry.example/library/nginx:*'}", false)]
fn an_image_is_known_by_every_spelling_of_its_name(#[case] asked: &str, #[case] expected: bool) {
    let mut snapshot = snapshot();
    snapshot.pod = object::<Pod>(json!({
        "metadata": {"name": "nginx-s", "namespace": "web"},
        "spec": {"containers": [{"name": "app", "image": "nginx:1.27"}]},
        "status": {"containerStatuses": [{
            "name": "app", "image": "docker.io/library/nginx:1.27", "ready": true, "restartCount": 0,
            "imageID": "docker.io/library/nginx@sha256:0000000000000000000000000000000000000000000000000000000000000001",
            "containerID": format!("containerd://{SHELL}"),
        }]},
    }));
    assert_eq!(holds(asked, Some(SHELL), &snapshot).is_ok(), expected);
}

#[rstest]
#[case("image: {glob: 'registry.example/web/*'}", Some(SHELL), true)]
#[case("image: {glob: 'registry.example/web/*'}", Some(ENDED), true)]
#[case("image: {glob: 'registry.example/web/*'}", Some(SIDECAR), false)]
#[case("image: {notGlob: ['registry.example/ops/*']}", Some(SHELL), true)]
#[case("image: {notGlob: ['registry.example/ops/*']}", Some(SIDECAR), false)]
// Without a container that the pod knows, the images of all containers must match.
#[case("image: {notGlob: ['registry.example/ops/*']}", None, false)]
#[case("image: {notGlob: ['registry.example/ops/*']}", Some("dddddddddddd"), false)]
#[case("image: {glob: 'registry.example/*'}", None, true)]
#[case("namespace: {matchLabels: {tier: web}}", None, true)]
#[case("namespace: {matchLabels: {tier: db}}", None, false)]
#[case("pod: {matchExpressions: [{key: app, operator: Exists}]}", None, true)]
#[case("node: {matchLabels: {pool: special}}", None, false)]
#[case("when: 'pod.spec.hostNetwork == false'", None, true)]
#[case(
    "when: 'pod.spec.containers.exists(c, c.image.startsWith(\"docker.io/\"))'",
    None,
    false
)]
#[case("namespace: {matchLabels: {tier: web}}, pod: {matchLabels: {app: db}}", None, false)]
fn every_part_that_is_written_must_hold_of_the_live_object(
    #[case] asked: &str,
    #[case] container: Option<&str>,
    #[case] expected: bool,
) {
    assert_eq!(
        holds(asked, container, &snapshot()).is_ok(),
        expected,
        "{:?}",
        holds(asked, container, &snapshot())
    );
}

#[rstest]
#[case("image: {glob: '*'}")]
#[case("pod: {matchExpressions: [{key: app, operator: DoesNotExist}]}")]
#[case("node: {matchExpressions: [{key: x, operator: DoesNotExist}]}")]
#[case("namespace: {matchExpressions: [{key: x, operator: NotIn, values: [y]}]}")]
#[case("when: 'true || pod.metadata.name == \"x\"'")]
fn a_part_that_was_not_read_does_not_hold_and_is_an_error(#[case] asked: &str) {
    let empty = Snapshot::empty("2026-05-01T10:00:01Z".parse().unwrap());
    let why = holds(asked, None, &empty).unwrap_err();
    assert!(why.contains("error"), "{why}");
}

#[test]
fn the_needs_are_what_the_parts_read_and_no_more() {
    let needs = |asked: &str| playbook(&format!("{{minPriority: Debug, {asked}}}")).live_match.needs();
    let plain = needs("image: {glob: '*'}");
    assert!(!plain.node && !plain.namespace && !plain.owners && !plain.policies);
    assert!(needs("node: {matchLabels: {a: b}}").node);
    assert!(needs("namespace: {matchLabels: {a: b}}").namespace);
    let read = needs("when: 'owner.name == \"x\" && namespaceObject.metadata.name == \"y\"'");
    assert!(read.owners && read.namespace && !read.node);
}

#[test]
fn a_refusal_says_which_part_and_what_was_seen() {
    let sentences: Vec<String> = [
        "image: {notGlob: ['registry.example/ops/*'], glob: 'a/*'}",
        "namespace: {matchLabels: {tier: db}}",
        "node: {matchLabels: {zone: a}}",
        "when: 'pod.metadata.name == \"db-0\"'",
        "when: 'pod.metadata.nam == \"db-0\"'",
        "when: 'pod.metadata.name'",
    ]
    .iter()
    .map(|asked| holds(asked, Some(SHELL), &snapshot()).unwrap_err())
    .collect();
    insta::assert_snapshot!(sentences.join("\n"), @r#"
    match.image does not hold: the image of the container "main" is "registry.example/web/nginx:1.2"; asked glob [a/*] and notGlob [registry.example/ops/*]
    match.namespace does not hold: the object has tier=web; asked tier=db
    match.node does not hold: the object has none of these labels; asked zone=a
    match.when does not hold: `pod.metadata.name == "db-0"` is false
    match.when does not hold: error in `pod.metadata.nam == "db-0"`: No such key: nam
    match.when does not hold: error in `pod.metadata.name`: its type is string, not bool
    "#);
}
