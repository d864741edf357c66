//! Authentication to NATS and of NATS: with right, wrong and expired credentials and certificates.

use std::path::PathBuf;

use integration::{
    nats::{Account, Expiry, NatsOptions, NatsServer},
    pki::Authority,
    responder::{Responder, playbooks::on_shell},
};
use rstest::rstest;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{metrics_until, payload, publish, simulated, until_readyz_says};
use crate::{
    demo,
    scenario::{eventually, expect_responses, start},
};

/// A server with access control, and the settings that open it.
struct GuardedServer {
    server: NatsServer,
    /// Connects a client that may publish.
    client: async_nats::ConnectOptions,
    settings: Value,
    directory: TempDir,
}

impl GuardedServer {
    fn file(&self, name: &str, text: &str) -> PathBuf {
        let file = self.directory.path().join(name);
        std::fs::write(&file, text).unwrap();
        file
    }

    fn with(&self, change: impl FnOnce(&mut Value)) -> Value {
        let mut settings = self.settings.clone();
        change(&mut settings);
        settings
    }
}

async fn guarded_server(
    access: &str,
    auth: impl FnOnce(&TempDir) -> Value,
    client: async_nats::ConnectOptions,
) -> GuardedServer {
    let options = NatsOptions {
        access: access.to_owned(),
        ..NatsOptions::default()
    };
    let server = NatsServer::with(&options).await.unwrap();
    let directory = tempfile::tempdir().unwrap();
    let settings = json!({ "servers": [server.url()], "auth": auth(&directory) });
    GuardedServer {
        server,
        client,
        settings,
        directory,
    }
}

fn written(directory: &TempDir, name: &str, text: &str) -> PathBuf {
    let file = directory.path().join(name);
    std::fs::write(&file, text).unwrap();
    file
}

async fn with_password() -> GuardedServer {
    guarded_server(
        "authorization { users: [{ user: falco, password: \"right\" }] }",
        |directory| json!({ "user": { "name": "falco", "passwordFile": written(directory, "password", "right\n") } }),
        async_nats::ConnectOptions::with_user_and_password("falco".to_owned(), "right".to_owned()),
    )
    .await
}

async fn with_token() -> GuardedServer {
    guarded_server(
        "authorization { token: \"right\" }",
        |directory| json!({ "tokenFile": written(directory, "token", "right\n") }),
        async_nats::ConnectOptions::with_token("right".to_owned()),
    )
    .await
}

async fn with_nkey() -> GuardedServer {
    let key = nkeys::KeyPair::new_user();
    let seed = key.seed().unwrap();
    guarded_server(
        &format!("authorization {{ users: [{{ nkey: {} }}] }}", key.public_key()),
        |directory| json!({ "nkeySeedFile": written(directory, "seed", &seed) }),
        async_nats::ConnectOptions::with_nkey(seed.clone()),
    )
    .await
}

async fn with_credentials() -> (GuardedServer, Account) {
    let account = Account::create();
    let sender = tempfile::tempdir().unwrap();
    let file = account.credentials(Expiry::Never, sender.path(), "sender").unwrap();
    let client = async_nats::ConnectOptions::with_credentials_file(file).await.unwrap();
    let guarded = guarded_server(
        &account.access(),
        |directory| json!({ "credentialsFile": account.credentials(Expiry::Never, directory.path(), "right").unwrap() }),
        client,
    )
    .await;
    (guarded, account)
}

fn deletes() -> String {
    on_shell("Enforce", &["delete: {}"])
}

/// Starts a responder with these settings and expects that it acts on an alert.
async fn is_let_in(guarded: GuardedServer, settings: &Value) {
    let mut responder = start(&simulated(&deletes(), settings)).await;
    let client = guarded.client.connect(guarded.server.url()).await.unwrap();
    publish(&client, payload(&demo::shell())).await;
    metrics_until(&responder, "the alert", |metrics| metrics.accounts().received == 1).await;

    expect_responses(&mut responder, 1, &[("Done", 1)]).await;
}

