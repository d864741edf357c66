//! Alerts that are not about a container: of the audit log, and of the host.

use integration::{
    control_plane::shared,
    fixtures::{PlacedOn as _, create, deployment, namespace, node, pod, wait_ready, wait_ready_pods},
    responder::alert,
};
use k8s_openapi::api::{apps::v1::Deployment, core::v1::Node};
use kube::api::{Patch, PatchParams};
use kube::{Api, Client, ResourceExt as _};
use serde_json::json;

use crate::{
    modes::taints,
    stage::{Stage, in_words, playbook, post_shells},
};

fn on_exec(corroboration: &str, step: &str) -> String {
    let spec = format!(
        "mode: Enforce\n  match: {{rules: [Attach/Exec Pod], sources: [k8s_audit]}}\n  corroboration: {corroboration}"
    );
    playbook("exec", &spec, &[step])
}

#[tokio::test]
async fn an_exec_from_the_audit_log_is_answered_by_name_where_the_playbook_says_so() {
    let stage = Stage::new("exec").await;
    let web = stage.running("web").await;
    let mut responder = stage
        .responder(&on_exec("Named", "delete: {gracePeriodSeconds: 0}"))
        .await;
    // Known by name only, the pod has to be older than the alert by a whole second.
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;

    let answer = responder.post(&alert::exec_into(&web)).await.unwrap();
    assert_eq!(answer.status, 202, "{answer:?}");
    let accounts = responder.wait_until_at_rest(1).await.unwrap();

    assert_eq!(
        accounts.responses,
        [("Done".to_owned(), 1)].into(),
        "{:#?}",
        responder.trail()
    );
    assert!(stage.get(&web).await.is_none());
    let writes = stage.writes();
    assert_eq!(writes.len(), 1);
    assert_eq!(writes[0].uid_precondition(), web.uid().as_deref());
}

/// The pod that has the name now was made after the exec.
#[tokio::test]
async fn an_exec_into_a_pod_that_was_replaced_since_is_refused() {
    let stage = Stage::new("exec-replaced").await;
    let first = stage.running("web").await;
    let mut responder = stage.responder(&on_exec("Named", "delete: {}")).await;
    let alert = alert::exec_into(&first);
    let second = stage.replace(&first).await;

    assert_eq!(responder.post(&alert).await.unwrap().status, 202);
    let accounts = responder.wait_until_at_rest(1).await.unwrap();

    assert_eq!(
        accounts.refused,
        [("TargetReplaced".to_owned(), 1)].into(),
        "{:#?}",
        responder.trail()
    );
    stage.still_there(&second).await;
}

/// Up from the pod over its ReplicaSet, each hop checked by uid.
#[tokio::test]
async fn a_playbook_for_owners_marks_the_deployment_above_the_pod() {
    let stage = Stage::new("owner").await;
    create(&stage.client, &deployment("owner", "web", 2).on_node("owner"))
        .await
        .unwrap();
    let pods = wait_ready_pods(&stage.client, "owner", &[("app", "web")], 2)
        .await
        .unwrap();
    let spec = "mode: Enforce\n  match: {rules: [Terminal shell in container]}\n  target: Owner";
    let step = "annotate: {annotations: {incident: {field: proc.name}}}";
    let mut responder = stage.responder(&playbook("owner", spec, &[step])).await;

    post_shells(&responder, &pods[..1]).await;
    let accounts = responder.wait_until_at_rest(1).await.unwrap();

    assert_eq!(
        accounts.responses,
        [("Done".to_owned(), 1)].into(),
        "{:#?}",
        responder.trail()
    );
    let deployments: Api<Deployment> = Api::namespaced(stage.client.clone(), "owner");
    let live = deployments.get("web").await.unwrap();
    assert_eq!(live.annotations()["incident"], "sh");
    let writes = stage.writes();
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
    let stage = Stage::new("host").await;
    let mut responder = stage.responder(&on_host(FILE_READ, "Node", "cordon: {}")).await;

    assert_eq!(responder.post(&alert::file_read_on("host")).await.unwrap().status, 202);
    let accounts = responder.wait_until_at_rest(1).await.unwrap();

    assert_eq!(
        accounts.responses,
        [("Done".to_owned(), 1)].into(),
        "{:#?}",
        responder.trail()
    );
    assert!(is_cordoned(&stage.client, "host").await);
    let annotations = stage.node().await.annotations().clone();
    assert!(annotations["responder.dev/cordoned-by"].starts_with("host/"));
    assert_eq!(annotations["responder.dev/cordoned-for"], FILE_READ);
    assert!(annotations.contains_key("responder.dev/cordoned-at"));
}

