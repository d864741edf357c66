//! The connections of the HTTP intake.

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;
use prometheus_client::metrics::MetricType;
use responder_intake::http::ConnectionCounts;

use super::page::Page;

/// The connections, by whether they had a request of an authenticated sender.
#[derive(Debug)]
pub(super) struct ConnectionMetrics(pub(super) ConnectionCounts);

impl Collector for ConnectionMetrics {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let counts = &self.0;
        let mut page = Page(encoder);
        let open = [
            ("authenticated", counts.authenticated),
            ("unauthenticated", counts.unauthenticated),
        ];
        page.families(
            "http_connections",
            "Open connections for alerts, by whether an authenticated sender has sent a request",
            MetricType::Gauge,
            open.map(|(state, count)| (vec![("state", state)], count as u64)),
        )?;
        page.counters(
            "http_connections_closed",
            "Connections for alerts that were closed without a request of an authenticated sender",
            "cause",
            [
                ("displaced", counts.displaced),
                ("late", counts.late),
                ("refused", counts.refused),
            ],
        )
    }
}
