//! The top-level keys by which an envelope is known.

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

/// The attribute that each CloudEvent has, and no alert.
pub(super) const SPEC_VERSION: &str = "specversion";

/// The keys of envelopes; others are passed over. A key that is there twice makes no envelope.
#[derive(Debug, Deserialize)]
pub(super) struct Keys<'a> {
    #[serde(borrow)]
    pub(super) specversion: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) data: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) data_base64: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) labels: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) annotations: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) status: Option<&'a RawValue>,
    #[serde(borrow)]
    alerts: Option<&'a RawValue>,
    rule: Option<IgnoredAny>,
}

/// What an alert may be wrapped in.
#[derive(Debug)]
pub(super) enum Envelope<'a> {
    /// A CloudEvent in the structured mode.
    CloudEvent(Keys<'a>),
    /// An alert of Alertmanager.
    Alertmanager(Keys<'a>),
}

impl<'a> Envelope<'a> {
    /// `None` where the text is no envelope.
    pub(super) fn of(text: &'a [u8]) -> Option<Self> {
        let keys: Keys<'a> = serde_json::from_slice(text).ok()?;
        if keys.specversion.is_some() {
            Some(Self::CloudEvent(keys))
        } else if keys.labels.is_some() && keys.rule.is_none() {
            Some(Self::Alertmanager(keys))
        } else {
            None
        }
    }
}

/// The array of alerts in a body of Alertmanager's `webhook_configs`.
pub(super) fn alertmanager_alerts(body: &[u8]) -> Option<&[u8]> {
    let keys: Keys<'_> = serde_json::from_slice(body).ok()?;
    let alerts = keys
        .alerts
        .filter(|_| keys.specversion.is_none() && keys.rule.is_none())?;
    alerts.get().starts_with('[').then_some(alerts.get().as_bytes())
}
