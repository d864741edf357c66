//! One exchange with the API server: its answer, or how far the request got. Part of the steps *snapshot* and *act*.

use std::error::Error as StdError;
use std::time::Duration;

use ::kube::Client;
use ::kube::client::Body;
use ::kube::core::Status;
use bytes::Bytes;
use http::header::RETRY_AFTER;
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Limited};
use hyper_util::client::legacy;
use responder_core::error::chain;

/// The largest answer that is read: 32 MiB, ten times the largest object and many times a namespace's policies or services.
/// A larger answer fails the read; it must not exhaust the memory of the process.
const MAX_ANSWER: usize = 32 * 1024 * 1024;

/// The API server's answer to one request.
pub(super) struct ApiAnswer {
    /// The HTTP status code. Where a 2xx carries a failure in its body, the code of that failure.
    pub(super) code: StatusCode,
    /// `Retry-After`, from the header or from `details.retryAfterSeconds`.
    pub(super) retry_after: Option<Duration>,
    /// The body as received.
    pub(super) body: Bytes,
    /// The body as a `Status`, if it is a failure.
    pub(super) failure: Option<Status>,
}

impl ApiAnswer {
    /// The failure in one line, for errors and reports.
    pub(super) fn detail(&self) -> String {
        match &self.failure {
            Some(status) if !status.message.is_empty() => status.message.clone(),
            Some(status) if !status.reason.is_empty() => status.reason.clone(),
            // Never quote a body that is not a `Status`: a proxy's HTML page helps no reader, and its text is
            // unchecked.
            _ => format!("the API server answered {}", self.code),
        }
    }
}

/// The request got no answer.
#[derive(Debug)]
pub(super) struct NoAnswer {
    /// Whether the server certainly never received the request.
    pub(super) never_sent: bool,
    /// The error with its sources.
    pub(super) detail: String,
}

/// Sends a request once and reads the whole answer.
pub(super) async fn exchange(client: &Client, request: Request<Vec<u8>>) -> Result<ApiAnswer, NoAnswer> {
    let response = client
        .send(request.map(Body::from))
        .await
        .map_err(|error| no_answer(&error))?;
    let (head, body) = response.into_parts();
    let header = head
        .headers
        .get(RETRY_AFTER)
        .and_then(|value| value.to_str().ok()?.parse().ok())
        .map(Duration::from_secs);
    let body = Limited::new(body, MAX_ANSWER)
        .collect()
        .await
        .map_err(|error| NoAnswer {
            never_sent: false,
            detail: chain(&*error),
        })?
        .to_bytes();
    let failure = failure(head.status, &body);
    // An endpoint that builds its own Status, as the eviction endpoint does, may report a failure in the body alone;
    // then the code in the body counts.
    let code = failure
        .as_ref()
        .filter(|_| head.status.is_success())
        .and_then(|status| StatusCode::from_u16(status.code).ok())
        .unwrap_or(head.status);
    let details = failure.as_ref().and_then(|status| status.details.as_ref());
    let named = details
        .map(|details| details.retry_after_seconds)
        .filter(|&seconds| seconds > 0);
    let retry_after = header.or(named.map(|seconds| Duration::from_secs(seconds.into())));
    Ok(ApiAnswer {
        code,
        retry_after,
        body,
        failure,
    })
}

/// The body as a `Status` that reports a failure.
fn failure(code: StatusCode, body: &[u8]) -> Option<Status> {
    #[derive(serde::Deserialize)]
    struct Shape<'a> {
        #[serde(default)]
        kind: &'a str,
    }
    // A pod has a `status` too, so check the kind first.
    let shape: Shape<'_> = serde_json::from_slice(body).ok()?;
    if shape.kind != "Status" {
        return None;
    }
    let status: Status = serde_json::from_slice(body).ok()?;
    (!code.is_success() || status.is_failure()).then_some(status)
}

fn no_answer(error: &::kube::Error) -> NoAnswer {
    let never_sent = matches!(error, ::kube::Error::Auth(_))
        || sources(error).any(|source| {
            source
                .downcast_ref::<legacy::Error>()
                .is_some_and(legacy::Error::is_connect)
                || matches!(source.downcast_ref::<::kube::Error>(), Some(::kube::Error::Auth(_)))
        });
    NoAnswer {
        never_sent,
        detail: chain(error),
    }
}

fn sources<'a>(error: &'a (dyn StdError + 'static)) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |error: &&'a (dyn StdError + 'static)| (*error).source())
}
