//! Alerts that are not about a container: from the audit log, and about the host.

use integration::{
    control_plane::shared,
    fixtures::{PodExt as _, create, deployment, namespace, node, pod, wait_ready, wait_ready_pods},
    responder::{alert, playbooks::playbook},
};
use k8s_openapi::api::{apps::v1::Deployment, core::v1::Node};
use kube::api::{Patch, PatchParams};
use kube::{Api, Client, ResourceExt as _};
use serde_json::json;

use crate::modes::taints;
use crate::scenario::{Scenario, expect_refusals, expect_responses, in_words, post_shells};

fn on_exec(corroboration: &str, step: &str) -> String {
    let spec = format!(
        "mode: Enforce\n  match: {{rules: [Attach/Exec Pod], sources: [k8s_audit]}}\n  corroboration: {corroboration}"
    );
    playbook("exec", &spec, &[step])
}

#[tokio::test]
async fn an_exec_from_the_audit_log_is_answered_by_name_where_the_playbook_says_so() {
    let scenario = Scenario::new("exec").await;
    let web = scenario.running("web").await;
    let mut responder = scenario
        .responder(&on_exec("Named", "delete: {gracePeriodSeconds: 0}"))
        .await;
    // The alert names the pod only by name, so the pod must be at least a whole second older.
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;

    let answer = responder.post(&alert::exec_into(&web)).await.unwrap();
    assert_eq!(answer.status, 202, "{answer:?}");

    expect_responses(&mut responder, 1, &[("Done", 1)]).await;
    assert!(scenario.get(&web).await.is_none());
    let writes = scenario.writes();
    assert_eq!(writes.len(), 1);
    assert_eq!(writes[0].uid_precondition(), web.uid().as_deref());
}

/// The pod with this name was created after the exec.
#[tokio::test]
async fn an_exec_into_a_pod_that_was_replaced_since_is_refused() {
    let scenario = Scenario::new("exec-replaced").await;
    let first = scenario.running("web").await;
    let mut responder = scenario.responder(&on_exec("Named", "delete: {}")).await;
    let alert = alert::exec_into(&first);
    let second = scenario.replace(&first).await;

    assert_eq!(responder.post(&alert).await.unwrap().status, 202);

    expect_refusals(&mut responder, 1, &[("TargetReplaced", 1)]).await;
    scenario.still_there(&second).await;
}

/// The path leads from the pod through its ReplicaSet, and each hop is checked by uid.
#[tokio::test]
async fn a_playbook_for_owners_marks_the_deployment_above_the_pod() {
    let scenario = Scenario::new("owner").await;
    create(&scenario.client, &deployment("owner", "web", 2).on_node("owner"))
        .await
        .unwrap();
    let pods = wait_ready_pods(&scenario.client, "owner", &[("app", "web")], 2)
        .await
        .unwrap();
    let spec = "mode: Enforce\n  match: {rules: [Terminal shell in container]}\n  target: Owner";
    let step = "annotate: {annotations: {incident: {field: proc.name}}}";
    let mut responder = scenario.responder(&playbook("owner", spec, &[step])).await;

    post_shells(&responder, &pods[..1]).await;

    expect_responses(&mut responder, 1, &[("Done", 1)]).await;
    let deployments: Api<Deployment> = Api::namespaced(scenario.client.clone(), "owner");
    let live = deployments.get("web").await.unwrap();
    assert_eq!(live.annotations()["incident"], "sh");
    let writes = scenario.writes();
    assert_eq!(writes.iter().map(in_words).collect::<Vec<_>>(), ["patch deployments"]);
    assert_eq!(
        writes[0].request_object.as_ref().unwrap()["metadata"]["uid"].as_str(),
        live.uid().as_deref()
    );
}

fn on_host(rule: &str, target: &str, step: &str) -> String {
    playbook(
        "host",
        &format!("mode: Enforce\n  match: {{rules: [{rule}]}}\n  target: {target}"),
        &[step],
    )
}

const FILE_READ: &str = "Read sensitive file untrusted";

async fn is_cordoned(client: &Client, name: &str) -> bool {
    let node: Node = Api::all(client.clone()).get(name).await.unwrap();
    node.spec.and_then(|spec| spec.unschedulable) == Some(true)
}

#[tokio::test]
async fn a_host_alert_cordons_the_node_of_its_hostname() {
    let scenario = Scenario::new("host").await;
    let mut responder = scenario.responder(&on_host(FILE_READ, "Node", "cordon: {}")).await;

    assert_eq!(responder.post(&alert::file_read_on("host")).await.unwrap().status, 202);

    expect_responses(&mut responder, 1, &[("Done", 1)]).await;
    assert!(is_cordoned(&scenario.client, "host").await);
    let annotations = scenario.node().await.annotations().clone();
    assert!(annotations["responder.dev/cordoned-by"].starts_with("host/"));
    assert_eq!(annotations["responder.dev/cordoned-for"], FILE_READ);
    assert!(annotations.contains_key("responder.dev/cordoned-at"));
}

