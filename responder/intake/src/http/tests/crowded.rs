//! Connections that prove nothing give way to those of senders.

use std::time::Duration;

use super::HttpLimits;
use super::auth::{PASSWORD, Protected, basic, post};
use super::client::{ALERT, Connection, Running};

/// Idle connections, each open on the server when the last is accepted.
async fn idle(server: &Running, count: usize) -> Vec<Connection> {
    let mut idle = Vec::new();
    for _ in 0..count {
        idle.push(server.connect().await);
    }
    idle
}

fn roomy() -> HttpLimits {
    HttpLimits {
        // All peers of a test have one address.
        connections_per_peer: 1 << 20,
        ..HttpLimits::default()
    }
}

#[tokio::test]
async fn a_thousand_idle_connections_without_a_credential_silence_no_sender() {
    let protected = Protected::with(roomy()).await;
    let _idle = idle(&protected.server, 1024).await;
    let answer = protected.server.send(&post(&basic("falco", PASSWORD))).await;
    assert_eq!(answer.status, 202);
    let counts = protected.server.connections.counts();
    assert_eq!((counts.displaced, counts.refused), (1, 0));
    assert!(counts.unauthenticated < 1024);
}

#[tokio::test]
async fn the_connections_of_one_peer_displace_its_own_only() {
    let limits = HttpLimits {
        connections_per_peer: 4,
        ..HttpLimits::default()
    };
    let protected = Protected::with(limits).await;
    let mut idle = idle(&protected.server, 4).await;
    assert_eq!(
        protected.server.send(&post(&basic("falco", PASSWORD))).await.status,
        202
    );
    assert!(idle[0].is_ended().await, "the oldest goes first");
    assert_eq!(protected.server.connections.counts().displaced, 1);
}

#[tokio::test]
async fn an_authenticated_connection_stays_while_others_come() {
    let limits = HttpLimits {
        connections: 8,
        ..roomy()
    };
    let protected = Protected::with(limits).await;
    let mut sender = protected.server.connect().await;
    sender.write_bytes(&post(&basic("falco", PASSWORD))).await;
    assert_eq!(sender.answer().await.status, 202);
    let _idle = idle(&protected.server, 100).await;
    protected.server.until_reading().await;
    sender.write_bytes(&post(&basic("falco", PASSWORD))).await;
    assert_eq!(sender.answer().await.status, 202);
}

#[tokio::test]
async fn a_connection_without_an_authenticated_request_in_time_is_closed_and_counted() {
    let limits = HttpLimits {
        first_request_deadline: Duration::from_millis(100),
        ..HttpLimits::default()
    };
    let protected = Protected::with(limits).await;
    let mut sender = protected.server.connect().await;
    sender.write_bytes(&post(&basic("falco", PASSWORD))).await;
    assert_eq!(sender.answer().await.status, 202);
    let (mut silent, mut slow) = (protected.server.connect().await, protected.server.connect().await);
    slow.write("POST / HTTP/1.1\r\nHost: x\r\nAuthor").await;
    // A page is no request of an authenticated sender.
    let mut reader = protected.server.connect().await;
    reader.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert_eq!(reader.answer().await.status, 200);
    for connection in [&mut silent, &mut slow, &mut reader] {
        assert!(connection.is_ended().await);
    }
    assert_eq!(protected.server.connections.counts().late, 3);
    sender.write_bytes(&post(&basic("falco", PASSWORD))).await;
    assert_eq!(sender.answer().await.status, 202, "an authenticated connection stays");
}

#[tokio::test]
async fn where_senders_need_no_credential_a_whole_alert_proves_a_connection() {
    let limits = HttpLimits {
        first_request_deadline: Duration::from_millis(200),
        ..HttpLimits::default()
    };
    let server = Running::with(limits).await;
    let alert = super::post("/", &ALERT.replace("RULE", "matched"));
    let (mut whole, mut half) = (server.connect().await, server.connect().await);
    whole.write_bytes(&alert).await;
    half.write_bytes(&alert[..alert.len() - 10]).await;
    assert_eq!(whole.answer().await.status, 202);
    half.until_ended().await;
    assert_eq!(server.connections.counts().late, 1);
    whole.write_bytes(&alert).await;
    assert_eq!(whole.answer().await.status, 202);
}

#[tokio::test]
async fn a_listener_full_of_authenticated_connections_takes_the_next_when_one_ends() {
    let limits = HttpLimits {
        connections: 1,
        ..HttpLimits::default()
    };
    let server = Running::with(limits).await;
    let alert = super::post("/", &ALERT.replace("RULE", "matched"));
    let mut first = server.connect().await;
    first.write_bytes(&alert).await;
    assert_eq!(first.answer().await.status, 202);
    let mut second = server.connect().await;
    second.write_bytes(&alert).await;
    assert!(
        tokio::time::timeout(Duration::from_millis(100), second.answer())
            .await
            .is_err(),
        "the second waits"
    );
    drop(first);
    assert_eq!(second.answer().await.status, 202);
}
