//! Controllers of custom kinds on the wire.

use std::sync::Mutex;

use ::kube::Client;
use ::kube::client::Body;
use http::{Request, Response};
use responder_core::custom_kind::CustomKind;
use responder_core::object::Namespace;
use responder_core::port::{ClusterReader, ReadErrorKind};
use rstest::rstest;
use serde_json::{Value, json};

use super::*;

type Asked = Arc<Mutex<Vec<String>>>;

/// An API server that serves Rollouts with a scale, Runners without one and cluster-scoped Machines. `refused` paths are
/// forbidden.
fn serving(refused: &'static str) -> (KubeCluster, Asked) {
    let asked = Asked::default();
    let log = Arc::clone(&asked);
    let service = tower::service_fn(move |request: Request<Body>| {
        let (path, accepted) = (request.uri().path().to_owned(), request.headers()["accept"].clone());
        let of_metadata = accepted.to_str().unwrap().contains("as=PartialObjectMetadata");
        log.lock()
            .unwrap()
            .push(format!("{path}{}", if of_metadata { " metadata" } else { "" }));
        let (code, body) = if path == refused {
            let status =
                json!({"kind": "Status", "status": "Failure", "reason": "Forbidden", "code": 403, "message": "no"});
            (403, status.to_string())
        } else {
            answer(&path).map_or_else(
                || (404, "404 page not found\n".to_owned()),
                |body| (200, body.to_string()),
            )
        };
        async move {
            let answer = Response::builder().status(code).body(Body::from(body.into_bytes()));
            Ok::<_, tower::BoxError>(answer.unwrap())
        }
    });
    (KubeCluster::on(Client::new(service, "default"), "http://test"), asked)
}

fn answer(path: &str) -> Option<Value> {
    let resource =
        |name: &str, kind: &str, namespaced: bool| json!({"name": name, "kind": kind, "namespaced": namespaced});
    Some(match path {
        "/apis/argoproj.io/v1alpha1" => json!({"kind": "APIResourceList", "resources": [
            resource("rollouts", "Rollout", true),
            resource("rollouts/status", "Rollout", true),
            resource("rollouts/scale", "Scale", true),
            resource("runners", "Runner", true),
            resource("machines", "Machine", false),
        ]}),
        "/apis/argoproj.io/v1alpha1/namespaces/web/rollouts/shop"
        | "/apis/argoproj.io/v1alpha1/namespaces/web/runners/shop"
        | "/apis/argoproj.io/v1alpha1/machines/shop" => json!({"metadata": {"name": "shop", "uid": "u-1"}}),
        "/apis/argoproj.io/v1alpha1/namespaces/web/rollouts/shop/scale" => json!({"spec": {"replicas": 4}}),
        _ => return None,
    })
}

fn at(api_version: &str, kind: &str) -> CustomLocator {
    CustomLocator {
        kind: CustomKind::new(api_version, kind).unwrap(),
        namespace: Namespace::new("web").unwrap(),
        name: Name::new("shop").unwrap(),
    }
}

fn rollout() -> CustomLocator {
    at("argoproj.io/v1alpha1", "Rollout")
}

fn replicas(answer: Result<CustomOwnerAnswer, ReadError>) -> Result<u32, String> {
    match answer {
        Ok(CustomOwnerAnswer::Found(found)) => found.owner.replicas.map_err(|Uncounted(why)| why),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_kind_is_looked_up_once_and_of_the_object_only_metadata_and_scale_are_read() {
    let (cluster, asked) = serving("");
    for _ in 0..2 {
        assert_eq!(replicas(cluster.custom_owner(&rollout()).await), Ok(4));
    }
    insta::assert_snapshot!(asked.lock().unwrap().join("\n"), @r"
    /apis/argoproj.io/v1alpha1
    /apis/argoproj.io/v1alpha1/namespaces/web/rollouts/shop metadata
    /apis/argoproj.io/v1alpha1/namespaces/web/rollouts/shop/scale
    /apis/argoproj.io/v1alpha1/namespaces/web/rollouts/shop metadata
    /apis/argoproj.io/v1alpha1/namespaces/web/rollouts/shop/scale
    ");
}

#[rstest]
#[case::without_a_scale("Runner", Some("web"), "a Runner.argoproj.io has no scale")]
#[case::of_the_cluster("Machine", None, "a Machine.argoproj.io has no scale")]
#[tokio::test]
async fn a_kind_without_a_scale_has_no_number(#[case] kind: &str, #[case] namespace: Option<&str>, #[case] why: &str) {
    let (cluster, _) = serving("");
    match cluster.custom_owner(&at("argoproj.io/v1alpha1", kind)).await {
        Ok(CustomOwnerAnswer::Found(found)) => {
            assert_eq!(found.owner.namespace, namespace.and_then(Namespace::new));
            assert_eq!(found.owner.replicas, Err(Uncounted(why.to_owned())));
        }
        other => panic!("{other:?}"),
    }
}

/// The role may allow neither; what it does not allow is told, and the owner is known without its number.
#[tokio::test]
async fn a_forbidden_object_is_an_error_and_a_forbidden_scale_is_none() {
    let (cluster, _) = serving("/apis/argoproj.io/v1alpha1/namespaces/web/rollouts/shop");
    let error = cluster.custom_owner(&rollout()).await.unwrap_err();
    assert_eq!(error.kind, ReadErrorKind::Forbidden);
    let (cluster, _) = serving("/apis/argoproj.io/v1alpha1/namespaces/web/rollouts/shop/scale");
    let why = replicas(cluster.custom_owner(&rollout()).await).unwrap_err();
    assert!(
        why.contains("the scale of rollout.argoproj.io/web/shop: forbidden"),
        "{why}"
    );
}

#[rstest]
#[case::no_such_group("nothing.example/v1", "Nothing")]
#[case::no_such_version("argoproj.io/v2", "Rollout")]
#[case::no_such_kind("argoproj.io/v1alpha1", "Nothing")]
#[case::a_subresource_is_no_kind("argoproj.io/v1alpha1", "Scale")]
#[tokio::test]
async fn what_is_not_served_is_looked_up_again_each_time(#[case] api_version: &str, #[case] kind: &str) {
    let (cluster, asked) = serving("");
    for _ in 0..2 {
        let answer = cluster.custom_owner(&at(api_version, kind)).await;
        assert_eq!(answer, Ok(CustomOwnerAnswer::NotServed));
    }
    assert_eq!(asked.lock().unwrap().len(), 2);
}
