//! The `tags` list.

use std::fmt;

use serde::{
    Deserializer,
    de::{self, DeserializeSeed, MapAccess, SeqAccess, Visitor},
};

use super::{scalars::refuse_scalars, text::TextSeed, walk::Walk};
use crate::alert::{DecodeError, Excerpt};

pub(super) struct TagsSeed<'w, 'b>(pub(super) &'w mut Walk<'b>);

impl TagsSeed<'_, '_> {
    fn refuse<E: de::Error>(self, found: &'static str) -> E {
        let (key, expected) = (Excerpt::of("tags"), "a list of strings");
        self.0.refuse(DecodeError::WrongType { key, expected, found })
    }
}

impl<'de> DeserializeSeed<'de> for TagsSeed<'_, '_> {
    type Value = Option<Vec<Box<str>>>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for TagsSeed<'_, '_> {
    type Value = Option<Vec<Box<str>>>;

    refuse_scalars!("a list of strings");

    fn visit_map<A: MapAccess<'de>>(self, _: A) -> Result<Self::Value, A::Error> {
        Err(self.refuse("an object"))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let Self(walk) = self;
        let bound = walk.bounds.tags;
        let mut tags = Vec::with_capacity(8);
        let boxed = |text: &str| Ok(Box::<str>::from(text));
        while let Some(tag) = seq.next_element_seed(TextSeed {
            walk,
            key: "tags[]",
            optional: false,
            read: boxed,
        })? {
            if tags.len() >= bound {
                return Err(walk.refuse(DecodeError::Bound {
                    key: Excerpt::of("tags"),
                    what: "tags",
                    bound,
                }));
            }
            tags.extend(tag);
        }
        Ok(Some(tags))
    }
}
