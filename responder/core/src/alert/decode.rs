//! Bytes to [`Alert`], in one pass and without an intermediate tree.
//!
//! Falco's own keys have fixed shapes, so nothing here recurses: an array or an object where Falco writes none is
//! refused at its first bracket, however many follow. serde's error can't carry the key and the bound; [`Walk`] keeps
//! them.

mod fields;
mod key;
mod scalars;
mod tags;
mod text;
mod walk;

use std::fmt;

use jiff::Timestamp;
use serde::{
    Deserialize, Deserializer,
    de::{self, DeserializeSeed, Error as _, MapAccess, Visitor},
};
use serde_json::value::RawValue;

use self::{
    fields::FieldsSeed,
    key::Key,
    tags::TagsSeed,
    text::TextSeed,
    walk::{Walk, position},
};
use super::{
    Alert, Bounds, DecodeError, Excerpt, Fields, Other, Priority, RuleName, Source, text_output::is_falco_text, time,
};

impl Alert {
    /// Reads one alert: Falco's JSON as `http_output` sends it, or falcosidekick's from any of its outputs.
    ///
    /// Known keys are read in any case (falcosidekick, written in Go, is as lenient); optional ones may be null.
    /// Unknown top-level keys are kept. Decoding one alert takes a few microseconds and a few times the body's memory.
    /// Every input ends in an alert or in an error.
    pub fn decode(body: &[u8], bounds: &Bounds) -> Result<Self, DecodeError> {
        if body.len() > bounds.body {
            return Err(DecodeError::TooLarge {
                size: body.len(),
                bound: bounds.body,
            });
        }
        let first = body
            .iter()
            .copied()
            .find(|byte| !b" \t\r\n".contains(byte))
            .ok_or(DecodeError::Empty)?;
        if first != b'{' && is_falco_text(body) {
            return Err(DecodeError::TextOutput);
        }
        let text = str::from_utf8(body).map_err(|error| DecodeError::NotUtf8 {
            offset: error.valid_up_to(),
        })?;
        if let Some(found) = other_json(first, text) {
            return Err(DecodeError::NotAnObject { found });
        }
        let mut walk = Walk {
            bounds,
            refusal: None,
            key: None,
        };
        let mut json = serde_json::Deserializer::from_str(text);
        let alert = json
            .deserialize_map(AlertVisitor(&mut walk))
            .map_err(|error| walk.explain(&error))?;
        json.end()
            .map_err(|error| DecodeError::TrailingData { at: position(&error) })?;
        Ok(alert)
    }
}

impl DecodeError {
    /// The error of a text that is not JSON, for readers of what an alert may be wrapped in.
    pub fn of_json(error: &serde_json::Error) -> Self {
        let mut walk = Walk {
            bounds: &Bounds::NONE,
            refusal: None,
            key: None,
        };
        walk.explain(error)
    }
}

/// Reads back an alert that this process wrote. [`Bounds::NONE`]: the bounds were enforced when it came in.
impl<'de> Deserialize<'de> for Alert {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut walk = Walk {
            bounds: &Bounds::NONE,
            refusal: None,
            key: None,
        };
        deserializer
            .deserialize_map(AlertVisitor(&mut walk))
            .map_err(|error| walk.refusal.take().map_or(error, D::Error::custom))
    }
}

/// The kind of a body that is JSON but not an object; `None` leaves the error to the parser.
fn other_json(first: u8, text: &str) -> Option<&'static str> {
    match (first, text.trim_ascii()) {
        (b'[', _) => Some("an array"),
        (b'"', _) => Some("a string"),
        (b'0'..=b'9' | b'-', _) => Some("a number"),
        (_, "true" | "false") => Some("a boolean"),
        (_, "null") => Some("null"),
        _ => None,
    }
}

/// The parts of the alert read so far.
#[derive(Default)]
struct Parts {
    /// The keys seen, null or not: a bit for each [`Key`].
    seen: u16,
    rule: Option<RuleName>,
    priority: Option<Priority>,
    time: Option<(Timestamp, Box<str>)>,
    source: Option<Box<str>>,
    hostname: Option<Box<str>>,
    tags: Option<Vec<Box<str>>>,
    output: Option<Box<str>>,
    message: Option<Box<str>>,
    uuid: Option<Box<str>>,
    fields: Option<Fields>,
    others: Vec<Other>,
}

