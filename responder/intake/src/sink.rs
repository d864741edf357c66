//! Where the intake hands its alerts to: between the steps intake and match.

use responder_core::alert::{Alert, AlertId, Sender};
use responder_core::playbook::PlaybookName;

/// Takes alerts. Called on the thread that answers the sender, so it must not wait for anything: matching costs
/// microseconds, and what is queued is queued within bounds or shed.
pub trait Sink: Send + Sync + 'static {
    /// Takes one alert, with who sent it.
    fn submit(&self, alert: Alert, sender: &Sender) -> Taken;

    /// Counts a request that carried no alert that could be read. The kind is one of
    /// [`DecodeError::KINDS`](responder_core::alert::DecodeError::KINDS) or of [`TRANSPORT_KINDS`]: a closed set, fit for
    /// a metric label.
    fn rejected(&self, kind: &'static str);
}

/// Kinds of rejections that happen before there is a body to decode.
pub const TRANSPORT_KINDS: [&str; 12] = [
    // Bytes that are no HTTP.
    "http",
    // A handshake of TLS that failed: most often the sender speaks plain HTTP, or does not trust our certificate.
    "tls",
    // A client certificate that can't be verified: it has expired, or is of another authority.
    "certificate",
    // A client certificate that is good, and names nobody who may send.
    "certificate_name",
    // No credentials, where senders have to prove who they are.
    "credentials_missing",
    // Credentials that are not known.
    "credentials_wrong",
    // An alert sent to another path than `/`.
    "wrong_path",
    // A body in an encoding that nobody sends alerts in.
    "encoding",
    // A web page's request: no sender of alerts has an origin.
    "browser",
    // The body did not come in time.
    "body_timeout",
    // The connection broke inside the body.
    "body_broken",
    // Too many large bodies at once.
    "busy",
];

/// What became of an alert.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Taken {
    /// No playbook matches it.
    Unmatched,
    /// The same event has been taken before.
    Duplicate,
    /// These playbooks will decide about it.
    Accepted {
        /// Its identity.
        alert: AlertId,
        /// Those that match, in the order in which they are asked.
        playbooks: Vec<PlaybookName>,
    },
    /// There is no room for it, and it was dropped.
    Shed,
    /// The process is stopping, and it was dropped.
    Stopping,
}
