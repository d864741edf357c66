//! A CloudEvent in the structured mode of its JSON format, with an alert as its data. (In the binary mode the body is the
//! alert, and the attributes are headers.)

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use responder_core::alert::{Alert, Bounds, Excerpt};
use serde_json::value::RawValue;

use super::envelope_error::CloudEventError;
use super::keys::Keys;
use super::places::Places;
use super::unreadable::Unreadable;

const VERSION: &str = "1.0";

/// The data of a CloudEvent.
#[derive(Debug)]
pub(super) enum CloudEvent<'a> {
    /// The alert itself.
    Json(&'a RawValue),
    /// The text of the alert: from an event with another content type, or from `data_base64`.
    Text(Vec<u8>),
}

impl<'a> CloudEvent<'a> {
    pub(super) fn parse(keys: &Keys<'a>) -> Result<Self, CloudEventError> {
        let version = keys.specversion.and_then(text);
        if version.as_deref() != Some(VERSION) {
            let written = keys.specversion.map_or("", RawValue::get);
            return Err(CloudEventError::Version(Excerpt::of(
                &version.unwrap_or_else(|| written.to_owned()),
            )));
        }
        match (keys.data, keys.data_base64) {
            (Some(_), Some(_)) => Err(CloudEventError::TwoData),
            (None, None) => Err(CloudEventError::NoData),
            (Some(data), None) => Ok(text(data).map_or(Self::Json(data), |text| Self::Text(text.into_bytes()))),
            (None, Some(data)) => {
                let decoded = text(data).and_then(|text| STANDARD.decode(text).ok());
                decoded.map(Self::Text).ok_or(CloudEventError::Base64)
            }
        }
    }

    /// The alert. `event` is the text that the data is a slice of.
    pub(super) fn alert(&self, event: &[u8], bounds: &Bounds) -> Result<Alert, Unreadable> {
        match self {
            Self::Json(data) => {
                let data = data.get().as_bytes();
                let (start, offset) = Places::new(event).of(data);
                Alert::decode(data, bounds).map_err(|error| error.in_part(start, offset).into())
            }
            Self::Text(text) => Alert::decode(text, bounds).map_err(Unreadable::Data),
        }
    }
}

/// The text of a JSON string.
fn text(json: &RawValue) -> Option<String> {
    serde_json::from_str(json.get()).ok()
}
