//! Behaviour of the API server that the design relies on and its documentation leaves open.

use integration::{
    control_plane::{AuditEvent, ControlPlane, shared},
    fixtures::wait_gone,
};
use k8s_openapi::{
    api::{
        core::v1::{Namespace, Node},
        policy::v1::Eviction,
    },
    apimachinery::pkg::apis::meta::v1::{self, DeleteOptions, ObjectMeta},
};
use kube::{
    Api, Client, ResourceExt as _,
    api::{DeleteParams, EvictParams, Patch, PatchParams, Preconditions},
    core::Status,
};
use serde_json::{Value, json};

use crate::scenario::{Scenario, uid};

const OTHER_UID: &str = "00000000-0000-0000-0000-000000000000";

/// The requests of one user in one namespace.
pub(crate) fn requests(control_plane: &ControlPlane, user: &str, namespace: &str) -> Vec<AuditEvent> {
    let all = control_plane.audit().unwrap();
    all.into_iter()
        .filter(|event| event.user == user && event.namespace == namespace)
        .collect()
}

pub(crate) fn given_uid(uid: &str) -> Preconditions {
    Preconditions {
        uid: Some(uid.to_owned()),
        resource_version: None,
    }
}

pub(crate) fn refusal<T: std::fmt::Debug>(answer: kube::Result<T>) -> Status {
    match answer {
        Err(kube::Error::Api(status)) => *status,
        other => panic!("expected a refusal of the API server, got {other:?}"),
    }
}

#[tokio::test]
async fn a_deletion_with_another_uid_is_a_conflict_and_deletes_nothing() {
    let scenario = Scenario::new("conflict").await;
    let pod = scenario.running("web").await;
    let api = scenario.pods();

    let status = refusal(
        api.delete("web", &DeleteParams::default().preconditions(given_uid(OTHER_UID)))
            .await,
    );

    assert_eq!((status.code, status.reason.as_str()), (409, "Conflict"));
    assert_eq!(api.get("web").await.unwrap().uid(), pod.uid());
}

/// This is why a deletion carries `dryRun` in its body: with a body, the API server ignores the query.
#[tokio::test]
async fn a_deletion_with_a_body_and_dry_run_in_the_query_really_deletes() {
    let scenario = Scenario::new("dry-delete").await;
    let pod = scenario.running("web").await;
    let api = scenario.pods();

    let dry = DeleteParams::default().dry_run().preconditions(given_uid(&uid(&pod)));
    api.delete("web", &dry).await.unwrap();
    assert_eq!(api.get("web").await.unwrap().metadata.deletion_timestamp, None);

    let body = json!({ "preconditions": { "uid": uid(&pod) } });
    let request = http::Request::delete("/api/v1/namespaces/dry-delete/pods/web?dryRun=All")
        .header("content-type", "application/json")
        .body(serde_json::to_vec(&body).unwrap())
        .unwrap();
    scenario.client.request::<Value>(request).await.unwrap();
    wait_gone(&scenario.client, &pod).await.unwrap();

    let deletions: Vec<_> = requests(scenario.control_plane, "admin", "dry-delete")
        .into_iter()
        .filter(|event| event.verb == "delete")
        .map(|event| (event.dry_run_in_body(), event.dry_run_in_query(), event.is_mutation()))
        .collect();
    assert_eq!(deletions, [(true, false, false), (false, true, true)]);
}

/// Sends an eviction with `deleteOptions`, as policy/v1 defines it. kube misspells the field.
async fn evict(client: &Client, namespace: &str, name: &str, options: DeleteOptions) -> kube::Result<Status> {
    let eviction = Eviction {
        metadata: ObjectMeta {
            name: Some(name.to_owned()),
            ..ObjectMeta::default()
        },
        delete_options: Some(options),
    };
    let request = http::Request::post(format!("/api/v1/namespaces/{namespace}/pods/{name}/eviction"))
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
async fn an_eviction_checks_the_budget_before_the_uid() {
    let scenario = Scenario::new("evict").await;
    let pod = scenario.running("web").await;
    assert_eq!(
        refusal(evict(&scenario.client, "evict", "web", other_uid()).await).code,
        409
    );
    assert_eq!(
        evict(&scenario.client, "evict", "web", dry_run()).await.unwrap().code,
        201
    );

    scenario.block_evictions("web", "web").await;

    assert_eq!(
        refusal(evict(&scenario.client, "evict", "web", other_uid()).await).code,
        429
    );
    assert_eq!(
        refusal(evict(&scenario.client, "evict", "web", dry_run()).await).code,
        429
    );
    let api = scenario.pods();
    assert_eq!(api.get("web").await.unwrap().uid(), pod.uid());
    let mutations = requests(scenario.control_plane, "admin", "evict")
        .into_iter()
        .filter(AuditEvent::is_mutation);
    assert_eq!(mutations.filter(AuditEvent::is_eviction).count(), 0);
}

/// This is why the responder encodes the eviction itself: kube 5.0 sends `delete_options`, which the API server does
/// not know and drops, together with the precondition and the dry run. If this test fails, kube is fixed.
#[tokio::test]
async fn kubes_own_eviction_loses_its_uid_precondition() {
    let scenario = Scenario::new("kube-evicts").await;
    let pod = scenario.running("web").await;
    let api = scenario.pods();

    let dry_if_other = DeleteParams::default().dry_run().preconditions(given_uid(OTHER_UID));
    let params = EvictParams {
        delete_options: Some(dry_if_other),
        ..EvictParams::default()
    };
    api.evict("web", &params).await.unwrap();

    wait_gone(&scenario.client, &pod).await.unwrap();
    let events = requests(scenario.control_plane, "admin", "kube-evicts");
    let eviction = events.iter().find(|event| event.is_eviction()).unwrap();
    assert_eq!(eviction.uid_precondition(), None);
}

#[tokio::test]
async fn a_patch_whose_uid_differs_is_unprocessable_not_a_conflict() {
    let scenario = Scenario::new("patch").await;
    scenario.running("web").await;
    let api = scenario.pods();

    let patch = json!({ "metadata": { "uid": OTHER_UID, "labels": { "quarantined": "yes" } } });
    let status = refusal(api.patch("web", &PatchParams::default(), &Patch::Merge(&patch)).await);

    // The message names the field, which distinguishes this answer from other invalid patches.
    assert_eq!(status.code, 422);
    assert!(status.message.contains("metadata.uid"), "{}", status.message);
    assert!(!api.get("web").await.unwrap().labels().contains_key("quarantined"));
}

/// This is why the responder changes foreign objects by merge patch: an apply that should cordon a missing node creates
/// one.
#[tokio::test]
async fn an_apply_creates_a_missing_object_and_a_merge_patch_does_not() {
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
