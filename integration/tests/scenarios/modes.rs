//! Each action in each mode. The audit log says what was asked; the objects say what has changed.

use integration::{
    control_plane::AuditEvent,
    fixtures::{create, service},
};
use k8s_openapi::api::core::v1::{Node, Pod};
use kube::ResourceExt as _;
use rstest::rstest;

use crate::stage::{Stage, in_words, playbook, post_shells, uid};

/// An action, and what it asks of the API server.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Action {
    pub(crate) name: &'static str,
    target: &'static str,
    step: &'static str,
    pub(crate) asks: &'static [&'static str],
}

pub(crate) const LABEL: Action = Action {
    name: "label",
    target: "Pod",
    step: "label: {labels: {incident: open, process: {field: proc.name}}}",
    asks: &["patch pods"],
};
pub(crate) const ANNOTATE: Action = Action {
    name: "annotate",
    target: "Pod",
    step: "annotate: {annotations: {incident: open}}",
    asks: &["patch pods"],
};
pub(crate) const QUARANTINE: Action = Action {
    name: "quarantine",
    target: "Pod",
    step: "quarantine: {ttl: 2h, detach: Always}",
    asks: &["create networkpolicies", "patch pods"],
};
pub(crate) const CORDON: Action = Action {
    name: "cordon",
    target: "Node",
    step: "cordon: {}",
    asks: &["patch nodes"],
};
pub(crate) const TAINT: Action = Action {
    name: "taint",
    target: "Node",
    step: "taint: {}",
    asks: &["patch nodes"],
};
pub(crate) const EVICT: Action = Action {
    name: "evict",
    target: "Pod",
    step: "evict: {}",
    asks: &["create pods/eviction"],
};
pub(crate) const DELETE: Action = Action {
    name: "delete",
    target: "Pod",
    step: "delete: {}",
    asks: &["delete pods"],
};

impl Action {
    pub(crate) fn playbook(self, mode: &str) -> String {
        let target = self.target;
        let spec = format!("mode: {mode}\n  match: {{rules: [Terminal shell in container]}}\n  target: {target}");
        playbook(self.name, &spec, &[self.step])
    }

    async fn stage(self, mode: &str) -> (Stage<'static>, Pod) {
        let stage = Stage::new(&format!("{mode}-{}", self.name)).await;
        create(&stage.client, &service(&stage.name, "web", &[("app", "web")]))
            .await
            .unwrap();
        let pod = stage.running("web").await;
        (stage, pod)
    }

    /// Whether the action has been done to this pod or its node.
    pub(crate) async fn is_done(self, stage: &Stage<'_>, pod: &Pod) -> bool {
        let live = stage.get(pod).await;
        let has = |key: &str, value: &str| {
            live.as_ref()
                .is_some_and(|live| live.labels().get(key).is_some_and(|is| is == value))
        };
        match self.name {
            "label" => has("incident", "open") && has("process", "sh"),
            "annotate" => live
                .as_ref()
                .is_some_and(|live| live.annotations().contains_key("incident")),
            "quarantine" => live.as_ref().is_some_and(|live| {
                live.labels().contains_key("responder.dev/quarantine") && !live.labels().contains_key("app")
            }),
            "cordon" => {
                let node = stage.node().await;
                let by = node
                    .annotations()
                    .get("responder.dev/cordoned-by")
                    .cloned()
                    .unwrap_or_default();
                node.spec.and_then(|spec| spec.unschedulable) == Some(true) && by.starts_with("cordon/")
            }
            "taint" => taints(&stage.node().await)
                .iter()
                .any(|taint| taint.starts_with("responder.dev/incident=") && taint.ends_with(":NoSchedule")),
            _ => live.is_none(),
        }
    }
}

/// The taints of a node, as `kubectl taint` takes them.
pub(crate) fn taints(node: &Node) -> Vec<String> {
    let taints = node.spec.iter().flat_map(|spec| spec.taints.iter().flatten());
    let shown = taints.map(|taint| {
        format!(
            "{}={}:{}",
            taint.key,
            taint.value.as_deref().unwrap_or_default(),
            taint.effect
        )
    });
    shown.collect()
}

