//! Bodies with several alerts, compressed ones, and the answers to them.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use responder_core::alert::Bounds;
use rstest::rstest;
use serde_json::{Value, json};

use super::HttpLimits;
use super::auth::{PASSWORD, Protected, basic};
use super::client::{ALERT, ReceivedAnswer, Running, post};
use crate::contents::MOST_ALERTS;

fn alert(rule: &str) -> String {
    ALERT.replace("RULE", rule)
}

fn array(rules: &[&str]) -> String {
    let alerts: Vec<String> = rules.iter().map(|rule| alert(rule)).collect();
    format!("[{}]", alerts.join(","))
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn encoded(encoding: &str, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "POST / HTTP/1.1\r\nHost: x\r\nContent-Encoding: {encoding}\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

fn json(answer: &ReceivedAnswer) -> Value {
    serde_json::from_str(&answer.body).unwrap()
}

#[tokio::test]
async fn each_alert_of_a_body_has_its_own_answer() {
    let server = Running::start().await;
    let body = format!(
        "[{},\n{},\n{{\"rule\":\"r\"}},\n{},7]",
        alert("matched"),
        alert("unmatched"),
        alert("duplicate")
    );
    let answer = server.send(&post("/", &body)).await;
    assert_eq!(answer.status, 207);
    let id = server.sink.alerts.lock().unwrap()[0].id().to_string();
    assert_eq!(
        json(&answer),
        json!({
            "outcome": "batch",
            "taken": 3,
            "rejected": 2,
            "alerts": [
                {"index": 0, "outcome": "accepted", "alert": id, "playbooks": ["remote-shell"]},
                {"index": 1, "outcome": "unmatched"},
                {"index": 2, "outcome": "rejected", "kind": "missing_key", "line": 3,
                 "error": "the alert has no `priority`; Falco always writes one, so send its JSON unchanged"},
                {"index": 3, "outcome": "duplicate"},
                {"index": 4, "outcome": "rejected", "kind": "not_an_object", "line": 4,
                 "error": "expected an alert, a JSON object, found a number; send Falco's JSON unchanged"},
            ],
        })
    );
    assert_eq!(server.sink.taken(), 3);
    assert_eq!(server.sink.rejections(), ["missing_key", "not_an_object"]);
}

#[rstest]
#[case::accepted(&["matched", "unmatched", "duplicate"], 202)]
#[case::nothing_to_do(&["unmatched", "duplicate"], 200)]
#[case::shed(&["matched", "shed", "unmatched"], 503)]
#[case::stopping(&["stopping"], 503)]
#[case::of_one(&["matched"], 202)]
#[tokio::test]
async fn the_status_of_a_body_tells_whether_to_send_it_again(#[case] rules: &[&str], #[case] status: u16) {
    let server = Running::start().await;
    let answer = server.send(&post("/", &array(rules))).await;
    assert_eq!(answer.status, status, "{}", answer.body);
    assert_eq!(answer.head.contains("retry-after: 1"), status == 503);
    assert_eq!(json(&answer)["alerts"].as_array().unwrap().len(), rules.len());
    assert_eq!(server.sink.taken(), rules.len());
    assert!(
        server.sink.rejections().is_empty(),
        "what the sink has is counted there"
    );
}

#[rstest]
#[case::unmatched("unmatched", r#"{"outcome":"unmatched"}"#)]
#[case::duplicate("duplicate", r#"{"outcome":"duplicate"}"#)]
#[case::shed("shed", r#"{"outcome":"rejected","kind":"shed","error":"too many alerts are waiting for their decision; this one was dropped and counted"}"#)]
#[case::stopping("stopping", r#"{"outcome":"rejected","kind":"stopping","error":"the responder is stopping; this alert was dropped and counted"}"#)]
#[case::accepted("matched", r#"{"outcome":"accepted","alert":"ID","playbooks":["remote-shell"]}"#)]
#[tokio::test]
async fn an_alert_by_itself_has_an_answer_by_itself(#[case] rule: &str, #[case] expected: &str) {
    let server = Running::start().await;
    let answer = server.send(&post("/", &alert(rule))).await;
    let id = server.sink.alerts.lock().unwrap()[0].id().to_string();
    assert_eq!(answer.body, format!("{}\n", expected.replace("ID", &id)));
}

#[tokio::test]
async fn each_alert_of_a_body_is_one_of_its_sender() {
    let protected = Protected::start().await;
    let body = array(&["matched", "unmatched"]);
    let request = format!(
        "POST / HTTP/1.1\r\nHost: x\r\n{}Content-Length: {}\r\n\r\n{body}",
        basic("falco", PASSWORD),
        body.len()
    );
    assert_eq!(protected.server.send(request.as_bytes()).await.status, 202);
    assert_eq!(protected.server.sink.senders(), ["basic falco", "basic falco"]);
}

#[rstest]
#[case::all_bad("[1,{}]", 400, &["not_an_object", "missing_key"])]
#[case::shed_and_bad(&format!("[{},1]", alert("shed")), 503, &["not_an_object"])]
#[case::lines(&format!("{}\n{{\"rule\": oops}}\n", alert("matched")), 207, &["syntax"])]
#[case::cut(&format!("[{},{{\"rule", alert("matched")), 207, &["truncated"])]
#[tokio::test]
async fn bad_alerts_are_counted_and_the_good_ones_are_taken(
    #[case] body: &str,
    #[case] status: u16,
    #[case] kinds: &[&str],
) {
    let server = Running::start().await;
    let answer = server.send(&post("/", body)).await;
    assert_eq!(answer.status, status, "{}", answer.body);
    assert_eq!(server.sink.rejections(), kinds);
    let answers = json(&answer);
    assert_eq!(
        answers["rejected"].as_u64().unwrap() + answers["taken"].as_u64().unwrap(),
        2
    );
}

#[rstest]
#[case::nothing("[]", 400, "empty")]
#[case::no_array("[oops", 400, "syntax")]
#[case::no_data(r#"{"specversion":"1.0","rule":"r"}"#, 400, "cloud_event")]
#[tokio::test]
async fn a_body_without_an_alert_has_one_answer(#[case] body: &str, #[case] status: u16, #[case] kind: &str) {
    let server = Running::start().await;
    let answer = server.send(&post("/", body)).await;
    assert_eq!((answer.status, json(&answer)["kind"].as_str()), (status, Some(kind)));
    assert_eq!(server.sink.rejections(), [kind]);
}

#[tokio::test]
async fn an_array_of_text_type_is_an_array_and_other_text_is_text() {
    let server = Running::start().await;
    for (body, status) in [(array(&["matched"]), 202), ("[oops] a shell".to_owned(), 415)] {
        let request = format!(
            "POST / HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        assert_eq!(server.send(request.as_bytes()).await.status, status);
    }
}

#[tokio::test]
async fn alerts_past_the_bound_are_each_counted_and_have_one_answer() {
    let server = Running::start().await;
    let small = r#"{"rule":"matched","priority":"Debug","time":"2023-05-10T14:09:24Z"}"#;
    let answer = server
        .send(&post("/", &format!("[{}]", vec![small; MOST_ALERTS + 3].join(","))))
        .await;
    assert_eq!(answer.status, 207);
    let answers = json(&answer);
    assert_eq!(
        (&answers["taken"], &answers["rejected"]),
        (&json!(MOST_ALERTS), &json!(3))
    );
    let last = answers["alerts"].as_array().unwrap().last().unwrap();
    assert_eq!((&last["index"], &last["kind"]), (&json!(MOST_ALERTS), &json!("batch")));
    assert_eq!(server.sink.taken(), MOST_ALERTS);
    assert_eq!(server.sink.rejections(), ["batch"; 3]);
}

#[tokio::test]
async fn the_smallest_elements_of_a_whole_body_have_a_small_answer() {
    let server = Running::start().await;
    let body = format!("[{}1]", "1,".repeat(130_000));
    let answer = server.send(&post("/", &body)).await;
    assert_eq!(answer.status, 400);
    assert!(answer.body.len() < body.len(), "{} bytes", answer.body.len());
    assert_eq!(server.sink.rejections().len(), 130_001);
}

#[rstest]
#[case::gzip("gzip")]
#[case::any_case("GZip")]
#[case::old_name("x-gzip")]
#[tokio::test]
async fn a_compressed_body_is_read(#[case] encoding: &str) {
    let server = Running::start().await;
    let one = server
        .send(&encoded(encoding, &gzip(alert("unmatched").as_bytes())))
        .await;
    assert_eq!((one.status, one.body.as_str()), (200, "{\"outcome\":\"unmatched\"}\n"));
    let two = array(&["matched", "matched"]);
    assert_eq!(server.send(&encoded(encoding, &gzip(two.as_bytes()))).await.status, 202);
    assert_eq!(server.sink.taken(), 3);
}

#[tokio::test]
async fn a_body_that_decompresses_past_the_bound_of_a_body_is_refused() {
    let server = Running::start().await;
    let bound = Bounds::default().body;
    let fits = ALERT.replace("\"x\"", &format!("\"{}\"", "x".repeat(100_000)));
    let fits = format!("{fits}{}", " ".repeat(bound - fits.len()));
    assert_eq!(server.send(&encoded("gzip", &gzip(fits.as_bytes()))).await.status, 202);
    let answer = server
        .send(&encoded("gzip", &gzip(format!("{fits} ").as_bytes())))
        .await;
    assert_eq!((answer.status, &json(&answer)["kind"]), (413, &json!("too_large")));
    assert_eq!(server.sink.rejections(), ["too_large"]);
}

#[tokio::test]
async fn a_bomb_is_decompressed_to_the_bound_and_no_further() {
    // The end of the bomb is no gzip, and nobody gets there.
    let mut bomb = gzip(&vec![b' '; 64 << 20]);
    let end = bomb.len() - 1000;
    bomb[end..].fill(0xff);
    let limits = HttpLimits::default();
    assert!(bomb.len() < limits.alert.body, "{} bytes", bomb.len());
    let server = Running::with(limits).await;
    let answer = server.send(&encoded("gzip", &bomb)).await;
    assert_eq!((answer.status, &json(&answer)["kind"]), (413, &json!("too_large")));
}

#[rstest]
#[case::not_compressed(alert("matched").into_bytes())]
#[case::cut(gzip(alert("matched").as_bytes())[..60].to_vec())]
#[case::damaged({ let mut body = gzip(alert("matched").as_bytes()); let end = body.len() - 6; body[end] ^= 1; body })]
#[case::followed([gzip(alert("matched").as_bytes()), b"garbage".to_vec()].concat())]
#[case::several([gzip(alert("matched").as_bytes()), gzip(b"")].concat())]
#[case::empty(Vec::new())]
#[tokio::test]
async fn what_is_no_whole_gzip_is_refused_with_the_remedy(#[case] body: Vec<u8>) {
    let server = Running::start().await;
    let answer = server.send(&encoded("gzip", &body)).await;
    assert_eq!(
        (answer.status, &json(&answer)["kind"]),
        (400, &json!("encoding")),
        "{}",
        answer.body
    );
    assert!(answer.body.contains("Content-Encoding"), "{}", answer.body);
    assert_eq!(server.sink.taken(), 0);
}

#[rstest]
#[case("zstd")]
#[case("br")]
#[case("deflate")]
#[case("gzip, gzip")]
#[case("gzip\r\nContent-Encoding: gzip")]
#[tokio::test]
async fn another_encoding_is_refused_with_those_that_are_read(#[case] encoding: &str) {
    let server = Running::start().await;
    let answer = server
        .send(&encoded(encoding, &gzip(alert("matched").as_bytes())))
        .await;
    assert_eq!((answer.status, &json(&answer)["kind"]), (415, &json!("encoding")));
    assert!(answer.head.contains("accept-encoding: gzip"), "{}", answer.head);
    assert_eq!(server.sink.rejections(), ["encoding"]);
}
