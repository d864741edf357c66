//! Accounting: every alert that came in is counted, and so is its outcome. A sink.
//!
//! One lock over all counters, so that a snapshot is of one moment and its sums hold at every moment, not only at rest.
//! All labels are closed sets: an alert's text never becomes one.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use responder_core::decide::Outcome;
use responder_core::guard::{ClaimKind, LedgerUsage};
use responder_core::mode::Mode;
use responder_core::refusal::RefusalReason;
use responder_core::request::Verb;
use serde::Serialize;

use crate::event::Event;
use crate::latency::{Histogram, PipelineStage};
use crate::queue::{QueueClass, QueueDepth, ShedCause};

/// The counters of one engine, since its start.
#[derive(Debug, Default)]
pub struct Accounting {
    counts: Mutex<AccountingSnapshot>,
}

/// All counters at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AccountingSnapshot {
    /// Alerts on the way in.
    pub alerts: AlertCounts,
    /// Decisions: one for each playbook that matched an accepted alert.
    pub decisions: DecisionCounts,
    /// Responses by outcome.
    pub responses: BTreeMap<&'static str, u64>,
    /// Requests by verb, whether they were dry runs, and how they were answered. A repetition is a request of its own.
    #[serde(serialize_with = "requests")]
    pub requests: BTreeMap<RequestLabels, u64>,
    /// Repetitions by verb.
    pub retries: BTreeMap<Verb, u64>,
    /// Verifications by verdict.
    pub verifications: BTreeMap<&'static str, u64>,
    /// Quarantines whose time ran out, by how they ended.
    pub expiries: BTreeMap<&'static str, u64>,
    /// Decisions that were taken again because another claim was committed first.
    pub ledger_conflicts: u64,
    /// Claims taken back because nothing was changed for them.
    pub refunds: u64,
    /// Tasks that ended in a panic: defects.
    pub panics: u64,
    /// How full the ledger is.
    pub ledger: BTreeMap<ClaimKind, LedgerUsage>,
    /// The depth of the queue.
    pub depths: BTreeMap<QueueClass, QueueDepth>,
    /// Lengths of the steps of a response.
    pub stages: BTreeMap<PipelineStage, Histogram>,
    /// Times from the acceptance of an alert to a decision, waiting included, by queue class.
    pub to_decision: BTreeMap<QueueClass, Histogram>,
    /// Times from the acceptance of an alert to the end of a response, by queue class.
    pub to_settlement: BTreeMap<QueueClass, Histogram>,
}

/// Alerts on the way in, by what became of them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AlertCounts {
    /// All alerts and all rejections: the sum of the counts below.
    pub received: u64,
    /// Bodies that are no alert or too large, by kind.
    pub rejected: BTreeMap<&'static str, u64>,
    /// Alerts that match and were accepted before.
    pub duplicate: u64,
    /// Alerts that match and found no room.
    pub shed: BTreeMap<QueueClass, BTreeMap<ShedCause, u64>>,
    /// Alerts that no playbook matches.
    pub unmatched: u64,
    /// Accepted alerts.
    pub matched: u64,
}

/// Decisions: one for each playbook that matched an accepted alert.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DecisionCounts {
    /// All: the sum of the counts below.
    pub matched: u64,
    /// Decisions to do nothing, by reason.
    pub refused: BTreeMap<RefusalReason, u64>,
    /// Decisions to act, by mode.
    pub planned: BTreeMap<Mode, u64>,
    /// Decisions that are not taken yet.
    pub pending: u64,
}

/// The labels of one count of requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RequestLabels {
    /// The verb.
    pub verb: Verb,
    /// Whether it carried `dryRun`.
    pub dry_run: bool,
    /// `done`, or the class of the failure.
    pub result: &'static str,
}

#[derive(Serialize)]
struct RequestCount {
    #[serde(flatten)]
    labels: RequestLabels,
    count: u64,
}

fn requests<S: serde::Serializer>(counts: &BTreeMap<RequestLabels, u64>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(counts.iter().map(|(&labels, &count)| RequestCount { labels, count }))
}

impl AccountingSnapshot {
    /// Whether every alert and every decision is accounted for.
    pub fn is_balanced(&self) -> bool {
        let alerts = &self.alerts;
        let shed: u64 = alerts.shed.values().flat_map(BTreeMap::values).sum();
        let rejected: u64 = alerts.rejected.values().sum();
        let decisions = &self.decisions;
        let refused: u64 = decisions.refused.values().sum();
        let planned: u64 = decisions.planned.values().sum();
        alerts.received == rejected + alerts.duplicate + shed + alerts.unmatched + alerts.matched
            && decisions.matched == refused + planned + decisions.pending
    }
}

/// Kinds of rejection beyond these are counted as one: the label set is bounded for any kinds that intake names.
const REJECTION_KINDS: usize = 64;

impl Accounting {
    /// The counts so far. The depths and the ledger are empty here; [`Engine::accounts`](crate::Engine::accounts) fills them.
    pub fn snapshot(&self) -> AccountingSnapshot {
        self.counts().clone()
    }

