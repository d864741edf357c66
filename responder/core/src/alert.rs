//! A Falco alert: the first step of the flow, and the only input from outside.
//!
//! [`Alert::decode`] takes the bytes of one request, exactly as Falco's `http_output` or falcosidekick sends them. It
//! refuses a body that is not an alert, with an error that says what is wrong, where, and what to do. Decoding is
//! lossless: an alert written again is the alert that came in. All later modules read the alert through its accessors,
//! so `syscalls`, a missing hostname or a cut value mean the same everywhere.
//!
//! An alert's text is data from an attacker's process. Nothing here gives it a meaning beyond comparison.

mod audit_verdict;
mod bounds;
mod confinement;
mod decode;
mod decode_error;
mod excerpt;
mod falco_field;
mod falco_label;
mod falco_rules;
mod identity;
mod outcome;
mod priority;
mod rule_name;
mod sender;
mod source;
mod text_output;
mod time;
mod value;

#[cfg(test)]
mod tests;

use compact_str::CompactString;
use jiff::Timestamp;
use serde::{
    Serialize, Serializer,
    ser::{SerializeMap, SerializeSeq},
};
use serde_json::value::RawValue;

pub use self::{
    audit_verdict::AuditVerdict,
    bounds::Bounds,
    confinement::Confinement,
    decode_error::{DecodeError, Position},
    excerpt::Excerpt,
    falco_field::{FieldType, falco_type},
    falco_label::{LabelField, label_field},
    falco_rules::{ShippedRule, shipped_rule, shipped_rules},
    identity::{AlertId, AlertIdError},
    outcome::AlertOutcome,
    priority::{Priority, UnknownPriority},
    rule_name::RuleName,
    sender::{ConfinedSender, Sender, SenderName, SenderNameError},
    source::Source,
    value::{Integer, Value},
};

/// One Falco alert, as it arrived.
///
/// Two alerts are equal when their contents are equal, in any order of keys and any delivery format. Whether they
/// report the *same event* is decided by [`Alert::id`]: two deliveries that differ in `uuid` have one id.
#[derive(Debug, Clone, PartialEq)]
pub struct Alert {
    rule: RuleName,
    priority: Priority,
    source: Source,
    /// `source` as written, to write the alert again unchanged; `None` when absent.
    source_written: Option<Box<str>>,
    time: Timestamp,
    /// `time` as written: falcosidekick drops trailing zeros that Falco writes.
    time_written: Box<str>,
    hostname: Option<Box<str>>,
    tags: Option<Vec<Box<str>>>,
    output: Option<Box<str>>,
    message: Option<Box<str>>,
    uuid: Option<Box<str>>,
    fields: Option<Fields>,
    others: Vec<Other>,
}

/// `output_fields`, sorted by name and each name once: a lookup is a binary search.
type Fields = Vec<(CompactString, Value)>;

/// A top-level key that Falco does not write today, kept as its JSON text.
#[derive(Debug, Clone)]
struct Other {
    key: Box<str>,
    json: Box<RawValue>,
}

impl PartialEq for Other {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key && self.json.get() == other.json.get()
    }
}

impl Alert {
    /// The rule that fired; never empty.
    pub fn rule(&self) -> &RuleName {
        &self.rule
    }

    /// The rule's priority.
    pub fn priority(&self) -> Priority {
        self.priority
    }

    /// The event source, normalised: see [`Source`].
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// The time of the event in the kernel or in the audit log, exact to the nanosecond, after 1970.
    pub fn time(&self) -> Timestamp {
        self.time
    }

    /// The hostname of the machine or pod where Falco runs: with the Helm chart's defaults the node's name, otherwise
    /// the Falco pod's. For plugin sources it is where the plugin runs and says nothing about the target. `None` when
    /// absent, null or empty (old Falco).
    pub fn hostname(&self) -> Option<&str> {
        self.hostname.as_deref().filter(|name| !name.is_empty())
    }

    /// The rule's tags, in the order of arrival (Falco and falcosidekick sort them); empty when there are none.
    pub fn tags(&self) -> &[Box<str>] {
        self.tags.as_deref().unwrap_or_default()
    }

    /// The line for a reader, with its prefix of time and priority; absent with `json_include_output_property: false`.
    pub fn output(&self) -> Option<&str> {
        self.output.as_deref()
    }

    /// The line without its prefix; present only with `json_include_message_property: true`, and dropped by
    /// falcosidekick.
    pub fn message(&self) -> Option<&str> {
        self.message.as_deref()
    }

    /// falcosidekick's `uuid`, new for each receipt: it identifies a delivery, not an event. For traces only.
    pub fn uuid(&self) -> Option<&str> {
        self.uuid.as_deref()
    }

    /// The value of an output field by its exact name, brackets included (`proc.aname[2]`).
    ///
    /// `None` when the alert does not carry the field; `Some(&Value::Null)` when Falco had no value for it.
    pub fn field(&self, name: &str) -> Option<&Value> {
        let fields = self.fields.as_ref()?;
        let at = fields.binary_search_by(|(key, _)| (**key).cmp(name)).ok()?;
        fields.get(at).map(|(_, value)| value)
    }

    /// The text of an output field; `None` when it is absent, null or not a string.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.field(name)?.as_str()
    }

    /// All output fields, sorted by name.
    pub fn fields(&self) -> impl ExactSizeIterator<Item = (&str, &Value)> {
        self.fields
            .as_deref()
            .unwrap_or_default()
            .iter()
            .map(|(name, value)| (&**name, value))
    }

    /// Top-level keys that Falco does not write today, with their JSON text.
    pub fn others(&self) -> impl ExactSizeIterator<Item = (&str, &str)> {
        self.others.iter().map(|other| (&*other.key, other.json.get()))
    }
}

/// Written as Falco writes it: keys in Falco's (alphabetical) order, absent ones left out.
impl Serialize for Alert {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        write_some(&mut map, "hostname", self.hostname.as_deref())?;
        write_some(&mut map, "message", self.message.as_deref())?;
        write_some(&mut map, "output", self.output.as_deref())?;
        if let Some(fields) = &self.fields {
            map.serialize_entry("output_fields", &AsMap(fields))?;
        }
        map.serialize_entry("priority", &self.priority)?;
        map.serialize_entry("rule", &self.rule)?;
        write_some(&mut map, "source", self.source_written.as_deref())?;
        if let Some(tags) = &self.tags {
            map.serialize_entry("tags", &AsSeq(tags))?;
        }
        map.serialize_entry("time", &*self.time_written)?;
        write_some(&mut map, "uuid", self.uuid.as_deref())?;
        for other in &self.others {
            map.serialize_entry(&*other.key, &other.json)?;
        }
        map.end()
    }
}

fn write_some<M: SerializeMap>(map: &mut M, key: &'static str, value: Option<&str>) -> Result<(), M::Error> {
    value.map_or(Ok(()), |text| map.serialize_entry(key, text))
}

struct AsMap<'a>(&'a Fields);

impl Serialize for AsMap<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (&**name, value)))
    }
}

struct AsSeq<'a>(&'a [Box<str>]);

impl Serialize for AsSeq<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut seq = serializer.serialize_seq(Some(self.0.len()))?;
        for tag in self.0 {
            seq.serialize_element(&**tag)?;
        }
        seq.end()
    }
}
