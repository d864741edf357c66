//! The state that all tasks of an engine share.

use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use responder_core::alert::AlertId;
use responder_core::playbook::Playbook;
use tokio::runtime::Handle;
use tokio::sync::{Notify, Semaphore};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::alert_queue::AlertQueue;
use crate::about::About;
use crate::accounting::Accounting;
use crate::config::{EngineConfig, Ports, RuleSet};

/// The state that all tasks of an engine share.
pub(super) struct Shared<C, L> {
    pub(super) config: EngineConfig,
    pub(super) rules: Arc<RuleSet>,
    pub(super) ports: Ports<C, L>,
    pub(super) accounting: Arc<Accounting>,
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
    runtime: Handle,
}

impl<C, L> Shared<C, L> {
    /// The state of a new engine, whose tasks run on the current tokio runtime. Panics where there is none.
    pub(super) fn new(config: EngineConfig, rules: Arc<RuleSet>, ports: Ports<C, L>) -> Self {
        Self {
            queue: Mutex::new(AlertQueue::new(config.queue, config.dedup, Instant::now())),
            readers: Semaphore::new(config.verify.concurrency.max(1)),
            verifications: Arc::new(Semaphore::new(config.verify.pending)),
            config,
            rules,
            ports,
            accounting: Arc::default(),
            tasks: TaskTracker::new(),
            stop: CancellationToken::new(),
            idle: Notify::new(),
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

    pub(super) fn cluster_name(&self) -> Option<String> {
        self.rules.guard.cluster.as_ref().map(|cluster| cluster.name.clone())
    }

    /// The head of every record about an alert and a playbook.
    pub(super) fn about(&self, alert: AlertId, playbook: &Playbook) -> About {
        About {
            alert: Some(alert),
            ..self.about_hashed(playbook.name.to_string(), Some(playbook.hash.to_string()))
        }
    }

    /// The same where the alert is unknown, and perhaps the playbook is not loaded any more.
    pub(super) fn about_named(&self, playbook: String) -> About {
        let hash = self.loaded(&playbook).map(|loaded| loaded.hash.to_string());
        self.about_hashed(playbook, hash)
    }

    /// The playbook of this name, if one is loaded.
    pub(super) fn loaded(&self, name: &str) -> Option<&Arc<Playbook>> {
        let mut playbooks = self.rules.index.playbooks().iter();
        playbooks.find(|playbook| playbook.name.as_str() == name)
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
}
