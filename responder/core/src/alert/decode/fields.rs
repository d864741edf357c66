//! The output fields: names and exact values.

use compact_str::CompactString;
use std::fmt;

use serde::{
    Deserializer,
    de::{self, DeserializeSeed, MapAccess, SeqAccess, Visitor},
};

use super::{scalars::refuse_scalars, walk::Walk};
use crate::alert::{DecodeError, Excerpt, Fields, Integer, Value};

pub(super) struct FieldsSeed<'w, 'b>(pub(super) &'w mut Walk<'b>);

impl FieldsSeed<'_, '_> {
    fn refuse<E: de::Error>(self, found: &'static str) -> E {
        let (key, expected) = (Excerpt::of("output_fields"), "an object");
        self.0.refuse(DecodeError::WrongType { key, expected, found })
    }
}

impl<'de> DeserializeSeed<'de> for FieldsSeed<'_, '_> {
    type Value = Option<Fields>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for FieldsSeed<'_, '_> {
    type Value = Option<Fields>;

    refuse_scalars!("an object");

    fn visit_seq<A: SeqAccess<'de>>(self, _: A) -> Result<Self::Value, A::Error> {
        Err(self.refuse("an array"))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let Self(walk) = self;
        let bound = walk.bounds.fields;
        let mut fields = Fields::with_capacity(32);
        // Falco and falcosidekick write the fields sorted, so one comparison with the last name is enough.
        let mut sorted = true;
        while let Some(key) = map.next_key_seed(FieldName(walk))? {
            if fields.len() >= bound {
                let key = Excerpt::of("output_fields");
                return Err(walk.refuse(DecodeError::Bound {
                    key,
                    what: "fields",
                    bound,
                }));
            }
            let value = map
                .next_value_seed(ValueSeed {
                    walk,
                    key: &key,
                    in_list: false,
                })
                .inspect_err(|_| walk.key = Some(Excerpt::of(&key)))?;
            sorted = sorted && fields.last().is_none_or(|(last, _)| *last < key);
            fields.push((key, value));
        }
        if !sorted {
            fields.sort_by(|(one, _), (other, _)| one.cmp(other));
            if let Some(twice) = fields.windows(2).find(|pair| pair[0].0 == pair[1].0) {
                let key = Excerpt::of(&twice[0].0);
                return Err(walk.refuse(DecodeError::DuplicateKey {
                    key,
                    within: "`output_fields`",
                }));
            }
        }
        Ok(Some(fields))
    }
}

struct FieldName<'w, 'b>(&'w mut Walk<'b>);

impl<'de> DeserializeSeed<'de> for FieldName<'_, '_> {
    type Value = CompactString;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<CompactString, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for FieldName<'_, '_> {
    type Value = CompactString;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a field's name")
    }

    fn visit_str<E: de::Error>(self, name: &str) -> Result<CompactString, E> {
        self.0.check_length(name, name)?;
        Ok(name.into())
    }
}

struct ValueSeed<'w, 'b, 'k> {
    walk: &'w mut Walk<'b>,
    key: &'k str,
    in_list: bool,
}

impl ValueSeed<'_, '_, '_> {
    fn refuse_nested<E: de::Error>(self, found: &'static str) -> E {
        let within = if self.in_list { "inside a list" } else { "as its value" };
        self.walk.refuse(DecodeError::Nested {
            key: Excerpt::of(self.key),
            found,
            within,
        })
    }
}

impl<'de> DeserializeSeed<'de> for ValueSeed<'_, '_, '_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

/// -2^63 and 2^64. serde_json reads an integer past 64 bits as a float that has lost its last digits, so floats at or
/// past these bounds are refused. Falco's own floats are rates and percentages.
const FLOAT_ABOVE: f64 = -9_223_372_036_854_775_808.0;
const FLOAT_BELOW: f64 = 18_446_744_073_709_551_616.0;

impl<'de> Visitor<'de> for ValueSeed<'_, '_, '_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a scalar or a flat list")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: de::Error>(self, truth: bool) -> Result<Value, E> {
        Ok(Value::Bool(truth))
    }

    fn visit_i64<E: de::Error>(self, integer: i64) -> Result<Value, E> {
        Ok(Value::Integer(Integer::from(integer)))
    }

    fn visit_u64<E: de::Error>(self, integer: u64) -> Result<Value, E> {
        Ok(Value::Integer(Integer::from(integer)))
    }

    fn visit_f64<E: de::Error>(self, float: f64) -> Result<Value, E> {
        if float > FLOAT_ABOVE && float < FLOAT_BELOW {
            Ok(Value::Float(float))
        } else {
            Err(self.walk.refuse(DecodeError::NumberRange {
                key: Excerpt::of(self.key),
            }))
        }
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Value, E> {
        self.walk.check_length(self.key, text)?;
        Ok(Value::String(text.into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        if self.in_list {
            return Err(self.refuse_nested("a list"));
        }
        let Self { walk, key, .. } = self;
        let bound = walk.bounds.list;
        let mut values = Vec::new();
        while let Some(value) = seq.next_element_seed(ValueSeed {
            walk,
            key,
            in_list: true,
        })? {
            if values.len() >= bound {
                return Err(walk.refuse(DecodeError::Bound {
                    key: Excerpt::of(key),
                    what: "elements",
                    bound,
                }));
            }
            values.push(value);
        }
        Ok(Value::List(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, _: A) -> Result<Value, A::Error> {
        Err(self.refuse_nested("an object"))
    }
}
