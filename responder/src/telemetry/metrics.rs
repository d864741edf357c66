//! The page `/metrics` for Prometheus. Its table of all metrics is in the README of the parent directory.
//!
//! Every label value is one of a closed set that this program defines: no text of an alert becomes one. The values of small
//! sets are present from the start with zeros, so that `increase()` sees the first event of each.

mod connections;
mod engine;
mod files;
mod nats;
mod page;

use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, text};
use prometheus_client::registry::Registry;
use responder_core::guard::ClusterIdentity;
use responder_core::port::Clock as _;
use responder_engine::AccountingSnapshot;
use responder_intake::auth::Reloads;
use responder_intake::http::ConnectionCounts;
use responder_intake::nats::NatsSnapshot;

use self::connections::ConnectionMetrics;
use self::engine::EngineMetrics;
use self::files::FileMetrics;
use self::nats::NatsMetrics;
use self::page::{Page, seconds};
use super::reads::ReadErrors;
use super::traces::{SpanCounts, Traces};
use crate::clock::WallClock;

/// The counts of the process that are not the engine's, and its labels.
#[derive(Debug, Clone)]
pub(crate) struct Process {
    /// The start time of the process.
    pub(crate) started: Timestamp,
    /// The name of the cluster in the guard: a label of every metric.
    pub(crate) cluster: Option<String>,
    /// Failed reads of the cluster.
    pub(crate) read_errors: Arc<ReadErrors>,
    /// Spans by result; zeros while traces are off.
    pub(crate) spans: SpanCounts,
}

impl Process {
    /// A process that starts at this moment.
    pub(crate) fn starting(cluster: Option<&ClusterIdentity>, traces: Option<&Traces>) -> Self {
        Self {
            started: WallClock.now(),
            cluster: cluster.map(|cluster| cluster.name.clone()),
            read_errors: Arc::default(),
            spans: traces.map(|traces| traces.counts().clone()).unwrap_or_default(),
        }
    }
}

/// The contents of the page.
#[derive(Debug)]
pub(crate) struct Exposed<'a> {
    /// The counts of the engine.
    pub(crate) accounts: AccountingSnapshot,
    /// The connections of the HTTP intake.
    pub(crate) connections: ConnectionCounts,
    /// The counts of the NATS intake, if there is one.
    pub(crate) nats: Option<NatsSnapshot>,
    /// The reloads of the intake's files, by kind of file.
    pub(crate) reloads: Vec<(&'static str, Reloads)>,
    /// The counts of the process.
    pub(crate) process: &'a Process,
}

/// Renders the page in the OpenMetrics text format.
pub(crate) fn render(exposed: Exposed<'_>) -> String {
    let Exposed {
        accounts,
        connections,
        nats,
        reloads,
        process,
    } = exposed;
    let cluster = process.cluster.clone().map(|name| ("cluster".into(), name.into()));
    let mut registry = Registry::with_labels(cluster.into_iter());
    registry.register_collector(Box::new(StartTime(process.started)));
    let prefixed = registry.sub_registry_with_prefix("responder");
    prefixed.register_collector(Box::new(EngineMetrics {
        counts: accounts,
        read_errors: Arc::clone(&process.read_errors),
        spans: process.spans.clone(),
    }));
    prefixed.register_collector(Box::new(ConnectionMetrics(connections)));
    prefixed.register_collector(Box::new(FileMetrics(reloads)));
    if let Some(nats) = nats {
        prefixed.register_collector(Box::new(NatsMetrics(nats)));
    }
    let mut metrics = String::new();
    // Writing to a string does not fail.
    let _ = text::encode(&mut metrics, &registry);
    metrics
}

/// The start time, under the name that Prometheus defines, without the prefix of the others.
#[derive(Debug)]
struct StartTime(Timestamp);

impl Collector for StartTime {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let help = "Start time of the process, in seconds since 1970";
        Page(encoder).seconds(
            "process_start_time",
            help,
            [(Vec::new(), seconds(self.0.as_millisecond()))],
        )
    }
}

#[cfg(test)]
mod tests;
