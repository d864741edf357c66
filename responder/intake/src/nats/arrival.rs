//! Decodes a message into its alert and hands the alert over to the sink.

use std::time::Instant;

use async_nats::{HeaderMap, Message};
use responder_core::alert::{Alert, DecodeError, Sender};

use super::Intake;
use crate::{Arrival, Headers, Sink};

/// The headers of a message; those of falcosidekick have none.
struct MessageHeaders<'a>(Option<&'a HeaderMap>);

impl Headers for MessageHeaders<'_> {
    fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.0?.get_all(name);
        let value = values.next()?.as_str();
        values.next().is_none().then_some(value)
    }
}

impl<S: Sink> Intake<S> {
    /// Decodes the alert of a message and hands it over by `to`.
    pub(super) fn hand_over<T>(
        &self,
        message: &Message,
        to: impl FnOnce(&S, Alert, Arrival<'_>) -> T,
    ) -> Result<T, DecodeError> {
        let begun = self.sink.is_traced().then(Instant::now);
        let alert = Alert::decode(&message.payload, &self.bounds)?;
        let headers = MessageHeaders(message.headers.as_ref());
        let arrival = Arrival {
            sender: &Sender::Nats,
            headers: &headers,
            begun,
            decoded: begun.map(|_| Instant::now()),
        };
        Ok(to(&self.sink, alert, arrival))
    }
}
