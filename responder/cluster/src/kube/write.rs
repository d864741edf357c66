//! Sends one armed request once and reports its outcome. The step *act*.

use std::time::Duration;

use responder_core::object::Uid;
use responder_core::port::{ClusterWriter, Reply, SendError, SendErrorKind};
use responder_core::request::{Armed, Request};
use serde::Deserialize;
use tokio::time::timeout;

use super::answer::{ApiAnswer, exchange};
use super::{KubeCluster, classify, wire};

impl ClusterWriter for KubeCluster {
    async fn send(&self, armed: Armed<'_>, deadline: Duration) -> Result<Reply, SendError> {
        let request = armed.request();
        let failed = |kind, detail: String, retry_after| SendError {
            request: request.to_string(),
            kind,
            detail,
            retry_after,
        };
        let wire = wire::request(armed).map_err(|error| failed(SendErrorKind::Rejected, error.to_string(), None))?;
        let answer = match timeout(deadline, exchange(&self.client, wire)).await {
            Err(_) => Err(failed(
                SendErrorKind::Timeout,
                format!("no answer within {} s", deadline.as_secs_f32()),
                None,
            )),
            Ok(Err(no_answer)) => {
                let kind = if no_answer.never_sent {
                    SendErrorKind::Unreachable
                } else {
                    SendErrorKind::Unknown
                };
                Err(failed(kind, no_answer.detail, None))
            }
            Ok(Ok(answer)) if answer.code.is_success() => reply(armed, &answer).ok_or_else(|| {
                failed(
                    SendErrorKind::Unknown,
                    "the response can't be understood".to_owned(),
                    None,
                )
            }),
            Ok(Ok(answer)) => {
                let kind = classify::failure(request.verb(), answer.code, answer.failure.as_ref());
                Err(failed(kind, answer.detail(), answer.retry_after))
            }
        };
        tracing::debug!(
            verb = request.verb().as_str(),
            at = %request.at(),
            dry_run = armed.is_dry_run(),
            outcome = answer.as_ref().err().map_or("ok", |error| error.kind.as_str()),
            "sent a request"
        );
        answer
    }
}

/// The fields of a returned object that are read.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answered {
    metadata: Metadata,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    #[serde(default)]
    uid: String,
    #[serde(default)]
    resource_version: String,
    #[serde(default)]
    deletion_timestamp: Option<String>,
    #[serde(default)]
    deletion_grace_period_seconds: Option<i64>,
    #[serde(default)]
    finalizers: Vec<String>,
}

/// `None` if a 2xx carries a body that this verb does not return.
fn reply(armed: Armed<'_>, answer: &ApiAnswer) -> Option<Reply> {
    if armed.is_dry_run() {
        return Some(Reply::Rehearsed);
    }
    let object = || {
        serde_json::from_slice::<Answered>(&answer.body)
            .ok()
            .map(|answered| answered.metadata)
    };
    match armed.request() {
        Request::Create { .. } => Some(Reply::Created(Uid::new(&object()?.uid)?)),
        Request::Patch { .. } => Some(Reply::Patched {
            resource_version: object()?.resource_version,
        }),
        // Deleting a pod returns the pod, even when it is already gone: then without any grace left. Other kinds return
        // a Status, or the object while finalizers hold it.
        Request::Delete { .. } => Some(match object() {
            Some(object) if object.is_held() => Reply::Terminating,
            _ => Reply::Gone,
        }),
        // An eviction returns a Status that says nothing about the pod.
        Request::Evict { .. } => Some(Reply::Terminating),
    }
}

impl Metadata {
    fn is_held(&self) -> bool {
        self.deletion_timestamp.is_some()
            && (self.deletion_grace_period_seconds != Some(0) || !self.finalizers.is_empty())
    }
}
