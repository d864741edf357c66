//! Hostile requests. Each is answered, and the server goes on.

use std::time::Duration;

use rstest::rstest;

use super::HttpLimits;
use super::client::{ALERT, ReceivedAnswer, Running, post};

/// Short deadlines, so that a silent sender gets its answer within the test.
fn impatient() -> HttpLimits {
    HttpLimits {
        body_deadline: Duration::from_millis(200),
        header_deadline: Duration::from_millis(200),
        ..HttpLimits::default()
    }
}

async fn assert_answered(server: &Running, answer: &ReceivedAnswer, status: u16, kind: &'static str) {
    assert_eq!(answer.status, status, "{}", answer.body);
    assert!(answer.body.contains(&format!("\"kind\":\"{kind}\"")), "{}", answer.body);
    assert_eq!(server.sink.rejections(), [kind]);
    assert_eq!(server.sink.taken(), 0);
    let next = server.send(&post("/", &ALERT.replace("RULE", "matched"))).await;
    assert_eq!(next.status, 202, "the next alert is taken");
}

#[rstest]
#[case::nothing(b"", 400, "empty")]
#[case::invalid_utf8(b"{\"rule\":\"\xff\xfe\"}", 400, "not_utf8")]
#[case::null(b"null", 400, "not_an_object")]
#[case::list(b"[]", 400, "empty")]
#[case::duplicate_key(b"{\"rule\":\"a\",\"rule\":\"b\"}", 400, "duplicate_key")]
#[case::cut(b"{\"rule\":\"a\",\"prio", 400, "truncated")]
#[tokio::test]
async fn a_body_that_is_no_alert_is_answered_with_its_kind(
    #[case] body: &[u8],
    #[case] status: u16,
    #[case] kind: &'static str,
) {
    let server = Running::start().await;
    let request = [
        format!("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n", body.len()).as_bytes(),
        body,
    ]
    .concat();
    let answer = server.send(&request).await;
    assert_answered(&server, &answer, status, kind).await;
}

#[rstest]
#[case::lists("[", "]")]
#[case::objects("{\"a\":", "}")]
#[tokio::test]
async fn a_hundred_thousand_levels_of_nesting_are_answered(#[case] open: &str, #[case] close: &str) {
    let limits = HttpLimits {
        alert: responder_core::alert::Bounds {
            body: 1 << 20,
            ..Default::default()
        },
        ..HttpLimits::default()
    };
    let server = Running::with(limits).await;
    let deep = format!("{}1{}", open.repeat(100_000), close.repeat(100_000));
    for body in [
        deep.clone(),
        ALERT.replace("\"x\"", &deep),
        ALERT.replace("\"ee97d9c4186f\"", &deep),
    ] {
        let answer = server.send(&post("/", &body)).await;
        assert_eq!(answer.status, 400, "{}", answer.body);
    }
    assert_eq!(server.sink.taken(), 0);
}

