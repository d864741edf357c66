//! Promise 2: no request goes to an object other than the corroborated one. The targets here are replaced, gone,
//! protected or contradicted.

use integration::{
    control_plane::shared,
    fixtures::{PodExt as _, container_id, create, node, pod, wait_ready},
    responder::{
        Responder, TrailRecord, alert,
        playbooks::{on_shell, playbook},
    },
};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::{Node, Pod};
use kube::{
    Api, ResourceExt as _,
    api::{DeleteParams, Patch, PatchParams},
};
use rstest::rstest;
use serde_json::{Value, json};

use crate::{
    gate::AdmissionGate,
    modes::taints,
    scenario::{Scenario, eventually, expect_responses, in_words, post_shells, uid},
};

/// Posts an alert that must be refused, and returns the reason.
async fn refused(responder: &mut Responder, alert: &Value) -> String {
    let answer = responder.post(alert).await.unwrap();
    assert_eq!(answer.status, 202, "{answer:?}");
    let is_meant = |record: &TrailRecord| record.event() == "decided" && record.alert() == answer.alert();
    let records = responder.wait_for("the decision", 1, is_meant).await.unwrap();
    records[0]
        .refusal()
        .unwrap_or_else(|| panic!("{records:#?}"))
        .to_owned()
}

/// An alert about a pod, dated five seconds ago: the API server truncates creation times to whole seconds.
fn earlier(pod: &Pod) -> Value {
    let mut alert = alert::shell_in(pod).unwrap();
    alert::set_time(&mut alert, Timestamp::now() - SignedDuration::from_secs(5));
    alert
}

#[tokio::test]
async fn a_pod_that_took_the_name_of_the_alerts_pod_is_left_alone() {
    let scenario = Scenario::new("replaced").await;
    // A StatefulSet reuses the name of a deleted pod immediately.
    let first = scenario.running("web-0").await;
    let mut responder = scenario.responder(&on_shell("Enforce", &["delete: {}"])).await;
    let alert = earlier(&first);
    let second = scenario.replace(&first).await;

    assert_eq!(refused(&mut responder, &alert).await, "TargetReplaced");
    let mut by_uid = alert::shell_in(&second).unwrap();
    by_uid["output_fields"]["k8s.pod.uid"] = json!(uid(&first));
    assert_eq!(refused(&mut responder, &by_uid).await, "TargetReplaced");

    scenario.still_there(&second).await;
    assert_eq!(scenario.writes(), []);
}

#[tokio::test]
async fn an_alert_about_a_container_that_the_pod_never_had_is_contradicted() {
    let scenario = Scenario::new("contradicted").await;
    let web = scenario.running("web").await;
    let other = scenario.running("other").await;
    let mut responder = scenario.responder(&on_shell("Enforce", &["delete: {}"])).await;

    let mut alert = alert::shell_in(&web).unwrap();
    alert["output_fields"]["container.id"] = json!("000000000000");
    assert_eq!(refused(&mut responder, &alert).await, "Contradicted");
    alert["output_fields"]["container.id"] = json!(container_id(&other).unwrap());
    assert_eq!(refused(&mut responder, &alert).await, "Contradicted");

    let live = [scenario.get(&web).await, scenario.get(&other).await];
    assert!(live.iter().all(Option::is_some));
    assert_eq!(scenario.writes(), []);
}

#[tokio::test]
async fn an_alert_without_a_container_id_is_too_little_to_destroy() {
    let scenario = Scenario::new("uncorroborated").await;
    let web = scenario.running("web").await;
    let mut responder = scenario.responder(&on_shell("Enforce", &["delete: {}"])).await;
    // The pod must be at least a whole second older than the alert. Otherwise it is refused as its own successor.
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;

    let mut alert = alert::shell_in(&web).unwrap();
    alert["output_fields"]["container.id"] = Value::Null;
    assert_eq!(refused(&mut responder, &alert).await, "Uncorroborated");

    scenario.still_there(&web).await;
    assert_eq!(scenario.writes(), []);
}

