//! From an alert and a playbook to a committed decision. Steps of the flow: snapshot, decide.
//!
//! Core decides, purely; this module reads what core asks for and commits the claim with the version of the ledger that
//! was seen. Where another claim was committed first, the decision is taken again on the new version: between the check
//! of a limit and its use there is no gap. `run`, `replay` and `explain` all come through here.

use std::time::Duration;

use responder_core::alert::{Alert, AlertId, Sender};
use responder_core::decide::{Context, Decision, Outcome, OwnIdentity, decide, needs, refused, screen};
use responder_core::guard::{ClaimId, LedgerView};
use responder_core::mode::Mode;
use responder_core::playbook::Playbook;
use responder_core::port::{Clock, ClusterReader, CommitError, Ledger, ReadError, ReadErrorKind};
use responder_core::refusal::{Refusal, RefusalReason};
use responder_core::snapshot::Snapshot;
use responder_core::target::Subject;
use responder_core::trace::{CheckName, Trace};
use tokio::runtime::{Handle, RuntimeFlavor};

use crate::accounting::Accounting;
use crate::config::RuleSet;
use crate::latency::PipelineStage;
use crate::sensor::SensorNodes;
use crate::snapshot::snapshot;
use crate::timed::timed;
use crate::wait::Wait;

/// How often a decision is taken because another claim was committed first.
pub(crate) const MOST_COMMITS: u32 = 16;

/// The ports, rules and bounds of a decision.
pub(crate) struct Decider<'a, C, L, R> {
    pub(crate) cluster: &'a C,
    pub(crate) ledger: &'a L,
    pub(crate) clock: &'a dyn Clock,
    pub(crate) wait: &'a R,
    pub(crate) sensors: &'a SensorNodes,
    pub(crate) rules: &'a RuleSet,
    pub(crate) process_mode: Mode,
    pub(crate) own: &'a OwnIdentity,
    /// See [`EngineConfig::patience`](crate::EngineConfig::patience).
    pub(crate) patience: Duration,
    /// Whether the claim is committed; the claim of a question (`explain`) is not.
    pub(crate) commits: bool,
    pub(crate) accounting: Option<&'a Accounting>,
}

/// The alert and the playbook that a decision is about.
#[derive(Clone, Copy)]
pub(crate) struct DecisionRequest<'a> {
    pub(crate) alert: &'a Alert,
    pub(crate) id: AlertId,
    /// `None` where it was not sent (a file).
    pub(crate) sender: Option<&'a Sender>,
    pub(crate) playbook: &'a Playbook,
}

/// A decision, and the claim that was committed for it.
#[derive(Debug)]
pub(crate) struct CommittedDecision {
    pub(crate) decision: Decision,
    pub(crate) claim: Option<ClaimId>,
    /// The failure of the snapshot, where that is why it is refused.
    pub(crate) unread: Option<ReadErrorKind>,
}

impl From<Decision> for CommittedDecision {
    fn from(decision: Decision) -> Self {
        Self {
            decision,
            claim: None,
            unread: None,
        }
    }
}