/// The requests, but for those that came after another writer's change of the same object: a list is worked out anew then.
fn without_conflicts(writes: &[AuditEvent]) -> Vec<String> {
    let writes = writes.iter().filter(|event| event.code != 409);
    writes.map(in_words).collect()
}

/// The uid that a request was bound to: a precondition, or the `metadata.uid` of a patch.
fn bound_to(event: &AuditEvent) -> Option<String> {
    let body = event.request_object.as_ref()?;
    let of_patch = body["metadata"]["uid"].as_str().filter(|_| event.verb == "patch");
    of_patch.or_else(|| event.uid_precondition()).map(str::to_owned)
}

#[rstest]
#[tokio::test]
async fn enforce_does_what_the_step_says_to_the_very_object_and_nothing_else(
    #[values(LABEL, ANNOTATE, QUARANTINE, CORDON, TAINT, EVICT, DELETE)] action: Action,
) {
    let (stage, pod) = action.stage("enforce").await;
    let target = match action.target {
        "Node" => stage.node().await.uid().unwrap(),
        _ => uid(&pod),
    };
    let mut responder = stage.responder(&action.playbook("Enforce")).await;

    post_shells(&responder, std::slice::from_ref(&pod)).await;
    let accounts = responder.wait_until_at_rest(1).await.unwrap();

    assert_eq!(
        accounts.planned,
        [("Enforce".to_owned(), 1)].into(),
        "{:#?}",
        responder.trail()
    );
    assert_eq!(
        accounts.responses,
        [("Done".to_owned(), 1)].into(),
        "{:#?}",
        responder.trail()
    );
    let writes = stage.writes();
    assert_eq!(without_conflicts(&writes), action.asks);
    for event in writes.iter().filter(|event| event.resource != "networkpolicies") {
        assert_eq!(bound_to(event), Some(target.clone()), "{event:#?}");
    }
    assert!(action.is_done(&stage, &pod).await);
}

#[rstest]
#[tokio::test]
async fn rehearse_sends_the_same_requests_as_dry_runs_and_changes_not_one_object(
    #[values(LABEL, ANNOTATE, QUARANTINE, CORDON, TAINT, EVICT, DELETE)] action: Action,
) {
    let (stage, pod) = action.stage("rehearse").await;
    let mut responder = stage.responder(&action.playbook("Rehearse")).await;
    let before = stage.objects().await;

    post_shells(&responder, std::slice::from_ref(&pod)).await;
    let accounts = responder.wait_until_at_rest(1).await.unwrap();

    assert_eq!(
        accounts.responses,
        [("Rehearsed".to_owned(), 1)].into(),
        "{:#?}",
        responder.trail()
    );
    let expected: Vec<_> = action.asks.iter().map(|asks| format!("{asks} (dry run)")).collect();
    let writes = stage.writes();
    assert_eq!(without_conflicts(&writes), expected);
    assert!(
        writes.iter().all(|event| matches!(event.code, 200..300 | 409)),
        "{writes:#?}"
    );
    assert_eq!(stage.objects().await, before);
    assert!(!action.is_done(&stage, &pod).await);
}

#[rstest]
#[tokio::test]
async fn observe_plans_the_same_and_asks_for_no_write_at_all(
    #[values(LABEL, ANNOTATE, QUARANTINE, CORDON, TAINT, EVICT, DELETE)] action: Action,
) {
    let (stage, pod) = action.stage("observe").await;
    // Without one right to write: Observe needs none.
    let mut responder = stage.responder(&action.playbook("Observe")).await;
    let before = stage.objects().await;

    post_shells(&responder, std::slice::from_ref(&pod)).await;
    let accounts = responder.wait_until_at_rest(1).await.unwrap();

    assert_eq!(
        accounts.planned,
        [("Observe".to_owned(), 1)].into(),
        "{:#?}",
        responder.trail()
    );
    assert_eq!(
        accounts.responses,
        [("Observed".to_owned(), 1)].into(),
        "{:#?}",
        responder.trail()
    );
    assert_eq!(stage.writes(), []);
    assert!(
        stage
            .asked()
            .iter()
            .any(|event| event.resource == "pods" && event.verb == "get")
    );
    assert_eq!(stage.objects().await, before);
}
