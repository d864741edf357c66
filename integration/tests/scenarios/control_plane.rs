//! The control plane itself: that it is what the other scenarios take it for, and what the API server really does where
//! its documentation leaves one guessing.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use integration::{
    control_plane::{AuditEvent, ControlPlane, shared},
    fixtures::{
        Labelled as _, PlacedOn as _, container_id, create, deployment, namespace, node, pod, pod_disruption_budget,
        pods, wait_gone, wait_ready, wait_ready_pods,
    },
};
use k8s_openapi::{
    api::{
        core::v1::{Namespace, Node, Pod},
        policy::v1::{Eviction, PodDisruptionBudget},
    },
    apimachinery::pkg::apis::meta::v1::{self, DeleteOptions, ObjectMeta},
};
use kube::{
    Api, Client, ResourceExt as _,
    api::{DeleteParams, EvictParams, Patch, PatchParams, Preconditions},
    core::Status,
};
use serde_json::{Value, json};

/// A namespace and a node of the test's own, of its name.
async fn place(client: &Client, name: &str) {
    create(client, &node(name)).await.unwrap();
    create(client, &namespace(name, &[])).await.unwrap();
}

async fn running(client: &Client, place: &str, name: &str) -> Pod {
    let pod = create(client, &pod(place, name).on_node(place).labelled(&[("app", name)]))
        .await
        .unwrap();
    wait_ready(client, &pod).await.unwrap()
}

/// The requests of one user about one namespace.
fn requests(control_plane: &ControlPlane, user: &str, namespace: &str) -> Vec<AuditEvent> {
    let all = control_plane.audit().unwrap();
    all.into_iter()
        .filter(|event| event.user == user && event.namespace == namespace)
        .collect()
}

fn uid_of(pod: &Pod) -> String {
    pod.uid().unwrap()
}

fn given_uid(uid: &str) -> Preconditions {
    Preconditions {
        uid: Some(uid.to_owned()),
        resource_version: None,
    }
}

fn refusal<T: std::fmt::Debug>(answer: kube::Result<T>) -> Status {
    match answer {
        Err(kube::Error::Api(status)) => *status,
        other => panic!("expected a refusal of the API server, got {other:?}"),
    }
}

/// A zombie is gone: it holds nothing but its number until whoever is init takes notice.
fn is_gone(pid: u32) -> bool {
    let Ok(stat) = fs::read_to_string(format!("/proc/{pid}/stat")) else {
        return true;
    };
    stat.rsplit_once(") ")
        .is_some_and(|(_, fields)| fields.starts_with('Z'))
}

const OTHER_UID: &str = "00000000-0000-0000-0000-000000000000";

#[tokio::test]
async fn a_ready_pod_has_a_container_id_that_starts_as_its_uid() {
    let client = shared().await.client();
    place(&client, "ids").await;
    let pod = running(&client, "ids", "web").await;

    assert_eq!(container_id(&pod).unwrap(), uid_of(&pod).replace('-', "")[..12]);
    let status = pod.status.unwrap();
    assert!(status.pod_ip.is_some());
    let running = status.container_statuses.unwrap()[0]
        .clone()
        .state
        .unwrap()
        .running
        .unwrap();
    assert!(running.started_at.is_some());
}

#[tokio::test]
async fn the_controllers_are_real_and_replace_a_deleted_pod() {
    let client = shared().await.client();
    place(&client, "replace").await;
    create(&client, &deployment("replace", "web", 3).on_node("replace"))
        .await
        .unwrap();
    let before = wait_ready_pods(&client, "replace", &[("app", "web")], 3).await.unwrap();

    let api: Api<Pod> = Api::namespaced(client.clone(), "replace");
    api.delete(&before[0].name_any(), &DeleteParams::default())
        .await
        .unwrap();
    wait_gone(&client, &before[0]).await.unwrap();

    let after = wait_ready_pods(&client, "replace", &[("app", "web")], 3).await.unwrap();
    assert!(after.iter().all(|pod| pod.uid() != before[0].uid()));
    assert_ne!(container_id(&after[2]).unwrap(), container_id(&before[0]).unwrap());
}

