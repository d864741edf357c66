//! Keys whose value is a string.

use std::fmt;

use serde::{
    Deserializer,
    de::{self, DeserializeSeed, MapAccess, SeqAccess, Visitor},
};

use super::{key::Key, walk::Walk};
use crate::alert::{DecodeError, Excerpt};

/// A string, parsed in place by `read`; null is `None` where the key is optional.
pub(super) struct TextSeed<'w, 'b, F> {
    pub(super) walk: &'w mut Walk<'b>,
    pub(super) key: &'static str,
    pub(super) optional: bool,
    pub(super) read: F,
}

impl<'w, 'b, F> TextSeed<'w, 'b, F> {
    pub(super) fn optional(walk: &'w mut Walk<'b>, key: Key, read: F) -> Self {
        Self {
            walk,
            key: key.as_str(),
            optional: true,
            read,
        }
    }

    pub(super) fn required(walk: &'w mut Walk<'b>, key: Key, read: F) -> Self {
        Self {
            walk,
            key: key.as_str(),
            optional: false,
            read,
        }
    }

    fn refuse<E: de::Error>(self, found: &'static str) -> E {
        self.walk.refuse(DecodeError::WrongType {
            key: Excerpt::of(self.key),
            expected: "a string",
            found,
        })
    }
}

impl<'de, T, F: FnOnce(&str) -> Result<T, DecodeError>> DeserializeSeed<'de> for TextSeed<'_, '_, F> {
    type Value = Option<T>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Option<T>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, T, F: FnOnce(&str) -> Result<T, DecodeError>> Visitor<'de> for TextSeed<'_, '_, F> {
    type Value = Option<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Option<T>, E> {
        self.walk.check_length(self.key, text)?;
        (self.read)(text).map(Some).map_err(|refusal| self.walk.refuse(refusal))
    }

    fn visit_unit<E: de::Error>(self) -> Result<Option<T>, E> {
        if self.optional {
            Ok(None)
        } else {
            Err(self.refuse("null"))
        }
    }

    fn visit_bool<E: de::Error>(self, _: bool) -> Result<Option<T>, E> {
        Err(self.refuse("a boolean"))
    }

    fn visit_i64<E: de::Error>(self, _: i64) -> Result<Option<T>, E> {
        Err(self.refuse("a number"))
    }

    fn visit_u64<E: de::Error>(self, _: u64) -> Result<Option<T>, E> {
        Err(self.refuse("a number"))
    }

    fn visit_f64<E: de::Error>(self, _: f64) -> Result<Option<T>, E> {
        Err(self.refuse("a number"))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, _: A) -> Result<Option<T>, A::Error> {
        Err(self.refuse("an array"))
    }

    fn visit_map<A: MapAccess<'de>>(self, _: A) -> Result<Option<T>, A::Error> {
        Err(self.refuse("an object"))
    }
}
