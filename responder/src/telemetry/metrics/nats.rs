//! The counts of the NATS intake.

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;
use responder_intake::nats::NatsSnapshot;

use super::page::Page;

/// The counts of the NATS intake.
#[derive(Debug)]
pub(super) struct NatsMetrics(pub(super) NatsSnapshot);

impl Collector for NatsMetrics {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let nats = &self.0;
        let mut page = Page(encoder);
        page.gauge(
            "nats_connected",
            "Whether there is a connection to NATS",
            u64::from(nats.connected),
        )?;
        page.counter(
            "nats_reconnects",
            "Connections to NATS after the first",
            nats.reconnects,
        )?;
        page.counter(
            "nats_messages_received",
            "Messages; each delivery counts",
            nats.received,
        )?;
        page.counter(
            "nats_messages_redelivered",
            "Second and later deliveries of messages of a stream",
            nats.redelivered,
        )?;
        page.counter(
            "nats_messages_overflowed",
            "Messages of core NATS that were lost because they arrived faster than they could be read",
            nats.overflowed,
        )?;
        page.counter(
            "nats_messages_acknowledged",
            "Messages of a stream that were acknowledged or terminated",
            nats.acknowledged,
        )?;
        page.counter(
            "nats_acknowledgements_unconfirmed",
            "Acknowledgements that the server did not confirm: it delivers those messages again",
            nats.unconfirmed,
        )?;
        let given_back = nats.naks.iter().map(|(cause, count)| (cause.as_str(), *count));
        page.counters(
            "nats_messages_given_back",
            "Messages of a stream given back for another delivery, by cause",
            "cause",
            given_back,
        )?;
        let dead_letters = nats.dead_letters.iter().map(|(cause, count)| (cause.as_str(), *count));
        page.counters(
            "nats_dead_letters",
            "Messages that became dead letters, by cause",
            "cause",
            dead_letters,
        )?;
        page.gauge(
            "nats_messages_in_flight",
            "Messages of a stream that are delivered and not answered",
            nats.in_flight,
        )?;
        page.gauge(
            "nats_messages_pending",
            "Messages of the stream that wait on the server, as of the last delivery",
            nats.pending,
        )
    }
}
