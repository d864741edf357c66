//! Which event an alert speaks of, whichever way it came.

use std::{fmt, str::FromStr};

use aws_lc_rs::digest::{SHA256, digest};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::{Alert, Value};

/// The identity of an event: a SHA-256 over what Falco says of it and what no relay changes.
///
/// Falco's own delivery, falcosidekick's webhook, its NATS message and a second delivery of each have one identity,
/// though falcosidekick gives each receipt a `uuid`, drops zeros of the time, names a missing source, sorts and adds
/// tags, adds custom fields, renames keys with brackets and cuts long texts. Another container, pod, namespace, audit
/// target or nanosecond is another event.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AlertId([u8; 32]);

/// Names the encoding; a change of what is hashed is a new name, since journals of an older version are still read.
const DOMAIN: &str = "responder.dev/alert-id/v1";

/// What identifies the target (and, where the source gives its events an id of their own, the event: the times of cloud
/// audit logs are of whole seconds). None has a bracket, which falcosidekick's `bracketreplacer` would rename.
/// The order is part of the encoding.
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

/// Bytes of a text that count. falcosidekick cuts to 507 bytes and `[...]`, perhaps in the middle of a character, which
/// then is replaced: what lies before byte 504 is the same in the cut text as in the whole one. Kubernetes names end at
/// 253, so this only concerns what a failing request may ask for.
const COUNTED: usize = 504;

impl Alert {
    /// Who this event is, the same over every way by which it can arrive. Computed on each call (one SHA-256 over
    /// about 200 bytes), because an alert that matches nothing never needs it.
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
                // Falco writes numbers here for `evt.num` only; of another type it still tells events apart.
                Some(other) => encoding.optional(Some(&other.to_string())),
            }
        }
        let mut id = [0; 32];
        id.copy_from_slice(digest(&SHA256, &encoding.0).as_ref());
        Self(id)
    }

    /// The first 12 hex digits: for log lines and object names, where the whole is stored beside it.
    pub fn short(&self) -> String {
        let mut hex = self.to_string();
        hex.truncate(12);
        hex
    }

    /// The 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// Each part with its length before it, so that no two lists of parts have one encoding.
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

/// A text that is no alert's identity.
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
