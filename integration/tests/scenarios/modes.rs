//! Each action in each mode. The audit log shows the requests, and the objects show the changes.

use integration::{
    control_plane::AuditEvent,
    fixtures::{create, service},
    responder::playbooks::playbook,
};
use k8s_openapi::api::core::v1::{Node, Pod};
use kube::ResourceExt as _;
use rstest::rstest;

use crate::scenario::{Scenario, expect_responses, in_words, post_shells, uid};

/// An action and the requests that it sends to the API server.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ActionCase {
    pub(crate) name: &'static str,
    target: &'static str,
    step: &'static str,
    pub(crate) requests: &'static [&'static str],
}

pub(crate) const LABEL: ActionCase = ActionCase {
    name: "label",
    target: "Pod",
    step: "label: {labels: {incident: open, process: {field: proc.name}}}",
    requests: &["patch pods"],
};
pub(crate) const ANNOTATE: ActionCase = ActionCase {
    name: "annotate",
    target: "Pod",
    step: "annotate: {annotations: {incident: open}}",
    requests: &["patch pods"],
};
pub(crate) const QUARANTINE: ActionCase = ActionCase {
    name: "quarantine",
    target: "Pod",
    step: "quarantine: {ttl: 2h, detach: Always}",
    requests: &["create networkpolicies", "patch pods"],
};
pub(crate) const CORDON: ActionCase = ActionCase {
    name: "cordon",
    target: "Node",
    step: "cordon: {}",
    requests: &["patch nodes"],
};
pub(crate) const TAINT: ActionCase = ActionCase {
    name: "taint",
    target: "Node",
    step: "taint: {}",
    requests: &["patch nodes"],
};
pub(crate) const EVICT: ActionCase = ActionCase {
    name: "evict",
    target: "Pod",
    step: "evict: {}",
    requests: &["create pods/eviction"],
};
pub(crate) const DELETE: ActionCase = ActionCase {
    name: "delete",
    target: "Pod",
    step: "delete: {}",
    requests: &["delete pods"],
};

impl ActionCase {
    pub(crate) fn playbook(self, mode: &str) -> String {
        let target = self.target;
        let spec = format!("mode: {mode}\n  match: {{rules: [Terminal shell in container]}}\n  target: {target}");
        playbook(self.name, &spec, &[self.step])
    }

    async fn scenario(self, mode: &str) -> (Scenario<'static>, Pod) {
        let scenario = Scenario::new(&format!("{mode}-{}", self.name)).await;
        create(&scenario.client, &service(&scenario.name, "web", &[("app", "web")]))
            .await
            .unwrap();
        let pod = scenario.running("web").await;
        (scenario, pod)
    }

    /// Whether the action has been carried out on this pod or its node.
    pub(crate) async fn is_done(self, scenario: &Scenario<'_>, pod: &Pod) -> bool {
        let live = scenario.get(pod).await;
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
                let node = scenario.node().await;
                let by = node
                    .annotations()
                    .get("responder.dev/cordoned-by")
                    .cloned()
                    .unwrap_or_default();
                node.spec.and_then(|spec| spec.unschedulable) == Some(true) && by.starts_with("cordon/")
            }
            "taint" => taints(&scenario.node().await)
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

/// The requests without conflicts: after one, a list is computed again and sent again.
fn without_conflicts(writes: &[AuditEvent]) -> Vec<String> {
    let writes = writes.iter().filter(|event| event.code != 409);
    writes.map(in_words).collect()
}

/// The uid that a request is bound to: its precondition, or `metadata.uid` of a patch.
fn bound_to(event: &AuditEvent) -> Option<String> {
    let body = event.request_object.as_ref()?;
    let of_patch = body["metadata"]["uid"].as_str().filter(|_| event.verb == "patch");
    of_patch.or_else(|| event.uid_precondition()).map(str::to_owned)
}

#[rstest]
#[tokio::test]
async fn enforce_carries_out_the_step_on_the_target_only(
    #[values(LABEL, ANNOTATE, QUARANTINE, CORDON, TAINT, EVICT, DELETE)] action: ActionCase,
) {
    let (scenario, pod) = action.scenario("enforce").await;
    let target = match action.target {
        "Node" => scenario.node().await.uid().unwrap(),
        _ => uid(&pod),
    };
    let mut responder = scenario.responder(&action.playbook("Enforce")).await;

    post_shells(&responder, std::slice::from_ref(&pod)).await;

    let accounts = expect_responses(&mut responder, 1, &[("Done", 1)]).await;
    assert_eq!(accounts.planned, [("Enforce".to_owned(), 1)].into());
    let writes = scenario.writes();
    assert_eq!(without_conflicts(&writes), action.requests);
    for event in writes.iter().filter(|event| event.resource != "networkpolicies") {
        assert_eq!(bound_to(event), Some(target.clone()), "{event:#?}");
    }
    assert!(action.is_done(&scenario, &pod).await);
}

#[rstest]
#[tokio::test]
async fn rehearse_sends_the_same_requests_as_dry_runs_and_changes_not_one_object(
    #[values(LABEL, ANNOTATE, QUARANTINE, CORDON, TAINT, EVICT, DELETE)] action: ActionCase,
) {
    let (scenario, pod) = action.scenario("rehearse").await;
    let mut responder = scenario.responder(&action.playbook("Rehearse")).await;
    let before = scenario.objects().await;

    post_shells(&responder, std::slice::from_ref(&pod)).await;

    expect_responses(&mut responder, 1, &[("Rehearsed", 1)]).await;
    let expected: Vec<_> = action
        .requests
        .iter()
        .map(|request| format!("{request} (dry run)"))
        .collect();
    let writes = scenario.writes();
    assert_eq!(without_conflicts(&writes), expected);
    assert!(
        writes.iter().all(|event| matches!(event.code, 200..300 | 409)),
        "{writes:#?}"
    );
    assert_eq!(scenario.objects().await, before);
    assert!(!action.is_done(&scenario, &pod).await);
}

#[rstest]
#[tokio::test]
async fn observe_plans_the_same_and_asks_for_no_write_at_all(
    #[values(LABEL, ANNOTATE, QUARANTINE, CORDON, TAINT, EVICT, DELETE)] action: ActionCase,
) {
    let (scenario, pod) = action.scenario("observe").await;
    // The user has no write permission: Observe needs none.
    let mut responder = scenario.responder(&action.playbook("Observe")).await;
    let before = scenario.objects().await;

    post_shells(&responder, std::slice::from_ref(&pod)).await;

    let accounts = expect_responses(&mut responder, 1, &[("Observed", 1)]).await;
    assert_eq!(accounts.planned, [("Observe".to_owned(), 1)].into());
    assert_eq!(scenario.writes(), []);
    assert!(
        scenario
            .requests()
            .iter()
            .any(|event| event.resource == "pods" && event.verb == "get")
    );
    assert_eq!(scenario.objects().await, before);
}
