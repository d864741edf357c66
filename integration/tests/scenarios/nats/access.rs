//! Who we are, and who the server is: right, wrong and expired.

use std::path::PathBuf;

use integration::{
    nats::{Account, Authority, Expiry, NatsOptions, NatsServer},
    responder::Responder,
};
use rstest::rstest;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{SUBJECT, demo_shell, metrics_until, payload, simulated};
use crate::stage::{eventually, on_shell, start};

/// A server that asks who is there, with what proves it and what does not.
struct Door {
    server: NatsServer,
    /// Of a client that may publish.
    client: async_nats::ConnectOptions,
    settings: Value,
    directory: TempDir,
}

impl Door {
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

async fn door(access: &str, auth: impl FnOnce(&TempDir) -> Value, client: async_nats::ConnectOptions) -> Door {
    let options = NatsOptions {
        access: access.to_owned(),
        ..NatsOptions::default()
    };
    let server = NatsServer::with(&options).await.unwrap();
    let directory = tempfile::tempdir().unwrap();
    let settings = json!({ "servers": [server.url()], "auth": auth(&directory) });
    Door {
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

async fn with_password() -> Door {
    door(
        "authorization { users: [{ user: falco, password: \"right\" }] }",
        |directory| json!({ "user": { "name": "falco", "passwordFile": written(directory, "password", "right\n") } }),
        async_nats::ConnectOptions::with_user_and_password("falco".to_owned(), "right".to_owned()),
    )
    .await
}

async fn with_token() -> Door {
    door(
        "authorization { token: \"right\" }",
        |directory| json!({ "tokenFile": written(directory, "token", "right\n") }),
        async_nats::ConnectOptions::with_token("right".to_owned()),
    )
    .await
}

async fn with_nkey() -> Door {
    let key = nkeys::KeyPair::new_user();
    let seed = key.seed().unwrap();
    door(
        &format!("authorization {{ users: [{{ nkey: {} }}] }}", key.public_key()),
        |directory| json!({ "nkeySeedFile": written(directory, "seed", &seed) }),
        async_nats::ConnectOptions::with_nkey(seed.clone()),
    )
    .await
}

async fn with_credentials() -> (Door, Account) {
    let account = Account::create();
    let sender = tempfile::tempdir().unwrap();
    let file = account.credentials(Expiry::Never, sender.path(), "sender").unwrap();
    let client = async_nats::ConnectOptions::with_credentials_file(file).await.unwrap();
    let door = door(
        &account.access(),
        |directory| json!({ "credentialsFile": account.credentials(Expiry::Never, directory.path(), "right").unwrap() }),
        client,
    )
    .await;
    (door, account)
}

fn deletes() -> String {
    on_shell("Enforce", &["delete: {}"])
}

/// Lets a responder with the right proof in, and sees that an alert is acted on.
async fn is_let_in(door: Door, settings: &Value) {
    let mut responder = start(&simulated(&deletes(), settings)).await;
    let client = door.client.connect(door.server.url()).await.unwrap();
    client.publish(SUBJECT, payload(&demo_shell()).into()).await.unwrap();
    client.flush().await.unwrap();
    metrics_until(&responder, "the alert", |metrics| metrics.accounts().received == 1).await;
    let accounts = responder.wait_until_at_rest(1).await.unwrap();
    assert_eq!(accounts.responses, [("Done".to_owned(), 1)].into());
}

/// Sees that a responder is refused, says why in readiness and in the log, and hears nothing of what is published.
async fn is_refused(door: Door, settings: &Value, said: &str) {
    let responder = Responder::start(&simulated(&deletes(), settings)).await.unwrap();
    eventually(said, async || {
        responder
            .get("/readyz")
            .await
            .unwrap()
            .body
            .contains(said)
            .then_some(())
    })
    .await;
    assert_eq!(responder.get("/readyz").await.unwrap().status, 503);
    let client = door.client.connect(door.server.url()).await.unwrap();
    client.publish(SUBJECT, payload(&demo_shell()).into()).await.unwrap();
    client.flush().await.unwrap();
    // As long as a message that gets through takes many times over.
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
    let door = with_password().await;
    let settings = door.settings.clone();
    is_let_in(door, &settings).await;
}

#[tokio::test]
async fn a_right_token_is_let_in() {
    let door = with_token().await;
    let settings = door.settings.clone();
    is_let_in(door, &settings).await;
}

#[tokio::test]
async fn a_right_nkey_is_let_in() {
    let door = with_nkey().await;
    let settings = door.settings.clone();
    is_let_in(door, &settings).await;
}

#[tokio::test]
async fn right_credentials_are_let_in() {
    let (door, _account) = with_credentials().await;
    let settings = door.settings.clone();
    is_let_in(door, &settings).await;
}

#[tokio::test]
async fn a_wrong_password_is_refused() {
    let door = with_password().await;
    door.file("password", "wrong-secret");
    let settings = door.settings.clone();
    is_refused(door, &settings, "authorization violation").await;
}

#[tokio::test]
async fn a_wrong_token_is_refused() {
    let door = with_token().await;
    door.file("token", "wrong-secret");
    let settings = door.settings.clone();
    is_refused(door, &settings, "authorization violation").await;
}

#[tokio::test]
async fn a_strange_nkey_is_refused() {
    let door = with_nkey().await;
    door.file("seed", &nkeys::KeyPair::new_user().seed().unwrap());
    let settings = door.settings.clone();
    is_refused(door, &settings, "authorization violation").await;
}

#[tokio::test]
async fn nobody_is_refused_where_somebody_is_asked_for() {
    let door = with_token().await;
    let settings = door.with(|settings| {
        settings.as_object_mut().unwrap().remove("auth");
    });
    is_refused(door, &settings, "authorization violation").await;
}

#[tokio::test]
async fn a_secret_that_is_not_there_is_named() {
    let door = with_token().await;
    let settings = door.with(|settings| settings["auth"] = json!({ "tokenFile": "/nowhere/token" }));
    is_refused(door, &settings, "cannot read /nowhere/token").await;
}

#[rstest]
#[case::expired(true)]
#[case::of_another_account(false)]
#[tokio::test]
async fn credentials_that_are_not_right_are_refused_until_they_are_replaced(#[case] has_expired: bool) {
    let (door, account) = with_credentials().await;
    let directory = door.directory.path();
    let wrong = if has_expired {
        account.credentials(Expiry::Past, directory, "wrong").unwrap()
    } else {
        Account::create()
            .credentials(Expiry::Never, directory, "wrong")
            .unwrap()
    };
    let settings = door.with(|settings| settings["auth"] = json!({ "credentialsFile": wrong }));
    let mut responder = Responder::start(&simulated(&deletes(), &settings)).await.unwrap();
    eventually("it is refused", async || {
        responder
            .get("/readyz")
            .await
            .unwrap()
            .body
            .contains("authorization violation")
            .then_some(())
    })
    .await;
    let client = door.client.connect(door.server.url()).await.unwrap();
    client.publish(SUBJECT, payload(&demo_shell()).into()).await.unwrap();
    client.flush().await.unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    assert_eq!(responder.metrics().await.unwrap().accounts().received, 0);

    // A rotation: the same file, and nobody restarts anything.
    std::fs::copy(directory.join("right.creds"), &wrong).unwrap();
    responder.wait_until_ready().await.unwrap();
    eventually("an alert comes in", async || {
        client.publish(SUBJECT, payload(&demo_shell()).into()).await.unwrap();
        client.flush().await.unwrap();
        (responder.metrics().await.unwrap().accounts().received > 0).then_some(())
    })
    .await;
}

/// A user who may connect and not listen.
#[tokio::test]
async fn a_subscription_without_permission_is_told_of() {
    let door = door(
        "authorization { users: [{ user: falco, password: \"right\", permissions: { subscribe: { deny: \"falco.>\" } } }] }",
        |directory| json!({ "user": { "name": "falco", "passwordFile": written(directory, "password", "right") } }),
        async_nats::ConnectOptions::with_user_and_password("falco".to_owned(), "right".to_owned()),
    )
    .await;
    let settings = door.settings.clone();
    is_refused(door, &settings, "Permissions Violation").await;
}

/// A server with a certificate of an authority; and who checks whom.
async fn over_tls(checks_clients: bool, tls_first: bool) -> (Door, Authority) {
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
    let door = Door {
        server,
        client,
        settings,
        directory,
    };
    (door, authority)
}

#[rstest]
#[case::after_its_first_word(false, false)]
#[case::before_its_first_word(false, true)]
#[case::with_our_certificate(true, false)]
#[tokio::test]
async fn a_server_of_a_known_authority_is_trusted(#[case] checks_clients: bool, #[case] tls_first: bool) {
    let (door, _authority) = over_tls(checks_clients, tls_first).await;
    let settings = door.settings.clone();
    is_let_in(door, &settings).await;
}

#[tokio::test]
async fn a_server_of_another_authority_is_not_trusted() {
    let (door, _authority) = over_tls(false, false).await;
    let other = Authority::create("other", door.directory.path()).unwrap();
    let settings = door.with(|settings| settings["tls"]["caFile"] = json!(other.certificate()));
    is_refused(door, &settings, "invalid peer certificate").await;
}

#[tokio::test]
async fn a_server_without_tls_is_not_trusted_where_tls_is_asked_for() {
    let door = with_token().await;
    let directory = tempfile::tempdir().unwrap();
    let authority = Authority::create("ours", directory.path()).unwrap();
    let settings = door.with(|settings| settings["tls"] = json!({ "caFile": authority.certificate() }));
    // A server's plain first word is no TLS record.
    is_refused(door, &settings, "corrupt message").await;
}

#[rstest]
#[case::expired(true, "CertificateExpired")]
#[case::of_another_authority(false, "UnknownCA")]
#[tokio::test]
async fn a_client_certificate_that_is_not_right_is_refused(#[case] has_expired: bool, #[case] said: &str) {
    let (door, authority) = over_tls(true, false).await;
    let other = Authority::create("other", door.directory.path()).unwrap();
    let signer = if has_expired { &authority } else { &other };
    let wrong = signer.client("wrong", has_expired).unwrap();
    let settings = door.with(|settings| {
        settings["tls"]["certificateFile"] = json!(wrong.certificate);
        settings["tls"]["keyFile"] = json!(wrong.key);
    });
    is_refused(door, &settings, said).await;
}
