//! The chart's admission policy, with the chart's token: it refuses what no action does, even with the rights of cluster-admin.

mod denials;

use std::collections::BTreeMap;
use std::path::PathBuf;

use http::Method;
use integration::{
    fixtures::{ObjectExt as _, PodExt as _, create, deployment, network_policy, node, wait_ready_pods},
    responder::{ResponderOptions, playbooks::on_shell},
};
use k8s_openapi::api::{
    core::v1::{ConfigMap, Namespace, Node, Pod},
    rbac::v1::{ClusterRoleBinding, RoleRef, Subject},
};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::{
    Api, Client, ResourceExt as _,
    api::{ApiResource, DeleteParams, DynamicObject, GroupVersionKind, PostParams},
};
use responder_core::object::{Locator, Name, ObjectRef, Uid};
use responder_core::own::{DenyingKind, DenyingPolicy, OnExpiry, QuarantineRecord};
use serde_json::{Value, json};

use crate::{
    helm::{Release, as_service_account, values_of},
    scenario::{Scenario, eventually, expect_responses, post_shells, start},
};

/// A release whose account may do everything, as far as the authorizer is concerned; a shop with a Deployment; and a
/// client with the account's token.
struct Stolen {
    shop: Scenario<'static>,
    pod: Pod,
    client: Client,
    kubeconfig: PathBuf,
}

impl Stolen {
    async fn new(name: &str, guard: &str) -> Self {
        let mut values = values_of("Observe", "");
        values["guard"] = guard.into();
        Self::with(name, &values).await
    }

    async fn with(name: &str, values: &Value) -> Self {
        let release = Release::new(name).await;
        release.apply("install", values).await.ok();
        let shop = Scenario::new(&format!("{name}-shop")).await;
        let metadata = serde_json::from_value(json!({"name": format!("{name}-everything")})).unwrap();
        let everything = ClusterRoleBinding {
            metadata,
            role_ref: RoleRef {
                api_group: "rbac.authorization.k8s.io".to_owned(),
                kind: "ClusterRole".to_owned(),
                name: "cluster-admin".to_owned(),
            },
            subjects: Some(vec![Subject {
                kind: "ServiceAccount".to_owned(),
                name: "responder".to_owned(),
                namespace: Some(name.to_owned()),
                ..Subject::default()
            }]),
        };
        create(&shop.client, &everything).await.unwrap();
        let web = deployment(&shop.name, "web", 1).on_node(&shop.name);
        create(&shop.client, &web).await.unwrap();
        let pods = wait_ready_pods(&shop.client, &shop.name, &[("app", "web")], 1)
            .await
            .unwrap();
        let (client, kubeconfig) = as_service_account(&release).await;
        let stolen = Self {
            shop,
            pod: pods[0].clone(),
            client,
            kubeconfig,
        };
        // Roles and policies come into force through watches.
        let secret = stolen.core("secrets");
        eventually("the policy is in force", async || {
            let body = json!({"metadata": {"name": "probe"}});
            let answer = stolen.send(&Method::POST, &secret, &body, true).await;
            answer
                .is_err_and(|message| message.contains("no action of responder does"))
                .then_some(())
        })
        .await;
        stolen
    }

    fn core(&self, resource: &str) -> String {
        format!("/api/v1/namespaces/{}/{resource}", self.shop.name)
    }

    fn pod_path(&self) -> String {
        format!("{}/{}", self.core("pods"), self.pod.name_any())
    }

    fn group(&self, group: &str, resource: &str) -> String {
        format!("/apis/{group}/namespaces/{}/{resource}", self.shop.name)
    }

    fn node_path(&self) -> String {
        format!("/api/v1/nodes/{}", self.shop.name)
    }