#[tokio::test]
async fn the_audit_log_has_a_deletion_with_its_user_and_its_precondition() {
    let control_plane = shared().await;
    let admin = control_plane.client();
    place(&admin, "audited").await;
    let pod = running(&admin, "audited", "web").await;

    let responder = control_plane.client_for("auditee", &["system:masters"]).await.unwrap();
    let api: Api<Pod> = Api::namespaced(responder, "audited");
    api.delete("web", &DeleteParams::default().preconditions(given_uid(&uid_of(&pod))))
        .await
        .unwrap();

    let events = requests(control_plane, "auditee", "audited");
    let [event] = events.as_slice() else {
        panic!("expected one request, got {events:#?}")
    };
    assert_eq!(
        (event.verb.as_str(), event.resource.as_str(), event.name.as_str()),
        ("delete", "pods", "web")
    );
    assert_eq!(event.uid_precondition(), pod.uid().as_deref());
    assert_eq!(event.code, 200);
    assert!(event.is_mutation());
}

#[tokio::test]
async fn a_user_without_a_role_may_do_nothing() {
    let control_plane = shared().await;
    let nobody = control_plane.client_for("nobody", &[]).await.unwrap();
    let api: Api<Pod> = Api::namespaced(nobody, "default");

    assert_eq!(refusal(api.delete("web", &DeleteParams::default()).await).code, 403);
    let [event] = &requests(control_plane, "nobody", "default")[..] else {
        panic!("expected one request")
    };
    assert_eq!(event.code, 403);
    assert!(event.is_write() && !event.is_mutation());
}

// === what the API server really does ===

#[tokio::test]
async fn a_deletion_with_another_uid_is_a_conflict_and_deletes_nothing() {
    let client = shared().await.client();
    place(&client, "conflict").await;
    let pod = running(&client, "conflict", "web").await;
    let api: Api<Pod> = Api::namespaced(client, "conflict");

    let status = refusal(
        api.delete("web", &DeleteParams::default().preconditions(given_uid(OTHER_UID)))
            .await,
    );

    assert_eq!((status.code, status.reason.as_str()), (409, "Conflict"));
    assert_eq!(api.get("web").await.unwrap().uid(), pod.uid());
}

/// Why `dryRun` of a deletion goes into the body: beside a body, the query is not looked at.
#[tokio::test]
async fn a_deletion_with_a_body_and_dry_run_in_the_query_really_deletes() {
    let control_plane = shared().await;
    let client = control_plane.client();
    place(&client, "dry-delete").await;
    let pod = running(&client, "dry-delete", "web").await;
    let api: Api<Pod> = Api::namespaced(client.clone(), "dry-delete");

    let dry = DeleteParams::default()
        .dry_run()
        .preconditions(given_uid(&uid_of(&pod)));
    api.delete("web", &dry).await.unwrap();
    assert_eq!(api.get("web").await.unwrap().metadata.deletion_timestamp, None);

    let body = json!({ "preconditions": { "uid": uid_of(&pod) } });
    let request = http::Request::delete("/api/v1/namespaces/dry-delete/pods/web?dryRun=All")
        .header("content-type", "application/json")
        .body(serde_json::to_vec(&body).unwrap())
        .unwrap();
    client.request::<Value>(request).await.unwrap();
    wait_gone(&client, &pod).await.unwrap();

    let deletions: Vec<_> = requests(control_plane, "admin", "dry-delete")
        .into_iter()
        .filter(|event| event.verb == "delete")
        .map(|event| (event.dry_run_in_body(), event.dry_run_in_query(), event.is_mutation()))
        .collect();
    assert_eq!(deletions, [(true, false, false), (false, true, true)]);
}

/// An eviction as policy/v1 has it, with `deleteOptions`: kube's own misspells them.
async fn evict(client: &Client, place: &str, name: &str, options: DeleteOptions) -> kube::Result<Status> {
    let eviction = Eviction {
        metadata: ObjectMeta {
            name: Some(name.to_owned()),
            ..ObjectMeta::default()
        },
        delete_options: Some(options),
    };
    let request = http::Request::post(format!("/api/v1/namespaces/{place}/pods/{name}/eviction"))
        .header("content-type", "application/json")
        .body(serde_json::to_vec(&eviction).unwrap())
        .unwrap();
    client.request(request).await
}

