//! A gate inside the API server: an admission webhook that holds requests of one user about one namespace until the test
//! lets them through. What happens between a decision and its request, or in the middle of a burst, is then no matter of
//! luck.

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

use crate::stage::{Stage, eventually};

/// The longest that the API server waits for a webhook; after that the request fails.
const HELD_AT_MOST: i32 = 30;

pub(crate) struct Gate {
    turn: Arc<Turn>,
    server: JoinHandle<()>,
}

struct Turn {
    /// Whose requests are held.
    user: String,
    /// The requests about so many objects pass before the gate closes.
    pass: usize,
    /// These objects: the API server asks more than once about one request.
    passed: Mutex<HashSet<String>>,
    held: watch::Sender<usize>,
    is_open: watch::Sender<bool>,
    probed: AtomicUsize,
}

impl Gate {
    /// A gate for all writes of the stage's responder about pods and nodes: those about the first so many pass, all
    /// others are held. Dry runs too.
    pub(crate) async fn after(stage: &Stage<'_>, pass: usize) -> Self {
        let turn = Arc::new(Turn {
            user: stage.user.clone(),
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
        install(stage, address, certified.cert.pem(), &turn).await;
        Self { turn, server }
    }

    /// Waits until so many requests are held.
    pub(crate) async fn wait_for(&self, count: usize) {
        let mut held = self.turn.held.subscribe();
        let waited =
            tokio::time::timeout(std::time::Duration::from_secs(30), held.wait_for(|held| *held >= count)).await;
        waited
            .unwrap_or_else(|_| panic!("{count} requests were to be held"))
            .unwrap();
    }

    /// Lets the requests about one object through.
    pub(crate) fn let_pass(&self, name: &str) {
        self.turn.passed.lock().unwrap().insert(name.to_owned());
    }

    /// Lets everything through from now on.
    pub(crate) fn open(&self) {
        self.turn.is_open.send_replace(true);
    }
}

impl Turn {
    /// Whether requests about this object pass: it is one of the first.
    fn passes(&self, name: &str) -> bool {
        let mut passed = self.passed.lock().unwrap();
        passed.contains(name) || passed.len() < self.pass && passed.insert(name.to_owned())
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.server.abort();
    }
}

fn acceptor(certified: &rcgen::CertifiedKey<rcgen::KeyPair>) -> TlsAcceptor {
    let certificate = CertificateDer::from(certified.cert.der().to_vec());
    let key = PrivateKeyDer::try_from(certified.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(tokio_rustls::rustls::crypto::aws_lc_rs::default_provider());
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
            // A connection that breaks is the API server's to make again.
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

async fn install(stage: &Stage<'_>, address: SocketAddr, certificate: String, turn: &Turn) {
    let prober = format!("prober-{}", stage.name);
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
            expression: format!("request.userInfo.username in ['{}', '{prober}']", stage.user),
        }]),
        namespace_selector: Some(LabelSelector {
            match_labels: Some([("kubernetes.io/metadata.name".to_owned(), stage.name.clone())].into()),
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
            name: Some(format!("gate-{}", stage.name)),
            ..ObjectMeta::default()
        },
        webhooks: Some(vec![webhook]),
    };
    Api::all(stage.client.clone())
        .create(&PostParams::default(), &configuration)
        .await
        .unwrap();
    wait_until_asked(stage, &prober, turn).await;
}

/// The API server learns of a webhook by a watch: until then it asks nobody.
async fn wait_until_asked(stage: &Stage<'_>, prober: &str, turn: &Turn) {
    let probe = stage
        .control_plane
        .client_for(prober, &["system:masters"])
        .await
        .unwrap();
    let pods: Api<Pod> = Api::namespaced(probe, &stage.name);
    let dry_run = PostParams {
        dry_run: true,
        ..PostParams::default()
    };
    eventually("the API server asks the gate", async || {
        pods.create(&dry_run, &stage.pod("probe")).await.unwrap();
        (turn.probed.load(Ordering::SeqCst) > 0).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_closed_gate_holds_the_requests_of_its_user_and_of_nobody_else_until_it_opens() {
    let stage = Stage::new("gate").await;
    let first = stage.running("first").await;
    let second = stage.running("second").await;
    let gate = Gate::after(&stage, 1).await;
    let user = stage
        .control_plane
        .client_for(&stage.user, &["system:masters"])
        .await
        .unwrap();
    let pods: Api<Pod> = Api::namespaced(user, &stage.name);
    let by = |whom: &str| Patch::Merge(json!({ "metadata": { "labels": { "by": whom } } }));
    let params = PatchParams::default();
    let is_by = async |pod: &Pod| stage.get(pod).await.unwrap().labels()["by"].clone();

    pods.patch("first", &params, &by("user")).await.unwrap();
    let held = tokio::spawn({
        let (pods, patch, params) = (pods.clone(), by("user"), params.clone());
        async move { pods.patch("second", &params, &patch).await }
    });
    gate.wait_for(1).await;
    stage.pods().patch("second", &params, &by("admin")).await.unwrap();
    pods.patch("first", &params, &by("user-again")).await.unwrap();
    assert!(!held.is_finished());
    assert_eq!(is_by(&second).await, "admin");

    gate.open();
    held.await.unwrap().unwrap();
    assert_eq!(is_by(&second).await, "user");
    assert_eq!(is_by(&first).await, "user-again");
    assert_eq!(stage.mutations().len(), 3);
}
