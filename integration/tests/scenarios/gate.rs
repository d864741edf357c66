//! An admission webhook that holds the requests of one user in one namespace until the test releases them. It makes
//! events between a decision and its request, or during a burst, reproducible.

use std::{
    collections::HashSet,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::{Request, Response, body::Incoming, service::service_fn};
use hyper_util::rt::TokioIo;
use k8s_openapi::{
    ByteString,
    api::{
        admissionregistration::v1::{
            MatchCondition, RuleWithOperations, ValidatingWebhook, ValidatingWebhookConfiguration, WebhookClientConfig,
        },
        core::v1::Pod,
    },
    apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta},
};
use kube::{
    Api, ResourceExt as _,
    api::{Patch, PatchParams, PostParams},
};
use serde_json::{Value, json};
use tokio::{net::TcpListener, sync::watch, task::JoinHandle};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        ServerConfig,
        pki_types::{CertificateDer, PrivateKeyDer},
    },
};

use crate::scenario::{Scenario, eventually};

/// The API server's longest timeout for a webhook, in seconds. A request fails after it.
const HELD_AT_MOST: i32 = 30;

/// A running webhook. Dropping it stops its server.
pub(crate) struct AdmissionGate {
    turn: Arc<Turn>,
    server: JoinHandle<()>,
}

struct Turn {
    /// The user whose requests are held.
    user: String,
    /// The number of objects whose requests pass before the gate closes.
    pass: usize,
    /// The names of these objects. The API server may ask several times about one request.
    passed: Mutex<HashSet<String>>,
    held: watch::Sender<usize>,
    is_open: watch::Sender<bool>,
    probed: AtomicUsize,
}

impl AdmissionGate {
    /// A gate for all writes of the scenario's responder to pods and nodes, dry runs included. Requests about the first
    /// `pass` objects pass, all others are held.
    pub(crate) async fn after(scenario: &Scenario<'_>, pass: usize) -> Self {
        let turn = Arc::new(Turn {
            user: scenario.user.clone(),
            pass,
            passed: Mutex::default(),
            held: watch::Sender::new(0),
            is_open: watch::Sender::new(false),
            probed: AtomicUsize::new(0),
        });
        let certified = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = tokio::spawn(serve(listener, acceptor(&certified), Arc::clone(&turn)));
        install(scenario, address, certified.cert.pem(), &turn).await;
        Self { turn, server }
    }

    /// Waits until `count` requests are held.
    pub(crate) async fn wait_for(&self, count: usize) {
        let mut held = self.turn.held.subscribe();
        let waited =
            tokio::time::timeout(std::time::Duration::from_secs(30), held.wait_for(|held| *held >= count)).await;
        waited
            .unwrap_or_else(|_| panic!("expected {count} held requests"))
            .unwrap();
    }

    /// Releases the requests about one object.
    pub(crate) fn let_pass(&self, name: &str) {
        self.turn.passed.lock().unwrap().insert(name.to_owned());
    }

    /// Releases all requests, also future ones.
    pub(crate) fn open(&self) {
        self.turn.is_open.send_replace(true);
    }
}

impl Turn {
    /// Whether requests about this object pass, because it is one of the first.
    fn passes(&self, name: &str) -> bool {
        let mut passed = self.passed.lock().unwrap();
        passed.contains(name) || passed.len() < self.pass && passed.insert(name.to_owned())
    }
}

impl Drop for AdmissionGate {
    fn drop(&mut self) {
        self.server.abort();
    }
}

