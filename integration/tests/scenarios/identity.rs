//! Promise 2: no request ever goes to an object that is not the corroborated one. Targets that are replaced, gone,
//! protected or contradicted.

use integration::{
    control_plane::shared,
    fixtures::{PlacedOn as _, container_id, create, node, pod, wait_ready},
    responder::{Responder, alert},
};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::{Node, Pod};
use kube::{Api, ResourceExt as _, api::DeleteParams};
use rstest::rstest;
use serde_json::{Value, json};

use crate::{
    gate::Gate,
    stage::{Stage, in_words, on_shell, playbook, post_shells, uid},
};

/// Posts an alert that is to be refused, and answers why it was.
async fn refused(responder: &mut Responder, alert: &Value) -> String {
    let answer = responder.post(alert).await.unwrap();
    assert_eq!(answer.status, 202, "{answer:?}");
    let is_meant =
        |record: &integration::responder::Record| record.event() == "decided" && record.alert() == answer.alert();
    let records = responder.wait_for("the decision", 1, is_meant).await.unwrap();
    records[0]
        .refusal()
        .unwrap_or_else(|| panic!("{records:#?}"))
        .to_owned()
}

/// An alert about a pod as it was five seconds before now: the API server cuts creation times to whole seconds.
fn earlier(pod: &Pod) -> Value {
    let mut alert = alert::shell_in(pod).unwrap();
    alert::set_time(&mut alert, Timestamp::now() - SignedDuration::from_secs(5));
    alert
}

#[tokio::test]
async fn a_pod_that_took_the_name_of_the_alerts_pod_is_left_alone() {
    let stage = Stage::new("replaced").await;
    // As a StatefulSet does it: the same name again, at once.
    let first = stage.running("web-0").await;
    let mut responder = stage.responder(&on_shell("Enforce", &["delete: {}"])).await;
    let alert = earlier(&first);
    let second = stage.replace(&first).await;

    assert_eq!(refused(&mut responder, &alert).await, "TargetReplaced");
    let mut by_uid = alert::shell_in(&second).unwrap();
    by_uid["output_fields"]["k8s.pod.uid"] = json!(uid(&first));
    assert_eq!(refused(&mut responder, &by_uid).await, "TargetReplaced");

    stage.still_there(&second).await;
    assert_eq!(stage.writes(), []);
}

#[tokio::test]
async fn an_alert_about_a_container_that_the_pod_never_had_is_contradicted() {
    let stage = Stage::new("contradicted").await;
    let web = stage.running("web").await;
    let other = stage.running("other").await;
    let mut responder = stage.responder(&on_shell("Enforce", &["delete: {}"])).await;

    let mut alert = alert::shell_in(&web).unwrap();
    alert["output_fields"]["container.id"] = json!("000000000000");
    assert_eq!(refused(&mut responder, &alert).await, "Contradicted");
    alert["output_fields"]["container.id"] = json!(container_id(&other).unwrap());
    assert_eq!(refused(&mut responder, &alert).await, "Contradicted");

    let live = [stage.get(&web).await, stage.get(&other).await];
    assert!(live.iter().all(Option::is_some));
    assert_eq!(stage.writes(), []);
}

#[tokio::test]
async fn an_alert_without_a_container_id_is_too_little_to_destroy() {
    let stage = Stage::new("uncorroborated").await;
    let web = stage.running("web").await;
    let mut responder = stage.responder(&on_shell("Enforce", &["delete: {}"])).await;
    // The pod must be older than the alert by a whole second, or it is refused as its own successor.
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;

    let mut alert = alert::shell_in(&web).unwrap();
    alert["output_fields"]["container.id"] = Value::Null;
    assert_eq!(refused(&mut responder, &alert).await, "Uncorroborated");

    stage.still_there(&web).await;
    assert_eq!(stage.writes(), []);
}

#[tokio::test]
async fn a_pod_in_kube_system_is_protected_and_not_even_looked_at() {
    let stage = Stage::new("protected").await;
    let admin = shared().await.client();
    let dns = create(&admin, &pod("kube-system", "scenario-dns").on_node(&stage.name))
        .await
        .unwrap();
    let dns = wait_ready(&admin, &dns).await.unwrap();
    let mut responder = stage.responder(&on_shell("Enforce", &["delete: {}"])).await;

    let alert = alert::shell_in(&dns).unwrap();
    assert_eq!(refused(&mut responder, &alert).await, "Protected");

    let pods: Api<Pod> = Api::namespaced(admin.clone(), "kube-system");
    assert_eq!(pods.get("scenario-dns").await.unwrap().uid(), dns.uid());
    assert!(!stage.asked().iter().any(|event| event.namespace == "kube-system"));
    pods.delete("scenario-dns", &DeleteParams::default()).await.unwrap();
}

#[tokio::test]
async fn an_alert_about_a_pod_that_is_gone_is_refused_and_creates_nothing() {
    let stage = Stage::new("gone").await;
    let web = stage.running("web").await;
    let steps = ["quarantine: {}", "delete: {}"];
    let mut responder = stage.responder(&on_shell("Enforce", &steps)).await;
    let alert = alert::shell_in(&web).unwrap();
    stage.remove(&web).await;
    let before = stage.objects().await;

    assert_eq!(refused(&mut responder, &alert).await, "TargetGone");

    assert_eq!(stage.objects().await, before);
    assert_eq!(stage.writes(), []);
}

