//! An alert of Alertmanager whose labels falcosidekick's Alertmanager output has made of a Falco alert
//! (`outputs/alertmanager.go`).
//!
//! The labels carry less than the alert: lists, booleans and empty fields are left out, every value is a text, and `.`, `[`
//! and the like are underscores in the names. An alert is made where the rest tells it without a guess.

use jiff::Timestamp;
use responder_core::alert::{Alert, Bounds, Excerpt, FieldType, LabelField, falco_type, label_field};
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::Number;
use serde_json::value::RawValue;

use super::envelope_error::AlertmanagerError;
use super::keys::Keys;
use super::labels::Labels;
use super::unreadable::Unreadable;

/// The labels and annotations of one alert.
#[derive(Debug)]
pub(super) struct AlertmanagerAlert {
    labels: Labels,
    annotations: Labels,
}

impl AlertmanagerAlert {
    pub(super) fn parse(keys: &Keys<'_>) -> Result<Self, AlertmanagerError> {
        let read = |json: Option<&RawValue>| match json {
            Some(json) => serde_json::from_str(json.get()).map_err(|_| AlertmanagerError::Shape),
            None => Ok(Labels::default()),
        };
        if keys.status.is_some_and(|status| status.get() == "\"resolved\"") {
            return Err(AlertmanagerError::Resolved);
        }
        Ok(Self {
            labels: read(keys.labels)?,
            annotations: read(keys.annotations)?,
        })
    }

    /// The Falco alert that the labels were made of.
    pub(super) fn alert(&self, bounds: &Bounds) -> Result<Alert, Unreadable> {
        let written = serde_json::to_vec(&self.written()?).map_err(|_| AlertmanagerError::Shape)?;
        Alert::decode(&written, bounds).map_err(Unreadable::Labels)
    }

    fn written(&self) -> Result<Written<'_>, AlertmanagerError> {
        if let Some(missing) = ["rule", "priority", "eventsource"]
            .into_iter()
            .find(|name| self.labels.get(name).is_none())
        {
            return Err(AlertmanagerError::Missing(missing));
        }
        let mut written = Written {
            time: self.time().ok_or(AlertmanagerError::Time)?,
            output: self.annotations.get("info"),
            keys: Vec::new(),
            tags: Vec::new(),
            fields: Vec::new(),
        };
        for (label, text) in &self.labels.0 {
            match &**label {
                "rule" => written.keys.push(("rule", text)),
                "priority" => written.keys.push(("priority", text)),
                "eventsource" => written.keys.push(("source", text)),
                "hostname" => written.keys.push(("hostname", text)),
                "tags" => written.tags.extend(text.split(',')),
                // falcosidekick's own: always "falco", and the priority in another scale.
                "source" | "severity" => {}
                label => written.fields.push(field(label, text)?),
            }
        }
        Ok(written)
    }

    /// The time of the event, which is that of the alert, in Falco's form.
    fn time(&self) -> Option<String> {
        let nanoseconds = ["evt_time", "evt_time_iso8601"]
            .iter()
            .find_map(|name| self.labels.get(name))?;
        let time = Timestamp::from_nanosecond(nanoseconds.parse().ok()?).ok()?;
        Some(format!("{time:.9}"))
    }
}

/// The field of a label, with a value of the field's type.
fn field<'l>(label: &'l str, text: &'l str) -> Result<(Box<str>, FieldValue<'l>), AlertmanagerError> {
    let name = match label_field(label) {
        LabelField::Known(name) => name,
        LabelField::Custom => return Ok((label.into(), FieldValue::Text(text))),
        LabelField::Ambiguous { field } => {
            let label = Excerpt::of(label);
            return Err(AlertmanagerError::Ambiguous { label, field });
        }
    };
    let number = match falco_type(&name) {
        Some(FieldType::Float) => text.parse().ok().and_then(Number::from_f64),
        Some(kind) if kind.is_integer() => {
            let unsigned = text.parse::<u64>().map(Number::from);
            unsigned.or_else(|_| text.parse::<i64>().map(Number::from)).ok()
        }
        _ => None,
    };
    Ok((name, number.map_or(FieldValue::Text(text), FieldValue::Number)))
}

/// The alert as Falco writes it. A label that is there twice gives a key twice, which decoding refuses.
struct Written<'l> {
    time: String,
    output: Option<&'l str>,
    keys: Vec<(&'static str, &'l str)>,
    tags: Vec<&'l str>,
    fields: Vec<(Box<str>, FieldValue<'l>)>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum FieldValue<'l> {
    Number(Number),
    Text(&'l str),
}

impl Serialize for Written<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        struct Fields<'f>(&'f [(Box<str>, FieldValue<'f>)]);

        impl Serialize for Fields<'_> {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
            }
        }

        let mut map = serializer.serialize_map(None)?;
        for (key, text) in &self.keys {
            map.serialize_entry(key, text)?;
        }
        map.serialize_entry("time", &self.time)?;
        if let Some(output) = self.output {
            map.serialize_entry("output", output)?;
        }
        if !self.tags.is_empty() {
            map.serialize_entry("tags", &self.tags)?;
        }
        map.serialize_entry("output_fields", &Fields(&self.fields))?;
        map.end()
    }
}