fn acceptor(certified: &rcgen::CertifiedKey<rcgen::KeyPair>) -> TlsAcceptor {
    let certificate = CertificateDer::from(certified.cert.der().to_vec());
    let key = PrivateKeyDer::try_from(certified.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    TlsAcceptor::from(Arc::new(config))
}

async fn serve(listener: TcpListener, acceptor: TlsAcceptor, turn: Arc<Turn>) {
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let (acceptor, turn) = (acceptor.clone(), Arc::clone(&turn));
        tokio::spawn(async move {
            // The API server repeats a broken connection.
            let Ok(stream) = acceptor.accept(stream).await else {
                return;
            };
            let service = service_fn(|request| review(request, &turn));
            let _ = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

async fn review(request: Request<Incoming>, turn: &Turn) -> Result<Response<Full<Bytes>>, hyper::Error> {
    let body = request.into_body().collect().await?.to_bytes();
    let review: Value = serde_json::from_slice(&body).unwrap_or_default();
    let asked = &review["request"];
    if asked["userInfo"]["username"] != turn.user.as_str() {
        turn.probed.fetch_add(1, Ordering::SeqCst);
    } else if !turn.passes(asked["name"].as_str().unwrap_or_default()) {
        let mut is_open = turn.is_open.subscribe();
        if !*is_open.borrow_and_update() {
            turn.held.send_modify(|held| *held += 1);
            let _ = is_open.wait_for(|is_open| *is_open).await;
        }
    }
    let answer = json!({
        "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
        "response": { "uid": asked["uid"], "allowed": true },
    });
    let answer = Response::builder()
        .header("content-type", "application/json")
        .body(Full::from(answer.to_string()));
    Ok(answer.unwrap_or_default())
}

async fn install(scenario: &Scenario<'_>, address: SocketAddr, certificate: String, turn: &Turn) {
    let prober = format!("prober-{}", scenario.name);
    let texts = |texts: &[&str]| Some(texts.iter().map(|&text| text.to_owned()).collect());
    let webhook = ValidatingWebhook {
        name: "gate.responder.dev".to_owned(),
        admission_review_versions: vec!["v1".to_owned()],
        client_config: WebhookClientConfig {
            ca_bundle: Some(ByteString(certificate.into_bytes())),
            url: Some(format!("https://{address}/")),
            service: None,
        },
        failure_policy: Some("Fail".to_owned()),
        match_conditions: Some(vec![MatchCondition {
            name: "users".to_owned(),
            expression: format!("request.userInfo.username in ['{}', '{prober}']", scenario.user),
        }]),
        namespace_selector: Some(LabelSelector {
            match_labels: Some([("kubernetes.io/metadata.name".to_owned(), scenario.name.clone())].into()),
            ..LabelSelector::default()
        }),
        rules: Some(vec![RuleWithOperations {
            api_groups: texts(&[""]),
            api_versions: texts(&["v1"]),
            operations: texts(&["*"]),
            resources: texts(&["pods", "pods/eviction", "nodes"]),
            scope: None,
        }]),
        side_effects: "None".to_owned(),
        timeout_seconds: Some(HELD_AT_MOST),
        ..ValidatingWebhook::default()
    };
    let configuration = ValidatingWebhookConfiguration {
        metadata: ObjectMeta {
            name: Some(format!("gate-{}", scenario.name)),
            ..ObjectMeta::default()
        },
        webhooks: Some(vec![webhook]),
    };
    Api::all(scenario.client.clone())
        .create(&PostParams::default(), &configuration)
        .await
        .unwrap();
    wait_until_asked(scenario, &prober, turn).await;
}

/// The API server learns of a webhook through a watch and does not call it before.
async fn wait_until_asked(scenario: &Scenario<'_>, prober: &str, turn: &Turn) {
    let probe = scenario
        .control_plane
        .client_for(prober, &["system:masters"])
        .await
        .unwrap();
    let pods: Api<Pod> = Api::namespaced(probe, &scenario.name);
    let dry_run = PostParams {
        dry_run: true,
        ..PostParams::default()
    };
    eventually("the API server asks the gate", async || {
        pods.create(&dry_run, &scenario.pod("probe")).await.unwrap();
        (turn.probed.load(Ordering::SeqCst) > 0).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_closed_gate_holds_only_the_requests_of_its_user_until_it_opens() {
    let scenario = Scenario::new("gate").await;
    let first = scenario.running("first").await;
    let second = scenario.running("second").await;
    let gate = AdmissionGate::after(&scenario, 1).await;
    let user = scenario
        .control_plane
        .client_for(&scenario.user, &["system:masters"])
        .await
        .unwrap();
    let pods: Api<Pod> = Api::namespaced(user, &scenario.name);
    let by = |whom: &str| Patch::Merge(json!({ "metadata": { "labels": { "by": whom } } }));
    let params = PatchParams::default();
    let is_by = async |pod: &Pod| scenario.get(pod).await.unwrap().labels()["by"].clone();

    pods.patch("first", &params, &by("user")).await.unwrap();
    let held = tokio::spawn({
        let (pods, patch, params) = (pods.clone(), by("user"), params.clone());
        async move { pods.patch("second", &params, &patch).await }
    });
    gate.wait_for(1).await;
    scenario.pods().patch("second", &params, &by("admin")).await.unwrap();
    pods.patch("first", &params, &by("user-again")).await.unwrap();
    assert!(!held.is_finished());
    assert_eq!(is_by(&second).await, "admin");

    gate.open();
    held.await.unwrap().unwrap();
    assert_eq!(is_by(&second).await, "user");
    assert_eq!(is_by(&first).await, "user-again");
    assert_eq!(scenario.mutations().len(), 3);
}
