//! The alerts of one body: a single one, or several in an array, on lines, or in an envelope. Step of the flow: intake.
//!
//! The shape of the JSON tells what a body holds, never its content type: senders and the proxies before them write any. An
//! alert may be bare, as Falco and falcosidekick write it, in the `data` of a CloudEvent, or in the labels that
//! falcosidekick's Alertmanager output makes of it.

mod alertmanager;
mod array;
mod cloud_event;
mod envelope_error;
mod keys;
mod labels;
mod lines;
mod part;
mod places;
mod unreadable;

#[cfg(test)]
mod tests;

use responder_core::alert::{Alert, Bounds};

pub(crate) use self::part::{Batch, MOST_ALERTS};
pub(crate) use self::unreadable::Unreadable;

/// What a body holds.
#[derive(Debug)]
pub(crate) enum BodyContents {
    /// One alert, or nothing that is one.
    One(Result<Alert, Unreadable>),
    /// Several alerts, or one in a body that could hold several.
    Many(Batch),
}

impl BodyContents {
    /// Reads a body. Memory stays within a few times the body; a body past its bound is refused as a whole.
    pub(crate) fn read(body: &[u8], bounds: &Bounds) -> Self {
        if body.trim_ascii_start().first() == Some(&b'[') && body.len() <= bounds.body {
            return match array::read(body, body, bounds) {
                Ok(batch) => Self::Many(batch),
                Err(error) => Self::One(Err(error)),
            };
        }
        let read = part::read(body, bounds);
        let Err(error) = read else {
            return Self::One(read);
        };
        if let Some(alerts) = keys::alertmanager_alerts(body) {
            return match array::read(body, alerts, bounds) {
                Ok(batch) => Self::Many(batch),
                Err(error) => Self::One(Err(error)),
            };
        }
        if body.len() <= bounds.body && lines::are_several(body) {
            return Self::Many(lines::read(body, bounds));
        }
        Self::One(Err(error))
    }
}
