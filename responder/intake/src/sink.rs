//! Where the intake hands its alerts to: between the steps intake and match.

use std::future::Future;
use std::pin::Pin;

use responder_core::alert::{Alert, AlertId};
use responder_core::playbook_name::PlaybookName;
use responder_core::refusal::RefusalReason;

use crate::Arrival;

/// Takes alerts. Called on the thread that answers the sender, so it must not wait for anything: matching costs
/// microseconds, and what is queued is queued within bounds or shed.
pub trait Sink: Send + Sync + 'static {
    /// Takes one alert, with how it came: from whom, and as part of which trace.
    fn submit(&self, alert: Alert, arrival: Arrival<'_>) -> Taken;

    /// Whether somebody wants to know when an alert was read and decoded: two looks at the clock.
    fn is_traced(&self) -> bool {
        false
    }

    /// Counts a request that carried no alert that could be read. The kind is one of
    /// [`DecodeError::KINDS`](responder_core::alert::DecodeError::KINDS) or of [`TRANSPORT_KINDS`]: a closed set, fit for
    /// a metric label.
    fn rejected(&self, kind: &'static str);
}

/// A sink that also tells when an alert is settled: for a transport that keeps the alert until then.
pub trait SettlingSink: Sink {
    /// Takes one alert. `None`: nobody is at work on it, so there is nothing to wait for. A duplicate of an alert that is
    /// still under way is settled with that one.
    fn submit_and_follow(&self, alert: Alert, arrival: Arrival<'_>) -> (Taken, Option<Settling>);
}

/// Becomes ready when an alert is settled.
pub type Settling = Pin<Box<dyn Future<Output = Settled> + Send>>;

/// How an accepted alert ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settled {
    /// Every decision about it was taken, and what was to be done about it was done or failed for good.
    Decided,
    /// A decision could not be taken, for this reason: the alert is to be delivered again.
    SendAgain(RefusalReason),
    /// The process is stopping, and nobody here will decide it.
    HandedBack,
}

/// Kinds of rejections that happen before there is a body to decode.
pub const TRANSPORT_KINDS: [&str; 13] = [
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
    // Messages of core NATS that came faster than they could be read.
    "overflow",
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
