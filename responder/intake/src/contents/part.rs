//! One alert, bare or in an envelope, and a batch of them.

use responder_core::alert::{Alert, Bounds, DecodeError};

use super::alertmanager::AlertmanagerAlert;
use super::cloud_event::CloudEvent;
use super::keys::{Envelope, SPEC_VERSION};
use super::unreadable::Unreadable;

/// The most alerts of one body. An alert of a default rule has 1 to 2 kB, so a body of 256 KiB holds about 150 of them.
pub(crate) const MOST_ALERTS: usize = 512;

/// The alerts of a body that may hold several.
#[derive(Debug)]
pub(crate) struct Batch {
    /// In the order of the body; at most [`MOST_ALERTS`], and one for what is broken behind them.
    pub(crate) parts: Vec<BodyPart>,
    /// Alerts past the bound. They were counted and not read.
    pub(crate) unread: usize,
}

/// One of the alerts of a body.
#[derive(Debug)]
pub(crate) struct BodyPart {
    /// The line of the body in which it begins, from 1.
    pub(crate) line: usize,
    /// The alert.
    pub(crate) read: Result<Alert, Unreadable>,
}

/// Reads one alert, bare or in an envelope.
pub(super) fn read(text: &[u8], bounds: &Bounds) -> Result<Alert, Unreadable> {
    let decoded = Alert::decode(text, bounds);
    match &decoded {
        // falcosidekick's CloudEvents have the rule and the priority among their attributes: such an event looks like an
        // alert, from another source and without output fields.
        Ok(alert) if alert.others().all(|(key, _)| key != SPEC_VERSION) => return Ok(decoded?),
        Err(DecodeError::TooLarge { .. } | DecodeError::Empty | DecodeError::TextOutput) => return Ok(decoded?),
        _ => {}
    }
    match Envelope::of(text) {
        Some(Envelope::CloudEvent(keys)) => CloudEvent::parse(&keys)?.alert(text, bounds),
        Some(Envelope::Alertmanager(keys)) => AlertmanagerAlert::parse(&keys)?.alert(bounds),
        None => Ok(decoded?),
    }
}
