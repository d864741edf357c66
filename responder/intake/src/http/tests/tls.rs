//! TLS, and senders that authenticate by a client certificate.

use std::sync::Arc;
use std::time::Duration;

use responder_core::alert::SenderName;
use rstest::rstest;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::HttpLimits;
use super::client::{ALERT, Connection, ReceivedAnswer, Running, post};
use crate::auth::{Access, ClientFiles, CredentialSources, TlsFiles};
use crate::testing::{CertificateSubject, IssuedCertificate, TestAuthority, TestFiles};

fn authority() -> TestAuthority {
    TestAuthority::new("test").unwrap()
}

/// A server over TLS that accepts alerts of `falco` and `spiffe://prod/falco`.
struct Secured {
    server: Running,
    files: TestFiles,
    authority: TestAuthority,
    clients: TestAuthority,
}

impl Secured {
    async fn start() -> Self {
        Self::with(HttpLimits::default()).await
    }

    async fn with(limits: HttpLimits) -> Self {
        let (files, authority, clients) = (TestFiles::new(), authority(), authority());
        let server = authority.issue(&CertificateSubject::server(["localhost"])).unwrap();
        let names = ["falco", "spiffe://prod/falco"];
        let tls = TlsFiles {
            certificate: files.write("tls.crt", &server.certificate),
            key: files.write("tls.key", &server.key),
            clients: Some(ClientFiles {
                authorities: files.write("clients.crt", &clients.pem()),
                allowed: names.map(|name| SenderName::new(name).unwrap().into()).to_vec(),
            }),
        };
        let access = Access::load(Some(tls), CredentialSources::default()).unwrap();
        let server = Running::with_access(limits, access).await;
        Self {
            server,
            files,
            authority,
            clients,
        }
    }

    /// A connection that trusts the server's authority and presents this certificate.
    async fn connect(&self, client: Option<&IssuedCertificate>) -> std::io::Result<Connection> {
        let mut roots = RootCertStore::empty();
        roots
            .add(CertificateDer::from_pem_slice(self.authority.pem().as_bytes()).unwrap())
            .unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots);
        let config = match client {
            None => builder.with_no_client_auth(),
            Some(client) => {
                let chain = vec![CertificateDer::from_pem_slice(client.certificate.as_bytes()).unwrap()];
                let key = PrivateKeyDer::from_pem_slice(client.key.as_bytes()).unwrap();
                builder.with_client_auth_cert(chain, key).unwrap()
            }
        };
        let stream = TcpStream::connect(self.server.address).await?;
        let name = ServerName::try_from("localhost").unwrap();
        let stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await?;
        Ok(Connection {
            stream: Box::new(stream),
            read: Vec::new(),
        })
    }

    async fn send(&self, client: Option<&IssuedCertificate>) -> ReceivedAnswer {
        let mut connection = self.connect(client).await.unwrap();
        connection
            .write_bytes(&post("/", &ALERT.replace("RULE", "matched")))
            .await;
        connection.answer().await
    }

    fn falco(&self, valid_for: Option<Duration>) -> IssuedCertificate {
        let subject = CertificateSubject {
            valid_for,
            ..CertificateSubject::named("falco")
        };
        self.clients.issue(&subject).unwrap()
    }

    async fn assert_refused(&self, client: &IssuedCertificate, kind: &'static str) {
        // With TLS 1.3 a client learns of the refusal at its first read.
        if let Ok(mut connection) = self.connect(Some(client)).await {
            connection
                .write_bytes(&post("/", &ALERT.replace("RULE", "matched")))
                .await;
            assert!(connection.is_ended().await);
        }
        assert_eq!(self.server.sink.rejections(), [kind]);
        assert_eq!(self.server.sink.taken(), 0);
    }
}

#[rstest]
#[case::common_name(CertificateSubject::named("falco"), "certificate falco")]
#[case::uri(CertificateSubject { uris: vec!["spiffe://prod/falco"], ..CertificateSubject::default() }, "certificate spiffe://prod/falco")]
#[tokio::test]
async fn an_alert_with_an_allowed_certificate_is_accepted_under_its_name(
    #[case] subject: CertificateSubject<'static>,
    #[case] sender: &str,
) {
    let secured = Secured::start().await;
    let client = secured.clients.issue(&subject).unwrap();
    assert_eq!(secured.send(Some(&client)).await.status, 202);
    assert_eq!(secured.server.sink.senders(), [sender]);
}

#[tokio::test]
async fn without_a_certificate_the_page_about_the_program_answers_and_no_alert_is_accepted() {
    let secured = Secured::start().await;
    let mut probe = secured.connect(None).await.unwrap();
    probe.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert_eq!(probe.answer().await.status, 200);
    let answer = secured.send(None).await;
    assert_eq!(answer.status, 403, "{}", answer.body);
    assert_eq!(secured.server.sink.rejections(), ["credentials_missing"]);
}

