//! The pages for probes and metrics, which connections of others can't keep out.

use std::net::SocketAddr;

use rstest::rstest;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

use crate::http::{Pages, ProbeServer};

struct FixedPages(Result<(), String>);

impl Pages for FixedPages {
    fn ready(&self) -> Result<(), String> {
        self.0.clone()
    }

    fn metrics(&self) -> String {
        "responder_alerts_received_total 0\n".to_owned()
    }
}

/// The address of a server, which ends with the runtime of the test.
async fn start(ready: Result<(), String>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(ProbeServer::new(FixedPages(ready)).serve(listener, CancellationToken::new()));
    address
}

/// The whole answer, to the end of the connection.
async fn send(address: SocketAddr, line: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream
        .write_all(format!("{line} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes())
        .await
        .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[rstest]
#[case("GET /healthz", "200", "ok")]
#[case("HEAD /healthz", "200", "")]
#[case("GET /readyz", "200", "ready")]
#[case("GET /metrics", "200", "responder_alerts_received_total 0")]
#[case("GET /", "404", "/healthz")]
#[case("POST /", "404", "http.listen")]
#[case("POST /healthz", "405", "GET")]
#[tokio::test]
async fn a_page_is_answered_and_the_connection_ends(#[case] line: &str, #[case] status: &str, #[case] part: &str) {
    let answer = send(start(Ok(())).await, line).await;
    assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
    assert!(answer.contains(part), "{answer}");
}

#[tokio::test]
async fn a_server_that_is_not_ready_is_alive_and_tells_why() {
    let address = start(Err("the API server does not answer".to_owned())).await;
    assert!(send(address, "GET /healthz").await.contains(" 200 "));
    let answer = send(address, "GET /readyz").await;
    assert!(
        answer.contains(" 503 ") && answer.ends_with("not ready: the API server does not answer\n"),
        "{answer}"
    );
}

#[tokio::test]
async fn a_thousand_idle_connections_leave_room_for_a_probe() {
    let address = start(Ok(())).await;
    let mut idle = Vec::new();
    for _ in 0..1024 {
        idle.push(TcpStream::connect(address).await.unwrap());
    }
    assert!(send(address, "GET /healthz").await.contains(" 200 "));
}
