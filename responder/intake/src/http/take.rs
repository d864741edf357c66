//! The alerts of one body: from decoding to the sink.

use std::net::SocketAddr;
use std::time::Instant;

use http::header::CONTENT_TYPE;
use http::{HeaderMap, StatusCode};
use responder_core::alert::{Alert, DecodeError, Sender};

use super::answer::{self, HttpAnswer};
use super::batch::{self, AlertAnswer};
use super::server::HttpServer;
use crate::contents::{Batch, BodyContents, MOST_ALERTS, Unreadable};
use crate::{Arrival, Receipt, Sink};

impl<S: Sink> HttpServer<S> {
    /// Hands the alerts of a body to the sink, in their order.
    pub(super) fn take(
        &self,
        body: &[u8],
        headers: &HeaderMap,
        sender: &Sender,
        begun: Option<Instant>,
        peer: SocketAddr,
    ) -> HttpAnswer {
        let contents = BodyContents::read(body, &self.limits.alert);
        let decoded = begun.map(|_| Instant::now());
        let arrival = Arrival {
            sender,
            headers,
            begun,
            decoded,
        };
        match contents {
            BodyContents::One(Ok(alert)) => answer::receipt(&self.submit(alert, arrival, peer)),
            // Falco sends text/plain for its text output only. A body of that type that is not JSON is text output, even
            // if a template of the rule has changed its form.
            BodyContents::One(Err(_)) if is_plain_text(headers) && body.first().is_some_and(|first| *first != b'{') => {
                self.unreadable(&DecodeError::TextOutput.into(), headers, peer)
            }
            BodyContents::One(Err(error)) => self.unreadable(&error, headers, peer),
            BodyContents::Many(batch) => self.take_batch(batch, arrival, peer),
        }
    }

    fn take_batch(&self, batch: Batch, arrival: Arrival<'_>, peer: SocketAddr) -> HttpAnswer {
        let mut answers: Vec<AlertAnswer> = Vec::with_capacity(batch.parts.len() + 1);
        for part in batch.parts {
            answers.push(match part.read {
                Ok(alert) => AlertAnswer::of(self.submit(alert, arrival, peer)),
                Err(error) => {
                    self.count(&error, 1, peer);
                    AlertAnswer::unreadable(&error, part.line)
                }
            });
        }
        if batch.unread > 0 {
            let error = Unreadable::TooMany {
                more: batch.unread,
                bound: MOST_ALERTS,
            };
            self.count(&error, batch.unread, peer);
            answers.push(AlertAnswer::left_out(&error));
        }
        batch::answer(&answers, batch.unread)
    }

    fn submit(&self, alert: Alert, arrival: Arrival<'_>, peer: SocketAddr) -> Receipt {
        let receipt = self.sink.submit(alert, arrival);
        if receipt == Receipt::Shed
            && let Some(more) = self.notices.take("shed")
        {
            tracing::warn!(%peer, more, "alerts are shed: more arrive than can be decided");
        }
        receipt
    }

    /// Counts alerts that can't be read, and tells of them in the log.
    fn count(&self, error: &Unreadable, alerts: usize, peer: SocketAddr) {
        let kind = error.kind();
        for _ in 0..alerts {
            self.sink.rejected(kind);
        }
        if let Some(more) = self.notices.take(kind) {
            tracing::warn!(%peer, kind, more, "an alert was rejected: {error}");
        }
    }

    /// Refuses a body that is not an alert: what is wrong, where, and the remedy.
    pub(super) fn unreadable(&self, error: &Unreadable, headers: &HeaderMap, peer: SocketAddr) -> HttpAnswer {
        self.count(error, 1, peer);
        let status = match error {
            Unreadable::Alert(DecodeError::TooLarge { .. }) => StatusCode::PAYLOAD_TOO_LARGE,
            Unreadable::Alert(DecodeError::TextOutput) if is_plain_text(headers) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            _ => StatusCode::BAD_REQUEST,
        };
        answer::rejected(status, error.kind(), &error.to_string(), error.position())
    }
}

fn is_plain_text(headers: &HeaderMap) -> bool {
    const PLAIN: &[u8] = b"text/plain";
    headers.get(CONTENT_TYPE).is_some_and(|kind| {
        kind.as_bytes()
            .get(..PLAIN.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(PLAIN))
    })
}