/// A merge patch can only replace the list as a whole: what another writer has there stays in it.
#[tokio::test]
async fn a_host_alert_taints_the_node_and_leaves_the_taints_of_others() {
    let stage = Stage::new("host-taint").await;
    let nodes: Api<Node> = Api::all(stage.client.clone());
    let foreign =
        json!({"spec": {"taints": [{"key": "example.org/gpu", "value": "a100", "effect": "PreferNoSchedule"}]}});
    nodes
        .patch(&stage.name, &PatchParams::default(), &Patch::Merge(&foreign))
        .await
        .unwrap();
    let mut responder = stage.responder(&on_host(FILE_READ, "Node", "taint: {}")).await;

    assert_eq!(
        responder.post(&alert::file_read_on(&stage.name)).await.unwrap().status,
        202
    );
    let accounts = responder.wait_until_at_rest(1).await.unwrap();

    assert_eq!(
        accounts.responses,
        [("Done".to_owned(), 1)].into(),
        "{:#?}",
        responder.trail()
    );
    let node = stage.node().await;
    let mut ours = node.annotations().keys();
    let incident = ours
        .find_map(|key| key.strip_prefix("responder.dev/tainted-by."))
        .unwrap();
    assert!(node.annotations()[&format!("responder.dev/tainted-by.{incident}")].starts_with("host/"));
    assert_eq!(
        node.annotations()[&format!("responder.dev/tainted-for.{incident}")],
        FILE_READ
    );
    let expected = [
        "example.org/gpu=a100:PreferNoSchedule".to_owned(),
        format!("responder.dev/incident={incident}:NoSchedule"),
    ];
    let mut taints = taints(&node);
    taints.retain(|taint| !taint.starts_with("node.kubernetes.io/"));
    assert_eq!(taints, expected);
    for event in stage.writes() {
        assert_eq!(in_words(&event), "patch nodes");
        let bound_to = &event.request_object.as_ref().unwrap()["metadata"]["resourceVersion"];
        assert!(bound_to.is_string(), "{event:#?}");
    }
}

/// Where the chart does not set it, `hostname` is the name of Falco's own pod.
#[tokio::test]
async fn a_host_alert_cordons_the_node_of_the_falco_pod_that_sent_it_and_of_no_other_pod_of_that_name() {
    let stage = Stage::new("host-by-falco").await;
    let admin = shared().await.client();
    create(&admin, &namespace("falco", &[])).await.unwrap();
    create(&admin, &node("elsewhere")).await.unwrap();
    let falco = create(&admin, &pod("falco", "falco-xczjd").on_node(&stage.name))
        .await
        .unwrap();
    wait_ready(&admin, &falco).await.unwrap();
    // A tenant who takes Falco's names must not point at another node.
    let forged = create(&admin, &pod(&stage.name, "falco-forged").on_node("elsewhere"))
        .await
        .unwrap();
    wait_ready(&admin, &forged).await.unwrap();
    let mut responder = stage.responder(&on_host(FILE_READ, "Node", "cordon: {}")).await;

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
    let accounts = responder.wait_until_at_rest(2).await.unwrap();

    assert_eq!(
        accounts.responses,
        [("Done".to_owned(), 1)].into(),
        "{:#?}",
        responder.trail()
    );
    assert_eq!(
        accounts.refused,
        [("TargetGone".to_owned(), 1)].into(),
        "{:#?}",
        responder.trail()
    );
    assert!(is_cordoned(&admin, &stage.name).await);
    assert!(!is_cordoned(&admin, "elsewhere").await);
    let writes = stage.writes();
    assert_eq!(writes.iter().map(in_words).collect::<Vec<_>>(), ["patch nodes"]);
}

#[tokio::test]
async fn a_host_alert_never_touches_a_pod() {
    let stage = Stage::new("host-pod").await;
    let web = stage.running("web").await;
    let mut responder = stage.responder(&on_host(FILE_READ, "Pod", "delete: {}")).await;

    // Even one that names a pod.
    let mut alert = alert::file_read_on("host-pod");
    alert::name_pod(&mut alert, &web, "host");
    assert_eq!(responder.post(&alert).await.unwrap().status, 202);
    let accounts = responder.wait_until_at_rest(1).await.unwrap();

    assert_eq!(accounts.refused, [("HostProcess".to_owned(), 1)].into());
    assert_eq!(stage.writes(), []);
}

#[tokio::test]
async fn the_cordon_of_a_node_that_is_not_there_makes_none() {
    let stage = Stage::new("host-gone").await;
    let mut responder = stage.responder(&on_host(FILE_READ, "Node", "cordon: {}")).await;

    assert_eq!(
        responder
            .post(&alert::file_read_on("no-such-node"))
            .await
            .unwrap()
            .status,
        202
    );
    let accounts = responder.wait_until_at_rest(1).await.unwrap();

    assert_eq!(
        accounts.refused,
        [("TargetGone".to_owned(), 1)].into(),
        "{:#?}",
        responder.trail()
    );
    let nodes: Api<Node> = Api::all(stage.client.clone());
    assert!(nodes.get_opt("no-such-node").await.unwrap().is_none());
    assert_eq!(stage.writes(), []);
}