#[tokio::test]
async fn a_valid_certificate_with_another_name_is_refused() {
    let secured = Secured::start().await;
    let client = secured.clients.issue(&CertificateSubject::named("payments")).unwrap();
    assert_eq!(secured.send(Some(&client)).await.status, 403);
    assert_eq!(secured.server.sink.rejections(), ["certificate_name"]);
    assert_eq!(secured.server.sink.taken(), 0);
}

#[tokio::test]
async fn a_certificate_that_has_expired_is_refused() {
    let secured = Secured::start().await;
    let client = secured.falco(Some(Duration::ZERO));
    secured.assert_refused(&client, "certificate").await;
}

#[tokio::test]
async fn a_certificate_of_another_authority_is_refused_whatever_its_name() {
    let secured = Secured::start().await;
    let client = authority().issue(&CertificateSubject::named("falco")).unwrap();
    secured.assert_refused(&client, "certificate").await;
}

#[tokio::test]
async fn a_connection_ends_with_the_certificate_that_it_was_made_with() {
    let secured = Secured::start().await;
    let client = secured.falco(Some(Duration::from_secs(3)));
    let mut connection = secured.connect(Some(&client)).await.unwrap();
    connection
        .write_bytes(&post("/", &ALERT.replace("RULE", "matched")))
        .await;
    assert_eq!(connection.answer().await.status, 202);
    assert!(connection.is_ended().await, "idle, and its certificate has expired");
}

#[tokio::test]
async fn new_files_are_in_force_for_the_next_connection_and_end_the_present_ones() {
    let secured = Secured::start().await;
    let falco = secured.falco(None);
    let mut before = secured.connect(Some(&falco)).await.unwrap();
    before.write_bytes(&post("/", &ALERT.replace("RULE", "matched"))).await;
    assert_eq!(before.answer().await.status, 202);
    // Another authority of clients: a certificate of the first one is unknown.
    let others = authority();
    secured.files.write("clients.crt", &others.pem());
    assert!(before.is_ended().await);
    secured.assert_unknown(&falco).await;
    let client = others.issue(&CertificateSubject::named("falco")).unwrap();
    assert_eq!(secured.send(Some(&client)).await.status, 202);
}

impl Secured {
    async fn assert_unknown(&self, client: &IssuedCertificate) {
        let taken = self.server.sink.taken();
        if let Ok(mut connection) = self.connect(Some(client)).await {
            connection
                .write_bytes(&post("/", &ALERT.replace("RULE", "matched")))
                .await;
            assert!(connection.is_ended().await);
        }
        assert_eq!(self.server.sink.taken(), taken);
    }
}

/// A Falco with `http://` in its url, or a scanner.
#[tokio::test]
async fn plain_http_is_counted_and_ends() {
    let secured = Secured::start().await;
    let mut connection = secured.server.connect().await;
    connection.write_bytes(&post("/", ALERT)).await;
    connection.until_ended().await;
    assert_eq!(secured.server.sink.rejections(), ["tls"]);
}

#[rstest]
#[case::silent(b"")]
#[case::half_a_hello(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")]
#[tokio::test]
async fn a_handshake_without_an_end_ends_the_connection(#[case] bytes: &[u8]) {
    let limits = HttpLimits {
        handshake_deadline: Duration::from_millis(200),
        connections: 1,
        ..HttpLimits::default()
    };
    let secured = Secured::with(limits).await;
    let mut connection = secured.server.connect().await;
    connection.write_bytes(bytes).await;
    assert!(connection.is_ended().await);
    // It held the only permit, and returned it.
    let client = secured.falco(None);
    assert_eq!(secured.send(Some(&client)).await.status, 202);
}

#[tokio::test]
async fn headers_without_an_end_end_a_tls_connection_too() {
    let limits = HttpLimits {
        header_deadline: Duration::from_millis(200),
        ..HttpLimits::default()
    };
    let secured = Secured::with(limits).await;
    let mut connection = secured.connect(Some(&secured.falco(None))).await.unwrap();
    connection.write("POST / HTTP/1.1\r\nHost: x\r\nX-Slow: ").await;
    assert!(connection.is_ended().await);
}

#[tokio::test]
async fn a_handshake_under_way_does_not_delay_the_stop() {
    let secured = Secured::start().await;
    let mut connection = secured.server.connect().await;
    connection.write_bytes(b"\x16").await;
    // On the one thread of the test, the answer to another comes after the server has seen this one.
    secured.send(Some(&secured.falco(None))).await;
    secured.server.stop.cancel();
    assert_eq!(secured.server.task.await.unwrap(), 0, "no connection was cut");
}