/// What happens to the target while its request is held inside the API server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Replaced,
    Gone,
}

/// The request has left, bound to the uid that was decided on; then the target changes under it.
#[rstest]
#[case::delete("delete: {}", "delete", "delete pods")]
#[case::evict("evict: {}", "evict", "create pods/eviction")]
#[case::label("label: {labels: {incident: open}}", "label", "patch pods")]
#[case::annotate("annotate: {annotations: {incident: open}}", "annotate", "patch pods")]
#[tokio::test]
async fn a_target_that_changes_between_decision_and_request_is_not_touched_by_name(
    #[case] step: &str,
    #[case] action: &str,
    #[case] asks: &str,
    #[values(Fate::Replaced, Fate::Gone)] fate: Fate,
) {
    let stage = Stage::new(&format!("late-{action}-{fate:?}").to_lowercase()).await;
    let first = stage.running("web-0").await;
    let gate = Gate::after(&stage, 0).await;
    let mut responder = stage.responder(&on_shell("Enforce", &[step])).await;

    post_shells(&responder, std::slice::from_ref(&first)).await;
    gate.wait_for(1).await;
    let second = match fate {
        Fate::Replaced => Some(stage.replace(&first).await),
        Fate::Gone => {
            stage.remove(&first).await;
            None
        }
    };
    let before = stage.objects().await;
    gate.open();
    let accounts = responder.wait_until_at_rest(1).await.unwrap();

    let expected = if fate == Fate::Replaced {
        "TargetReplaced"
    } else {
        "TargetGone"
    };
    assert_eq!(
        accounts.responses,
        [(expected.to_owned(), 1)].into(),
        "{:#?}",
        responder.trail()
    );
    assert_eq!(stage.objects().await, before);
    let writes = stage.writes();
    assert!(
        writes.iter().all(|event| in_words(event) == asks && event.code >= 400),
        "{writes:#?}"
    );
    if let Some(second) = second {
        stage.still_there(&second).await;
    }
}

/// The policy is created before the patch, and is ours: it goes again when the pod is not there to be isolated.
#[rstest]
#[tokio::test]
async fn a_quarantine_whose_pod_changes_before_its_patch_leaves_no_policy_behind(
    #[values(Fate::Replaced, Fate::Gone)] fate: Fate,
) {
    let stage = Stage::new(&format!("late-quarantine-{fate:?}").to_lowercase()).await;
    let first = stage.running("web-0").await;
    let gate = Gate::after(&stage, 0).await;
    let mut responder = stage.responder(&on_shell("Enforce", &["quarantine: {}"])).await;

    post_shells(&responder, std::slice::from_ref(&first)).await;
    gate.wait_for(1).await;
    let second = match fate {
        Fate::Replaced => Some(stage.replace(&first).await),
        Fate::Gone => {
            stage.remove(&first).await;
            None
        }
    };
    gate.open();
    let accounts = responder.wait_until_at_rest(1).await.unwrap();

    assert!(!accounts.responses.contains_key("Done"), "{:#?}", responder.trail());
    // By us: the garbage collector would take it too, with a pod that is gone.
    let writes: Vec<_> = stage.writes().iter().map(in_words).collect();
    assert_eq!(
        writes,
        ["create networkpolicies", "patch pods", "delete networkpolicies"]
    );
    crate::stage::eventually("no policy is left", async || {
        let objects = stage.objects().await;
        (!objects.keys().any(|key| key.starts_with("networkpolicies/"))).then_some(())
    })
    .await;
    if let Some(second) = second {
        let live = stage.still_there(&second).await;
        assert_eq!(live.labels(), second.labels());
    }
}

/// An apply would have made the node that it found missing.
#[rstest]
#[tokio::test]
async fn a_node_that_changes_before_its_cordon_is_neither_touched_nor_made(
    #[values(Fate::Replaced, Fate::Gone)] fate: Fate,
) {
    let stage = Stage::new(&format!("late-cordon-{fate:?}").to_lowercase()).await;
    let nodes: Api<Node> = Api::all(stage.client.clone());
    let gate = Gate::after(&stage, 0).await;
    let spec = "mode: Enforce\n  match: {rules: [Read sensitive file untrusted]}\n  target: Node";
    let mut responder = stage.responder(&playbook("host", spec, &["cordon: {}"])).await;

    let answer = responder.post(&alert::file_read_on(&stage.name)).await.unwrap();
    assert_eq!(answer.outcome(), "accepted");
    gate.wait_for(1).await;
    nodes.delete(&stage.name, &DeleteParams::default()).await.unwrap();
    if fate == Fate::Replaced {
        create(&stage.client, &node(&stage.name)).await.unwrap();
    }
    gate.open();
    let accounts = responder.wait_until_at_rest(1).await.unwrap();

    let expected = if fate == Fate::Replaced {
        "TargetReplaced"
    } else {
        "TargetGone"
    };
    assert_eq!(
        accounts.responses,
        [(expected.to_owned(), 1)].into(),
        "{:#?}",
        responder.trail()
    );
    let live = nodes.get_opt(&stage.name).await.unwrap();
    assert_eq!(live.is_some(), fate == Fate::Replaced);
    assert!(live.is_none_or(
        |live| live.annotations().keys().all(|key| !key.starts_with("responder.dev/"))
            && live.spec.unwrap_or_default().unschedulable != Some(true)
    ));
    assert_eq!(stage.mutations(), []);
}
