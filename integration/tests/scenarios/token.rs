//! The program with exactly the rights that the chart gives it: the token of the chart's service account, as the pod would
//! have it.

use http::Method;
use integration::{
    fixtures::{create, service},
    responder::ResponderOptions,
};
use k8s_openapi::api::authorization::v1::{ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec};
use kube::{Api, Client, ResourceExt as _, api::PostParams};
use responder_core::permission::Permission;
use responder_core::rbac::PermissionTable;
use rstest::rstest;
use serde_json::json;

use crate::{
    helm::{Release, as_service_account, values_of},
    modes::{ANNOTATE, Action, CORDON, DELETE, EVICT, LABEL, QUARANTINE},
    stage::{eventually, in_words, post_shells, start},
};

async fn release(name: &str, mode: &str, playbooks: &str) -> Release<'static> {
    let release = Release::new(name).await;
    release.apply("install", &values_of(mode, playbooks)).await.ok();
    release
}

/// What the pod's program would be started with.
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

/// The authorizer learns of a role by a watch.
async fn wait_for_role(client: &Client) {
    let first = *PermissionTable::of_all_actions().unwrap().reads.first().unwrap();
    eventually("the authorizer knows the role", async || {
        may(client, &first).await.then_some(())
    })
    .await;
}

#[rstest]
#[tokio::test]
async fn with_the_charts_token_every_enabled_action_is_done(
    #[values(LABEL, ANNOTATE, QUARANTINE, CORDON, EVICT, DELETE)] action: Action,
) {
    let playbooks = action.playbook("Enforce");
    let release = release(&format!("token-{}", action.name), "Enforce", &playbooks).await;
    let stage = &release.stage;
    create(&stage.client, &service(&stage.name, "web", &[("app", "web")]))
        .await
        .unwrap();
    let (client, options) = options(&release, &playbooks).await;
    wait_for_role(&client).await;
    // The chart's namespace is the target's here, and nothing tells the program that it is its own; `restricted` is for
    // the chart's pod and not for the target's.
    stage.allow_any_pod().await;
    let pod = stage.running("web").await;
    let mut responder = start(&options).await;

    post_shells(&responder, std::slice::from_ref(&pod)).await;
    let accounts = responder.wait_until_at_rest(1).await.unwrap();

    assert_eq!(
        accounts.responses,
        [("Done".to_owned(), 1)].into(),
        "{:#?}",
        responder.trail()
    );
    assert!(action.is_done(stage, &pod).await);
    let writes = stage.writes();
    let asked: Vec<_> = writes
        .iter()
        .filter(|event| event.resource != "selfsubjectaccessreviews")
        .map(in_words)
        .collect();
    assert_eq!(asked, action.asks);
    let refused: Vec<_> = stage.asked().into_iter().filter(|event| event.code == 403).collect();
    assert_eq!(refused, [], "it asks for nothing that the chart does not allow");
}

#[rstest]
#[tokio::test]
async fn with_the_token_of_observe_the_api_server_refuses_what_the_program_sends(
    #[values(LABEL, ANNOTATE, QUARANTINE, CORDON, EVICT, DELETE)] action: Action,
) {
    let playbooks = action.playbook("Enforce");
    let release = release(&format!("token-observe-{}", action.name), "Observe", &playbooks).await;
    let stage = &release.stage;
    create(&stage.client, &service(&stage.name, "web", &[("app", "web")]))
        .await
        .unwrap();
    let (client, options) = options(&release, &playbooks).await;
    wait_for_role(&client).await;
    stage.allow_any_pod().await;
    let pod = stage.running("web").await;
    // The program in Enforce with the rights of Observe: the worst mistake in its modes would change nothing.
    let mut responder = start(&options).await;

    post_shells(&responder, std::slice::from_ref(&pod)).await;
    let accounts = responder.wait_until_at_rest(1).await.unwrap();

    assert_eq!(
        accounts.responses,
        [("Failed".to_owned(), 1)].into(),
        "{:#?}",
        responder.trail()
    );
    assert!(!action.is_done(stage, &pod).await);
    let mut writes = stage.writes();
    writes.retain(|event| event.resource != "selfsubjectaccessreviews");
    assert_eq!(writes.first().map(in_words).as_deref(), action.asks.first().copied());
    assert!(writes.iter().all(|event| event.code == 403), "{writes:#?}");
}

#[tokio::test]
async fn every_mutating_request_of_every_action_is_refused_with_the_rights_of_observe() {
    let playbooks = DELETE.playbook("Enforce");
    let release = release("token-observe", "Observe", &playbooks).await;
    let stage = &release.stage;
    let (client, _) = options(&release, &playbooks).await;
    wait_for_role(&client).await;
    stage.allow_any_pod().await;
    let pod = stage.running("web").await;
    let table = PermissionTable::of_all_actions().unwrap();

    for right in &table.reads {
        assert!(may(&client, right).await, "{right:?}");
    }
    let writes: std::collections::BTreeSet<_> = table.writes.values().flatten().collect();
    assert!(writes.len() >= 13, "{writes:?}");
    for right in &writes {
        assert!(!may(&client, right).await, "{right:?}");
        let answer = send(&client, right, &stage.name, &pod.name_any()).await;
        assert!(
            matches!(&answer, kube::Error::Api(status) if status.code == 403),
            "{right:?}: {answer}"
        );
    }
    let mut sent = stage.writes();
    sent.retain(|event| event.resource != "selfsubjectaccessreviews");
    assert_eq!(sent.len(), writes.len(), "the API server has seen and refused each");
    assert_eq!(
        stage
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

/// Really sends the request that a right is for, on what is there: nothing but the missing right keeps it from happening.
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
    // Authorization comes first: a name that is not there is refused like any other.
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
