//! Dead letters: messages that can't be decoded or decided, published with the reason for an operator.

use async_nats::jetstream::context::PublishErrorKind;
use async_nats::jetstream::{self};
use async_nats::{HeaderMap, HeaderValue, header};
use bytes::Bytes;

use super::causes::DeadLetterCause;
use super::exchange::ANSWER_DEADLINE;
use super::subscription::JetStream;

/// Bytes for the names that the protocol adds, and for the header about a payload that is left out.
const RESERVE: usize = 1024;
/// Bytes; a detail is a sentence or two.
const LONGEST_DETAIL: usize = 1024;

/// Why a message becomes a dead letter.
pub(super) struct DeadLetterReason<'a> {
    pub(super) cause: DeadLetterCause,
    pub(super) detail: &'a str,
    pub(super) deliveries: u32,
}

/// Why a dead letter could not be published.
#[derive(Debug, thiserror::Error)]
pub(super) enum DeadLetterError {
    #[error("NATS does not take it: {0}")]
    Publish(#[from] jetstream::context::PublishError),
    #[error("NATS does not take it: {0}")]
    Plain(#[from] async_nats::PublishError),
    #[error("NATS does not take it in time")]
    Late(#[from] tokio::time::error::Elapsed),
}

/// Publishes the message with the reason in its headers. A stream over the subject confirms it and recognises a second
/// copy. Without a stream only present subscribers get it; the log and the metrics tell of it in any case.
pub(super) async fn send(
    message: &jetstream::Message,
    settings: &JetStream,
    reason: &DeadLetterReason<'_>,
) -> Result<(), DeadLetterError> {
    let subject = settings.dead_letters.to_string();
    let mut headers = headers(message, settings, reason);
    let whole = message
        .payload
        .len()
        .saturating_add(length(&headers))
        .saturating_add(RESERVE);
    let fits = whole <= message.context.client().max_payload();
    let payload = if fits {
        message.payload.clone()
    } else {
        headers.insert(
            "Responder-Payload",
            "left out: with these headers it is larger than the server takes",
        );
        Bytes::new()
    };
    let published = match message
        .context
        .publish_with_headers(subject.clone(), headers.clone(), payload.clone())
        .await
    {
        Ok(confirmation) => confirmation.await,
        Err(error) => Err(error),
    };
    match published {
        Ok(_) => Ok(()),
        // A stream of dead letters that this program creates exists, and lacks only a leader: then the message goes back.
        Err(error) if error.kind() == PublishErrorKind::StreamNotFound && settings.create.is_none() => {
            let client = message.context.client();
            let publish = client.publish_with_headers(subject, headers, payload);
            Ok(tokio::time::timeout(ANSWER_DEADLINE, publish).await??)
        }
        Err(error) => Err(error.into()),
    }
}

fn headers(message: &jetstream::Message, settings: &JetStream, reason: &DeadLetterReason<'_>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, values) in message.headers.iter().flat_map(HeaderMap::iter) {
        // The context of a trace may be among them. `Nats-` headers are instructions to the first stream, not to this one.
        if !AsRef::<str>::as_ref(name).starts_with("Nats-") {
            for value in values {
                headers.append(name.clone(), value.clone());
            }
        }
    }
    headers.insert("Responder-Reason", reason.cause.as_str());
    headers.insert("Responder-Detail", one_line(reason.detail));
    headers.insert("Responder-Subject", one_line(&message.subject));
    headers.insert("Responder-Deliveries", HeaderValue::from(u64::from(reason.deliveries)));
    headers.insert("Responder-Stream", settings.stream.as_str());
    if let Ok(info) = message.info() {
        headers.insert("Responder-Sequence", HeaderValue::from(info.stream_sequence));
        // If the final answer gets lost, the message comes again; the stream of dead letters then drops the copy.
        let id = format!("{}.{}", info.stream, info.stream_sequence);
        headers.insert(header::NATS_MESSAGE_ID, id.as_str());
    }
    headers
}

/// The length of the headers as lines, in bytes.
fn length(headers: &HeaderMap) -> usize {
    let lines = headers
        .iter()
        .flat_map(|(name, values)| values.iter().map(move |value| (name, value)));
    lines
        .map(|(name, value)| AsRef::<str>::as_ref(name).len() + value.as_str().len() + 4)
        .sum()
}

/// The text on one line, so that no alert's text begins another header. ASCII, so that a character is a byte.
fn one_line(text: &str) -> HeaderValue {
    let line: String = text.escape_default().take(LONGEST_DETAIL).collect();
    // The escapes leave no character that a header refuses.
    line.parse().unwrap_or_else(|_| HeaderValue::from(0_u64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_detail_has_a_bound_in_bytes() {
        assert_eq!(one_line(&"é".repeat(5000)).as_str().len(), LONGEST_DETAIL);
    }

    #[test]
    fn no_text_of_an_alert_begins_another_header() {
        let value = one_line("a\r\nResponder-Reason: none\n");
        assert!(!value.as_str().contains(['\r', '\n']));
        assert_eq!(one_line(&"x".repeat(5000)).as_str().len(), LONGEST_DETAIL);
    }
}
