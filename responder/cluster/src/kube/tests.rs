//! Requests on the wire, and how answers are understood.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use ::kube::client::Body;
use http::{Request as HttpRequest, Response};
use http_body_util::BodyExt;
use k8s_openapi::api::networking::v1::NetworkPolicy;
use responder_core::action::UNSCHEDULABLE;
use responder_core::mode::{Mode, Permit};
use responder_core::object::{Kind, Locator, Name, Namespace, ObjectRef, Uid};
use responder_core::own::{OwnObject, QuarantinePolicy};
use responder_core::patch::{Entry, Patch, Scalar};
use responder_core::port::{ClusterReader, ClusterWriter, ReadErrorKind, Reply, SendErrorKind};
use responder_core::request::Request;
use rstest::rstest;
use serde_json::{Value, json};

use super::*;

/// The requests that a fake API server received; it gives every request the same answer.
#[derive(Clone, Default)]
struct Asked(Arc<Mutex<Vec<String>>>);

impl Asked {
    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

fn answering(code: u16, body: Value) -> (KubeCluster, Asked) {
    let asked = Asked::default();
    let log = asked.clone();
    let service = tower::service_fn(move |request: HttpRequest<Body>| {
        let (log, body) = (log.clone(), body.clone());
        async move {
            let (head, sent) = request.into_parts();
            let sent = String::from_utf8(sent.collect().await.unwrap().to_bytes().to_vec()).unwrap();
            let kind = head
                .headers
                .get("content-type")
                .map_or("", |kind| kind.to_str().unwrap());
            log.0.lock().unwrap().push(
                format!("{} {} {kind} {sent}", head.method, head.uri)
                    .trim_end()
                    .to_owned(),
            );
            let answer = Response::builder()
                .status(code)
                .header("retry-after", "7")
                .body(Body::from(body.to_string().into_bytes()));
            Ok::<_, tower::BoxError>(answer.unwrap())
        }
    });
    (KubeCluster::on(Client::new(service, "default"), "http://test"), asked)
}

fn namespace(text: &str) -> Namespace {
    Namespace::new(text).unwrap()
}

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

fn target(at: Locator) -> ObjectRef {
    ObjectRef {
        at,
        uid: Uid::new("u-1").unwrap(),
    }
}

fn pod() -> ObjectRef {
    target(Locator::pod(namespace("web"), name("web-0")))
}

fn requests() -> Vec<Request> {
    let policy = Locator::namespaced(Kind::NetworkPolicy, namespace("web"), name("isolate")).unwrap();
    let job = Locator::namespaced(Kind::Job, namespace("web"), name("miner")).unwrap();
    let live = json!({"metadata": {"resourceVersion": "7"}});
    let cordon = UNSCHEDULABLE.change(Scalar::Bool(true), Scalar::Bool(false));
    vec![
        Request::Create {
            object: Box::new(OwnObject::NetworkPolicy(QuarantinePolicy {
                at: policy,
                manifest: NetworkPolicy::default(),
            })),
        },
        Request::Patch {
            target: pod(),
            patch: Patch::new(vec![Entry::label("app", None, None).into()]),
        },
        Request::Patch {
            target: target(Locator::node(name("worker-1"))),
            patch: Patch::new(vec![cordon.into()]).at_version_of(&live),
        },
        Request::Delete {
            target: pod(),
            grace_seconds: Some(0),
        },
        Request::Delete {
            target: target(job),
            grace_seconds: None,
        },
        Request::Evict {
            target: pod(),
            grace_seconds: None,
            blocked_for: None,
        },
    ]
}

async fn sent(mode: Mode) -> Vec<String> {
    let (cluster, asked) = answering(200, json!({"metadata": {"uid": "u-2", "resourceVersion": "9"}}));
    for request in requests() {
        let permit = Permit::to_give_back(mode);
        cluster
            .send(request.armed(&permit).unwrap(), Duration::from_secs(5))
            .await
            .unwrap();
    }
    asked.take()
}

#[tokio::test]
async fn every_request_carries_its_uid() {
    insta::assert_snapshot!(sent(Mode::Enforce).await.join("\n"), @r#"
    POST /apis/networking.k8s.io/v1/namespaces/web/networkpolicies?fieldManager=responder application/json {"apiVersion":"networking.k8s.io/v1","kind":"NetworkPolicy","metadata":{"name":"isolate","namespace":"web"}}
    PATCH /api/v1/namespaces/web/pods/web-0?fieldManager=responder application/merge-patch+json {"metadata":{"labels":{"app":null},"uid":"u-1"}}
    PATCH /api/v1/nodes/worker-1?fieldManager=responder application/merge-patch+json {"metadata":{"resourceVersion":"7","uid":"u-1"},"spec":{"unschedulable":true}}
    DELETE /api/v1/namespaces/web/pods/web-0 application/json {"apiVersion":"v1","gracePeriodSeconds":0,"kind":"DeleteOptions","preconditions":{"uid":"u-1"}}
    DELETE /apis/batch/v1/namespaces/web/jobs/miner application/json {"apiVersion":"v1","kind":"DeleteOptions","preconditions":{"uid":"u-1"},"propagationPolicy":"Background"}
    POST /api/v1/namespaces/web/pods/web-0/eviction?fieldManager=responder application/json {"apiVersion":"policy/v1","deleteOptions":{"apiVersion":"v1","kind":"DeleteOptions","preconditions":{"uid":"u-1"}},"kind":"Eviction","metadata":{"name":"web-0","namespace":"web"}}
    "#);
}

#[tokio::test]
async fn every_rehearsed_request_carries_dry_run_where_the_api_server_reads_it() {
    insta::assert_snapshot!(sent(Mode::Rehearse).await.join("\n"), @r#"
    POST /apis/networking.k8s.io/v1/namespaces/web/networkpolicies?fieldManager=responder&dryRun=All application/json {"apiVersion":"networking.k8s.io/v1","kind":"NetworkPolicy","metadata":{"name":"isolate","namespace":"web"}}
    PATCH /api/v1/namespaces/web/pods/web-0?fieldManager=responder&dryRun=All application/merge-patch+json {"metadata":{"labels":{"app":null},"uid":"u-1"}}
    PATCH /api/v1/nodes/worker-1?fieldManager=responder&dryRun=All application/merge-patch+json {"metadata":{"resourceVersion":"7","uid":"u-1"},"spec":{"unschedulable":true}}
    DELETE /api/v1/namespaces/web/pods/web-0 application/json {"apiVersion":"v1","dryRun":["All"],"gracePeriodSeconds":0,"kind":"DeleteOptions","preconditions":{"uid":"u-1"}}
    DELETE /apis/batch/v1/namespaces/web/jobs/miner application/json {"apiVersion":"v1","dryRun":["All"],"kind":"DeleteOptions","preconditions":{"uid":"u-1"},"propagationPolicy":"Background"}
    POST /api/v1/namespaces/web/pods/web-0/eviction?fieldManager=responder&dryRun=All application/json {"apiVersion":"policy/v1","deleteOptions":{"apiVersion":"v1","dryRun":["All"],"kind":"DeleteOptions","preconditions":{"uid":"u-1"}},"kind":"Eviction","metadata":{"name":"web-0","namespace":"web"}}
    "#);
}

async fn delete(code: u16, body: Value) -> Result<Reply, SendErrorKind> {
    let (cluster, _) = answering(code, body);
    let request = Request::Delete {
        target: pod(),
        grace_seconds: None,
    };
    let permit = Permit::to_give_back(Mode::Enforce);
    cluster
        .send(request.armed(&permit).unwrap(), Duration::from_secs(5))
        .await
        .map_err(|error| error.kind)
}

#[rstest]
#[case::a_status(json!({"kind": "Status", "status": "Success"}), Reply::Gone)]
#[case::no_grace_left(json!({"kind": "Pod", "metadata": {"deletionTimestamp": "x", "deletionGracePeriodSeconds": 0}}), Reply::Gone)]
#[case::grace(json!({"kind": "Pod", "metadata": {"deletionTimestamp": "x", "deletionGracePeriodSeconds": 30}}), Reply::Terminating)]
#[case::held(
    json!({"kind": "Pod", "metadata": {"deletionTimestamp": "x", "deletionGracePeriodSeconds": 0, "finalizers": ["a/b"]}}),
    Reply::Terminating
)]
#[tokio::test]
async fn a_deletion_is_done_when_nothing_is_left_to_wait_for(#[case] body: Value, #[case] reply: Reply) {
    assert_eq!(delete(200, body).await, Ok(reply));
}

#[tokio::test]
async fn a_failure_inside_a_2xx_is_a_failure() {
    let (cluster, _) = answering(
        201,
        json!({"kind": "Status", "status": "Failure", "code": 500,
               "message": "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support."}),
    );
    let request = Request::Evict {
        target: pod(),
        grace_seconds: None,
        blocked_for: None,
    };
    let error = cluster
        .send(request.rehearsed(), Duration::from_secs(5))
        .await
        .unwrap_err();
    assert_eq!(error.kind, SendErrorKind::SeveralBudgets);
}

#[tokio::test]
async fn a_busy_server_says_when_to_retry() {
    let (cluster, asked) = answering(
        429,
        json!({"kind": "Status", "status": "Failure", "reason": "TooManyRequests"}),
    );
    let request = Request::Delete {
        target: pod(),
        grace_seconds: None,
    };
    let error = cluster
        .send(request.rehearsed(), Duration::from_secs(5))
        .await
        .unwrap_err();
    assert_eq!(
        (error.kind, error.retry_after),
        (SendErrorKind::Busy, Some(Duration::from_secs(7)))
    );
    assert_eq!(asked.take().len(), 1, "nothing is retried here");
}

#[tokio::test]
async fn a_request_to_an_absent_server_was_never_sent() {
    // Bound and closed again, so nothing listens on the port.
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let config = ::kube::Config::new(format!("http://127.0.0.1:{port}").parse().unwrap());
    let cluster = KubeCluster::new(config).unwrap();
    let request = Request::Delete {
        target: pod(),
        grace_seconds: None,
    };
    let error = cluster
        .send(request.rehearsed(), Duration::from_secs(5))
        .await
        .unwrap_err();
    assert_eq!(error.kind, SendErrorKind::Unreachable, "{error}");
    let error = cluster.pod(&namespace("web"), &name("web-0")).await.unwrap_err();
    assert_eq!(error.kind, ReadErrorKind::Unavailable, "{error}");
}

#[tokio::test]
async fn a_connection_that_breaks_before_the_answer_leaves_the_outcome_unknown() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        // Wait for the request, then close the connection.
        let mut first = [0; 1];
        tokio::io::AsyncReadExt::read_exact(&mut stream, &mut first)
            .await
            .unwrap();
    });
    let config = ::kube::Config::new(format!("http://127.0.0.1:{port}").parse().unwrap());
    let request = Request::Delete {
        target: pod(),
        grace_seconds: None,
    };
    let error = KubeCluster::new(config)
        .unwrap()
        .send(request.rehearsed(), Duration::from_secs(5))
        .await
        .unwrap_err();
    assert_eq!(error.kind, SendErrorKind::Unknown, "{error}");
    server.await.unwrap();
}