#[tokio::test]
async fn a_pod_in_kube_system_is_protected_and_not_even_read() {
    let scenario = Scenario::new("protected").await;
    let admin = shared().await.client();
    let dns = create(&admin, &pod("kube-system", "scenario-dns").on_node(&scenario.name))
        .await
        .unwrap();
    let dns = wait_ready(&admin, &dns).await.unwrap();
    let mut responder = scenario.responder(&on_shell("Enforce", &["delete: {}"])).await;

    let alert = alert::shell_in(&dns).unwrap();
    assert_eq!(refused(&mut responder, &alert).await, "Protected");

    let pods: Api<Pod> = Api::namespaced(admin.clone(), "kube-system");
    assert_eq!(pods.get("scenario-dns").await.unwrap().uid(), dns.uid());
    assert!(!scenario.requests().iter().any(|event| event.namespace == "kube-system"));
    pods.delete("scenario-dns", &DeleteParams::default()).await.unwrap();
}

#[tokio::test]
async fn an_alert_about_a_pod_that_is_gone_is_refused_and_creates_nothing() {
    let scenario = Scenario::new("gone").await;
    let web = scenario.running("web").await;
    let steps = ["quarantine: {}", "delete: {}"];
    let mut responder = scenario.responder(&on_shell("Enforce", &steps)).await;
    let alert = alert::shell_in(&web).unwrap();
    scenario.remove(&web).await;
    let before = scenario.objects().await;

    assert_eq!(refused(&mut responder, &alert).await, "TargetGone");

    assert_eq!(scenario.objects().await, before);
    assert_eq!(scenario.writes(), []);
}

/// What happens to a target while its request is held inside the API server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Replaced,
    Gone,
}

impl Fate {
    /// Replaces or removes the pod, and returns the new pod if there is one.
    async fn befall(self, scenario: &Scenario<'_>, pod: &Pod) -> Option<Pod> {
        match self {
            Self::Replaced => Some(scenario.replace(pod).await),
            Self::Gone => {
                scenario.remove(pod).await;
                None
            }
        }
    }

    /// The outcome of a response whose target met this fate.
    const fn outcome(self) -> &'static str {
        match self {
            Self::Replaced => "TargetReplaced",
            Self::Gone => "TargetGone",
        }
    }
}

/// The request is in flight with the uid of the decision when the target changes.
#[rstest]
#[case::delete("delete: {}", "delete", "delete pods")]
#[case::evict("evict: {}", "evict", "create pods/eviction")]
#[case::label("label: {labels: {incident: open}}", "label", "patch pods")]
#[case::annotate("annotate: {annotations: {incident: open}}", "annotate", "patch pods")]
#[tokio::test]
async fn a_target_that_changes_between_decision_and_request_is_not_touched_by_name(
    #[case] step: &str,
    #[case] action: &str,
    #[case] request: &str,
    #[values(Fate::Replaced, Fate::Gone)] fate: Fate,
) {
    let scenario = Scenario::new(&format!("late-{action}-{fate:?}").to_lowercase()).await;
    let first = scenario.running("web-0").await;
    let gate = AdmissionGate::after(&scenario, 0).await;
    let mut responder = scenario.responder(&on_shell("Enforce", &[step])).await;

    post_shells(&responder, std::slice::from_ref(&first)).await;
    gate.wait_for(1).await;
    let second = fate.befall(&scenario, &first).await;
    let before = scenario.objects().await;
    gate.open();

    expect_responses(&mut responder, 1, &[(fate.outcome(), 1)]).await;
    assert_eq!(scenario.objects().await, before);
    let writes = scenario.writes();
    assert!(
        writes
            .iter()
            .all(|event| in_words(event) == request && event.code >= 400),
        "{writes:#?}"
    );
    if let Some(second) = second {
        scenario.still_there(&second).await;
    }
}

