//! The engine's accounts for Prometheus: promise 1 (every alert and every decision is accounted for) as numbers. The table
//! of all metrics is in the README beside this file.
//!
//! Every label value is one of a closed set that this program spells: no text of an alert becomes one. The sets that are
//! small and known are there from the start with zeros, so that `increase()` sees the first of each.

mod files;
mod nats;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _, NoLabelSet, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::{Registry, Unit};
use responder_core::alert::DecodeError;
use responder_core::guard::ClusterIdentity;
use responder_core::mode::Mode;
use responder_core::port::Clock as _;
use responder_core::refusal::RefusalReason;
use responder_core::request::Verb;
use responder_engine::latency::{BUCKETS, Histogram, PipelineStage};
use responder_engine::outcome::ResponseOutcome;
use responder_engine::verify::Effectiveness;
use responder_engine::{AccountingSnapshot, QuarantineEnd, QueueClass, ShedCause};
use responder_intake::TRANSPORT_KINDS;
use responder_intake::auth::Reloads;
use responder_intake::nats::NatsSnapshot;

use self::files::ReloadedFiles;
use self::nats::OverNats;
use super::reads::ReadErrors;
use super::traces::{SpanCounts, Traces};
use crate::clock::WallClock;

/// What the process counts beside the engine.
#[derive(Debug, Clone)]
pub(crate) struct Process {
    /// When it was started.
    pub(crate) started: Timestamp,
    /// The name of the cluster, where the guard says it: a label of every metric.
    pub(crate) cluster: Option<String>,
    /// Reads of the cluster that failed.
    pub(crate) read_errors: Arc<ReadErrors>,
    /// What became of the spans; nothing where there are none.
    pub(crate) spans: SpanCounts,
}

impl Process {
    /// One that starts about now.
    pub(crate) fn starting(cluster: Option<&ClusterIdentity>, traces: Option<&Traces>) -> Self {
        Self {
            started: WallClock.now(),
            cluster: cluster.map(|cluster| cluster.name.clone()),
            read_errors: Arc::default(),
            spans: traces.map(|traces| traces.counts().clone()).unwrap_or_default(),
        }
    }
}

/// What is shown.
#[derive(Debug)]
pub(crate) struct Exposed<'a> {
    /// The engine's accounts.
    pub(crate) accounts: AccountingSnapshot,
    /// Those of NATS, where alerts come from there.
    pub(crate) nats: Option<NatsSnapshot>,
    /// How often which files of intake were read again.
    pub(crate) reloads: Vec<(&'static str, Reloads)>,
    /// What the process counts.
    pub(crate) process: &'a Process,
}

/// Everything that is counted, in the OpenMetrics text format.
pub(crate) fn render(exposed: Exposed<'_>) -> String {
    let Exposed {
        accounts,
        nats,
        reloads,
        process,
    } = exposed;
    let cluster = process.cluster.clone().map(|name| ("cluster".into(), name.into()));
    let mut registry = Registry::with_labels(cluster.into_iter());
    registry.register_collector(Box::new(Started(process.started)));
    let ours = registry.sub_registry_with_prefix("responder");
    ours.register_collector(Box::new(Accounts(accounts, process.clone())));
    ours.register_collector(Box::new(ReloadedFiles(reloads)));
    if let Some(nats) = nats {
        ours.register_collector(Box::new(OverNats(nats)));
    }
    let mut metrics = String::new();
    // Writing to a string does not fail.
    let _ = text::encode(&mut metrics, &registry);
    metrics
}

/// Of the name that Prometheus gives it, without our prefix.
#[derive(Debug)]
struct Started(Timestamp);

impl Collector for Started {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let help = "When the process was started, in seconds since 1970";
        Page(encoder).seconds(
            "process_start_time",
            help,
            [(Vec::new(), seconds(self.0.as_millisecond()))],
        )
    }
}

#[derive(Debug)]
struct Accounts(AccountingSnapshot, Process);

impl Collector for Accounts {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut page = Page(encoder);
        page.version()?;
        self.alerts(&mut page)?;
        self.decisions(&mut page)?;
        self.responses(&mut page)?;
        self.queue(&mut page)?;
        self.latencies(&mut page)
    }
}