/// A merge patch replaces the list as a whole, so it has to carry the taints of other writers.
#[tokio::test]
async fn a_host_alert_taints_the_node_and_leaves_other_taints() {
    let scenario = Scenario::new("host-taint").await;
    let nodes: Api<Node> = Api::all(scenario.client.clone());
    let foreign =
        json!({"spec": {"taints": [{"key": "example.org/gpu", "value": "a100", "effect": "PreferNoSchedule"}]}});
    nodes
        .patch(&scenario.name, &PatchParams::default(), &Patch::Merge(&foreign))
        .await
        .unwrap();
    let mut responder = scenario.responder(&on_host(FILE_READ, "Node", "taint: {}")).await;

    let answer = responder.post(&alert::file_read_on(&scenario.name)).await.unwrap();

    assert_eq!(answer.status, 202);
    expect_responses(&mut responder, 1, &[("Done", 1)]).await;
    let node = scenario.node().await;
    let mut keys = node.annotations().keys();
    let incident = keys
        .find_map(|key| key.strip_prefix("responder.dev/tainted-by."))
        .unwrap();
    let annotation = |key: &str| &node.annotations()[&format!("responder.dev/{key}.{incident}")];
    assert!(annotation("tainted-by").starts_with("host/"));
    assert_eq!(annotation("tainted-for"), FILE_READ);
    let mut taints = taints(&node);
    taints.retain(|taint| !taint.starts_with("node.kubernetes.io/"));
    let expected = [
        "example.org/gpu=a100:PreferNoSchedule".to_owned(),
        format!("responder.dev/incident={incident}:NoSchedule"),
    ];
    assert_eq!(taints, expected);
    for event in scenario.writes() {
        assert_eq!(in_words(&event), "patch nodes");
        let version = &event.request_object.as_ref().unwrap()["metadata"]["resourceVersion"];
        assert!(version.is_string(), "{event:#?}");
    }
}

/// If the Falco chart does not set it, `hostname` is the name of Falco's own pod.
#[tokio::test]
async fn a_host_alert_cordons_the_node_of_the_falco_pod_that_sent_it_and_of_no_other_pod_of_that_name() {
    let scenario = Scenario::new("host-by-falco").await;
    let admin = shared().await.client();
    create(&admin, &namespace("falco", &[])).await.unwrap();
    create(&admin, &node("elsewhere")).await.unwrap();
    let falco = create(&admin, &pod("falco", "falco-xczjd").on_node(&scenario.name))
        .await
        .unwrap();
    wait_ready(&admin, &falco).await.unwrap();
    // A tenant who uses the name of a Falco pod must not point at another node.
    let forged = create(&admin, &pod(&scenario.name, "falco-forged").on_node("elsewhere"))
        .await
        .unwrap();
    wait_ready(&admin, &forged).await.unwrap();
    let mut responder = scenario.responder(&on_host(FILE_READ, "Node", "cordon: {}")).await;

    assert_eq!(
        responder
            .post(&alert::file_read_on("falco-xczjd"))
            .await
            .unwrap()
            .status,
        202
    );
    assert_eq!(
        responder
            .post(&alert::file_read_on("falco-forged"))
            .await
            .unwrap()
            .status,
        202
    );

    let accounts = expect_responses(&mut responder, 2, &[("Done", 1)]).await;
    assert_eq!(
        accounts.refused,
        [("UnknownHost".to_owned(), 1)].into(),
        "{:#?}",
        responder.trail()
    );
    assert!(is_cordoned(&admin, &scenario.name).await);
    assert!(!is_cordoned(&admin, "elsewhere").await);
    let writes = scenario.writes();
    assert_eq!(writes.iter().map(in_words).collect::<Vec<_>>(), ["patch nodes"]);
}

#[tokio::test]
async fn a_host_alert_never_touches_a_pod() {
    let scenario = Scenario::new("host-pod").await;
    let web = scenario.running("web").await;
    let mut responder = scenario.responder(&on_host(FILE_READ, "Pod", "delete: {}")).await;

    // Even if the alert names a pod.
    let mut alert = alert::file_read_on("host-pod");
    alert::name_pod(&mut alert, &web, "host");
    assert_eq!(responder.post(&alert).await.unwrap().status, 202);

    expect_refusals(&mut responder, 1, &[("HostProcess", 1)]).await;
    assert_eq!(scenario.writes(), []);
}

#[tokio::test]
async fn cordoning_a_missing_node_creates_none() {
    let scenario = Scenario::new("host-gone").await;
    let mut responder = scenario.responder(&on_host(FILE_READ, "Node", "cordon: {}")).await;

    assert_eq!(
        responder
            .post(&alert::file_read_on("no-such-node"))
            .await
            .unwrap()
            .status,
        202
    );

    expect_refusals(&mut responder, 1, &[("UnknownHost", 1)]).await;
    let nodes: Api<Node> = Api::all(scenario.client.clone());
    assert!(nodes.get_opt("no-such-node").await.unwrap().is_none());
    assert_eq!(scenario.writes(), []);
}