    /// Sends a write with the stolen token; the message of the refusal, if it is one. A dry run passes admission too.
    async fn send(&self, method: &Method, path: &str, body: &Value, is_dry: bool) -> Result<(), String> {
        let kind = match *method {
            // A merge patch would replace the whole container, which the API server refuses before admission.
            Method::PATCH if body.pointer("/spec/containers").is_some() => "application/strategic-merge-patch+json",
            Method::PATCH => "application/merge-patch+json",
            _ => "application/json",
        };
        let mut body = body.clone();
        if is_dry && *method == Method::DELETE {
            body["dryRun"] = json!(["All"]);
        }
        // A connection can't be rehearsed.
        let query = if is_dry && *method != Method::DELETE && !path.contains("/exec?") {
            "?dryRun=All"
        } else {
            ""
        };
        let request = http::Request::builder()
            .method(method)
            .uri(format!("{path}{query}"))
            .header("content-type", kind)
            .body(body.to_string().into_bytes())
            .unwrap();
        match self.client.request_text(request).await {
            Ok(_) => Ok(()),
            Err(kube::Error::Api(status)) => Err(format!("{} {}", status.code, status.message)),
            Err(error) => panic!("{method} {path}: {error}"),
        }
    }

    /// The policy of the chart refuses the write, by this sentence.
    async fn refused(&self, method: Method, path: &str, body: Value, sentence: &str) {
        let answer = self.send(&method, path, &body, true).await.unwrap_err();
        assert!(
            answer.starts_with("403 ") && answer.contains("ValidatingAdmissionPolicy") && answer.contains(sentence),
            "{method} {path} {body}: {answer}"
        );
    }

    async fn allowed(&self, method: Method, path: &str, body: Value) {
        let answer = self.send(&method, path, &body, true).await;
        assert_eq!(answer, Ok(()), "{method} {path} {body}");
    }
}

const SPEC: &str = "changes the spec";

#[tokio::test]
async fn a_stolen_token_does_only_what_an_action_does() {
    let stolen = Stolen::new("admission", "").await;
    pods_keep_their_specs_finalizers_and_owners(&stolen).await;
    controllers_keep_their_specs(&stolen).await;
    nodes_change_in_what_is_ours(&stolen).await;
    policies_are_those_of_quarantines(&stolen).await;
    nothing_else_is_written(&stolen).await;
}

async fn pods_keep_their_specs_finalizers_and_owners(stolen: &Stolen) {
    let pod = stolen.pod_path();
    let container = stolen.pod.spec.as_ref().unwrap().containers[0].name.clone();
    let image = json!({"spec": {"containers": [{"name": container, "image": "evil.example/x"}]}});
    stolen.refused(Method::PATCH, &pod, image, SPEC).await;
    let finalizers = json!({"metadata": {"finalizers": ["evil.example/hold"]}});
    stolen
        .refused(Method::PATCH, &pod, finalizers, "finalizers or owners")
        .await;
    let owners = json!({"metadata": {"ownerReferences": null}});
    stolen
        .refused(Method::PATCH, &pod, owners, "finalizers or owners")
        .await;
    let status = json!({"status": {"phase": "Failed"}});
    stolen
        .refused(
            Method::PATCH,
            &format!("{pod}/status"),
            status,
            "no action of responder does UPDATE pods/status",
        )
        .await;
    let another = json!({"metadata": {"name": "evil"}, "spec": {"containers": [{"name": "x", "image": "x"}]}});
    stolen
        .refused(Method::POST, &stolen.core("pods"), another, "does CREATE pods")
        .await;
    let labels = json!({"metadata": {"labels": {"app": null, "incident": "open"}, "annotations": {"a/b": "c"}}});
    stolen.allowed(Method::PATCH, &pod, labels).await;
    stolen.allowed(Method::DELETE, &pod, json!({})).await;
    let eviction = json!({"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": stolen.pod.name_any(), "namespace": stolen.shop.name}});
    stolen.allowed(Method::POST, &format!("{pod}/eviction"), eviction).await;
}

async fn controllers_keep_their_specs(stolen: &Stolen) {
    let web = format!("{}/web", stolen.group("apps/v1", "deployments"));
    stolen
        .refused(Method::PATCH, &web, json!({"spec": {"replicas": 0}}), SPEC)
        .await;
    stolen
        .refused(Method::DELETE, &web, json!({}), "does DELETE deployments.apps")
        .await;
    stolen
        .allowed(Method::PATCH, &web, json!({"metadata": {"annotations": {"a/b": "c"}}}))
        .await;
}