/// The policy is created before the patch and is the responder's own, so the responder removes it when the pod can't be
/// isolated.
#[rstest]
#[tokio::test]
async fn a_quarantine_whose_pod_changes_before_its_patch_leaves_no_policy_behind(
    #[values(Fate::Replaced, Fate::Gone)] fate: Fate,
) {
    let scenario = Scenario::new(&format!("late-quarantine-{fate:?}").to_lowercase()).await;
    let first = scenario.running("web-0").await;
    let gate = AdmissionGate::after(&scenario, 0).await;
    let mut responder = scenario.responder(&on_shell("Enforce", &["quarantine: {}"])).await;

    post_shells(&responder, std::slice::from_ref(&first)).await;
    gate.wait_for(1).await;
    let second = fate.befall(&scenario, &first).await;
    gate.open();
    let accounts = responder.wait_until_at_rest(1).await.unwrap();

    assert!(!accounts.responses.contains_key("Done"), "{:#?}", responder.trail());
    // The responder deletes the policy. The garbage collector would also do so after the end of the pod.
    let writes: Vec<_> = scenario.writes().iter().map(in_words).collect();
    assert_eq!(
        writes,
        ["create networkpolicies", "patch pods", "delete networkpolicies"]
    );
    eventually("no policy is left", async || {
        let objects = scenario.objects().await;
        (!objects.keys().any(|key| key.starts_with("networkpolicies/"))).then_some(())
    })
    .await;
    if let Some(second) = second {
        let live = scenario.still_there(&second).await;
        assert_eq!(live.labels(), second.labels());
    }
}

/// A server-side apply would create the missing node.
#[rstest]
#[tokio::test]
async fn a_node_that_changes_before_its_cordon_is_neither_touched_nor_made(
    #[values(Fate::Replaced, Fate::Gone)] fate: Fate,
) {
    let scenario = Scenario::new(&format!("late-cordon-{fate:?}").to_lowercase()).await;
    let nodes: Api<Node> = Api::all(scenario.client.clone());
    let gate = AdmissionGate::after(&scenario, 0).await;
    let spec = "mode: Enforce\n  match: {rules: [Read sensitive file untrusted]}\n  target: Node";
    let mut responder = scenario.responder(&playbook("host", spec, &["cordon: {}"])).await;

    let answer = responder.post(&alert::file_read_on(&scenario.name)).await.unwrap();
    assert_eq!(answer.outcome(), "accepted");
    gate.wait_for(1).await;
    nodes.delete(&scenario.name, &DeleteParams::default()).await.unwrap();
    if fate == Fate::Replaced {
        create(&scenario.client, &node(&scenario.name)).await.unwrap();
    }
    gate.open();

    expect_responses(&mut responder, 1, &[(fate.outcome(), 1)]).await;
    let live = nodes.get_opt(&scenario.name).await.unwrap();
    assert_eq!(live.is_some(), fate == Fate::Replaced);
    assert!(live.is_none_or(
        |live| live.annotations().keys().all(|key| !key.starts_with("responder.dev/"))
            && live.spec.unwrap_or_default().unschedulable != Some(true)
    ));
    assert_eq!(scenario.mutations(), []);
}

/// A merge patch replaces the whole list of taints. After a change of another writer it is a conflict, and computed again.
#[tokio::test]
async fn a_taint_that_another_writer_adds_before_ours_stays() {
    let scenario = Scenario::new("late-taint").await;
    let nodes: Api<Node> = Api::all(scenario.client.clone());
    let gate = AdmissionGate::after(&scenario, 0).await;
    let spec = "mode: Enforce\n  match: {rules: [Read sensitive file untrusted]}\n  target: Node";
    let mut responder = scenario.responder(&playbook("host", spec, &["taint: {}"])).await;

    let answer = responder.post(&alert::file_read_on(&scenario.name)).await.unwrap();
    assert_eq!(answer.outcome(), "accepted");
    gate.wait_for(1).await;
    let late = json!({"spec": {"taints": [{"key": "example.org/late", "effect": "PreferNoSchedule"}]}});
    nodes
        .patch(&scenario.name, &PatchParams::default(), &Patch::Merge(&late))
        .await
        .unwrap();
    gate.open();

    expect_responses(&mut responder, 1, &[("Done", 1)]).await;
    let taints = taints(&scenario.node().await);
    assert!(
        taints.contains(&"example.org/late=:PreferNoSchedule".to_owned()),
        "{taints:?}"
    );
    assert!(
        taints.iter().any(|taint| taint.starts_with("responder.dev/incident=")),
        "{taints:?}"
    );
    let codes: Vec<_> = scenario.writes().iter().map(|event| event.code).collect();
    assert!(codes.contains(&409), "{codes:?}");
}
