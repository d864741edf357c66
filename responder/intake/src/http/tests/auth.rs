//! Senders that have to prove who they are, by a password or a token.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use responder_core::alert::SenderName;
use rstest::rstest;

use super::client::{ALERT, Running};
use super::{FixedPages, HttpLimits};
use crate::auth::testing::TestFiles;
use crate::auth::{Access, CredentialSources, NamedSecret, SecretSource};

const PASSWORD: &str = "correct horse battery";
const TOKEN: &str = "0123456789abcdef0123";

struct Asking {
    server: Running,
    files: TestFiles,
}

impl Asking {
    async fn start() -> Self {
        let files = TestFiles::new();
        let named = |name: &str, secret| NamedSecret {
            name: SenderName::new(name).unwrap(),
            secret: SecretSource::File(secret),
        };
        let sources = CredentialSources {
            basic: vec![named("falco", files.write("password", PASSWORD))],
            bearer: vec![named("falcosidekick", files.write("token", TOKEN))],
        };
        let access = Access::load(None, sources).unwrap();
        let server = Running::asking(HttpLimits::default(), FixedPages(Ok(())), access).await;
        Self { server, files }
    }
}

fn basic(user: &str, password: &str) -> String {
    format!(
        "Authorization: Basic {}\r\n",
        BASE64_STANDARD.encode(format!("{user}:{password}"))
    )
}

/// An alert with further headers.
fn post(headers: &str) -> Vec<u8> {
    let alert = ALERT.replace("RULE", "matched");
    let length = alert.len();
    format!("POST / HTTP/1.1\r\nHost: x\r\n{headers}Content-Length: {length}\r\n\r\n{alert}").into_bytes()
}

#[rstest]
#[case::falco(&basic("falco", PASSWORD), "basic falco")]
#[case::falcosidekick(&format!("Authorization: Bearer {TOKEN}\r\n"), "bearer falcosidekick")]
#[tokio::test]
async fn a_known_sender_is_taken_and_named(#[case] headers: &str, #[case] sender: &str) {
    let asking = Asking::start().await;
    assert_eq!(asking.server.send(&post(headers)).await.status, 202);
    assert_eq!(asking.server.sink.senders(), [sender]);
    assert!(asking.server.sink.rejections().is_empty());
}

#[rstest]
#[case::nothing("", "credentials_missing")]
#[case::another_password(&basic("falco", "correct horse batterY"), "credentials_wrong")]
#[case::another_user(&basic("root", PASSWORD), "credentials_wrong")]
#[case::another_token("Authorization: Bearer 0123456789abcdef0124\r\n", "credentials_wrong")]
#[case::twice(&(basic("falco", PASSWORD) + "Authorization: Bearer x\r\n"), "credentials_wrong")]
#[tokio::test]
async fn anybody_else_is_refused_counted_and_told_what_is_asked(#[case] headers: &str, #[case] kind: &'static str) {
    let asking = Asking::start().await;
    let answer = asking.server.send(&post(headers)).await;
    assert_eq!(answer.status, 401, "{}", answer.body);
    assert!(answer.body.contains(&format!("\"kind\":\"{kind}\"")), "{}", answer.body);
    assert!(
        answer.head.contains("www-authenticate: basic realm=\"responder\""),
        "{}",
        answer.head
    );
    assert!(
        answer.head.contains("www-authenticate: bearer realm=\"responder\""),
        "{}",
        answer.head
    );
    assert!(!answer.body.contains(PASSWORD) && !answer.body.contains(TOKEN));
    assert_eq!(asking.server.sink.rejections(), [kind]);
    assert_eq!(asking.server.sink.taken(), 0);
}

/// A body of the largest length, of which not a byte is sent; and whoever asks whether to send it is not told to.
#[rstest]
#[case::at_once("")]
#[case::if_asked("Expect: 100-continue\r\n")]
#[tokio::test]
async fn nothing_of_the_body_is_read_of_a_stranger(#[case] headers: &str) {
    let asking = Asking::start().await;
    let mut connection = asking.server.connect().await;
    connection
        .write(&format!(
            "POST / HTTP/1.1\r\nHost: x\r\n{headers}Content-Length: 200000\r\n\r\n"
        ))
        .await;
    let answer = connection.any_answer().await;
    assert_eq!(answer.status, 401);
    assert!(answer.head.contains("connection: close"), "{}", answer.head);
    assert!(connection.is_ended().await);
}

#[rstest]
#[case("/")]
#[case("/healthz")]
#[case("/readyz")]
#[case("/metrics")]
#[tokio::test]
async fn the_pages_are_for_everybody(#[case] path: &str) {
    assert_eq!(Asking::start().await.server.get(path).await.status, 200);
}

/// The sender may have the new secret before the files are looked at: its alert comes once.
#[tokio::test(start_paused = true)]
async fn a_new_secret_holds_with_the_first_alert_that_shows_it() {
    let asking = Asking::start().await;
    asking.files.write("password", "another password altogether\n");
    tokio::time::advance(std::time::Duration::from_millis(1500)).await;
    assert_eq!(
        asking
            .server
            .send(&post(&basic("falco", "another password altogether")))
            .await
            .status,
        202
    );
    assert_eq!(asking.server.send(&post(&basic("falco", PASSWORD))).await.status, 401);
    asking.files.write("password", "");
    tokio::time::advance(std::time::Duration::from_secs(5)).await;
    assert_eq!(
        asking
            .server
            .send(&post(&basic("falco", "another password altogether")))
            .await
            .status,
        202,
        "a file that can't be used changes nothing"
    );
}
