//! Authentication of senders: alerts of a known sender are acted on and recorded with its name; all others are refused
//! and counted, without any action.

use std::{collections::BTreeSet, fs, os::unix::fs::symlink, path::PathBuf, time::Duration};

use integration::responder::{Responder, ResponderOptions, Sample, alert, playbooks::on_shell};
use responder_intake::testing::{CertificateSubject, IssuedCertificate, TestAuthority};
use rstest::rstest;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    demo,
    scenario::{Scenario, eventually, start},
};

const PASSWORD: &str = "a password of some length";
const TOKEN: &str = "token-0123456789abcdef";

/// The files of a responder with authentication, in a directory that the test may change.
struct Files {
    directory: TempDir,
    authority: TestAuthority,
    clients: TestAuthority,
}

impl Files {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let files = Self {
            directory,
            authority: authority(),
            clients: authority(),
        };
        files.write("password", PASSWORD);
        files.write("token", TOKEN);
        let server = server(&files.authority);
        files.write("tls.crt", &server.certificate);
        files.write("tls.key", &server.key);
        files.write("ca.crt", &files.authority.pem());
        files.write("clients.crt", &files.clients.pem());
        files
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn write(&self, name: &str, contents: &str) {
        fs::write(self.path(name), contents).unwrap();
    }

    /// Adds a configuration with this section `http`, in which `DIR` stands for the directory.
    fn options(&self, http: &str, options: ResponderOptions) -> ResponderOptions {
        let directory = self.directory.path().display().to_string();
        let http = http.replace("DIR", &directory);
        self.write(
            "responder.yaml",
            &format!("apiVersion: responder.dev/v1alpha1\nkind: Configuration\nhttp: {http}\n"),
        );
        let is_encrypted = http.contains("tls:");
        ResponderOptions {
            arguments: vec!["--config".to_owned(), self.path("responder.yaml").display().to_string()],
            authority: is_encrypted.then(|| self.path("ca.crt")),
            ..options
        }
    }

    fn falco(&self) -> IssuedCertificate {
        client(&self.clients, "falco")
    }
}

fn authority() -> TestAuthority {
    TestAuthority::new("test").unwrap()
}

fn server(authority: &TestAuthority) -> IssuedCertificate {
    authority.issue(&CertificateSubject::server(["127.0.0.1"])).unwrap()
}

fn client(authority: &TestAuthority, name: &str) -> IssuedCertificate {
    authority.issue(&CertificateSubject::named(name)).unwrap()
}

const BASIC: &str = "{auth: {basic: [{user: falco, passwordFile: DIR/password}]}}";
const BEARER: &str = "{auth: {bearer: [{name: falcosidekick, tokenFile: DIR/token}]}}";
const CERTIFICATE: &str = "{tls: {certificateFile: DIR/tls.crt, keyFile: DIR/tls.key, clientCaFile: DIR/clients.crt, \
                           allowedNames: [falco]}}";

