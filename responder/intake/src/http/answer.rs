//! The answers. Falco ignores them, falcosidekick logs their status, and a person with curl reads them.

use bytes::Bytes;
use http::header::{ALLOW, CONNECTION, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, Response, StatusCode};
use http_body_util::Full;
use responder_core::alert::Position;
use serde::Serialize;

use crate::Receipt;

pub(super) type HttpAnswer = Response<Full<Bytes>>;

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");
/// The OpenMetrics text format, which Prometheus reads.
const METRICS: HeaderValue = HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");
const SECONDS_TO_RETRY: HeaderValue = HeaderValue::from_static("1");
const CLOSE: HeaderValue = HeaderValue::from_static("close");

const ABOUT: &str = "\
responder: automated response to Falco alerts.

  POST /  Falco alerts as JSON (Falco's http_output, falcosidekick's webhook and talon): one, or several in an array or on
          lines; bare or in CloudEvents; with gzip or without

The pages for probes and metrics (/healthz, /readyz, /metrics) are at the address of probes.listen, port 2804 by default.
";

const ABOUT_PROBES: &str = "\
  GET /healthz  whether the process is alive
  GET /readyz   whether alerts are acted on
  GET /metrics  for Prometheus

Alerts are sent to the address of http.listen, port 2803 by default.
";

/// The answer to a readable alert.
pub(super) fn receipt(receipt: &Receipt) -> HttpAnswer {
    match receipt {
        Receipt::Unmatched => json(StatusCode::OK, Bytes::from_static(b"{\"outcome\":\"unmatched\"}\n")),
        Receipt::Duplicate => json(StatusCode::OK, Bytes::from_static(b"{\"outcome\":\"duplicate\"}\n")),
        Receipt::Accepted { alert, playbooks } => json(
            StatusCode::ACCEPTED,
            line(&Accepted {
                outcome: "accepted",
                alert,
                playbooks,
            }),
        ),
        Receipt::Shed | Receipt::Stopping => {
            let (kind, error) = dropped(receipt);
            retriable(rejected(StatusCode::SERVICE_UNAVAILABLE, kind, error, None))
        }
    }
}

/// Why the sink has dropped an alert, for a program and for a person.
pub(super) const fn dropped(receipt: &Receipt) -> (&'static str, &'static str) {
    match receipt {
        Receipt::Stopping => (
            "stopping",
            "the responder is stopping; this alert was dropped and counted",
        ),
        _ => (
            "shed",
            "too many alerts are waiting for their decision; this one was dropped and counted",
        ),
    }
}

/// The same answer, which asks the sender to send again.
pub(super) fn retriable(mut answer: HttpAnswer) -> HttpAnswer {
    answer.headers_mut().insert(RETRY_AFTER, SECONDS_TO_RETRY);
    answer
}

#[derive(Serialize)]
struct Accepted<'a, A: Serialize, P: Serialize> {
    outcome: &'static str,
    alert: &'a A,
    playbooks: &'a P,
}

/// The answer to a rejected request, with the reason for a program (`kind`) and for a person (`error`).
pub(super) fn rejected(status: StatusCode, kind: &'static str, error: &str, at: Option<Position>) -> HttpAnswer {
    json(
        status,
        line(&Rejected {
            outcome: "rejected",
            kind,
            error,
            line: at.map(|at| at.line),
            column: at.map(|at| at.column),
        }),
    )
}

#[derive(Serialize)]
struct Rejected<'a> {
    outcome: &'static str,
    kind: &'static str,
    error: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    column: Option<usize>,
}

/// The same answer, after which the connection ends.
pub(super) fn closing(mut answer: HttpAnswer) -> HttpAnswer {
    answer.headers_mut().insert(CONNECTION, CLOSE);
    answer
}

/// The answer to a method that the path does not have.
pub(super) fn method_not_allowed(allowed: &'static str, hint: &'static str) -> HttpAnswer {
    let mut answer = text(StatusCode::METHOD_NOT_ALLOWED, hint);
    answer.headers_mut().insert(ALLOW, HeaderValue::from_static(allowed));
    answer
}

/// The page about the program and its paths.
pub(super) fn about() -> HttpAnswer {
    text(StatusCode::OK, ABOUT)
}

/// The answer to an unknown path, with the known ones.
pub(super) fn not_found() -> HttpAnswer {
    text(StatusCode::NOT_FOUND, format!("There is nothing at this path. {ABOUT}"))
}

/// The answer to a path among the probes that is none of them.
pub(super) fn probes_not_found() -> HttpAnswer {
    text(
        StatusCode::NOT_FOUND,
        format!("There is nothing at this path.\n\n{ABOUT_PROBES}"),
    )
}

/// The page `/metrics`.
pub(super) fn metrics(text: String) -> HttpAnswer {
    with_type(StatusCode::OK, text.into(), METRICS)
}

/// A page of plain text.
pub(super) fn text(status: StatusCode, text: impl Into<Bytes>) -> HttpAnswer {
    with_type(status, text.into(), TEXT)
}

pub(super) fn json(status: StatusCode, body: Bytes) -> HttpAnswer {
    with_type(status, body, JSON)
}

fn with_type(status: StatusCode, body: Bytes, content_type: HeaderValue) -> HttpAnswer {
    let mut answer = Response::new(Full::new(body));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, content_type);
    answer
}

/// One line of JSON. The types of the answers always serialise, so the fallback is unreachable.
pub(super) fn line(answer: &impl Serialize) -> Bytes {
    let mut line = serde_json::to_vec(answer).unwrap_or_else(|_| b"{}".to_vec());
    line.push(b'\n');
    line.into()
}
