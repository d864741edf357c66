//! The server on a real socket, with the requests of senders and those of attackers.

mod auth;
mod batch;
mod client;
mod crowded;
mod hostile;
mod probes;
mod tls;

use std::sync::{Arc, Mutex};

use responder_core::alert::{Alert, Sender};
use responder_core::playbook_name::PlaybookName;
use rstest::rstest;

use self::client::{ALERT, Running, post};
use super::HttpLimits;
use crate::{Arrival, Receipt, Sink};

/// A sink that answers as the rule's name says, and remembers its alerts.
#[derive(Debug, Clone, Default)]
struct Memory {
    alerts: Arc<Mutex<Vec<Alert>>>,
    senders: Arc<Mutex<Vec<Sender>>>,
    rejected: Arc<Mutex<Vec<&'static str>>>,
}

impl Memory {
    fn rejections(&self) -> Vec<&'static str> {
        self.rejected.lock().unwrap().clone()
    }

    fn senders(&self) -> Vec<String> {
        self.senders.lock().unwrap().iter().map(Sender::to_string).collect()
    }

    fn taken(&self) -> usize {
        self.alerts.lock().unwrap().len()
    }
}

impl Sink for Memory {
    fn submit(&self, alert: Alert, arrival: Arrival<'_>) -> Receipt {
        self.senders.lock().unwrap().push(arrival.sender.clone());
        let receipt = match alert.rule().as_str() {
            "unmatched" => Receipt::Unmatched,
            "duplicate" => Receipt::Duplicate,
            "shed" => Receipt::Shed,
            "stopping" => Receipt::Stopping,
            _ => Receipt::Accepted {
                alert: alert.id(),
                playbooks: vec![PlaybookName::new("remote-shell").unwrap()],
            },
        };
        self.alerts.lock().unwrap().push(alert);
        receipt
    }

    fn rejected(&self, kind: &'static str) {
        self.rejected.lock().unwrap().push(kind);
    }
}

#[rstest]
#[case("unmatched", 200, r#"{"outcome":"unmatched"}"#)]
#[case("duplicate", 200, r#"{"outcome":"duplicate"}"#)]
#[case("shed", 503, r#""kind":"shed""#)]
#[case("stopping", 503, r#""kind":"stopping""#)]
#[case("matched", 202, r#"{"outcome":"accepted","alert":"0c3e4d8f"#)]
#[tokio::test]
async fn the_answer_tells_what_the_sink_did_with_the_alert(
    #[case] rule: &str,
    #[case] status: u16,
    #[case] body: &str,
) {
    let server = Running::start().await;
    let answer = server.send(&post("/", &ALERT.replace("RULE", rule))).await;
    assert_eq!(answer.status, status);
    if rule == "matched" {
        let json: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
        let sent = server.sink.alerts.lock().unwrap()[0].id().to_string();
        assert_eq!(
            json,
            serde_json::json!({"outcome": "accepted", "alert": sent, "playbooks": ["remote-shell"]})
        );
    } else {
        assert!(answer.body.contains(body), "{}", answer.body);
    }
    assert_eq!(answer.head.contains("retry-after: 1"), status == 503);
    assert_eq!(server.sink.taken(), 1);
}