/// Starts a responder with these settings and expects that it is refused, reports the reason in `/readyz` and in the
/// log, and receives no alert.
async fn is_refused(guarded: GuardedServer, settings: &Value, said: &str) {
    let responder = Responder::start(&simulated(&deletes(), settings)).await.unwrap();
    until_readyz_says(&responder, said).await;
    assert_eq!(responder.get("/readyz").await.unwrap().status, 503);
    let client = guarded.client.connect(guarded.server.url()).await.unwrap();
    publish(&client, payload(&demo::shell())).await;
    // Many times longer than a message takes.
    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    let accounts = responder.metrics().await.unwrap().accounts();
    assert_eq!((accounts.received, accounts.decisions), (0, 0), "{accounts:?}");
    let log = responder.kill().unwrap();
    assert!(log.contains(said), "{log}");
    for secret in ["right", "wrong-secret"] {
        assert!(
            !log.lines()
                .any(|line| line.contains("no connection to NATS") && line.contains(secret)),
            "{log}"
        );
    }
}

#[tokio::test]
async fn a_right_password_is_let_in() {
    let guarded = with_password().await;
    let settings = guarded.settings.clone();
    is_let_in(guarded, &settings).await;
}

#[tokio::test]
async fn a_right_token_is_let_in() {
    let guarded = with_token().await;
    let settings = guarded.settings.clone();
    is_let_in(guarded, &settings).await;
}

#[tokio::test]
async fn a_right_nkey_is_let_in() {
    let guarded = with_nkey().await;
    let settings = guarded.settings.clone();
    is_let_in(guarded, &settings).await;
}

#[tokio::test]
async fn right_credentials_are_let_in() {
    let (guarded, _account) = with_credentials().await;
    let settings = guarded.settings.clone();
    is_let_in(guarded, &settings).await;
}

#[tokio::test]
async fn a_wrong_password_is_refused() {
    let guarded = with_password().await;
    guarded.file("password", "wrong-secret");
    let settings = guarded.settings.clone();
    is_refused(guarded, &settings, "authorization violation").await;
}

#[tokio::test]
async fn a_wrong_token_is_refused() {
    let guarded = with_token().await;
    guarded.file("token", "wrong-secret");
    let settings = guarded.settings.clone();
    is_refused(guarded, &settings, "authorization violation").await;
}

#[tokio::test]
async fn a_strange_nkey_is_refused() {
    let guarded = with_nkey().await;
    guarded.file("seed", &nkeys::KeyPair::new_user().seed().unwrap());
    let settings = guarded.settings.clone();
    is_refused(guarded, &settings, "authorization violation").await;
}

#[tokio::test]
async fn a_client_without_credentials_is_refused() {
    let guarded = with_token().await;
    let settings = guarded.with(|settings| {
        settings.as_object_mut().unwrap().remove("auth");
    });
    is_refused(guarded, &settings, "authorization violation").await;
}

#[tokio::test]
async fn a_missing_secret_file_is_named() {
    let guarded = with_token().await;
    let settings = guarded.with(|settings| settings["auth"] = json!({ "tokenFile": "/nowhere/token" }));
    is_refused(
        guarded,
        &settings,
        "the secret for NATS cannot be used: /nowhere/token: No such file",
    )
    .await;
}

#[rstest]
#[case::expired(true)]
#[case::of_another_account(false)]
#[tokio::test]
async fn wrong_credentials_are_refused_until_they_are_replaced(#[case] has_expired: bool) {
    let (guarded, account) = with_credentials().await;
    let directory = guarded.directory.path();
    let wrong = if has_expired {
        account.credentials(Expiry::Past, directory, "wrong").unwrap()
    } else {
        Account::create()
            .credentials(Expiry::Never, directory, "wrong")
            .unwrap()
    };
    let settings = guarded.with(|settings| settings["auth"] = json!({ "credentialsFile": wrong }));
    let mut responder = Responder::start(&simulated(&deletes(), &settings)).await.unwrap();
    until_readyz_says(&responder, "authorization violation").await;
    let client = guarded.client.connect(guarded.server.url()).await.unwrap();
    publish(&client, payload(&demo::shell())).await;
    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    assert_eq!(responder.metrics().await.unwrap().accounts().received, 0);

    // A rotation: the file is replaced and no process is restarted.
    std::fs::copy(directory.join("right.creds"), &wrong).unwrap();
    responder.wait_until_ready().await.unwrap();
    eventually("an alert comes in", async || {
        publish(&client, payload(&demo::shell())).await;
        (responder.metrics().await.unwrap().accounts().received > 0).then_some(())
    })
    .await;
}