async fn nodes_change_in_what_is_ours(stolen: &Stolen) {
    let node = stolen.node_path();
    let ours = json!({"key": "responder.dev/incident", "value": "abcdefghij", "effect": "NoSchedule"});
    stolen
        .allowed(Method::PATCH, &node, json!({"spec": {"unschedulable": true}}))
        .await;
    stolen
        .allowed(Method::PATCH, &node, json!({"metadata": {"annotations": {"responder.dev/tainted-by.abcdefghij": "p"}}, "spec": {"taints": [ours]}}))
        .await;
    stolen
        .allowed(
            Method::PATCH,
            &node,
            json!({"metadata": {"labels": {"incident": "open"}}}),
        )
        .await;
    for taint in [
        json!({"key": "responder.dev/incident", "value": "abcdefghij", "effect": "NoExecute"}),
        json!({"key": "evil", "value": "x", "effect": "NoSchedule"}),
        json!({"key": "evil", "value": "production", "effect": "NoSchedule"}),
        json!({"key": "node.kubernetes.io/unreachable", "value": "abcdefghij", "effect": "NoSchedule"}),
    ] {
        stolen
            .refused(
                Method::PATCH,
                &node,
                json!({"spec": {"taints": [taint]}}),
                "their own only",
            )
            .await;
    }
    stolen
        .refused(
            Method::PATCH,
            &node,
            json!({"spec": {"providerID": "evil"}}),
            "unschedulable and taints only",
        )
        .await;
    let excluded = json!({"metadata": {"labels": {"node.kubernetes.io/exclude-from-external-load-balancers": "x"}}});
    stolen
        .refused(Method::PATCH, &node, excluded, "Kubernetes' own labels")
        .await;
    stolen
        .refused(Method::DELETE, &node, json!({}), "does DELETE nodes")
        .await;
}

async fn policies_are_those_of_quarantines(stolen: &Stolen) {
    let policies = stolen.group("networking.k8s.io/v1", "networkpolicies");
    let named = |name: &str, spec: Value| json!({"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": name, "labels": {"responder.dev/quarantine": "abcdefghij"}}, "spec": spec});
    let isolates = json!({"podSelector": {"matchLabels": {"responder.dev/quarantine": "abcdefghij"}}, "policyTypes": ["Ingress", "Egress"]});
    stolen
        .allowed(
            Method::POST,
            &policies,
            named("responder-quarantine-abcdefghij", isolates.clone()),
        )
        .await;
    stolen
        .refused(
            Method::POST,
            &policies,
            named("open", isolates.clone()),
            "policies of quarantines only",
        )
        .await;
    let mut open = named("responder-quarantine-abcdefghij", isolates.clone());
    open["spec"]["egress"] = json!([{}]);
    stolen
        .refused(Method::POST, &policies, open, "policies of quarantines only")
        .await;
    let everything = json!({"podSelector": {}, "ingress": [{}], "policyTypes": ["Ingress"]});
    stolen
        .refused(
            Method::POST,
            &policies,
            named("responder-quarantine-x", everything),
            "policies of quarantines only",
        )
        .await;
    create(
        &stolen.shop.client,
        &network_policy(&stolen.shop.name, "of-the-tenant", &[]),
    )
    .await
    .unwrap();
    stolen
        .refused(
            Method::DELETE,
            &format!("{policies}/of-the-tenant"),
            json!({}),
            "policies of quarantines only",
        )
        .await;
}