#[tokio::test]
async fn a_body_with_too_large_a_declared_size_is_refused_unread() {
    let server = Running::start().await;
    let answer = server
        .send(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n{")
        .await;
    assert_answered(&server, &answer, 413, "too_large").await;
}

#[tokio::test]
async fn a_sender_that_writes_its_large_body_to_the_end_still_reads_why_it_was_refused() {
    let server = Running::start().await;
    let answer = server
        .send(&post(
            "/",
            &ALERT.replace("\"x\"", &format!("\"{}\"", "x".repeat(600 * 1024))),
        ))
        .await;
    assert_answered(&server, &answer, 413, "too_large").await;
}

#[tokio::test]
async fn a_chunked_body_without_an_end_is_refused_at_the_bound() {
    let server = Running::start().await;
    let chunk = format!("4000\r\n{}\r\n", "x".repeat(0x4000));
    let request = format!(
        "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n{}",
        chunk.repeat(40)
    );
    let answer = server.send(request.as_bytes()).await;
    assert_answered(&server, &answer, 413, "too_large").await;
}

#[tokio::test]
async fn a_chunked_alert_is_taken() {
    let server = Running::start().await;
    let alert = ALERT.replace("RULE", "matched");
    let mut request = "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n".to_owned();
    for byte in alert.chars() {
        request += &format!("1\r\n{byte}\r\n");
    }
    request += "0\r\nTrailer: x\r\n\r\n";
    assert_eq!(server.send(request.as_bytes()).await.status, 202);
    assert_eq!(server.sink.alerts.lock().unwrap()[0].rule().as_str(), "matched");
}

#[tokio::test]
async fn an_alert_of_a_hundred_kilobytes_is_taken_whole() {
    let server = Running::start().await;
    let text = "x".repeat(100 * 1024);
    let answer = server
        .send(&post("/", &ALERT.replace("\"x\"", &format!("\"{text}\""))))
        .await;
    assert_eq!(answer.status, 202);
    assert_eq!(server.sink.alerts.lock().unwrap()[0].output(), Some(text.as_str()));
}

#[tokio::test]
async fn half_a_body_and_then_silence_is_answered_after_the_deadline() {
    let server = Running::with(impatient()).await;
    let answer = server
        .send(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{\"rule\":")
        .await;
    assert_answered(&server, &answer, 408, "body_timeout").await;
}

#[tokio::test]
async fn large_bodies_that_are_held_back_leave_room_for_small_ones() {
    let limits = HttpLimits {
        large_bodies: 1,
        body_deadline: Duration::from_millis(500),
        ..HttpLimits::default()
    };
    let server = Running::with(limits).await;
    let half = format!(
        "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 200000\r\n\r\n{}",
        "x".repeat(30_000)
    );
    let (mut first, mut second) = (server.connect().await, server.connect().await);
    first.write(&half).await;
    server.until_reading().await;
    second.write(&half).await;
    assert_eq!(
        server.send(&post("/", &ALERT.replace("RULE", "matched"))).await.status,
        202
    );
    assert_eq!(first.answer().await.status, 408);
    assert!([408, 503].contains(&second.answer().await.status));
}

#[tokio::test]
async fn headers_without_an_end_end_the_connection() {
    let server = Running::with(impatient()).await;
    let mut connection = server.connect().await;
    connection.write("POST / HTTP/1.1\r\nHost: x\r\nX-Slow: ").await;
    assert!(connection.is_ended().await);
    assert_eq!(server.get("/").await.status, 200);
}

#[rstest]
#[case::no_http(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400)]
#[case::endless_header(&vec![b'x'; 40_000], 431)]
#[case::two_lengths(
    b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
    400
)]
#[tokio::test]
async fn bytes_that_are_not_http_are_answered_and_counted(#[case] bytes: &[u8], #[case] status: u16) {
    let server = Running::start().await;
    let answer = server.send(bytes).await;
    assert_eq!(answer.status, status);
    server.until_reading().await;
    assert_eq!(server.sink.rejections(), ["http"]);
}

#[tokio::test]
async fn a_length_and_chunks_at_once_smuggle_nothing() {
    let server = Running::start().await;
    let mut connection = server.connect().await;
    let inner = String::from_utf8(post("/", &ALERT.replace("RULE", "matched"))).unwrap();
    connection
        .write(&format!(
            "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{inner}",
            inner.len() + 5
        ))
        .await;
    assert_eq!(connection.answer().await.status, 400);
    assert!(connection.is_ended().await, "what follows is not read as a request");
    assert_eq!(server.sink.taken(), 0);
}

#[tokio::test]
async fn a_hundred_requests_in_one_write_are_each_answered_in_order() {
    let server = Running::start().await;
    let mut connection = server.connect().await;
    let pair = [post("/", &ALERT.replace("RULE", "matched")), post("/", "oops")].concat();
    connection.write_bytes(&pair.repeat(50)).await;
    for _ in 0..50 {
        assert_eq!(connection.answer().await.status, 202);
        assert_eq!(connection.answer().await.status, 400);
    }
    assert_eq!((server.sink.taken(), server.sink.rejections().len()), (50, 50));
}

#[tokio::test]
async fn a_sender_that_leaves_inside_its_body_is_counted() {
    let server = Running::start().await;
    let mut connection = server.connect().await;
    connection
        .write("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
        .await;
    server.until_reading().await;
    drop(connection);
    server.until_reading().await;
    assert_eq!(server.sink.rejections(), ["body_broken"]);
}

#[rstest]
#[case::browser("Origin: https://example.org\r\n", 403, "browser")]
#[case::compressed("Content-Encoding: br\r\n", 415, "encoding")]
#[tokio::test]
async fn headers_that_no_sender_of_alerts_has_are_refused(
    #[case] header: &str,
    #[case] status: u16,
    #[case] kind: &'static str,
) {
    let server = Running::start().await;
    let body = ALERT.replace("RULE", "matched");
    let answer = server
        .send(
            format!(
                "POST / HTTP/1.1\r\nHost: x\r\n{header}Content-Length: {}\r\n\r\n{body}",
                body.len()
            )
            .as_bytes(),
        )
        .await;
    assert_answered(&server, &answer, status, kind).await;
}
