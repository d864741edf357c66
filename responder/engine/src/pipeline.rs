//! The engine: takes alerts, and drives each through the steps. Every task it starts is its own and ends with it.

mod alert_queue;
mod outage;
mod respond;
mod settlement;

use std::future::Future;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use responder_core::alert::{Alert, AlertId, AlertOutcome, Sender};
use responder_core::mode::Mode;
use responder_core::playbook::Playbook;
use responder_core::playbook_name::PlaybookName;
use responder_core::port::{Clock, ClusterReader, ClusterWriter, Ledger, Notifier};
use responder_core::refusal::RefusalReason;
use responder_core::target::Subject;
use tokio::runtime::Handle;
use tokio::sync::{Notify, Semaphore, SetOnce};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::Span;

use self::alert_queue::AlertQueue;
pub use self::settlement::Settlement;
use crate::accounting::{Accounting, AccountingSnapshot};
use crate::audit::{About, AuditRecord, AuditTrail};
use crate::config::{EngineConfig, Ports, RuleSet};
use crate::expiry;
use crate::explain::{ExplainOptions, Explanation, explain};
use crate::queue::{QueueClass, ShedCause};
use crate::shutdown::{Handback, HandedBack, Progress};

/// What became of an alert on the way in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Submission {
    /// No playbook matches it.
    Unmatched,
    /// It was accepted before.
    Duplicate {
        /// Its identity.
        id: AlertId,
    },
    /// There is no room; it can be sent again.
    Shed {
        /// The lane.
        lane: QueueClass,
        /// Why.
        cause: ShedCause,
    },
    /// It will be decided, by each of these playbooks.
    Accepted {
        /// Its identity.
        id: AlertId,
        /// Those that matched, in the order in which they answer.
        playbooks: Vec<PlaybookName>,
    },
}

/// An accepted alert.
#[derive(Debug)]
pub(crate) struct Accepted {
    pub(crate) alert: Alert,
    pub(crate) id: AlertId,
    pub(crate) sender: Sender,
    pub(crate) playbooks: Vec<Arc<Playbook>>,
    /// The root of its trace; none where nobody wants one.
    span: OnceLock<Span>,
    pub(crate) lane: QueueClass,
    /// When it was accepted.
    pub(crate) at: Instant,
    /// How many of the playbooks have a decision that was counted.
    decided: AtomicUsize,
    /// How many of the playbooks are done with it.
    finished: AtomicUsize,
    progress: AtomicU8,
    /// The first reason among its refusals that asks for it to be sent again.
    again: OnceLock<RefusalReason>,
    settled: SetOnce<AlertOutcome>,
}

impl Accepted {
    fn new(
        alert: Alert,
        id: AlertId,
        sender: Sender,
        playbooks: Vec<Arc<Playbook>>,
        lane: QueueClass,
        at: Instant,
    ) -> Self {
        let progress = AtomicU8::new(Progress::Waiting as u8);
        Self {
            alert,
            id,
            sender,
            playbooks,
            span: OnceLock::new(),
            lane,
            at,
            decided: AtomicUsize::new(0),
            finished: AtomicUsize::new(0),
            progress,
            again: OnceLock::new(),
            settled: SetOnce::new(),
        }
    }

    /// The root of its trace.
    fn span(&self) -> Span {
        self.span.get().cloned().unwrap_or_else(Span::none)
    }

    fn set(&self, progress: Progress) {
        self.progress.store(progress as u8, Ordering::Relaxed);
    }

    fn unanswered(&self) -> impl Iterator<Item = &Arc<Playbook>> {
        self.playbooks.iter().skip(self.finished.load(Ordering::Relaxed))
    }

    fn handed_back(&self) -> HandedBack {
        let progress = self.progress.load(Ordering::Relaxed);
        let all = [Progress::Waiting, Progress::Deciding, Progress::Acting];
        HandedBack {
            alert: self.id,
            rule: self.alert.rule().to_string(),
            target: Subject::of(&self.alert).ok().map(|subject| subject.to_string()),
            playbooks: self.unanswered().map(|playbook| playbook.name.to_string()).collect(),
            progress: all
                .into_iter()
                .find(|known| *known as u8 == progress)
                .unwrap_or(Progress::Waiting),
        }
    }
}