    /// Counts a body that is no alert. Called by intake.
    pub fn rejected(&self, kind: &'static str) {
        let counts = &mut self.counts().alerts;
        counts.received += 1;
        let is_known = counts.rejected.contains_key(kind) || counts.rejected.len() < REJECTION_KINDS;
        add(&mut counts.rejected, if is_known { kind } else { "other" });
    }

    pub(crate) fn unmatched(&self) {
        let counts = &mut self.counts().alerts;
        counts.received += 1;
        counts.unmatched += 1;
    }

    pub(crate) fn duplicate(&self) {
        let counts = &mut self.counts().alerts;
        counts.received += 1;
        counts.duplicate += 1;
    }

    pub(crate) fn shed(&self, class: QueueClass, cause: ShedCause) {
        let counts = &mut self.counts().alerts;
        counts.received += 1;
        add(counts.shed.entry(class).or_default(), cause);
    }

    pub(crate) fn accepted(&self, playbooks: usize) {
        let mut counts = self.counts();
        counts.alerts.received += 1;
        counts.alerts.matched += 1;
        let playbooks = playbooks as u64;
        counts.decisions.matched += playbooks;
        counts.decisions.pending += playbooks;
    }

    pub(crate) fn took(&self, stage: PipelineStage, length: Duration) {
        self.counts().stages.entry(stage).or_default().observe(length);
    }

    pub(crate) fn conflicted(&self) {
        self.counts().ledger_conflicts += 1;
    }

    pub(crate) fn refunded(&self) {
        self.counts().refunds += 1;
    }

    /// Counts an event: all its counters under one lock.
    pub(crate) fn count(&self, event: &Event<'_>) {
        let mut counts = self.counts();
        match event {
            Event::Decided { accepted, decision, .. } => {
                let to_decision = counts.to_decision.entry(accepted.class).or_default();
                to_decision.observe(accepted.accepted_at.elapsed());
                match &decision.outcome {
                    Outcome::Act { plan, .. } => counts.decisions.planned(plan.mode.mode()),
                    Outcome::Refuse(refusal) => counts.decisions.refused(refusal.reason, 1),
                }
            }
            Event::Requested { request, .. } => {
                let labels = RequestLabels {
                    verb: request.verb,
                    dry_run: request.dry_run,
                    result: request.answer,
                };
                add(&mut counts.requests, labels);
                if request.attempt > 1 {
                    add(&mut counts.retries, request.verb);
                }
            }
            Event::Settled { accepted, response, .. } => {
                add(&mut counts.responses, response.outcome.as_str());
                let to_settlement = counts.to_settlement.entry(accepted.class).or_default();
                to_settlement.observe(accepted.accepted_at.elapsed());
            }
            Event::Verified { verification, .. } => add(&mut counts.verifications, verification.verdict.as_str()),
            Event::Expired { end, .. } => add(&mut counts.expiries, end.as_str()),
            Event::HandedBack { undecided, .. } => {
                counts.decisions.refused(RefusalReason::ShuttingDown, *undecided);
            }
            Event::LedgerFills { .. } => {}
            Event::Panicked { undecided } => {
                counts.panics += 1;
                counts.decisions.refused(RefusalReason::PlanUnsound, *undecided);
            }
        }
    }

    fn counts(&self) -> MutexGuard<'_, AccountingSnapshot> {
        // Counters are whole after every statement: a panic elsewhere leaves nothing half counted.
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl DecisionCounts {
    fn refused(&mut self, reason: RefusalReason, decisions: usize) {
        if decisions == 0 {
            return;
        }
        let decisions = decisions as u64;
        self.pending = self.pending.saturating_sub(decisions);
        *self.refused.entry(reason).or_default() += decisions;
    }

    fn planned(&mut self, mode: Mode) {
        self.pending = self.pending.saturating_sub(1);
        add(&mut self.planned, mode);
    }
}

fn add<L: Ord>(counts: &mut BTreeMap<L, u64>, label: L) {
    *counts.entry(label).or_default() += 1;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alert_that_is_counted_twice_or_not_at_all_shows() {
        let accounting = Accounting::default();
        accounting.accepted(2);
        accounting.unmatched();
        accounting.rejected("not json");
        accounting.shed(QueueClass::Critical, ShedCause::QueueFull);
        accounting.duplicate();
        accounting.count(&Event::Panicked { undecided: 1 });
        let counts = accounting.snapshot();
        assert!(counts.is_balanced());
        assert_eq!((counts.alerts.received, counts.decisions.pending), (5, 1));

        let mut wrong = counts.clone();
        wrong.alerts.unmatched += 1;
        assert!(!wrong.is_balanced());
        let mut wrong = counts;
        wrong.decisions.pending += 1;
        assert!(!wrong.is_balanced());
    }

    #[test]
    fn kinds_of_rejection_have_a_bound() {
        let accounting = Accounting::default();
        for number in 0..200 {
            accounting.rejected(Box::leak(format!("kind {number}").into_boxed_str()));
        }
        let counts = accounting.snapshot();
        assert_eq!(counts.alerts.rejected.len(), REJECTION_KINDS + 1);
        assert!(counts.is_balanced());
    }
}