/// The user may connect but not subscribe.
#[tokio::test]
async fn a_subscription_without_permission_is_reported() {
    let guarded = guarded_server(
        "authorization { users: [{ user: falco, password: \"right\", permissions: { subscribe: { deny: \"falco.>\" } } }] }",
        |directory| json!({ "user": { "name": "falco", "passwordFile": written(directory, "password", "right") } }),
        async_nats::ConnectOptions::with_user_and_password("falco".to_owned(), "right".to_owned()),
    )
    .await;
    let settings = guarded.settings.clone();
    is_refused(guarded, &settings, "Permissions Violation").await;
}

/// A server with TLS and its authority. Optionally it requires client certificates.
async fn over_tls(checks_clients: bool, tls_first: bool) -> (GuardedServer, Authority) {
    let directory = tempfile::tempdir().unwrap();
    let authority = Authority::create("ours", directory.path()).unwrap();
    let options = NatsOptions {
        tls: Some((
            authority.server().unwrap(),
            checks_clients.then(|| authority.certificate()),
        )),
        tls_first,
        ..NatsOptions::default()
    };
    let server = NatsServer::with(&options).await.unwrap();
    let mut client = async_nats::ConnectOptions::new()
        .add_root_certificates(authority.certificate())
        .require_tls(true);
    let mut tls = json!({ "caFile": authority.certificate(), "first": tls_first });
    if checks_clients {
        let sender = authority.client("sender", false).unwrap();
        client = client.add_client_certificate(sender.certificate, sender.key);
        let ours = authority.client("responder", false).unwrap();
        tls["certificateFile"] = json!(ours.certificate);
        tls["keyFile"] = json!(ours.key);
    }
    if tls_first {
        client = client.tls_first();
    }
    let settings = json!({ "servers": [server.url()], "tls": tls });
    let guarded = GuardedServer {
        server,
        client,
        settings,
        directory,
    };
    (guarded, authority)
}

#[rstest]
#[case::after_its_first_word(false, false)]
#[case::before_its_first_word(false, true)]
#[case::with_our_certificate(true, false)]
#[tokio::test]
async fn a_server_of_a_known_authority_is_trusted(#[case] checks_clients: bool, #[case] tls_first: bool) {
    let (guarded, _authority) = over_tls(checks_clients, tls_first).await;
    let settings = guarded.settings.clone();
    is_let_in(guarded, &settings).await;
}

#[tokio::test]
async fn a_server_of_another_authority_is_not_trusted() {
    let (guarded, _authority) = over_tls(false, false).await;
    let other = Authority::create("other", guarded.directory.path()).unwrap();
    let settings = guarded.with(|settings| settings["tls"]["caFile"] = json!(other.certificate()));
    is_refused(guarded, &settings, "invalid peer certificate").await;
}

#[tokio::test]
async fn a_server_without_tls_is_not_trusted_if_tls_is_configured() {
    let guarded = with_token().await;
    let directory = tempfile::tempdir().unwrap();
    let authority = Authority::create("ours", directory.path()).unwrap();
    let settings = guarded.with(|settings| settings["tls"] = json!({ "caFile": authority.certificate() }));
    // The server's plain INFO line is not a TLS record.
    is_refused(guarded, &settings, "corrupt message").await;
}

#[rstest]
#[case::expired(true, "CertificateExpired")]
#[case::of_another_authority(false, "UnknownCA")]
#[tokio::test]
async fn a_wrong_client_certificate_is_refused(#[case] has_expired: bool, #[case] said: &str) {
    let (guarded, authority) = over_tls(true, false).await;
    let other = Authority::create("other", guarded.directory.path()).unwrap();
    let signer = if has_expired { &authority } else { &other };
    let wrong = signer.client("wrong", has_expired).unwrap();
    let settings = guarded.with(|settings| {
        settings["tls"]["certificateFile"] = json!(wrong.certificate);
        settings["tls"]["keyFile"] = json!(wrong.key);
    });
    is_refused(guarded, &settings, said).await;
}
