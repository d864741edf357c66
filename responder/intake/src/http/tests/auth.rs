//! Senders that have to authenticate by a password or a token.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use responder_core::alert::SenderName;
use rstest::rstest;

use super::HttpLimits;
use super::client::{ALERT, Running};
use crate::SecretSource;
use crate::auth::{Access, CredentialSources, NamedSecret};
use crate::testing::TestFiles;

pub(super) const PASSWORD: &str = "correct horse battery";
const TOKEN: &str = "0123456789abcdef0123";

/// A server that knows one password and one token.
pub(super) struct Protected {
    pub(super) server: Running,
    files: TestFiles,
}

impl Protected {
    pub(super) async fn start() -> Self {
        Self::with(HttpLimits::default()).await
    }

    pub(super) async fn with(limits: HttpLimits) -> Self {
        let files = TestFiles::new();
        let named = |name: &str, secret| NamedSecret {
            name: SenderName::new(name).unwrap(),
            secret: SecretSource::File(secret),
            confined: None,
        };
        let sources = CredentialSources {
            basic: vec![named("falco", files.write("password", PASSWORD))],
            bearer: vec![named("falcosidekick", files.write("token", TOKEN))],
        };
        let access = Access::load(None, sources).unwrap();
        let server = Running::with_access(limits, access).await;
        Self { server, files }
    }
}

pub(super) fn basic(user: &str, password: &str) -> String {
    format!(
        "Authorization: Basic {}\r\n",
        BASE64_STANDARD.encode(format!("{user}:{password}"))
    )
}

/// An alert with further headers.
pub(super) fn post(headers: &str) -> Vec<u8> {
    let alert = ALERT.replace("RULE", "matched");
    let length = alert.len();
    format!("POST / HTTP/1.1\r\nHost: x\r\n{headers}Content-Length: {length}\r\n\r\n{alert}").into_bytes()
}

#[rstest]
#[case::falco(&basic("falco", PASSWORD), "basic falco")]
#[case::falcosidekick(&format!("Authorization: Bearer {TOKEN}\r\n"), "bearer falcosidekick")]
#[tokio::test]
async fn an_alert_of_a_known_sender_is_accepted_under_its_name(#[case] headers: &str, #[case] sender: &str) {
    let protected = Protected::start().await;
    assert_eq!(protected.server.send(&post(headers)).await.status, 202);
    assert_eq!(protected.server.sink.senders(), [sender]);
    assert!(protected.server.sink.rejections().is_empty());
}

#[rstest]
#[case::nothing("", "credentials_missing")]
#[case::another_password(&basic("falco", "correct horse batterY"), "credentials_wrong")]
#[case::another_user(&basic("root", PASSWORD), "credentials_wrong")]
#[case::another_token("Authorization: Bearer 0123456789abcdef0124\r\n", "credentials_wrong")]
#[case::twice(&(basic("falco", PASSWORD) + "Authorization: Bearer x\r\n"), "credentials_wrong")]
#[tokio::test]
async fn any_other_sender_is_refused_counted_and_gets_the_challenges(
    #[case] headers: &str,
    #[case] kind: &'static str,
) {
    let protected = Protected::start().await;
    let answer = protected.server.send(&post(headers)).await;
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
    assert_eq!(protected.server.sink.rejections(), [kind]);
    assert_eq!(protected.server.sink.taken(), 0);
}

/// The body is announced and not sent, and a sender that asks whether to send it gets no 100 Continue.
#[rstest]
#[case::at_once("")]
#[case::if_asked("Expect: 100-continue\r\n")]
#[tokio::test]
async fn the_body_of_an_unknown_sender_is_not_read(#[case] headers: &str) {
    let protected = Protected::start().await;
    let mut connection = protected.server.connect().await;
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

#[tokio::test]
async fn the_page_about_the_program_needs_no_credentials() {
    assert_eq!(Protected::start().await.server.get("/").await.status, 200);
}

/// The sender may have the new secret before the files are checked, and it sends an alert once.
#[tokio::test(start_paused = true)]
async fn a_new_secret_is_valid_from_the_first_alert_that_carries_it() {
    let protected = Protected::start().await;
    protected.files.write("password", "another password altogether\n");
    tokio::time::advance(std::time::Duration::from_millis(1500)).await;
    assert_eq!(
        protected
            .server
            .send(&post(&basic("falco", "another password altogether")))
            .await
            .status,
        202
    );
    assert_eq!(
        protected.server.send(&post(&basic("falco", PASSWORD))).await.status,
        401
    );
    protected.files.write("password", "");
    tokio::time::advance(std::time::Duration::from_secs(5)).await;
    assert_eq!(
        protected
            .server
            .send(&post(&basic("falco", "another password altogether")))
            .await
            .status,
        202,
        "a file that can't be used changes nothing"
    );
}