fn other_uid() -> DeleteOptions {
    let preconditions = v1::Preconditions {
        uid: Some(OTHER_UID.to_owned()),
        ..v1::Preconditions::default()
    };
    DeleteOptions {
        preconditions: Some(preconditions),
        ..DeleteOptions::default()
    }
}

fn dry_run() -> DeleteOptions {
    DeleteOptions {
        dry_run: Some(vec!["All".to_owned()]),
        ..DeleteOptions::default()
    }
}

#[tokio::test]
async fn an_eviction_asks_the_budget_first_and_the_uid_never_when_it_blocks() {
    let control_plane = shared().await;
    let client = control_plane.client();
    place(&client, "evict").await;
    let pod = running(&client, "evict", "web").await;
    assert_eq!(refusal(evict(&client, "evict", "web", other_uid()).await).code, 409);
    assert_eq!(evict(&client, "evict", "web", dry_run()).await.unwrap().code, 201);

    create(&client, &pod_disruption_budget("evict", "web", &[("app", "web")], 1))
        .await
        .unwrap();
    let budgets: Api<PodDisruptionBudget> = Api::namespaced(client.clone(), "evict");
    wait_until_observed(&budgets, "web").await;

    assert_eq!(refusal(evict(&client, "evict", "web", other_uid()).await).code, 429);
    assert_eq!(refusal(evict(&client, "evict", "web", dry_run()).await).code, 429);
    let api: Api<Pod> = Api::namespaced(client, "evict");
    assert_eq!(api.get("web").await.unwrap().uid(), pod.uid());
    let mutations = requests(control_plane, "admin", "evict")
        .into_iter()
        .filter(AuditEvent::is_mutation);
    assert_eq!(mutations.filter(AuditEvent::is_eviction).count(), 0);
}

/// Why the responder writes the eviction's body itself: kube 5.0 sends `delete_options`, which the API server does not
/// know and drops, and with it the precondition and a dry run. When this fails, kube is mended.
#[tokio::test]
async fn the_eviction_of_kube_loses_its_uid_precondition_and_evicts_whatever_has_the_name() {
    let control_plane = shared().await;
    let client = control_plane.client();
    place(&client, "kube-evicts").await;
    let pod = running(&client, "kube-evicts", "web").await;
    let api: Api<Pod> = Api::namespaced(client.clone(), "kube-evicts");

    let dry_if_other = DeleteParams::default().dry_run().preconditions(given_uid(OTHER_UID));
    let params = EvictParams {
        delete_options: Some(dry_if_other),
        ..EvictParams::default()
    };
    api.evict("web", &params).await.unwrap();

    wait_gone(&client, &pod).await.unwrap();
    let events = requests(control_plane, "admin", "kube-evicts");
    let eviction = events.iter().find(|event| event.is_eviction()).unwrap();
    assert_eq!(eviction.uid_precondition(), None);
}

#[tokio::test]
async fn a_patch_whose_uid_differs_is_unprocessable_not_a_conflict() {
    let client = shared().await.client();
    place(&client, "patch").await;
    running(&client, "patch", "web").await;
    let api: Api<Pod> = Api::namespaced(client, "patch");

    let patch = json!({ "metadata": { "uid": OTHER_UID, "labels": { "quarantined": "yes" } } });
    let status = refusal(api.patch("web", &PatchParams::default(), &Patch::Merge(&patch)).await);

    // What a responder must tell from a 409: the message names the field.
    assert_eq!(status.code, 422);
    assert!(status.message.contains("metadata.uid"), "{}", status.message);
    assert!(!api.get("web").await.unwrap().labels().contains_key("quarantined"));
}

/// Why what others own is touched by merge patch: an apply meant to cordon a node that is gone makes one.
#[tokio::test]
async fn an_apply_to_what_is_not_there_creates_it_and_a_merge_patch_does_not() {
    let client = shared().await.client();
    let nodes: Api<Node> = Api::all(client.clone());
    let namespaces: Api<Namespace> = Api::all(client);

    let cordon = json!({ "spec": { "unschedulable": true } });
    let status = refusal(
        nodes
            .patch("no-such-node", &PatchParams::default(), &Patch::Merge(&cordon))
            .await,
    );
    assert_eq!(status.code, 404);
    assert!(nodes.get_opt("no-such-node").await.unwrap().is_none());

    let label = json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": "apply-made-it" } });
    namespaces
        .patch("apply-made-it", &PatchParams::apply("test"), &Patch::Apply(&label))
        .await
        .unwrap();
    assert!(namespaces.get_opt("apply-made-it").await.unwrap().is_some());
}

