//! The state that all tasks of an engine share.

use std::collections::BTreeSet;
use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use responder_core::guard::{ClaimId, ClaimKind, PodHold};
use responder_core::notify::NotifyMoment;
use responder_core::object::Uid;
use responder_core::playbook::Playbook;
use responder_core::port::{Clock, Ledger};
use tokio::runtime::Handle;
use tokio::sync::{Notify, Semaphore};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::alert_queue::AlertQueue;
use crate::about::{About, Author};
use crate::config::{EngineConfig, Ports, RuleSet};
use crate::event::Event;
use crate::sensor::SensorNodes;
use crate::sinks::Sinks;

/// The state that all tasks of an engine share.
pub(super) struct Shared<C, L> {
    pub(super) config: EngineConfig,
    pub(super) rules: Arc<RuleSet>,
    pub(super) cluster: Arc<C>,
    pub(super) ledger: Arc<L>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) sinks: Sinks,
    pub(super) sensors: SensorNodes,
    pub(super) author: Author,
    queue: Mutex<AlertQueue>,
    pub(super) tasks: TaskTracker,
    /// Nothing goes on after this.
    pub(super) stop: CancellationToken,
    /// The last accepted alert is finished.
    pub(super) idle: Notify,
    /// Turns of the verifications.
    pub(super) readers: Semaphore,
    /// Places of verifications, at work or waiting for their turn; a task that panics gives its own back as well.
    pub(super) verifications: Arc<Semaphore>,
    /// Whether the receivers of `Failed` were told that a part of the ledger fills, by kind of claim in the order of [`ClaimKind::ALL`].
    told_of_ledger: [AtomicBool; 2],
    runtime: Handle,
}

impl<C, L> Shared<C, L> {
    /// The state of a new engine, whose tasks run on the current tokio runtime. Panics where there is none.
    pub(super) fn new(config: EngineConfig, rules: Arc<RuleSet>, ports: Ports<C, L>) -> Self {
        let author = Author {
            actor: Arc::clone(&config.actor),
            cluster: rules.guard.cluster.as_ref().map(|cluster| cluster.name.clone()),
        };
        let sinks = Sinks {
            accounting: Arc::default(),
            audit: ports.audit,
            notifier: ports.notifier,
            clock: Arc::clone(&ports.clock),
        };
        Self {
            queue: Mutex::new(AlertQueue::new(config.queue, config.dedup, Instant::now())),
            readers: Semaphore::new(config.verify.concurrency.max(1)),
            verifications: Arc::new(Semaphore::new(config.verify.pending)),
            config,
            rules,
            cluster: ports.cluster,
            ledger: ports.ledger,
            clock: ports.clock,
            sinks,
            sensors: SensorNodes::default(),
            author,
            tasks: TaskTracker::new(),
            stop: CancellationToken::new(),
            idle: Notify::new(),
            told_of_ledger: [const { AtomicBool::new(false) }; 2],
            runtime: Handle::current(),
        }
    }

    pub(super) fn queue(&self) -> MutexGuard<'_, AlertQueue> {
        // The queue is whole after every call: a panic of a response happens outside this lock.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        drop(self.tasks.spawn_on(task, &self.runtime));
    }

    /// Waits until no accepted alert is unfinished.
    pub(super) async fn until_idle(&self) {
        loop {
            let idle = self.idle.notified();
            tokio::pin!(idle);
            idle.as_mut().enable();
            if self.queue().work.is_idle() {
                return;
            }
            idle.await;
        }
    }

    /// The playbook of this name, if one is loaded.
    pub(super) fn loaded(&self, name: &str) -> Option<&Arc<Playbook>> {
        let mut playbooks = self.rules.index.playbooks().iter();
        playbooks.find(|playbook| playbook.name.as_str() == name)
    }

    /// The head of what belongs to the playbook of this name, which may not be loaded any more.
    pub(super) fn about_named(&self, playbook: &str) -> About {
        match self.loaded(playbook) {
            Some(loaded) => self.author.about(loaded),
            None => self.author.about_named(playbook.to_owned()),
        }
    }
}

impl<C, L: Ledger> Shared<C, L> {
    /// Tells once of each part of the ledger that has become three quarters full.
    pub(super) fn watch_ledger(&self) {
        for (kind, told) in ClaimKind::ALL.into_iter().zip(&self.told_of_ledger) {
            let usage = self.ledger.usage(kind);
            if usage.is_low() {
                told.store(false, Ordering::Relaxed);
            }
            if usage.is_high() && !told.swap(true, Ordering::Relaxed) {
                tracing::warn!(
                    kind = kind.as_str(),
                    claims = usage.claims,
                    bound = usage.bound,
                    "the ledger fills"
                );
                let receivers = self.told_of_failures();
                self.sinks.tell(&Event::LedgerFills {
                    kind,
                    usage,
                    receivers: &receivers,
                });
            }
        }
    }

    /// Those whom the playbooks tell of failures.
    fn told_of_failures(&self) -> Vec<String> {
        let notify = self
            .rules
            .index
            .playbooks()
            .iter()
            .flat_map(|playbook| &playbook.notify);
        let of_failures = notify.filter(|notify| notify.on.contains(&NotifyMoment::Failed));
        let receivers: BTreeSet<&String> = of_failures.flat_map(|notify| &notify.to).collect();
        receivers.into_iter().cloned().collect()
    }

    /// Holds the pods that a response has put into quarantine, before another response on them is decided.
    pub(super) async fn hold(&self, holds: Vec<PodHold>) {
        for hold in holds {
            let incident = hold.incident.clone();
            if let Err(error) = self.ledger.hold(hold).await {
                tracing::warn!(%error, incident, "a quarantined pod is not kept from other playbooks");
            }
        }
    }

    /// Lets go of a pod whose quarantine is over or has no effect.
    pub(super) async fn let_go(&self, pod: &Uid) {
        if let Err(error) = self.ledger.let_go(pod).await {
            tracing::warn!(%error, %pod, "a pod whose quarantine is over is still kept from other playbooks");
        }
    }

    /// Takes a claim back, for which nothing was changed. `false`: the ledger could not do so, and it stays spent.
    pub(super) async fn refund(&self, claim: ClaimId, incident: &str) -> bool {
        match self.ledger.refund(claim).await {
            Ok(()) => {
                self.sinks.accounting.refunded();
                true
            }
            Err(error) => {
                tracing::warn!(%error, incident, "a claim could not be taken back and stays spent");
                false
            }
        }
    }
}