async fn nothing_else_is_written(stolen: &Stolen) {
    let pod = stolen.pod_path();
    let container = json!({"command": ["sh"], "container": "main"});
    for (method, path, body, act) in [
        (
            Method::POST,
            format!("{}/default/token", stolen.core("serviceaccounts")),
            json!({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"audiences": []}}),
            "CREATE serviceaccounts/token",
        ),
        (
            Method::PATCH,
            format!("{pod}/ephemeralcontainers"),
            json!({"spec": {"ephemeralContainers": [{"name": "debug", "image": "busybox"}]}}),
            "UPDATE pods/ephemeralcontainers",
        ),
        (
            Method::POST,
            format!("{pod}/exec?command=sh"),
            container,
            "CONNECT pods/exec",
        ),
        (
            Method::PATCH,
            format!("{pod}/status"),
            json!({"metadata": {"labels": {"a": "b"}}}),
            "UPDATE pods/status",
        ),
        (
            Method::PATCH,
            format!("{}/web/scale", stolen.group("apps/v1", "deployments")),
            json!({"spec": {"replicas": 0}}),
            "UPDATE deployments/scale.apps",
        ),
        (
            Method::POST,
            stolen.core("pods"),
            json!({"metadata": {"name": "x"}, "spec": {"containers": [{"name": "a", "image": "b"}]}}),
            "CREATE pods",
        ),
        (
            Method::PATCH,
            format!("/api/v1/namespaces/{}", stolen.shop.name),
            json!({"metadata": {"labels": {"ring": "canary"}}}),
            "UPDATE namespaces",
        ),
    ] {
        stolen
            .refused(method, &path, body, &format!("no action of responder does {act}"))
            .await;
    }
    stolen
        .refused(Method::DELETE, &stolen.core("pods"), json!({}), "deletes a collection")
        .await;
    own_objects_are_not_written(stolen).await;
    for (path, body) in [
        (stolen.core("secrets"), json!({"metadata": {"name": "x"}})),
        (stolen.core("configmaps"), json!({"metadata": {"name": "x"}})),
        (stolen.core("serviceaccounts"), json!({"metadata": {"name": "x"}})),
        ("/api/v1/namespaces".to_owned(), json!({"metadata": {"name": "x"}})),
        (
            "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings".to_owned(),
            json!({"metadata": {"name": "x"}, "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"}}),
        ),
    ] {
        stolen
            .refused(Method::POST, &path, body, "no action of responder does CREATE")
            .await;
    }
}