/// Both in one: a start costs four seconds.
#[tokio::test]
async fn the_api_server_stops_and_comes_back_and_at_the_end_nothing_is_left() {
    let control_plane = ControlPlane::start().await.unwrap();
    let client = control_plane.client();
    place(&client, "restart").await;
    let before = running(&client, "restart", "before").await;
    let first = control_plane.pids();
    assert_eq!(first.len(), 4);

    control_plane.stop_api_server().await.unwrap();
    let api: Api<Pod> = Api::namespaced(client.clone(), "restart");
    assert!(
        !matches!(api.get("before").await, Ok(_) | Err(kube::Error::Api(_))),
        "something still answers"
    );
    control_plane.start_api_server().await.unwrap();

    // The data are there, the old client works, and so do the controllers and kwok.
    assert_eq!(api.get("before").await.unwrap().uid(), before.uid());
    create(&client, &deployment("restart", "after", 2).on_node("restart"))
        .await
        .unwrap();
    wait_ready_pods(&client, "restart", &[("app", "after")], 2)
        .await
        .unwrap();
    assert_eq!(pods(&client, "restart", &[]).await.unwrap().len(), 3);
    let second = control_plane.pids();
    let survived = first.iter().filter(|pid| second.contains(pid)).count();
    assert_eq!(
        survived, 3,
        "only the API server is another process: {first:?}, then {second:?}"
    );
    let creations = control_plane
        .audit()
        .unwrap()
        .into_iter()
        .filter(|event| event.verb == "create");
    let names: Vec<_> = creations
        .filter(|event| event.user == "admin")
        .map(|event| event.name)
        .collect();
    assert_eq!(
        names,
        ["restart", "restart", "before", "after"],
        "one log over the restart"
    );

    let directory = control_plane.directory().to_owned();
    control_plane.stop().await.unwrap();
    let left: Vec<_> = first
        .into_iter()
        .chain(second)
        .filter(|(_, pid)| !is_gone(*pid))
        .collect();
    assert_eq!(left, []);
    assert!(!directory.exists());
}

/// Processes that have `directory` among their arguments.
fn processes_of(directory: &str) -> Vec<u32> {
    let numbers = fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| entry.unwrap().file_name().to_str()?.parse().ok());
    numbers
        .filter(|pid| fs::read_to_string(format!("/proc/{pid}/cmdline")).is_ok_and(|line| line.contains(directory)))
        .collect()
}

/// SIGKILL leaves the program no chance to clean up; the test harness ends like this when a test overflows its stack.
#[tokio::test]
async fn killing_the_process_that_started_it_leaves_neither_process_nor_file() {
    let mut program = Command::new(env!("CARGO_BIN_EXE_control-plane"))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(program.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    let kubeconfig = Path::new(line.trim_end().strip_prefix("export KUBECONFIG=").unwrap()).to_owned();
    let directory = kubeconfig.parent().unwrap();
    let pids = processes_of(directory.to_str().unwrap());
    assert_eq!(
        pids.len(),
        5,
        "etcd, the API server, the controllers, kwok and the sweeper"
    );

    program.kill().unwrap();
    program.wait().unwrap();

    let gone = async {
        while directory.exists() || !pids.iter().all(|pid| is_gone(*pid)) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let left = || processes_of(directory.to_str().unwrap());
    assert!(
        tokio::time::timeout(Duration::from_secs(30), gone).await.is_ok(),
        "{:?} still run",
        left()
    );
}

/// The disruption controller has to see a budget before its status means anything.
async fn wait_until_observed(budgets: &Api<PodDisruptionBudget>, name: &str) {
    let observed = async {
        loop {
            let status = budgets.get(name).await.unwrap().status.unwrap_or_default();
            if status.observed_generation.is_some() && status.current_healthy > 0 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), observed)
        .await
        .expect("the disruption controller sees the budget");
}