#[tokio::test]
async fn a_silent_server_times_out_at_the_deadline() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let config = ::kube::Config::new(
        format!("http://127.0.0.1:{}", listener.local_addr().unwrap().port())
            .parse()
            .unwrap(),
    );
    let request = Request::Delete {
        target: pod(),
        grace_seconds: None,
    };
    let error = KubeCluster::new(config)
        .unwrap()
        .send(request.rehearsed(), Duration::from_millis(50))
        .await
        .unwrap_err();
    assert_eq!(error.kind, SendErrorKind::Timeout, "{error}");
}

#[tokio::test]
async fn one_object_is_read_from_the_store_and_lists_from_the_cache() {
    let (cluster, asked) = answering(200, json!({"items": [], "groups": [], "metadata": {"uid": "u-1"}}));
    cluster.pod(&namespace("web"), &name("web-0")).await.unwrap();
    cluster.object(&pod().at).await.unwrap();
    let policy = Locator::namespaced(Kind::NetworkPolicy, namespace("web"), name("isolate")).unwrap();
    cluster.object(&policy).await.unwrap();
    cluster
        .owner(&Locator::namespaced(Kind::CronJob, namespace("web"), name("a")).unwrap())
        .await
        .unwrap();
    cluster.namespace(&namespace("web")).await.unwrap();
    cluster.pods_named(&name("falco-x")).await.unwrap();
    cluster.network_policies(&namespace("web")).await.unwrap();
    cluster
        .network_policies_labelled("responder.dev/expires")
        .await
        .unwrap();
    cluster.services(&namespace("web")).await.unwrap();
    cluster.nodes().await.unwrap();
    cluster.engine_policies(&namespace("web")).await;
    insta::assert_snapshot!(asked.take().join("\n"), @"
    GET /api/v1/namespaces/web/pods/web-0
    GET /api/v1/namespaces/web/pods/web-0
    GET /apis/networking.k8s.io/v1/namespaces/web/networkpolicies?&fieldSelector=metadata.name%3Disolate
    GET /apis/batch/v1/namespaces/web/cronjobs/a
    GET /api/v1/namespaces/web
    GET /api/v1/pods?&fieldSelector=metadata.name%3Dfalco-x&resourceVersion=0
    GET /apis/networking.k8s.io/v1/namespaces/web/networkpolicies?&resourceVersion=0
    GET /apis/networking.k8s.io/v1/networkpolicies?&labelSelector=responder.dev%2Fexpires&resourceVersion=0
    GET /api/v1/namespaces/web/services?&resourceVersion=0
    GET /api/v1/nodes?&limit=100
    GET /apis
    GET /apis/apps/v1/daemonsets?&fieldSelector=metadata.name%3Dcilium&resourceVersion=0
    GET /apis/apps/v1/daemonsets?&fieldSelector=metadata.name%3Danetd&resourceVersion=0
    GET /apis/apps/v1/daemonsets?&fieldSelector=metadata.name%3Dcalico-node&resourceVersion=0
    GET /apis/apps/v1/daemonsets?&fieldSelector=metadata.name%3Dcanal&resourceVersion=0
    GET /apis/apps/v1/daemonsets?&fieldSelector=metadata.name%3Drke2-canal&resourceVersion=0
    GET /apis/apps/v1/daemonsets?&fieldSelector=metadata.name%3Dantrea-agent&resourceVersion=0
    GET /apis/apps/v1/daemonsets?&fieldSelector=metadata.name%3Dovnkube-node&resourceVersion=0
    GET /apis/apps/v1/daemonsets?&fieldSelector=metadata.name%3Dkube-ovn-cni&resourceVersion=0
    GET /apis/apps/v1/daemonsets?&fieldSelector=metadata.name%3Dkube-router&resourceVersion=0
    GET /apis/apps/v1/daemonsets?&fieldSelector=metadata.name%3Dweave-net&resourceVersion=0
    GET /apis/apps/v1/daemonsets?&fieldSelector=metadata.name%3Dkube-network-policies&resourceVersion=0
    GET /apis/apps/v1/daemonsets?&fieldSelector=metadata.name%3Dazure-npm&resourceVersion=0
    ");
}

#[rstest]
#[case(403, json!({"kind": "Status", "status": "Failure", "reason": "Forbidden"}), Err(ReadErrorKind::Forbidden))]
#[case(404, json!({"kind": "Status", "status": "Failure", "reason": "NotFound"}), Ok(false))]
#[case(404, json!("a proxy's page"), Err(ReadErrorKind::Malformed))]
#[case(503, json!({"kind": "Status", "status": "Failure"}), Err(ReadErrorKind::Unavailable))]
#[case(429, json!({}), Err(ReadErrorKind::Unavailable))]
#[case(200, json!({"metadata": {"name": 7}}), Err(ReadErrorKind::Malformed))]
#[case(200, json!({"metadata": {"name": "web-0"}}), Ok(true))]
#[tokio::test]
async fn a_pod_is_missing_only_where_the_api_server_says_so(
    #[case] code: u16,
    #[case] body: Value,
    #[case] found: Result<bool, ReadErrorKind>,
) {
    let (cluster, _) = answering(code, body);
    let pod = cluster.pod(&namespace("web"), &name("web-0")).await;
    assert_eq!(pod.map(|pod| pod.is_some()).map_err(|error| error.kind), found);
}

const KUBECONFIG: &str = "\
apiVersion: v1
kind: Config
clusters: [{name: test, cluster: {server: 'http://127.0.0.1:1'}}]
users: [{name: test, user: {}}]
contexts: [{name: test, context: {cluster: test, user: test}}]
current-context: test
";

#[tokio::test]
async fn a_kubeconfig_is_taken_with_its_context_and_its_faults_say_what_to_do() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("config");
    std::fs::write(&path, KUBECONFIG).unwrap();
    let options = |context: Option<&str>, path: &std::path::Path| ConnectOptions {
        kubeconfig: Some(path.to_owned()),
        context: context.map(str::to_owned),
    };
    assert_eq!(
        KubeCluster::connect(&options(None, &path)).await.unwrap().server(),
        "http://127.0.0.1:1/"
    );
    let error = KubeCluster::connect(&options(Some("prod"), &path)).await.unwrap_err();
    assert_eq!(error.to_string(), "the kubeconfig has no context `prod`; it has `test`");
    let missing = directory.path().join("none");
    let error = KubeCluster::connect(&options(None, &missing)).await.unwrap_err();
    assert!(
        matches!(error, ConnectError::Kubeconfig { .. }) && error.to_string().contains("kubectl config view"),
        "{error}"
    );
}

