//! The identity of the event that an alert reports, independent of the route of delivery.

use std::{borrow::Cow, fmt, str::FromStr};

use ring::digest::{SHA256, digest};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::{Alert, FieldType, Value, falco_field::falco_field, falco_type};

/// The identity of an event: a SHA-256 over the parts of the alert that no relay changes.
///
/// Those are the source, the rule, the time, the hostname and the values of all of Falco's own fields: process, file,
/// connection, user, container, pod, audit request. Two events that differ in one of them are two, even within one
/// nanosecond.
///
/// Falco's own delivery, falcosidekick's webhook, its NATS message and a second delivery of each have one identity,
/// although falcosidekick gives each receipt a `uuid`, drops trailing zeros of the time, names a missing source, sorts
/// and adds tags, adds custom fields, renames keys with brackets and cuts long texts. A custom field that has the name of
/// one of Falco's fields replaces it, and then the event of that route is another one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AlertId([u8; 32]);

/// The version of the encoding. Hashing something else needs a new name: journals of older versions are still read.
const DOMAIN: &str = "responder.dev/alert-id/v2";

/// Bytes of a text that are hashed. falcosidekick cuts to 507 bytes and appends `[...]`; a cut inside a character
/// replaces that character. The first 504 bytes are the same in the cut text and in the whole one.
const COUNTED: usize = 504;

impl Alert {
    /// The identity of the event, the same for every route of delivery. Computed on each call (one SHA-256 over at
    /// most the size of the alert), because an alert that matches nothing never needs it.
    pub fn id(&self) -> AlertId {
        AlertId::of(self)
    }
}

impl AlertId {
    fn of(alert: &Alert) -> Self {
        let mut encoding = Encoding(Vec::with_capacity(512));
        encoding.text(DOMAIN);
        encoding.text(alert.source().as_str());
        encoding.text(alert.rule().as_str());
        encoding.bytes(&alert.time().as_nanosecond().to_be_bytes());
        encoding.optional(alert.hostname());
        let mut fields: Vec<_> = alert.fields().filter_map(identifying).collect();
        // Without its argument a name may be there several times, and a relay changes the order of the names.
        fields.sort_unstable();
        for (name, value) in &fields {
            encoding.text(name);
            encoding.bytes(value);
        }
        let mut id = [0; 32];
        id.copy_from_slice(digest(&SHA256, &encoding.0).as_ref());
        Self(id)
    }

    /// The first 12 hex digits, for log lines and object names; the record beside it has all 64.
    pub fn short(&self) -> String {
        let mut hex = self.to_string();
        hex.truncate(12);
        hex
    }

    /// The 32 bytes of the SHA-256.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// The name and the bytes of a field that tells events apart: one of Falco's, with a value. The times of the event are
/// left out: they repeat the alert's time, and relays that read numbers as floats round them.
fn identifying<'a>((name, value): (&'a str, &'a Value)) -> Option<(&'a str, Cow<'a, [u8]>)> {
    let is_time = || name.starts_with("evt.") && falco_type(name) == Some(FieldType::Time);
    let field = falco_field(name).filter(|_| !is_time())?;
    let bytes = match value {
        Value::Null => return None,
        Value::String(text) => counted(text).as_bytes().into(),
        // Relays cut no other type. A value of a type that Falco does not give the field still tells events apart.
        other => other.to_string().into_bytes().into(),
    };
    Some((field, bytes))
}

/// The part of a text that no relay cuts.
fn counted(text: &str) -> &str {
    &text[..text.floor_char_boundary(COUNTED)]
}

/// Each part is preceded by its length, so no two lists of parts have the same encoding.
struct Encoding(Vec<u8>);

impl Encoding {
    fn bytes(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(&(bytes.len() as u64).to_be_bytes());
        self.0.extend_from_slice(bytes);
    }

    fn text(&mut self, text: &str) {
        self.bytes(counted(text).as_bytes());
    }

    fn optional(&mut self, text: Option<&str>) {
        self.0.push(u8::from(text.is_some()));
        if let Some(text) = text {
            self.text(text);
        }
    }
}

impl fmt::Display for AlertId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for AlertId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The text is not an alert's id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an alert's id has 64 hex digits; the first 12 are shown in log lines, the whole in records")]
pub struct AlertIdError;

impl FromStr for AlertId {
    type Err = AlertIdError;

    fn from_str(hex: &str) -> Result<Self, Self::Err> {
        let mut id = [0; 32];
        if hex.len() != 64 || !hex.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return Err(AlertIdError);
        }
        for (byte, at) in id.iter_mut().zip((0..64).step_by(2)) {
            *byte = u8::from_str_radix(&hex[at..at + 2], 16).map_err(|_| AlertIdError)?;
        }
        Ok(Self(id))
    }
}

impl Serialize for AlertId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for AlertId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Box::<str>::deserialize(deserializer)?
            .parse()
            .map_err(de::Error::custom)
    }
}