/// The credentials of a sender.
enum Credentials<'a> {
    Nothing,
    /// In the URL, as Falco sends them.
    Url(&'a str, &'a str),
    /// In a header, as falcosidekick sends it.
    Token(&'a str),
    Certificate(&'a IssuedCertificate),
}

/// Posts an alert. Returns status and kind of the reply; `None` if the TLS handshake failed.
async fn send(files: &Files, responder: &Responder, by: &Credentials<'_>, alert: &Value) -> Option<(u16, String)> {
    let pem = files.authority.pem();
    let mut builder = reqwest::Client::builder()
        .no_proxy()
        .tls_certs_only([reqwest::Certificate::from_pem(pem.as_bytes()).unwrap()]);
    let mut url = reqwest::Url::parse(responder.url()).unwrap();
    match by {
        Credentials::Url(user, password) => {
            url.set_username(user).unwrap();
            url.set_password(Some(password)).unwrap();
        }
        Credentials::Certificate(client) => {
            let pem = format!("{}{}", client.certificate, client.key);
            builder = builder.identity(reqwest::Identity::from_pem(pem.as_bytes()).unwrap());
        }
        Credentials::Nothing | Credentials::Token(_) => {}
    }
    let mut request = builder.build().unwrap().post(url).body(alert.to_string());
    if let Credentials::Token(token) = by {
        request = request.bearer_auth(token);
    }
    let response = request.send().await.ok()?;
    let status = response.status().as_u16();
    let body: Value = serde_json::from_str(&response.text().await.ok()?).unwrap();
    Some((status, body["kind"].as_str().unwrap_or_default().to_owned()))
}

/// Waits for a rejection count. A failed handshake reaches the client before it is counted.
async fn until_rejected(responder: &Responder, kind: &str, count: f64) {
    eventually(&format!("{kind} is counted"), async || {
        ((rejected(responder, kind).await - count).abs() < 0.1).then_some(())
    })
    .await;
}

/// The number of rejections of this kind.
async fn rejected(responder: &Responder, kind: &str) -> f64 {
    let metrics = responder.metrics().await.unwrap();
    metrics.total("responder_alerts_rejected_total", &[("kind", kind)])
}

#[rstest]
#[case::basic("basic", BASIC)]
#[case::bearer("bearer", BEARER)]
#[case::certificate("certificate", CERTIFICATE)]
#[tokio::test]
async fn an_unknown_sender_is_refused_and_a_known_one_is_named(#[case] kind: &str, #[case] http: &str) {
    let files = Files::new();
    let scenario = Scenario::new(&format!("senders-{kind}")).await;
    let web = scenario.running("web").await;
    let options = scenario.options(&on_shell("Enforce", &["delete: {}"])).await;
    let mut responder = start(&files.options(http, options)).await;
    let alert = alert::shell_in(&web).unwrap();

    let falco = files.falco();
    let strangers = [client(&files.clients, "payments"), client(&authority(), "falco")];
    let (right, wrong): (Credentials<'_>, Vec<(Credentials<'_>, &str)>) = match kind {
        "basic" => (
            Credentials::Url("falco", PASSWORD),
            vec![
                (Credentials::Nothing, "credentials_missing"),
                (
                    Credentials::Url("falco", "a password of some lengtH"),
                    "credentials_wrong",
                ),
                (Credentials::Url("root", PASSWORD), "credentials_wrong"),
                (Credentials::Token(PASSWORD), "credentials_wrong"),
            ],
        ),
        "bearer" => (
            Credentials::Token(TOKEN),
            vec![
                (Credentials::Nothing, "credentials_missing"),
                (Credentials::Token("token-0123456789abcdeF"), "credentials_wrong"),
                (Credentials::Url("falcosidekick", TOKEN), "credentials_wrong"),
            ],
        ),
        _ => (
            Credentials::Certificate(&falco),
            vec![
                (Credentials::Nothing, "credentials_missing"),
                (Credentials::Token(TOKEN), "credentials_missing"),
                (Credentials::Certificate(&strangers[0]), "certificate_name"),
                (Credentials::Certificate(&strangers[1]), "certificate"),
            ],
        ),
    };
    for (by, kind) in &wrong {
        let before = rejected(&responder, kind).await;
        match send(&files, &responder, by, &alert).await {
            Some((status, said)) => assert!(matches!(status, 401 | 403) && said == *kind, "{status} {said}"),
            None => assert_eq!(*kind, "certificate"),
        }
        until_rejected(&responder, kind, before + 1.0).await;
    }
    let accounts = responder.wait_until_at_rest(0).await.unwrap();
    assert!(accounts.is_balanced(), "{accounts:?}");
    assert_eq!((accounts.matched, accounts.rejected), (0, wrong.len() as u64));
    assert!(responder.trail().is_empty());
    assert!(
        scenario.requests().iter().all(|event| event.resource != "pods"),
        "{:#?}",
        scenario.requests()
    );

    assert_eq!(send(&files, &responder, &right, &alert).await.unwrap().0, 202);
    responder.wait_until_at_rest(1).await.unwrap();
    assert!(scenario.get(&web).await.is_none());
    let trail = responder.trail();
    let decided = trail.iter().find(|record| record.event() == "decided").unwrap().value();
    let name = if kind == "bearer" { "falcosidekick" } else { "falco" };
    assert_eq!(decided["sender"], json!({"kind": kind, "name": name}));
    let first = &decided["decision"]["trace"][0];
    assert_eq!(
        *first,
        json!({"name": "sender", "verdict": "Passed", "detail": format!("{kind} {name}")})
    );
    let log = responder.log();
    assert!(!log.contains(PASSWORD) && !log.contains(TOKEN), "{log}");
}

/// A responder on the demo's cluster in the mode Observe.
async fn observing(files: &Files, http: &str) -> Responder {
    let options = demo::options(on_shell("Observe", &["delete: {}"]));
    Responder::start(&files.options(http, options)).await.unwrap()
}

/// Whether an alert with these credentials is accepted.
async fn is_accepted(files: &Files, responder: &Responder, by: &Credentials<'_>) -> bool {
    let answer = send(files, responder, by, &demo::shell()).await;
    answer.is_some_and(|(status, _)| status == 202)
}

#[tokio::test]
async fn a_client_certificate_that_has_expired_or_is_of_another_authority_is_refused() {
    let files = Files::new();
    let responder = observing(&files, CERTIFICATE).await;
    let expired = CertificateSubject {
        valid_for: Some(Duration::ZERO),
        ..CertificateSubject::named("falco")
    };
    let expired = files.clients.issue(&expired).unwrap();
    let foreign = client(&authority(), "falco");
    let by_our_own = client(&files.authority, "falco");
    for (count, client) in [(1.0, &expired), (2.0, &foreign), (3.0, &by_our_own)] {
        let answer = send(&files, &responder, &Credentials::Certificate(client), &demo::shell()).await;
        assert_eq!(answer, None);
        until_rejected(&responder, "certificate", count).await;
    }
    let falco = files.falco();
    assert!(is_accepted(&files, &responder, &Credentials::Certificate(&falco)).await);
    // A client without TLS is also counted.
    let plain = responder.url().replace("https", "http");
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    assert!(client.post(plain).body("{}").send().await.is_err());
    until_rejected(&responder, "tls", 1.0).await;
    eventually("the cure is logged", async || {
        responder
            .log()
            .contains("does the sender's url begin with https?")
            .then_some(())
    })
    .await;
}