#[tokio::test(start_paused = true)]
async fn what_the_api_server_calls_is_listed_once_a_minute() {
    let webhook = json!({"name": "it", "clientConfig": {"service": {"name": "it", "namespace": "pki"}}});
    let (cluster, asked) = answering(
        200,
        json!({"items": [{"metadata": {"name": "it"}, "webhooks": [webhook]}]}),
    );
    for _ in 0..2 {
        let namespaces = cluster.serving_namespaces().await.unwrap();
        assert_eq!(
            namespaces.named_by(&namespace("pki")),
            Some("the ValidatingWebhookConfiguration it")
        );
        assert_eq!(namespaces.named_by(&namespace("web")), None);
    }
    let mut lists = asked.take();
    lists.sort_unstable();
    let of = |group: &str, plural: &str| format!("GET /apis/{group}/v1/{plural}?&resourceVersion=0");
    let expected = [
        of("admissionregistration.k8s.io", "mutatingwebhookconfigurations"),
        of("admissionregistration.k8s.io", "validatingwebhookconfigurations"),
        of("apiregistration.k8s.io", "apiservices"),
    ];
    assert_eq!(lists, expected);
    tokio::time::advance(SERVING_KEPT).await;
    cluster.serving_namespaces().await.unwrap();
    assert_eq!(asked.take().len(), 3);
}

#[tokio::test]
async fn a_right_that_is_missing_is_an_error_and_no_empty_answer() {
    let (cluster, _) = answering(403, json!({"kind": "Status", "reason": "Forbidden", "code": 403}));
    let error = cluster.serving_namespaces().await.unwrap_err();
    assert_eq!(error.kind, ReadErrorKind::Forbidden);
}