/// What all tasks of an engine share.
pub(crate) struct Shared<C, L, N, K> {
    pub(crate) config: EngineConfig,
    pub(crate) rules: Arc<RuleSet>,
    pub(crate) ports: Ports<C, L, N, K>,
    pub(crate) audit: Arc<dyn AuditTrail>,
    pub(crate) accounting: Arc<Accounting>,
    pub(crate) queue: Mutex<AlertQueue<Accepted>>,
    pub(crate) tasks: TaskTracker,
    /// Nothing goes on after this.
    pub(crate) stop: CancellationToken,
    /// Somebody finished the last accepted alert.
    pub(crate) idle: Notify,
    /// Turns of the verifications.
    pub(crate) readers: Semaphore,
    /// Places of verifications, at work or waiting for their turn; a task that panics gives its own back as well.
    pub(crate) verifications: Arc<Semaphore>,
    runtime: Handle,
}

/// The pipeline. A clone is another handle to the same engine.
pub struct Engine<C, L, N, K> {
    shared: Arc<Shared<C, L, N, K>>,
}

impl<C, L, N, K> Clone for Engine<C, L, N, K> {
    fn clone(&self) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
        }
    }
}

impl<C, L, N, K> std::fmt::Debug for Engine<C, L, N, K> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine")
            .field("config", &self.shared.config)
            .finish_non_exhaustive()
    }
}

impl<C, L, N, K> Engine<C, L, N, K>
where
    C: ClusterReader + ClusterWriter,
    L: Ledger,
    N: Notifier,
    K: Clock,
{
    /// Starts an engine on the current tokio runtime (and panics where there is none). In Enforce it also ends
    /// quarantines whose time runs out.
    pub fn start(
        config: EngineConfig,
        rules: Arc<RuleSet>,
        ports: Ports<C, L, N, K>,
        audit: Arc<dyn AuditTrail>,
    ) -> Self {
        let shared = Arc::new(Shared {
            queue: Mutex::new(AlertQueue::new(config.lanes, config.window, Instant::now())),
            readers: Semaphore::new(config.verify.concurrency.max(1)),
            verifications: Arc::new(Semaphore::new(config.verify.pending)),
            config,
            rules,
            ports,
            audit,
            accounting: Arc::default(),
            tasks: TaskTracker::new(),
            stop: CancellationToken::new(),
            idle: Notify::new(),
            runtime: Handle::current(),
        });
        if shared.config.process_mode == Mode::Enforce {
            shared.spawn(expiry::watch(Arc::clone(&shared)));
        }
        Self { shared }
    }

    /// Takes an alert of nobody in particular: see [`Engine::submit_from`].
    pub fn submit(&self, alert: Alert) -> Submission {
        self.submit_from(alert, &Sender::Anonymous, |_, _| Span::none())
    }

    /// Takes an alert, or says why not. Costs microseconds and never waits: what matches is decided by tasks of the
    /// engine.
    ///
    /// What is done for it becomes part of a trace. The root is asked for only once the alert is accepted: a flood of
    /// alerts that nobody answers makes no spans.
    pub fn submit_from(&self, alert: Alert, sender: &Sender, root: impl FnOnce(&Alert, AlertId) -> Span) -> Submission {
        self.take(alert, sender, root, |_, _| ()).0
    }

    /// The same for a sender who keeps the alert until it is settled. `None`: there is nothing to wait for. A duplicate of
    /// an alert that is still under way is settled with that one.
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
        look: impl FnOnce(&AlertQueue<Accepted>, &Submission) -> T,
    ) -> (Submission, Option<T>) {
        let shared = &self.shared;
        let matching = shared.rules.index.matching(&alert);
        if matching.is_empty() {
            shared.accounting.unmatched();
            return (Submission::Unmatched, None);
        }
        let playbooks: Vec<Arc<Playbook>> = matching.into_iter().cloned().collect();
        let (submission, seen) = {
            let mut queue = shared.queue();
            let submission = queue.take(alert, sender.clone(), playbooks, &shared.accounting, root);
            let seen = look(&queue, &submission);
            (submission, seen)
        };
        if matches!(submission, Submission::Accepted { .. }) {
            shared.dispatch();
        }
        (submission, Some(seen))
    }

    /// Where intake counts what it rejects.
    pub fn accounting(&self) -> &Arc<Accounting> {
        &self.shared.accounting
    }

    /// What was counted so far, with the depth of the lanes.
    pub fn accounts(&self) -> AccountingSnapshot {
        let now = Instant::now();
        let queue = self.shared.queue();
        let lanes = QueueClass::ALL
            .into_iter()
            .map(|lane| (lane, queue.lanes.depth(lane, now)))
            .collect();
        AccountingSnapshot {
            lanes,
            ..self.shared.accounting.snapshot()
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
        explain(
            &*shared.ports.cluster,
            &*shared.ports.ledger,
            &*shared.ports.clock,
            options,
            alert,
        )
    }

    /// Ends the engine: takes nothing more, finishes what was accepted within the deadline, and hands the rest back by
    /// name. Verifications that are still under way end as inconclusive.
    pub async fn shutdown(&self, deadline: Duration) -> Handback {
        let shared = &self.shared;
        let accepted = {
            let mut queue = shared.queue();
            queue.is_stopping = true;
            queue.lanes.unfinished().count()
        };
        if tokio::time::timeout(deadline, shared.until_idle()).await.is_err() {
            tracing::warn!(?deadline, "not all accepted alerts could be finished in time");
        }
        shared.stop.cancel();
        shared.tasks.close();
        // A cancelled task ends at its next poll; none of them blocks.
        if tokio::time::timeout(LAST_POLLS, shared.tasks.wait()).await.is_err() {
            tracing::error!("some tasks did not end when they were told to");
        }
        let unfinished: Vec<Arc<Accepted>> = shared.queue().lanes.unfinished().map(Arc::clone).collect();
        let mut handed_back = Vec::with_capacity(unfinished.len());
        for job in unfinished {
            // Swapped, so that a second call counts none of them again.
            for _ in job.decided.swap(job.playbooks.len(), Ordering::Relaxed)..job.playbooks.len() {
                shared.accounting.refused(RefusalReason::ShuttingDown);
            }
            let alert = job.handed_back();
            job.settle(AlertOutcome::HandedBack);
            let _in_its_trace = job.span().entered();
            shared.audit.write(&AuditRecord::HandedBack {
                at: shared.ports.clock.now(),
                actor: Arc::clone(&shared.config.actor),
                cluster: shared.cluster_name(),
                playbook_hashes: job.unanswered().map(|playbook| playbook.hash.to_string()).collect(),
                alert: alert.clone(),
            });
            handed_back.push(alert);
        }
        Handback {
            finished: accepted.saturating_sub(handed_back.len()),
            handed_back,
        }
    }
}