impl<C: ClusterReader, L: Ledger, R: Wait> Decider<'_, C, L, R> {
    fn context<'c>(&'c self, request: DecisionRequest<'c>) -> Context<'c> {
        Context {
            alert: request.alert,
            alert_id: request.id,
            sender: request.sender,
            playbook: request.playbook,
            guard: &self.rules.guard,
            process_mode: self.process_mode,
            own: self.own,
            now: self.clock.now(),
        }
    }

    /// A refusal for a reason outside core's checks.
    pub(crate) fn refuse(
        &self,
        request: DecisionRequest<'_>,
        check: CheckName,
        reason: RefusalReason,
        detail: impl Into<String>,
    ) -> Decision {
        let refusal = Refusal::new(reason, detail);
        let mut trace = Trace::default();
        trace.failed(check, refusal.detail.clone());
        refused(&self.context(request), None, refusal, trace)
    }

    async fn view(&self, request: DecisionRequest<'_>) -> Result<LedgerView, Box<Decision>> {
        let view = self.ledger.view().await;
        view.map_err(|error| {
            Box::new(self.refuse(
                request,
                CheckName::Ledger,
                RefusalReason::LedgerUnavailable,
                error.to_string(),
            ))
        })
    }

    /// The refusals for which the cluster is not read.
    pub(crate) async fn screen(&self, request: DecisionRequest<'_>) -> Option<Decision> {
        match self.view(request).await {
            Ok(view) => screen(&self.context(request), &view),
            Err(refused) => Some(*refused),
        }
    }

    /// Reads, decides and commits.
    pub(crate) async fn decide_and_commit(&self, request: DecisionRequest<'_>) -> CommittedDecision {
        let snapshot = match Subject::of(request.alert) {
            Ok(subject) => {
                // On the heap: it is by far the largest part of the future, and would be copied into every task.
                let reading = Box::pin(self.read(request, &subject));
                timed(PipelineStage::Snapshot, self.accounting, reading).await
            }
            // Refused by the screen before the cluster is read.
            Err(none) => {
                return self
                    .refuse(request, CheckName::Subject, RefusalReason::NoTarget, none.to_string())
                    .into();
            }
        };
        let unread = snapshot.as_ref().err().map(|error| error.kind);
        let committed = timed(
            PipelineStage::Decide,
            self.accounting,
            self.settle_on(request, snapshot),
        )
        .await;
        CommittedDecision { unread, ..committed }
    }

    async fn read(&self, request: DecisionRequest<'_>, subject: &Subject) -> Result<Snapshot, ReadError> {
        let needs = needs(request.playbook, &self.rules.guard);
        let hosts = self.sensors.hosts.under(&self.rules.guard);
        let mut snapshot = snapshot(
            self.cluster,
            self.clock,
            self.wait,
            hosts,
            subject,
            needs,
            self.patience,
        )
        .await?;
        snapshot.sensor = self
            .sensors
            .of(self.cluster, &self.rules.guard, request.alert, &snapshot)
            .await?;
        Ok(snapshot)
    }

    /// Decides on the snapshot, and commits.
    async fn settle_on(
        &self,
        request: DecisionRequest<'_>,
        snapshot: Result<Snapshot, ReadError>,
    ) -> CommittedDecision {
        for _ in 0..MOST_COMMITS {
            let view = match self.view(request).await {
                Ok(view) => view,
                Err(refused) => return CommittedDecision::from(*refused),
            };
            let decide = || decide(&self.context(request), snapshot.as_ref(), &view);
            let decision = if request.playbook.has_expression() {
                beside_the_other_tasks(decide)
            } else {
                decide()
            };
            let Outcome::Act { claim, .. } = &decision.outcome else {
                return decision.into();
            };
            if !self.commits {
                return decision.into();
            }
            let seen = view.version;
            // The ledger in memory copies its claims when it changes while a view of them is held.
            drop(view);
            match self.ledger.commit((**claim).clone(), seen).await {
                Ok(id) => {
                    return CommittedDecision {
                        claim: Some(id),
                        ..decision.into()
                    };
                }
                Err(CommitError::Conflict) => {
                    if let Some(accounting) = self.accounting {
                        accounting.conflicted();
                    }
                    tokio::task::yield_now().await;
                }
                Err(CommitError::Ledger(error)) => {
                    return self
                        .refuse(
                            request,
                            CheckName::Ledger,
                            RefusalReason::LedgerUnavailable,
                            error.to_string(),
                        )
                        .into();
                }
            }
        }
        let detail = format!("other claims were committed first {MOST_COMMITS} times");
        self.refuse(request, CheckName::Ledger, RefusalReason::Contended, detail)
            .into()
    }
}

/// Work of up to a tenth of a second, during which another thread serves the tasks of this one.
fn beside_the_other_tasks<T>(work: impl FnOnce() -> T) -> T {
    match Handle::try_current().map(|runtime| runtime.runtime_flavor()) {
        Ok(RuntimeFlavor::MultiThread) => tokio::task::block_in_place(work),
        // `explain` and `replay` have nothing else to do.
        _ => work(),
    }
}

#[cfg(test)]
mod tests;
