//! The engine's accounts for Prometheus: promise 1 (every alert and every decision is accounted for) as numbers.
//!
//! Every label value is one of a closed set that this program spells: no text of an alert becomes one. The sets that are
//! small and known are there from the start with zeros, so that `increase()` sees the first of each.

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::{Registry, Unit};
use responder_core::alert::DecodeError;
use responder_core::mode::Mode;
use responder_core::refusal::Reason;
use responder_engine::outcome::ResponseOutcome;
use responder_engine::{AccountingSnapshot, Lane};
use responder_intake::TRANSPORT_KINDS;
use responder_intake::auth::Reloads;

/// What is shown.
#[derive(Debug)]
pub(crate) struct Exposed {
    /// The engine's accounts.
    pub(crate) accounts: AccountingSnapshot,
    /// How often which files of intake were read again.
    pub(crate) reloads: Vec<(&'static str, Reloads)>,
    /// The name of the cluster, which every metric then carries: one value for a process, so it multiplies nothing.
    pub(crate) cluster: Option<String>,
}

/// The accounts in the OpenMetrics text format.
pub(crate) fn render(exposed: Exposed) -> String {
    let Exposed {
        accounts,
        reloads,
        cluster,
    } = exposed;
    let labels = cluster.into_iter().map(|name| ("cluster".into(), name.into()));
    let mut registry = Registry::with_prefix_and_labels("responder", labels);
    registry.register_collector(Box::new(Accounts(accounts, reloads)));
    let mut metrics = String::new();
    // Writing to a string does not fail.
    let _ = text::encode(&mut metrics, &registry);
    metrics
}

#[derive(Debug)]
struct Accounts(AccountingSnapshot, Vec<(&'static str, Reloads)>);

impl Collector for Accounts {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut page = Page(encoder);
        page.version()?;
        self.alerts(&mut page)?;
        self.decisions(&mut page)?;
        self.responses(&mut page)?;
        self.lanes(&mut page)?;
        self.reloads(&mut page)
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
        let shed = alerts.shed.iter().flat_map(|(lane, causes)| {
            causes
                .iter()
                .map(|(cause, count)| (lane.as_str(), cause.as_str(), *count))
        });
        page.families(
            "alerts_shed",
            "Matched, and there was no room",
            MetricType::Counter,
            shed.map(|(lane, cause, count)| (vec![("lane", lane), ("cause", cause)], count)),
        )
    }

    fn decisions(&self, page: &mut Page<'_>) -> fmt::Result {
        let decisions = &self.0.decisions;
        page.counter(
            "decisions_matched",
            "Decisions to be taken: one for each playbook that matched an accepted alert",
            decisions.matched,
        )?;
        let refused = Reason::ALL
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
        let retries = counts.retries.iter().map(|(verb, count)| (verb.as_str(), *count));
        page.counters("request_retries", "Repetitions of requests", "verb", retries)?;
        let verifications = counts.verifications.iter().map(|(verdict, count)| (*verdict, *count));
        page.counters(
            "verifications",
            "Looks at whether a response worked",
            "verdict",
            verifications,
        )?;
        let expiries = counts.expiries.iter().map(|(end, count)| (*end, *count));
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

    fn lanes(&self, page: &mut Page<'_>) -> fmt::Result {
        let depth = |lane: Lane| self.0.lanes.get(&lane).copied().unwrap_or_default();
        let gauges = |value: fn(responder_engine::lane::LaneDepth) -> u64| {
            Lane::ALL.map(|lane| (vec![("lane", lane.as_str())], value(depth(lane))))
        };
        page.families(
            "lane_alerts",
            "Alerts accepted and not finished",
            MetricType::Gauge,
            gauges(|lane| lane.accepted as u64),
        )?;
        page.families(
            "lane_responses_running",
            "Decisions and responses at work",
            MetricType::Gauge,
            gauges(|lane| lane.running as u64),
        )?;
        page.families(
            "lane_oldest_milliseconds",
            "How long the oldest of them has been here",
            MetricType::Gauge,
            gauges(|lane| lane.oldest_ms),
        )
    }
}

impl Accounts {
    fn reloads(&self, page: &mut Page<'_>) -> fmt::Result {
        let reloads = self.1.iter().flat_map(|(files, reloads)| {
            [("taken", reloads.taken), ("refused", reloads.refused)]
                .map(|(result, count)| (vec![("files", *files), ("result", result)], count))
        });
        page.families(
            "file_reloads",
            "Files that changed and were read again, by whether what is in them can be used",
            MetricType::Counter,
            reloads,
        )?;
        let outdated = self.1.iter().map(|(files, reloads)| {
            let value = u64::from(reloads.is_outdated);
            (vec![("files", *files)], value)
        });
        page.families(
            "files_outdated",
            "1 where what is in the files can't be used, and what was read before is in force",
            MetricType::Gauge,
            outdated,
        )
    }
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
