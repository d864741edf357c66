//! From an alert and a playbook to a committed decision. Steps of the flow: snapshot, decide.
//!
//! Core decides, purely; this module gives it what it asks for and commits the claim with the version of the ledger that
//! was seen. Somebody else committed first: decide again, on what the ledger says now. So between the check of a limit
//! and its use there is no gap. `run`, `replay` and `explain` all come through here.

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
use responder_core::trace::Trace;

use crate::accounting::Accounting;
use crate::config::RuleSet;
use crate::latency::PipelineStage;
use crate::snapshot::snapshot;
use crate::timed::timed;
use crate::wait::Wait;

/// So often a decision is taken again because somebody else committed first.
pub(crate) const MOST_COMMITS: u32 = 16;

/// Whatever is needed to decide.
pub(crate) struct Decider<'a, C, L, R> {
    pub(crate) cluster: &'a C,
    pub(crate) ledger: &'a L,
    pub(crate) clock: &'a dyn Clock,
    pub(crate) wait: &'a R,
    pub(crate) rules: &'a RuleSet,
    pub(crate) process_mode: Mode,
    pub(crate) own: &'a OwnIdentity,
    /// How long a container that the status does not show yet is waited for.
    pub(crate) patience: Duration,
    /// Whether the claim is committed. A question is not.
    pub(crate) commits: bool,
    pub(crate) accounting: Option<&'a Accounting>,
}

/// What is judged.
#[derive(Clone, Copy)]
pub(crate) struct DecisionRequest<'a> {
    pub(crate) alert: &'a Alert,
    pub(crate) id: AlertId,
    /// `None` where nobody has sent it.
    pub(crate) sender: Option<&'a Sender>,
    pub(crate) playbook: &'a Playbook,
}

/// A decision, and the claim that was committed for it.
#[derive(Debug)]
pub(crate) struct CommittedDecision {
    pub(crate) decision: Decision,
    pub(crate) claim: Option<ClaimId>,
    /// Of a refusal for want of a reading: how that failed.
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

    /// A decision that core does not come to: something around it says no.
    pub(crate) fn refuse(
        &self,
        request: DecisionRequest<'_>,
        check: &'static str,
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
            Box::new(self.refuse(request, "ledger", RefusalReason::LedgerUnavailable, error.to_string()))
        })
    }

    /// The refusals that need no look at the cluster.
    pub(crate) async fn screen(&self, request: DecisionRequest<'_>) -> Option<Decision> {
        match self.view(request).await {
            Ok(view) => screen(&self.context(request), &view),
            Err(refused) => Some(*refused),
        }
    }

    /// Looks, decides and commits.
    pub(crate) async fn decide_and_commit(&self, request: DecisionRequest<'_>) -> CommittedDecision {
        let snapshot = match Subject::of(request.alert) {
            Ok(subject) => {
                // On the heap: it is by far the largest part of a committed, and would be copied into every task.
                let look = Box::pin(self.look(request, &subject));
                timed(PipelineStage::Snapshot, self.accounting, look).await
            }
            // Refused by the screen before anybody looks.
            Err(none) => {
                return self
                    .refuse(request, "subject", RefusalReason::NoTarget, none.to_string())
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

    async fn look(&self, request: DecisionRequest<'_>, subject: &Subject) -> Result<Snapshot, ReadError> {
        let needs = needs(request.playbook, &self.rules.guard);
        snapshot(self.cluster, self.clock, self.wait, subject, needs, self.patience).await
    }

    /// Decides on what was read, and commits.
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
            let decision = decide(&self.context(request), snapshot.as_ref(), &view);
            let Outcome::Act { claim, .. } = &decision.outcome else {
                return decision.into();
            };
            if !self.commits {
                return decision.into();
            }
            let seen = view.version;
            // The ledger in memory copies its claims when it changes while somebody looks at them.
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
                        .refuse(request, "ledger", RefusalReason::LedgerUnavailable, error.to_string())
                        .into();
                }
            }
        }
        let detail = format!("others committed first {MOST_COMMITS} times");
        self.refuse(request, "ledger", RefusalReason::Contended, detail).into()
    }
}

#[cfg(test)]
mod tests;
