//! The counts of the engine: every alert and every decision is accounted for.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;
use prometheus_client::metrics::MetricType;
use responder_core::alert::DecodeError;
use responder_core::guard::{ClaimKind, LedgerUsage};
use responder_core::mode::Mode;
use responder_core::refusal::RefusalReason;
use responder_core::request::Verb;
use responder_engine::latency::{Histogram, PipelineStage};
use responder_engine::outcome::ResponseOutcome;
use responder_engine::verify::Effectiveness;
use responder_engine::{AccountingSnapshot, QuarantineEnd, QueueClass, ShedCause};
use responder_intake::TRANSPORT_KINDS;

use super::page::{Page, seconds};
use crate::telemetry::reads::ReadErrors;
use crate::telemetry::traces::SpanCounts;

/// The counts of the engine, and those of the process beside it.
#[derive(Debug)]
pub(super) struct EngineMetrics {
    pub(super) counts: AccountingSnapshot,
    pub(super) read_errors: Arc<ReadErrors>,
    pub(super) spans: SpanCounts,
}

impl Collector for EngineMetrics {
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

impl EngineMetrics {
    fn alerts(&self, page: &mut Page<'_>) -> fmt::Result {
        let alerts = &self.counts.alerts;
        page.counter(
            "alerts_received",
            "Requests and messages that carried an alert or should have",
            alerts.received,
        )?;
        let kinds = DecodeError::KINDS.iter().chain(&TRANSPORT_KINDS).map(|kind| (*kind, 0));
        let counted = alerts.rejected.iter().map(|(kind, count)| (*kind, *count));
        page.counters(
            "alerts_rejected",
            "Rejected alerts, by kind: malformed, or from a sender that may not send",
            "kind",
            kinds
                .filter(|(kind, _)| !alerts.rejected.contains_key(kind))
                .chain(counted),
        )?;
        page.counter(
            "alerts_duplicate",
            "Alerts that match a playbook and were accepted before",
            alerts.duplicate,
        )?;
        page.counter("alerts_unmatched", "Alerts that match no playbook", alerts.unmatched)?;
        page.counter(
            "alerts_matched",
            "Accepted alerts: each playbook that matches decides once",
            alerts.matched,
        )?;
        let shed = |class, cause| alerts.shed.get(&class).and_then(|causes| causes.get(&cause)).copied();
        page.families(
            "alerts_shed",
            "Alerts that match a playbook and had no room in the queue",
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
        let decisions = &self.counts.decisions;
        page.counter(
            "decisions_matched",
            "Decisions due: one for each playbook that matches an accepted alert",
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
        let counts = &self.counts;
        let responses = ResponseOutcome::NAMES
            .iter()
            .map(|name| (*name, counts.responses.get(name).copied().unwrap_or(0)));
        page.counters("responses", "Finished plans, by outcome", "outcome", responses)?;
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
            "Mutating requests to the API server, dry runs included; each retry counts",
            MetricType::Counter,
            requests,
        )?;
        let retries = Verb::ALL.map(|verb| (verb.as_str(), counts.retries.get(&verb).copied().unwrap_or(0)));
        page.counters("request_retries", "Retries of requests", "verb", retries)?;
        page.counters(
            "read_errors",
            "Failed reads of the cluster, by kind; those of the readiness probe included",
            "kind",
            self.read_errors.counts(),
        )?;
        page.counters("spans", "Spans of traces, by result", "result", self.spans.counts())?;
        let verifications = Effectiveness::ALL.map(Effectiveness::as_str);
        let verifications = verifications.map(|name| (name, counts.verifications.get(name).copied().unwrap_or(0)));
        page.counters(
            "verifications",
            "Verifications of responses, by verdict",
            "verdict",
            verifications,
        )?;
        let expiries = QuarantineEnd::NAMES.map(|name| (name, counts.expiries.get(name).copied().unwrap_or(0)));
        page.counters(
            "quarantines_expired",
            "Quarantines that expired, by what was done",
            "end",
            expiries,
        )?;
        page.counter(
            "ledger_conflicts",
            "Decisions taken again because another one was committed first",
            counts.ledger_conflicts,
        )?;
        let ledger = |value: fn(LedgerUsage) -> usize| {
            ClaimKind::ALL.map(|kind| {
                let usage = counts.ledger.get(&kind).copied().unwrap_or_default();
                (vec![("claims", kind.as_str())], value(usage) as u64)
            })
        };
        page.families(
            "ledger_claims",
            "Claims in the ledger",
            MetricType::Gauge,
            ledger(|usage| usage.claims),
        )?;
        page.families(
            "ledger_bound",
            "The most claims that the ledger holds",
            MetricType::Gauge,
            ledger(|usage| usage.bound),
        )?;
        page.counter(
            "claims_refunded",
            "Claims returned because nothing was changed for them",
            counts.refunds,
        )?;
        page.counter(
            "panics",
            "Decisions or responses that ended in a panic: defects of responder",
            counts.panics,
        )
    }

    fn queue(&self, page: &mut Page<'_>) -> fmt::Result {
        let depth = |class: QueueClass| self.counts.depths.get(&class).copied().unwrap_or_default();
        let gauges = |value: fn(responder_engine::queue::QueueDepth) -> u64| {
            QueueClass::ALL.map(|class| (vec![("queue", class.as_str())], value(depth(class))))
        };
        page.families(
            "queue_alerts",
            "Accepted alerts that are not finished",
            MetricType::Gauge,
            gauges(|depth| depth.accepted as u64),
        )?;
        page.families(
            "queue_responses_running",
            "Decisions and responses that are running",
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
        let counts = &self.counts;
        let stages = PipelineStage::ALL.map(|stage| (("stage", stage.as_str()), counts.stages.get(&stage)));
        page.histograms("stage", "Duration of a step of a response", stages)?;
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
