//! The identity of the event that an alert reports, independent of the route of delivery.

use std::{fmt, str::FromStr};

use ring::digest::{SHA256, digest};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::{Alert, Value};

/// The identity of an event: a SHA-256 over the parts of the alert that no relay changes.
///
/// Falco's own delivery, falcosidekick's webhook, its NATS message and a second delivery of each have one identity,
/// although falcosidekick gives each receipt a `uuid`, drops trailing zeros of the time, names a missing source, sorts
/// and adds tags, adds custom fields, renames keys with brackets and cuts long texts. Another container, pod,
/// namespace, audit target or nanosecond is another event.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AlertId([u8; 32]);

/// The version of the encoding. Hashing something else needs a new name: journals of older versions are still read.
const DOMAIN: &str = "responder.dev/alert-id/v1";

/// The fields that identify the target; and the event, where its source has an id for it (the times in cloud audit logs
/// have whole seconds). None has a bracket, which falcosidekick's `bracketreplacer` would rename. The order is part of
/// the encoding.
const IDENTIFYING: [&str; 16] = [
    "container.id",
    "k8s.ns.name",
    "k8s.pod.name",
    "k8s.pod.uid",
    "k8smeta.ns.name",
    "k8smeta.pod.name",
    "k8smeta.pod.uid",
    "ka.target.resource",
    "ka.target.subresource",
    "ka.target.namespace",
    "ka.target.name",
    "ka.target.pod.name",
    "ka.resp.name",
    "ka.auditid",
    "ct.id",
    "evt.num",
];

/// Bytes of a text that are hashed. falcosidekick cuts to 507 bytes and appends `[...]`; a cut inside a character
/// replaces that character. The first 504 bytes are the same in the cut text and in the whole one. Kubernetes names
/// have at most 253, so this only concerns names in requests that fail.
const COUNTED: usize = 504;

impl Alert {
    /// The identity of the event, the same for every route of delivery. Computed on each call (one SHA-256 over about
    /// 200 bytes), because an alert that matches nothing never needs it.
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
        for name in IDENTIFYING {
            match alert.field(name) {
                None | Some(Value::Null) => encoding.optional(None),
                Some(Value::String(text)) => encoding.optional(Some(text)),
                // Falco writes a number here for `evt.num` only; a value of another type still tells events apart.
                Some(other) => encoding.optional(Some(&other.to_string())),
            }
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

/// Each part is preceded by its length, so no two lists of parts have the same encoding.
struct Encoding(Vec<u8>);

impl Encoding {
    fn bytes(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(&(bytes.len() as u64).to_be_bytes());
        self.0.extend_from_slice(bytes);
    }

    fn text(&mut self, text: &str) {
        let mut end = text.len().min(COUNTED);
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        self.bytes(&text.as_bytes()[..end]);
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