/// The guard, playbooks and approvals, as resources of the API server.
async fn own_objects_are_not_written(stolen: &Stolen) {
    let definitions: Api<CustomResourceDefinition> = Api::all(stolen.shop.client.clone());
    let definition = serde_json::from_value(json!({
        "metadata": {"name": "guards.responder.dev"},
        "spec": {
            "group": "responder.dev", "scope": "Namespaced",
            "names": {"plural": "guards", "singular": "guard", "kind": "Guard", "listKind": "GuardList"},
            "versions": [{"name": "v1alpha1", "served": true, "storage": true,
                "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}}}],
        },
    }))
    .unwrap();
    definitions.create(&PostParams::default(), &definition).await.unwrap();
    let path = format!("/apis/responder.dev/v1alpha1/namespaces/{}/guards", stolen.shop.name);
    let guard = json!({"apiVersion": "responder.dev/v1alpha1", "kind": "Guard", "metadata": {"name": "default"}});
    eventually("the resource is served", async || {
        match stolen.send(&Method::POST, &path, &guard, true).await {
            Err(answer) if answer.starts_with("404 ") => None,
            answer => Some(answer),
        }
    })
    .await
    .unwrap_err();
    stolen
        .refused(
            Method::POST,
            &path,
            guard,
            "no action of responder does CREATE guards.responder.dev",
        )
        .await;
    definitions
        .delete("guards.responder.dev", &DeleteParams::default())
        .await
        .unwrap();
}

const GUARD: &str = "apiVersion: responder.dev/v1alpha1\nkind: Guard\nmetadata: {name: default}\nspec:\n  mode: Observe\n  protect: {namespaces: [admission-guard-shop, {matchLabels: {tier: infra}}]}\n  sensors: {namespaces: [admission-guard-sensors]}\n";

#[tokio::test]
async fn nothing_is_written_in_the_floor_in_the_own_namespace_or_where_the_guard_protects() {
    let stolen = Stolen::new("admission-guard", GUARD).await;
    let label = json!({"metadata": {"labels": {"incident": "open"}}});
    stolen
        .refused(
            Method::PATCH,
            &stolen.pod_path(),
            label.clone(),
            "the namespace admission-guard-shop is protected",
        )
        .await;
    stolen
        .refused(Method::DELETE, &stolen.pod_path(), json!({}), "is protected")
        .await;
    let infra = Namespace {
        metadata: serde_json::from_value(json!({"name": "admission-guard-infra", "labels": {"tier": "infra"}}))
            .unwrap(),
        ..Namespace::default()
    };
    create(&stolen.shop.client, &infra).await.unwrap();
    let sensors = Namespace {
        metadata: serde_json::from_value(json!({"name": "admission-guard-sensors"})).unwrap(),
        ..Namespace::default()
    };
    create(&stolen.shop.client, &sensors).await.unwrap();
    let path = "/api/v1/namespaces/admission-guard-infra/pods/x/eviction";
    let body = json!({"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "x", "namespace": "admission-guard-infra"}});
    stolen
        .refused(Method::POST, path, body, "is protected by its labels")
        .await;
    for namespace in ["kube-system", "admission-guard", "admission-guard-sensors"] {
        let path = format!("/api/v1/namespaces/{namespace}/pods/x/eviction");
        let body =
            json!({"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "x", "namespace": namespace}});
        stolen.refused(Method::POST, &path, body, "is protected").await;
    }
    nodes_of_the_control_plane_are_not_touched(&stolen).await;

    // It holds no other client.
    let maps: Api<ConfigMap> = Api::namespaced(stolen.shop.client.clone(), "admission-guard-shop");
    let map = serde_json::from_value(json!({"metadata": {"name": "of-a-tenant"}})).unwrap();
    maps.create(&PostParams::default(), &map).await.unwrap();
}

async fn nodes_of_the_control_plane_are_not_touched(stolen: &Stolen) {
    let nodes: Api<Node> = Api::all(stolen.shop.client.clone());
    let cordon = json!({"spec": {"unschedulable": true}});
    for (name, label, value) in [
        ("admission-control-plane", "node-role.kubernetes.io/control-plane", ""),
        ("admission-etcd", "node-role.kubernetes.io/etcd", "true"),
        ("admission-master", "kubernetes.io/role", "master"),
    ] {
        create(&stolen.shop.client, &node(name).labelled(&[(label, value)]))
            .await
            .unwrap();
        let path = format!("/api/v1/nodes/{name}");
        stolen
            .refused(Method::PATCH, &path, cordon.clone(), "control plane")
            .await;
        nodes.delete(name, &DeleteParams::default()).await.unwrap();
    }
}

const OF_THE_CHART_ALONE: &str = "apiVersion: responder.dev/v1alpha1\nkind: Guard\nmetadata: {name: default}\nspec:\n  mode: Observe\n  protect: {namespaces: [admission-log-shop]}\n";

/// The program has no guard here, so its own checks let the deletion through.
#[tokio::test]
async fn a_refusal_of_the_policy_fails_the_response_and_is_in_the_log_by_its_name() {
    let stolen = Stolen::new("admission-log", OF_THE_CHART_ALONE).await;
    let options = ResponderOptions {
        playbooks: on_shell("Enforce", &["delete: {}"]),
        kubeconfig: Some(stolen.kubeconfig.clone()),
        mode: Some("Enforce"),
        ..ResponderOptions::default()
    };
    let mut responder = start(&options).await;
    post_shells(&responder, std::slice::from_ref(&stolen.pod)).await;
    expect_responses(&mut responder, 1, &[("Failed", 1)]).await;
    let log = responder.log();
    assert!(
        log.contains("ValidatingAdmissionPolicy 'admission-log-responder'") && log.contains("is protected"),
        "{log}"
    );
    assert!(stolen.shop.get(&stolen.pod).await.is_some());
}