#[rstest]
// Falco 0.41 with libcurl, and falcosidekick with Go's client: heads as they were captured.
#[case::falco(
    "POST",
    "User-Agent: falcosecurity/falco\r\nAccept: */*\r\nContent-Type: application/json\r\n"
)]
#[case::falcosidekick(
    "POST",
    "User-Agent: Falcosidekick\r\nContent-Type: application/json; charset=utf-8\r\nAccept-Encoding: gzip\r\n"
)]
#[case::webhook_put(
    "PUT",
    "User-Agent: Falcosidekick\r\nContent-Type: application/json; charset=utf-8\r\n"
)]
#[case::curl(
    "POST",
    "User-Agent: curl/8\r\nContent-Type: application/x-www-form-urlencoded\r\nExpect: 100-continue\r\n"
)]
#[case::json_as_text("POST", "Content-Type: text/plain\r\n")]
#[case::compressed_answers_welcome("POST", "TE: gzip\r\nConnection: TE\r\n")]
#[tokio::test]
async fn alerts_of_the_known_senders_are_accepted(#[case] method: &str, #[case] headers: &str) {
    let server = Running::start().await;
    let body = format!("{}\n", ALERT.replace("RULE", "matched"));
    let request = format!(
        "{method} / HTTP/1.1\r\nHost: x\r\n{headers}Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let answer = server.send(request.as_bytes()).await;
    assert_eq!(answer.status, 202, "{}", answer.body);
    assert_eq!(server.sink.taken(), 1);
}

#[rstest]
#[case("GET /", 200, "POST /")]
#[case("GET /healthz", 404, "probes.listen")]
#[case("GET /metrics", 404, "probes.listen")]
#[case("GET /nothing", 404, "POST /")]
#[case("DELETE /", 405, "POST")]
#[tokio::test]
async fn the_page_about_the_program_names_what_is_there(#[case] line: &str, #[case] status: u16, #[case] part: &str) {
    let server = Running::start().await;
    let answer = server
        .send(format!("{line} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n").as_bytes())
        .await;
    assert_eq!(answer.status, status);
    assert!(answer.body.contains(part), "{}", answer.body);
    assert!(server.sink.rejections().is_empty());
}

#[tokio::test]
async fn an_alert_for_another_path_is_counted_and_the_answer_names_the_right_path() {
    let server = Running::start().await;
    let answer = server.send(&post("/events", &ALERT.replace("RULE", "matched"))).await;
    assert_eq!(answer.status, 404);
    assert!(answer.body.contains("at the path /"), "{}", answer.body);
    assert_eq!(server.sink.rejections(), ["wrong_path"]);
}

#[rstest]
#[case::by_its_type("text/plain", "Warning: something that a custom rule wrote", 415)]
#[case::by_its_looks("application/json", "13:44:05.478445995: Critical A shell was spawned", 400)]
#[case::both("text/plain; charset=utf-8", "13:44:05.478445995: Critical A shell was spawned", 415)]
#[tokio::test]
async fn falcos_text_output_is_refused_with_the_remedy(#[case] kind: &str, #[case] body: &str, #[case] status: u16) {
    let server = Running::start().await;
    let request = format!(
        "POST / HTTP/1.1\r\nHost: x\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let answer = server.send(request.as_bytes()).await;
    assert_eq!(answer.status, status);
    assert!(answer.body.contains("json_output: true"), "{}", answer.body);
    assert_eq!(server.sink.rejections(), ["text_output"]);
}

#[tokio::test]
async fn a_syntax_error_is_answered_with_its_place() {
    let server = Running::start().await;
    let answer = server.send(&post("/", "{\n  \"rule\": oops}")).await;
    assert_eq!(answer.status, 400);
    let json: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!(
        (&json["outcome"], &json["kind"], &json["line"]),
        (&"rejected".into(), &"syntax".into(), &2.into())
    );
    assert!(json["error"].as_str().unwrap().contains("line 2"), "{json}");
}

#[tokio::test]
async fn a_request_in_flight_is_finished_when_the_server_stops_and_no_new_one_begins() {
    let server = Running::start().await;
    let body = ALERT.replace("RULE", "matched");
    let mut stream = server.connect().await;
    let mut idle = server.connect().await;
    idle.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert_eq!(idle.answer().await.status, 200);
    stream
        .write(&format!(
            "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n{}",
            body.len(),
            &body[..10]
        ))
        .await;
    // The server must have begun to read it: a request that waits unread in the socket is not in flight yet.
    server.until_reading().await;
    server.stop.cancel();
    assert!(idle.is_ended().await, "an idle connection ends at once");
    stream.write(&body[10..]).await;
    let answer = stream.answer().await;
    assert_eq!(answer.status, 202);
    assert!(stream.is_ended().await);
    let address = server.address;
    assert_eq!(server.task.await.unwrap(), 0, "no connection was cut");
    assert!(tokio::net::TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn a_request_that_never_ends_is_cut_when_the_time_for_draining_is_over() {
    let server = Running::start().await;
    let mut stream = server.connect().await;
    stream
        .write("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
        .await;
    server.until_reading().await;
    server.stop.cancel();
    assert_eq!(server.task.await.unwrap(), 1);
}
