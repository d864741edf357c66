//! The engine: takes alerts, answers questions about them, and ends. Every task that it starts is its own and ends with
//! it.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use responder_core::alert::{Alert, AlertId, AlertOutcome, Sender};
use responder_core::guard::ClaimKind;
use responder_core::mode::Mode;
use responder_core::playbook::Playbook;
use responder_core::port::{Cluster, Ledger};
use tokio::time::Instant;
use tracing::Span;

use super::alert_queue::AlertQueue;
use super::expiry;
use super::shared::Shared;
use super::submission::Submission;
use super::unqueued;
use super::worker::dispatch;
use crate::accepted::{AcceptedAlert, Settlement};
use crate::accounting::{Accounting, AccountingSnapshot};
use crate::config::{EngineConfig, Ports, RuleSet};
use crate::event::Event;
use crate::explain::{ExplainOptions, Explanation, explain};
use crate::queue::QueueClass;
use crate::shutdown::ShutdownReport;

/// How long cancelled tasks may take to their next poll; none of them blocks.
const LAST_POLLS: Duration = Duration::from_secs(1);

/// The pipeline. A clone is another handle to the same engine.
pub struct Engine<C, L> {
    pub(super) shared: Arc<Shared<C, L>>,
}

impl<C, L> Clone for Engine<C, L> {
    fn clone(&self) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
        }
    }
}

impl<C, L> fmt::Debug for Engine<C, L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine")
            .field("config", &self.shared.config)
            .finish_non_exhaustive()
    }
}

impl<C: Cluster, L: Ledger> Engine<C, L> {
    /// Starts an engine on the current tokio runtime (and panics where there is none). In Enforce it also ends
    /// quarantines whose time runs out.
    pub fn start(config: EngineConfig, rules: Arc<RuleSet>, ports: Ports<C, L>) -> Self {
        let shared = Arc::new(Shared::new(config, rules, ports));
        if shared.config.process_mode == Mode::Enforce {
            shared.spawn(expiry::watch(Arc::clone(&shared)));
        }
        Self { shared }
    }

    /// Takes an alert without a sender and without a trace: see [`Engine::submit_from`].
    pub fn submit(&self, alert: Alert) -> Submission {
        self.submit_from(alert, &Sender::Anonymous, |_, _| Span::none())
    }

    /// Takes an alert, or says why not. Costs microseconds and never waits: an alert that matches is decided by tasks of
    /// the engine.
    ///
    /// `root` gives the root of its trace. It is asked only once the alert is accepted: a flood of alerts that match
    /// nothing makes no spans.
    pub fn submit_from(&self, alert: Alert, sender: &Sender, root: impl FnOnce(&Alert, AlertId) -> Span) -> Submission {
        self.take(alert, sender, root, |_, _| ()).0
    }

    /// The same for a sender that keeps the alert until it is settled. `None`: there is nothing to wait for. A duplicate
    /// of an alert that is still under way is settled with that one.
    pub fn submit_and_follow(
        &self,
        alert: Alert,
        sender: &Sender,
        root: impl FnOnce(&Alert, AlertId) -> Span,
    ) -> (Submission, Option<Settlement>) {
        let (submission, settlement) = self.take(alert, sender, root, |queue, submission| match submission {
            Submission::Accepted { id, .. } | Submission::Duplicate { id } => queue.settlement(id),
            Submission::Unmatched | Submission::Shed { .. } => None,
        });
        (submission, settlement.flatten())
    }

    /// Takes an alert, and looks at it under the lock that it was taken in by: it may be finished right after.
    fn take<T>(
        &self,
        alert: Alert,
        sender: &Sender,
        root: impl FnOnce(&Alert, AlertId) -> Span,
        look: impl FnOnce(&AlertQueue, &Submission) -> T,
    ) -> (Submission, Option<T>) {
        let shared = &self.shared;
        let matching = shared.rules.index.matching(&alert);
        if matching.is_empty() {
            shared.sinks.accounting.unmatched();
            return (Submission::Unmatched, None);
        }
        let playbooks: Vec<Arc<Playbook>> = matching.into_iter().cloned().collect();
        let (submission, seen, unqueued) = {
            let mut queue = shared.queue();
            let (submission, unqueued) = queue.take(alert, sender.clone(), playbooks, &shared.sinks.accounting, root);
            let seen = look(&queue, &submission);
            (submission, seen, unqueued)
        };
        unqueued::tell(shared, unqueued);
        if matches!(submission, Submission::Accepted { .. }) {
            dispatch(shared);
        }
        (submission, Some(seen))
    }

    /// The counters, which intake also counts its rejections in.
    pub fn accounting(&self) -> &Arc<Accounting> {
        &self.shared.sinks.accounting
    }

    /// The counts so far, with the depth of the queue.
    pub fn accounts(&self) -> AccountingSnapshot {
        let now = Instant::now();
        let queue = self.shared.queue();
        let depths = QueueClass::ALL
            .into_iter()
            .map(|class| (class, queue.work.depth(class, now)))
            .collect();
        let ledger = ClaimKind::ALL.map(|kind| (kind, self.shared.ledger.usage(kind)));
        AccountingSnapshot {
            depths,
            ledger: ledger.into(),
            ..self.shared.sinks.accounting.snapshot()
        }
    }

    /// What would be decided for an alert now. Nothing is sent, and no claim is committed.
    pub fn explain<'a>(&'a self, alert: &'a Alert) -> impl Future<Output = Explanation> + Send + 'a {
        let shared = &self.shared;
        let options = ExplainOptions {
            rules: &shared.rules,
            process_mode: shared.config.process_mode,
            own: &shared.config.own,
            commits: false,
        };
        explain(&*shared.cluster, &*shared.ledger, &*shared.clock, options, alert)
    }

    /// Ends the engine: takes nothing more, finishes what was accepted within the deadline, and hands the rest back by
    /// name. Verifications that are still under way end as inconclusive.
    pub async fn shutdown(&self, deadline: Duration) -> ShutdownReport {
        let shared = &self.shared;
        let accepted = {
            let mut queue = shared.queue();
            queue.is_stopping = true;
            queue.work.unfinished().count()
        };
        if tokio::time::timeout(deadline, shared.until_idle()).await.is_err() {
            tracing::warn!(?deadline, "not all accepted alerts could be finished in time");
        }
        shared.stop.cancel();
        shared.tasks.close();
        if tokio::time::timeout(LAST_POLLS, shared.tasks.wait()).await.is_err() {
            tracing::error!("some tasks did not end when they were cancelled");
        }
        let unfinished: Vec<Arc<AcceptedAlert>> = shared.queue().work.unfinished().map(Arc::clone).collect();
        let mut handed_back = Vec::with_capacity(unfinished.len());
        for accepted in unfinished {
            let alert = accepted.handed_back();
            accepted.settle(AlertOutcome::HandedBack);
            let _in_its_trace = accepted.span().entered();
            shared.sinks.tell(&Event::HandedBack {
                author: &shared.author,
                accepted: &accepted,
                alert: &alert,
                undecided: accepted.count_undecided(accepted.playbooks.len()),
            });
            handed_back.push(alert);
        }
        ShutdownReport {
            finished: accepted.saturating_sub(handed_back.len()),
            handed_back,
        }
    }
}
