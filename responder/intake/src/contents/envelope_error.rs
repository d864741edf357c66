//! Why no alert can be told from an envelope: each message says what the sender has to do.

use responder_core::alert::Excerpt;

/// Why the data of a CloudEvent can't be told.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CloudEventError {
    /// Another version of the format, or none.
    #[error("the CloudEvent has the specversion {0}; send it as a CloudEvent of version 1.0")]
    Version(Excerpt),
    /// Neither `data` nor `data_base64`.
    #[error("the CloudEvent has no data; send the alert as its `data`")]
    NoData,
    /// Both of them, and readers differ in which one counts.
    #[error("the CloudEvent has both `data` and `data_base64`; send the alert as its `data` alone")]
    TwoData,
    /// `data_base64` is no base64.
    #[error("the CloudEvent's `data_base64` is not base64; send the alert as its `data`")]
    Base64,
}

/// Why labels make no faithful alert.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum AlertmanagerError {
    /// Labels or annotations with other values than texts.
    #[error(
        "the labels or annotations are not names with texts; send what Alertmanager or falcosidekick writes, unchanged"
    )]
    Shape,
    /// The alert is over; it tells of no new event.
    #[error("this alert of Alertmanager is resolved; set `send_resolved: false` in its webhook_configs")]
    Resolved,
    /// A label that falcosidekick always writes is missing.
    #[error(
        "the labels have no `{0}`, so they are not those of a Falco alert; let falcosidekick send it with its webhook output"
    )]
    Missing(&'static str),
    /// The time of the event is in no label.
    #[error(
        "neither `evt_time` nor `evt_time_iso8601` among the labels tells the time of the event; let falcosidekick send the alert with its webhook output"
    )]
    Time,
    /// A label whose name does not tell the field it was.
    #[error(
        "the label {label} was the field `{field}` with an argument that its name does not tell; let falcosidekick send the alert with its webhook output"
    )]
    Ambiguous {
        /// The label.
        label: Excerpt,
        /// The field without its argument.
        field: &'static str,
    },
}
