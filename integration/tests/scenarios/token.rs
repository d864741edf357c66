//! The program with exactly the rights of the chart: it uses the token of the chart's service account, as its pod
//! would.

use http::Method;
use integration::{
    fixtures::{create, service},
    responder::{Responder, ResponderOptions},
};
use k8s_openapi::api::{
    authorization::v1::{ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec},
    core::v1::Pod,
};
use kube::{Api, Client, ResourceExt as _, api::PostParams};
use responder_core::permission::Permission;
use responder_core::rbac::PermissionTable;
use rstest::rstest;
use serde_json::json;

use crate::{
    helm::{Release, as_service_account, values_of},
    modes::{ANNOTATE, ActionCase, CORDON, DELETE, EVICT, LABEL, QUARANTINE, TAINT},
    scenario::{Scenario, eventually, expect_responses, in_words, post_shells, start},
};

async fn release(name: &str, mode: &str, playbooks: &str) -> Release<'static> {
    let release = Release::new(name).await;
    release.apply("install", &values_of(mode, playbooks)).await.ok();
    release
}

/// The options of the pod's program.
async fn options(release: &Release<'_>, playbooks: &str) -> (Client, ResponderOptions) {
    let (client, kubeconfig) = as_service_account(release).await;
    let options = ResponderOptions {
        playbooks: playbooks.to_owned(),
        kubeconfig: Some(kubeconfig),
        mode: Some("Enforce"),
        ..ResponderOptions::default()
    };
    (client, options)
}

async fn may(client: &Client, right: &Permission) -> bool {
    let review = SelfSubjectAccessReview {
        spec: SelfSubjectAccessReviewSpec {
            resource_attributes: Some(ResourceAttributes {
                group: Some(right.group.to_owned()),
                resource: Some(right.resource.to_owned()),
                subresource: Some(right.subresource.to_owned()).filter(|subresource| !subresource.is_empty()),
                verb: Some(right.verb.to_owned()),
                ..ResourceAttributes::default()
            }),
            ..SelfSubjectAccessReviewSpec::default()
        },
        ..SelfSubjectAccessReview::default()
    };
    let reviews: Api<SelfSubjectAccessReview> = Api::all(client.clone());
    let answer = reviews.create(&PostParams::default(), &review).await.unwrap();
    answer.status.is_some_and(|status| status.allowed)
}

/// The authorizer learns of a role through a watch.
async fn wait_for_role(client: &Client) {
    let first = *PermissionTable::of_all_actions().unwrap().reads.first().unwrap();
    eventually("the authorizer knows the role", async || {
        may(client, &first).await.then_some(())
    })
    .await;
}

/// The namespace of a running pod behind a Service, and a responder in Enforce with the token of a release in this mode that
/// has received an alert about the pod.
async fn alerted(name: &str, mode: &str, action: ActionCase) -> (Scenario<'static>, Pod, Responder) {
    let playbooks = action.playbook("Enforce");
    let release = release(&format!("{name}-{}", action.name), mode, &playbooks).await;
    // The release's own namespace is protected.
    let mut scenario = Scenario::new(&format!("{name}-{}-shop", action.name)).await;
    scenario.user.clone_from(&release.scenario.user);
    create(&scenario.client, &service(&scenario.name, "web", &[("app", "web")]))
        .await
        .unwrap();
    let (client, options) = options(&release, &playbooks).await;
    wait_for_role(&client).await;
    let pod = scenario.running("web").await;
    let responder = start(&options).await;
    post_shells(&responder, std::slice::from_ref(&pod)).await;
    (scenario, pod, responder)
}

#[rstest]
#[tokio::test]
async fn with_the_charts_token_every_enabled_action_is_done(
    #[values(LABEL, ANNOTATE, QUARANTINE, CORDON, TAINT, EVICT, DELETE)] action: ActionCase,
) {
    let (scenario, pod, mut responder) = alerted("token", "Enforce", action).await;

    expect_responses(&mut responder, 1, &[("Done", 1)]).await;
    assert!(action.is_done(&scenario, &pod).await);
    let writes = scenario.writes();
    let asked: Vec<_> = writes
        .iter()
        .filter(|event| event.resource != "selfsubjectaccessreviews" && event.code != 409)
        .map(in_words)
        .collect();
    assert_eq!(asked, action.requests);
    let refused: Vec<_> = scenario
        .requests()
        .into_iter()
        .filter(|event| event.code == 403)
        .collect();
    assert_eq!(refused, [], "it asks for nothing that the chart does not allow");
}