/// A mounted Secret is a link to a directory, and an update replaces the link.
#[tokio::test]
async fn credentials_are_replaced_without_losing_an_alert() {
    let files = Files::new();
    let mount = |version: &str, password: &str, token: &str| {
        fs::create_dir(files.path(version)).unwrap();
        files.write(&format!("{version}/password"), password);
        files.write(&format!("{version}/token"), token);
        symlink(version, files.path("..next")).unwrap();
        fs::rename(files.path("..next"), files.path("..data")).unwrap();
    };
    mount("v1", "the first password", "the-first-token-of-all");
    let http = "{auth: {basic: [{user: falco, passwordFile: DIR/password}, {user: falco, passwordFile: DIR/..data/password}], \
                bearer: [{name: falcosidekick, tokenFile: DIR/..data/token}]}}";
    let responder = observing(&files, http).await;
    let status = async |by: Credentials<'_>| send(&files, &responder, &by, &demo::shell()).await.unwrap().0;
    // Two passwords are valid at the same time.
    assert_eq!(status(Credentials::Url("falco", PASSWORD)).await, 202);
    assert_eq!(status(Credentials::Url("falco", "the first password")).await, 202);
    assert_eq!(status(Credentials::Token("the-first-token-of-all")).await, 202);

    mount("v2", "the second password", "the-second-token-of-all");
    eventually("the second password holds", async || {
        (status(Credentials::Url("falco", "the second password")).await == 202).then_some(())
    })
    .await;
    assert_eq!(status(Credentials::Token("the-second-token-of-all")).await, 202);
    assert_eq!(status(Credentials::Url("falco", "the first password")).await, 401);
    assert_eq!(status(Credentials::Token("the-first-token-of-all")).await, 401);
    assert_eq!(
        status(Credentials::Url("falco", PASSWORD)).await,
        202,
        "the other one was not touched"
    );

    mount("v3", "the third password", "");
    eventually("that the third can't be used", async || {
        is_outdated(&responder, "credentials").await.then_some(())
    })
    .await;
    assert_eq!(status(Credentials::Token("the-second-token-of-all")).await, 202);
    assert!(responder.log().contains("token: it is empty"), "{}", responder.log());
}

async fn is_outdated(responder: &Responder, files: &str) -> bool {
    let metrics = responder.metrics().await.unwrap();
    metrics.total("responder_files_outdated", &[("files", files)]) > 0.5
}

#[tokio::test]
async fn certificates_are_replaced_while_it_runs() {
    let files = Files::new();
    let responder = observing(&files, CERTIFICATE).await;
    let falco = files.falco();
    assert!(is_accepted(&files, &responder, &Credentials::Certificate(&falco)).await);

    // The key does not match its certificate, so the previous pair stays in use.
    files.write("tls.key", &server(&files.authority).key);
    eventually("that the key can't be used", async || {
        is_outdated(&responder, "tls").await.then_some(())
    })
    .await;
    assert!(is_accepted(&files, &responder, &Credentials::Certificate(&falco)).await);

    let (server, clients) = (server(&files.authority), authority());
    files.write("tls.crt", &server.certificate);
    files.write("tls.key", &server.key);
    files.write("clients.crt", &clients.pem());
    let next = client(&clients, "falco");
    eventually("the next authority holds", async || {
        is_accepted(&files, &responder, &Credentials::Certificate(&next))
            .await
            .then_some(())
    })
    .await;
    assert_eq!(
        send(&files, &responder, &Credentials::Certificate(&falco), &demo::shell()).await,
        None
    );
    assert!(!is_outdated(&responder, "tls").await);
}

/// No metric label takes a value from an unknown sender.
#[tokio::test]
async fn strangers_make_no_metric() {
    let files = Files::new();
    let responder = observing(&files, BASIC).await;
    let names = async || {
        let metrics = responder.metrics().await.unwrap();
        let name = |sample: &Sample| (sample.name.clone(), sample.labels.clone());
        metrics.samples().iter().map(name).collect::<BTreeSet<_>>()
    };
    let before = names().await;
    for number in 0..20 {
        let user = format!("stranger-{number}");
        let answer = send(&files, &responder, &Credentials::Url(&user, "x"), &demo::shell()).await;
        assert_eq!(answer.unwrap().1, "credentials_wrong");
    }
    let after = names().await;
    let news: Vec<_> = after.difference(&before).collect();
    assert!(news.is_empty(), "{news:?}");
    assert!(!responder.log().contains("stranger"), "{}", responder.log());
}
