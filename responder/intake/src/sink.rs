//! The port to the engine: between the steps intake and match.

use std::future::Future;
use std::pin::Pin;

use responder_core::alert::{Alert, AlertId, AlertOutcome};
use responder_core::playbook_name::PlaybookName;

use crate::Arrival;

/// Takes alerts. Called on the thread that answers the sender, so an implementation must not block: matching costs
/// microseconds, and an alert is queued within bounds or shed.
pub trait Sink: Send + Sync + 'static {
    /// Takes one alert, with its sender and the trace that it belongs to.
    fn submit(&self, alert: Alert, arrival: Arrival<'_>) -> Receipt;

    /// Whether [`Arrival`] has to tell when an alert was read and decoded, which costs two readings of the clock.
    fn is_traced(&self) -> bool {
        false
    }

    /// Counts a request, or a part of one, without a readable alert. The kind is one of
    /// [`DecodeError::KINDS`](responder_core::alert::DecodeError::KINDS) or of [`TRANSPORT_KINDS`]: a closed set, fit for
    /// a metric label.
    fn rejected(&self, kind: &'static str);
}

/// A sink that also tells when an alert is settled: for a transport that keeps the alert until then.
pub trait SettlingSink: Sink {
    /// Takes one alert. The future is `None` where no work on the alert is under way. A duplicate of an alert that is
    /// still under way settles together with it.
    fn submit_and_follow(&self, alert: Alert, arrival: Arrival<'_>) -> (Receipt, Option<Settling>);
}

/// Becomes ready when an alert is settled.
pub type Settling = Pin<Box<dyn Future<Output = AlertOutcome> + Send>>;

/// Kinds of rejections that happen before there is the text of an alert to decode.
pub const TRANSPORT_KINDS: [&str; 16] = [
    // Bytes that are not HTTP.
    "http",
    // A TLS handshake failed: most often the sender speaks plain HTTP, or does not trust the server's certificate.
    "tls",
    // A client certificate fails verification: it has expired, or another authority has signed it.
    "certificate",
    // A valid client certificate without an allowed name.
    "certificate_name",
    // No credentials, where senders have to authenticate.
    "credentials_missing",
    // Unknown credentials.
    "credentials_wrong",
    // An alert sent to another path than `/`.
    "wrong_path",
    // A body with another Content-Encoding than gzip, or with damaged gzip.
    "encoding",
    // An alert past the number that one body may hold.
    "batch",
    // A CloudEvent without data that could be an alert.
    "cloud_event",
    // Labels of Alertmanager from which no faithful alert can be made.
    "alertmanager",
    // A web page's request: no known sender has an origin.
    "browser",
    // The body did not arrive in time.
    "body_timeout",
    // The connection broke inside the body.
    "body_broken",
    // Too many large bodies at once.
    "busy",
    // Messages of core NATS that arrived faster than they could be read.
    "overflow",
];

/// What the sink did with an alert.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Receipt {
    /// No playbook matches it.
    Unmatched,
    /// The same event was accepted before.
    Duplicate,
    /// Each of these playbooks will decide about it.
    Accepted {
        /// The identity of the alert.
        alert: AlertId,
        /// The playbooks that match, in the order in which they decide.
        playbooks: Vec<PlaybookName>,
    },
    /// The queue has no room, and the alert was dropped.
    Shed,
    /// The process is stopping, and the alert was dropped.
    Stopping,
}
