//! A JSON array of alerts.

use std::fmt;

use responder_core::alert::{Bounds, DecodeError, Position};
use serde::Deserializer as _;
use serde::de::{IgnoredAny, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::part::{self, Batch, BodyPart, MOST_ALERTS};
use super::places::Places;
use super::unreadable::Unreadable;

/// Reads an array that is a slice of the body. The alerts before a place where the array is broken are read.
///
/// # Errors
///
/// There is nothing before that place, or nothing in the array.
pub(super) fn read(body: &[u8], array: &[u8], bounds: &Bounds) -> Result<Batch, Unreadable> {
    let mut places = Places::new(body);
    let (start, before) = places.of(array);
    let mut found = Found::default();
    let mut json = serde_json::Deserializer::from_slice(array);
    let ended = json
        .deserialize_seq(&mut found)
        .map_err(|error| DecodeError::of_json(&error))
        .and_then(|()| json.end().map_err(|error| DecodeError::TrailingData { at: at(&error) }));
    let mut parts: Vec<BodyPart> = found
        .elements
        .iter()
        .map(|element| {
            let text = element.get().as_bytes();
            let (place, offset) = places.of(text);
            BodyPart {
                line: place.line,
                read: part::read(text, bounds).map_err(|error| error.in_part(place, offset)),
            }
        })
        .collect();
    match ended {
        Ok(()) if parts.is_empty() => return Err(Unreadable::NoAlerts),
        Ok(()) => {}
        Err(error) => {
            let error = error.in_part(start, before);
            if parts.is_empty() {
                return Err(error.into());
            }
            parts.push(BodyPart {
                line: error.position().map_or(start.line, |at| at.line),
                read: Err(Unreadable::Rest(error)),
            });
        }
    }
    Ok(Batch {
        parts,
        unread: found.unread,
    })
}

fn at(error: &serde_json::Error) -> Position {
    Position {
        line: error.line(),
        column: error.column(),
    }
}

/// The elements of an array, as far as it could be read.
#[derive(Default)]
struct Found<'a> {
    elements: Vec<&'a RawValue>,
    unread: usize,
}

impl<'a> Visitor<'a> for &mut Found<'a> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of alerts")
    }

    fn visit_seq<A: SeqAccess<'a>>(self, mut array: A) -> Result<(), A::Error> {
        while self.elements.len() < MOST_ALERTS {
            match array.next_element()? {
                Some(element) => self.elements.push(element),
                None => return Ok(()),
            }
        }
        while array.next_element::<IgnoredAny>()?.is_some() {
            self.unread += 1;
        }
        Ok(())
    }
}