impl Accounts {
    fn alerts(&self, page: &mut Page<'_>) -> fmt::Result {
        let alerts = &self.0.alerts;
        page.counter(
            "alerts_received",
            "Requests with an alert, or what should have been one",
            alerts.received,
        )?;
        let kinds = DecodeError::KINDS.iter().chain(&TRANSPORT_KINDS).map(|kind| (*kind, 0));
        let counted = alerts.rejected.iter().map(|(kind, count)| (*kind, *count));
        page.counters(
            "alerts_rejected",
            "Not an alert, by kind",
            "kind",
            kinds
                .filter(|(kind, _)| !alerts.rejected.contains_key(kind))
                .chain(counted),
        )?;
        page.counter("alerts_duplicate", "Matched, and accepted before", alerts.duplicate)?;
        page.counter("alerts_unmatched", "No playbook matched", alerts.unmatched)?;
        page.counter(
            "alerts_matched",
            "Accepted: each playbook that matched decides once",
            alerts.matched,
        )?;
        let shed = |class, cause| alerts.shed.get(&class).and_then(|causes| causes.get(&cause)).copied();
        page.families(
            "alerts_shed",
            "Matched, and there was no room",
            MetricType::Counter,
            QueueClass::ALL.into_iter().flat_map(|class| {
                ShedCause::ALL.into_iter().map(move |cause| {
                    let labels = vec![("queue", class.as_str()), ("cause", cause.as_str())];
                    (labels, shed(class, cause).unwrap_or(0))
                })
            }),
        )
    }

    fn decisions(&self, page: &mut Page<'_>) -> fmt::Result {
        let decisions = &self.0.decisions;
        page.counter(
            "decisions_matched",
            "Decisions to be taken: one for each playbook that matched an accepted alert",
            decisions.matched,
        )?;
        let refused = RefusalReason::ALL
            .iter()
            .map(|reason| (reason.as_str(), decisions.refused.get(reason).copied().unwrap_or(0)));
        page.counters(
            "decisions_refused",
            "Decisions to do nothing, by reason",
            "reason",
            refused,
        )?;
        let planned = Mode::ALL
            .iter()
            .map(|mode| (mode.as_str(), decisions.planned.get(mode).copied().unwrap_or(0)));
        page.counters(
            "decisions_planned",
            "Decisions to act, by effective mode",
            "mode",
            planned,
        )?;
        page.gauge("decisions_pending", "Decisions not taken yet", decisions.pending)
    }

    fn responses(&self, page: &mut Page<'_>) -> fmt::Result {
        let counts = &self.0;
        let responses = ResponseOutcome::NAMES
            .iter()
            .map(|name| (*name, counts.responses.get(name).copied().unwrap_or(0)));
        page.counters(
            "responses",
            "Plans that came to their end, by outcome",
            "outcome",
            responses,
        )?;
        let requests = counts.requests.iter().map(|(labels, count)| {
            let dry_run = if labels.dry_run { "true" } else { "false" };
            (
                vec![
                    ("verb", labels.verb.as_str()),
                    ("dry_run", dry_run),
                    ("result", labels.result),
                ],
                *count,
            )
        });
        page.families(
            "requests",
            "Requests to the API server that would change something; a repetition counts again",
            MetricType::Counter,
            requests,
        )?;
        let retries = Verb::ALL.map(|verb| (verb.as_str(), counts.retries.get(&verb).copied().unwrap_or(0)));
        page.counters("request_retries", "Repetitions of requests", "verb", retries)?;
        page.counters(
            "read_errors",
            "Reads of the cluster that failed, by kind; the readiness probe's included",
            "kind",
            self.1.read_errors.counts(),
        )?;
        page.counters(
            "spans",
            "Spans of traces, by what became of them",
            "result",
            self.1.spans.counts(),
        )?;
        let verifications = Effectiveness::ALL.map(Effectiveness::as_str);
        let verifications = verifications.map(|name| (name, counts.verifications.get(name).copied().unwrap_or(0)));
        page.counters(
            "verifications",
            "Looks at whether a response worked",
            "verdict",
            verifications,
        )?;
        let expiries = QuarantineEnd::NAMES.map(|name| (name, counts.expiries.get(name).copied().unwrap_or(0)));
        page.counters(
            "quarantines_expired",
            "Quarantines whose time ran out, by what was done",
            "end",
            expiries,
        )?;
        page.counter(
            "ledger_conflicts",
            "Decisions taken again because another was committed first",
            counts.ledger_conflicts,
        )?;
        page.counter(
            "claims_refunded",
            "Claims taken back because nothing was changed for them",
            counts.refunds,
        )?;
        page.counter(
            "panics",
            "Decisions or responses that ended in a panic: defects of responder",
            counts.panics,
        )
    }

    fn queue(&self, page: &mut Page<'_>) -> fmt::Result {
        let depth = |class: QueueClass| self.0.depths.get(&class).copied().unwrap_or_default();
        let gauges = |value: fn(responder_engine::queue::QueueDepth) -> u64| {
            QueueClass::ALL.map(|class| (vec![("queue", class.as_str())], value(depth(class))))
        };
        page.families(
            "queue_alerts",
            "Alerts accepted and not finished",
            MetricType::Gauge,
            gauges(|depth| depth.accepted as u64),
        )?;
        page.families(
            "queue_responses_running",
            "Decisions and responses at work",
            MetricType::Gauge,
            gauges(|depth| depth.running as u64),
        )?;
        let ages = QueueClass::ALL.map(|class| {
            let age = i64::try_from(depth(class).oldest_ms).unwrap_or(i64::MAX);
            (vec![("queue", class.as_str())], seconds(age))
        });
        page.seconds(
            "queue_oldest",
            "Age of the oldest accepted alert that is not finished",
            ages,
        )
    }