#[rstest]
#[tokio::test]
async fn with_the_token_of_observe_the_api_server_refuses_every_write(
    #[values(LABEL, ANNOTATE, QUARANTINE, CORDON, TAINT, EVICT, DELETE)] action: ActionCase,
) {
    // Enforce with the rights of Observe: even a fault in the program's modes would change nothing.
    let (scenario, pod, mut responder) = alerted("token-observe", "Observe", action).await;

    expect_responses(&mut responder, 1, &[("Failed", 1)]).await;
    assert!(!action.is_done(&scenario, &pod).await);
    let mut writes = scenario.writes();
    writes.retain(|event| event.resource != "selfsubjectaccessreviews");
    assert_eq!(
        writes.first().map(in_words).as_deref(),
        action.requests.first().copied()
    );
    assert!(writes.iter().all(|event| event.code == 403), "{writes:#?}");
}

#[tokio::test]
async fn every_mutating_request_of_every_action_is_refused_with_the_rights_of_observe() {
    let playbooks = DELETE.playbook("Enforce");
    let release = release("token-observe", "Observe", &playbooks).await;
    let scenario = &release.scenario;
    let (client, _) = options(&release, &playbooks).await;
    wait_for_role(&client).await;
    scenario.allow_any_pod().await;
    let pod = scenario.running("web").await;
    let table = PermissionTable::of_all_actions().unwrap();

    for right in &table.reads {
        assert!(may(&client, right).await, "{right:?}");
    }
    let writes: std::collections::BTreeSet<_> = table.writes.values().flatten().collect();
    assert!(writes.len() >= 13, "{writes:?}");
    for right in &writes {
        assert!(!may(&client, right).await, "{right:?}");
        let answer = send(&client, right, &scenario.name, &pod.name_any()).await;
        assert!(
            matches!(&answer, kube::Error::Api(status) if status.code == 403),
            "{right:?}: {answer}"
        );
    }
    let mut sent = scenario.writes();
    sent.retain(|event| event.resource != "selfsubjectaccessreviews");
    assert_eq!(sent.len(), writes.len(), "the API server has seen and refused each");
    assert_eq!(
        scenario
            .mutations()
            .iter()
            .filter(|event| event.resource != "selfsubjectaccessreviews")
            .count(),
        0
    );

    for (resource, verb) in [
        ("secrets", "get"),
        ("secrets", "list"),
        ("configmaps", "get"),
        ("pods", "watch"),
    ] {
        let right = Permission {
            group: "",
            resource,
            subresource: "",
            verb,
        };
        assert!(!may(&client, &right).await, "{right:?}");
    }
}

/// Sends the request of a right to existing objects, so that only the missing right prevents it.
async fn send(client: &Client, right: &Permission, namespace: &str, pod: &str) -> kube::Error {
    let root = if right.group.is_empty() {
        "/api/v1".to_owned()
    } else {
        format!("/apis/{}/v1", right.group)
    };
    let collection = match right.resource {
        "nodes" => format!("{root}/nodes"),
        resource => format!("{root}/namespaces/{namespace}/{resource}"),
    };
    // Authorization comes first, so a missing name is refused as well.
    let name = match right.resource {
        "nodes" => namespace,
        "pods" => pod,
        "deployments" => "responder",
        _ => "it",
    };
    let label = json!({"metadata": {"labels": {"incident": "open"}}});
    let policy = json!({
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": "it"},
        "spec": {"podSelector": {}, "policyTypes": ["Ingress"]},
    });
    let eviction =
        json!({"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name, "namespace": namespace}});
    let (method, path, body) = match (right.verb, right.subresource) {
        ("patch", "") => (Method::PATCH, format!("{collection}/{name}"), label),
        ("delete", "") => (Method::DELETE, format!("{collection}/{name}"), json!({})),
        ("create", "eviction") => (Method::POST, format!("{collection}/{name}/eviction"), eviction),
        ("create", "") => (Method::POST, collection, policy),
        other => panic!("no request for {other:?}"),
    };
    let kind = if method == Method::PATCH {
        "application/merge-patch+json"
    } else {
        "application/json"
    };
    let request = http::Request::builder()
        .method(method)
        .uri(path)
        .header("content-type", kind)
        .body(body.to_string().into_bytes())
        .unwrap();
    client.request_text(request).await.unwrap_err()
}