impl Parts {
    fn read<'de, A: MapAccess<'de>>(&mut self, key: Key, map: &mut A, walk: &mut Walk<'_>) -> Result<(), A::Error> {
        let bit = 1 << key as u16;
        if self.seen & bit != 0 {
            let key = Excerpt::of(key.as_str());
            return Err(walk.refuse(DecodeError::DuplicateKey {
                key,
                within: "the alert",
            }));
        }
        self.seen |= bit;
        let boxed = |text: &str| Ok(Box::<str>::from(text));
        match key {
            Key::Hostname => self.hostname = map.next_value_seed(TextSeed::optional(walk, key, boxed))?,
            Key::Message => self.message = map.next_value_seed(TextSeed::optional(walk, key, boxed))?,
            Key::Output => self.output = map.next_value_seed(TextSeed::optional(walk, key, boxed))?,
            Key::Source => self.source = map.next_value_seed(TextSeed::optional(walk, key, boxed))?,
            Key::Uuid => self.uuid = map.next_value_seed(TextSeed::optional(walk, key, boxed))?,
            Key::Rule => self.rule = map.next_value_seed(TextSeed::required(walk, key, read_rule))?,
            Key::Priority => self.priority = map.next_value_seed(TextSeed::required(walk, key, read_priority))?,
            Key::Time => self.time = map.next_value_seed(TextSeed::required(walk, key, read_time))?,
            Key::Tags => self.tags = map.next_value_seed(TagsSeed(walk))?,
            Key::OutputFields => self.fields = map.next_value_seed(FieldsSeed(walk))?,
        }
        Ok(())
    }

    fn read_other<'de, A: MapAccess<'de>>(
        &mut self,
        key: Box<str>,
        map: &mut A,
        walk: &mut Walk<'_>,
    ) -> Result<(), A::Error> {
        let bounds = walk.bounds;
        if self.others.iter().any(|other| other.key == key) {
            return Err(walk.refuse(DecodeError::DuplicateKey {
                key: Excerpt::of(&key),
                within: "the alert",
            }));
        }
        if self.others.len() >= bounds.fields {
            let (key, what) = (Excerpt::of(&key), "keys that Falco does not write");
            return Err(walk.refuse(DecodeError::Bound {
                key,
                what,
                bound: bounds.fields,
            }));
        }
        let json: Box<RawValue> = map.next_value()?;
        if depth(json.get()) > bounds.depth {
            let key = Excerpt::of(&key);
            return Err(walk.refuse(DecodeError::Bound {
                key,
                what: "levels",
                bound: bounds.depth,
            }));
        }
        self.others.push(Other { key, json });
        Ok(())
    }

    fn into_alert<E: de::Error>(self, walk: &mut Walk<'_>) -> Result<Alert, E> {
        let missing = |key: Key| DecodeError::MissingKey { key: key.as_str() };
        let rule = self.rule.ok_or_else(|| walk.refuse(missing(Key::Rule)))?;
        let priority = self.priority.ok_or_else(|| walk.refuse(missing(Key::Priority)))?;
        let (time, time_written) = self.time.ok_or_else(|| walk.refuse(missing(Key::Time)))?;
        Ok(Alert {
            source: Source::of_alert(self.source.as_deref(), rule.as_str()),
            source_written: self.source,
            rule,
            priority,
            time,
            time_written,
            hostname: self.hostname,
            tags: self.tags,
            output: self.output,
            message: self.message,
            uuid: self.uuid,
            fields: self.fields,
            others: self.others,
        })
    }
}

fn read_rule(name: &str) -> Result<RuleName, DecodeError> {
    if name.is_empty() {
        Err(DecodeError::EmptyRule)
    } else {
        Ok(RuleName::new(name))
    }
}

fn read_priority(name: &str) -> Result<Priority, DecodeError> {
    name.parse().map_err(DecodeError::Priority)
}

fn read_time(written: &str) -> Result<(Timestamp, Box<str>), DecodeError> {
    match time::parse(written) {
        Ok(time) => Ok((time, written.into())),
        Err(problem) => Err(DecodeError::Time {
            written: Excerpt::of(written),
            problem,
        }),
    }
}

/// Levels of arrays and objects in a valid JSON text; counted, not recursed.
fn depth(json: &str) -> usize {
    let (mut depth, mut deepest, mut in_string, mut escaped) = (0_usize, 0, false, false);
    for byte in json.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => in_string = !in_string,
            b'[' | b'{' if !in_string => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b']' | b'}' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

// === impl Visitor ===

struct AlertVisitor<'w, 'b>(&'w mut Walk<'b>);

impl<'de> Visitor<'de> for AlertVisitor<'_, '_> {
    type Value = Alert;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a Falco alert")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Alert, A::Error> {
        let Self(walk) = self;
        let mut parts = Parts::default();
        while let Some(name) = map.next_key_seed(KeySeed(walk))? {
            match name {
                AlertKey::Known(key) => parts.read(key, &mut map, walk).inspect_err(|_| {
                    walk.key.get_or_insert_with(|| Excerpt::of(key.as_str()));
                })?,
                AlertKey::Other(key) => parts.read_other(key, &mut map, walk)?,
            }
        }
        parts.into_alert(walk)
    }
}

enum AlertKey {
    Known(Key),
    Other(Box<str>),
}

struct KeySeed<'w, 'b>(&'w mut Walk<'b>);

impl<'de> DeserializeSeed<'de> for KeySeed<'_, '_> {
    type Value = AlertKey;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<AlertKey, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for KeySeed<'_, '_> {
    type Value = AlertKey;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E: de::Error>(self, name: &str) -> Result<AlertKey, E> {
        if let Some(key) = Key::named(name) {
            return Ok(AlertKey::Known(key));
        }
        self.0.check_length(name, name)?;
        Ok(AlertKey::Other(name.into()))
    }
}