const LAST_POLLS: Duration = Duration::from_secs(1);

impl<C, L, N, K> Shared<C, L, N, K> {
    pub(crate) fn queue(&self) -> MutexGuard<'_, AlertQueue<Accepted>> {
        // The lanes are whole after every call: a panic of a response happens outside this lock.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        drop(self.tasks.spawn_on(task, &self.runtime));
    }

    fn cluster_name(&self) -> Option<String> {
        self.rules.guard.cluster.as_ref().map(|cluster| cluster.name.clone())
    }

    /// What every queue of the audit trail about an alert and a playbook says first.
    fn about(&self, alert: AlertId, playbook: &Playbook) -> About {
        About {
            alert: Some(alert),
            ..self.about_hashed(playbook.name.to_string(), Some(playbook.hash.to_string()))
        }
    }

    /// The same where the alert is unknown, and perhaps the playbook is not loaded any more.
    pub(crate) fn about_playbook(&self, playbook: String) -> About {
        let loaded = self.rules.index.playbooks().iter();
        let hash = loaded
            .filter(|loaded| loaded.name.as_str() == playbook)
            .map(|loaded| loaded.hash.to_string())
            .next();
        self.about_hashed(playbook, hash)
    }

    fn about_hashed(&self, playbook: String, playbook_hash: Option<String>) -> About {
        About {
            actor: Arc::clone(&self.config.actor),
            cluster: self.cluster_name(),
            alert: None,
            playbook,
            playbook_hash,
            incident: None,
            target: None,
            target_uid: None,
            mode: None,
        }
    }

    async fn until_idle(&self) {
        loop {
            let idle = self.idle.notified();
            tokio::pin!(idle);
            idle.as_mut().enable();
            if self.queue().lanes.is_idle() {
                return;
            }
            idle.await;
        }
    }
}

#[cfg(test)]
mod tests;