    fn latencies(&self, page: &mut Page<'_>) -> fmt::Result {
        let counts = &self.0;
        let stages = PipelineStage::ALL.map(|stage| (("stage", stage.as_str()), counts.stages.get(&stage)));
        page.histograms("stage", "How long a step of a response took", stages)?;
        let by_class = |histograms: &BTreeMap<QueueClass, Histogram>| {
            QueueClass::ALL.map(|class| (("queue", class.as_str()), histograms.get(&class).copied()))
        };
        let to_decision = by_class(&counts.to_decision);
        page.histograms(
            "alert_decision",
            "From the acceptance of an alert to a decision about it",
            to_decision
                .each_ref()
                .map(|(label, histogram)| (*label, histogram.as_ref())),
        )?;
        let to_settlement = by_class(&counts.to_settlement);
        page.histograms(
            "alert_settled",
            "From the acceptance of an alert to the end of a response to it",
            to_settlement
                .each_ref()
                .map(|(label, histogram)| (*label, histogram.as_ref())),
        )
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "52 bits of milliseconds last for 140,000 years"
)]
fn seconds(milliseconds: i64) -> f64 {
    milliseconds as f64 / 1e3
}

#[expect(clippy::cast_precision_loss, reason = "52 bits of microseconds last for 140 years")]
fn micros(microseconds: u64) -> f64 {
    microseconds as f64 / 1e6
}

/// The page that is written.
struct Page<'a>(DescriptorEncoder<'a>);

impl Page<'_> {
    fn version(&mut self) -> fmt::Result {
        let labels = vec![("version", env!("CARGO_PKG_VERSION"))];
        self.families("build_info", "The version", MetricType::Gauge, [(labels, 1)])
    }

    fn counter(&mut self, name: &str, help: &str, value: u64) -> fmt::Result {
        let metric = self
            .0
            .encode_descriptor(name, help, None::<&Unit>, MetricType::Counter)?;
        ConstCounter::new(value).encode(metric)
    }

    fn gauge(&mut self, name: &str, help: &str, value: u64) -> fmt::Result {
        let metric = self.0.encode_descriptor(name, help, None::<&Unit>, MetricType::Gauge)?;
        ConstGauge::new(value).encode(metric)
    }

    fn seconds<'v>(
        &mut self,
        name: &str,
        help: &str,
        values: impl IntoIterator<Item = (Vec<(&'static str, &'v str)>, f64)>,
    ) -> fmt::Result {
        let mut family = self
            .0
            .encode_descriptor(name, help, Some(&Unit::Seconds), MetricType::Gauge)?;
        for (labels, value) in values {
            ConstGauge::new(value).encode(family.encode_family(&labels)?)?;
        }
        Ok(())
    }

    /// Histograms of seconds. One that nothing was counted in is there with zeros.
    fn histograms<'v>(
        &mut self,
        name: &str,
        help: &str,
        values: impl IntoIterator<Item = ((&'static str, &'v str), Option<&'v Histogram>)>,
    ) -> fmt::Result {
        let mut family = self
            .0
            .encode_descriptor(name, help, Some(&Unit::Seconds), MetricType::Histogram)?;
        let nothing = Histogram::default();
        for (label, histogram) in values {
            let histogram = histogram.unwrap_or(&nothing);
            let ends = BUCKETS.iter().map(|end| micros(*end)).chain([f64::INFINITY]);
            let buckets: Vec<(f64, u64)> = ends.zip(histogram.counts).collect();
            family.encode_family(&[label])?.encode_histogram::<NoLabelSet>(
                micros(histogram.sum),
                histogram.count(),
                &buckets,
                None,
            )?;
        }
        Ok(())
    }

    fn counters<'v>(
        &mut self,
        name: &str,
        help: &str,
        label: &'static str,
        values: impl IntoIterator<Item = (&'v str, u64)>,
    ) -> fmt::Result {
        let values = values.into_iter().map(|(value, count)| (vec![(label, value)], count));
        self.families(name, help, MetricType::Counter, values)
    }

    fn families<'v>(
        &mut self,
        name: &str,
        help: &str,
        kind: MetricType,
        values: impl IntoIterator<Item = (Vec<(&'static str, &'v str)>, u64)>,
    ) -> fmt::Result {
        let mut family = self.0.encode_descriptor(name, help, None::<&Unit>, kind)?;
        for (labels, value) in values {
            let metric = family.encode_family(&labels)?;
            match kind {
                MetricType::Counter => ConstCounter::new(value).encode(metric)?,
                _ => ConstGauge::new(value).encode(metric)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
