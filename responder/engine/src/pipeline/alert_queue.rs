//! The way in: which alerts were seen before, and which there is room for, asked and answered under one lock. Step of
//! the flow: between match and snapshot.

use std::mem::size_of;
use std::sync::Arc;

use responder_core::alert::{Alert, AlertId, Sender, Value};
use responder_core::playbook::Playbook;
use responder_core::target::Subject;
use tokio::time::Instant;
use tracing::Span;

use super::submission::Submission;
use crate::accepted::{AcceptedAlert, Settlement};
use crate::accounting::Accounting;
use crate::dedup::{DedupLimits, DedupWindow};
use crate::queue::{QueueClass, QueueLimits, ShedCause, TargetKey, WorkQueue};

/// The accepted alerts, and the window in which a second delivery is known as one.
pub(super) struct AlertQueue {
    window: DedupWindow,
    pub(super) work: WorkQueue<AcceptedAlert>,
    pub(super) is_stopping: bool,
}

impl AlertQueue {
    pub(super) fn new(limits: QueueLimits, window: DedupLimits, now: Instant) -> Self {
        Self {
            window: DedupWindow::new(window, now),
            work: WorkQueue::new(limits),
            is_stopping: false,
        }
    }

    /// Takes an alert in. An id is remembered only once there is room for its alert: one that was shed may come again.
    pub(super) fn take(
        &mut self,
        alert: Alert,
        sender: Sender,
        playbooks: Vec<Arc<Playbook>>,
        accounting: &Accounting,
        root: impl FnOnce(&Alert, AlertId) -> Span,
    ) -> Submission {
        let now = Instant::now();
        let id = alert.id();
        let class = QueueClass::of(alert.priority());
        if self.is_stopping {
            let cause = ShedCause::Stopping;
            accounting.shed(class, cause);
            return Submission::Shed { class, cause };
        }
        if self.window.contains(&id, now) {
            accounting.duplicate();
            return Submission::Duplicate { id };
        }
        let key = Subject::of(&alert).ok().map(|subject| TargetKey::of(&subject));
        let bytes = weight(&alert);
        let names: Vec<_> = playbooks.iter().map(|playbook| playbook.name.clone()).collect();
        let accepted = Arc::new(AcceptedAlert::new(alert, id, sender, playbooks, class, now));
        if let Err(cause) = self.work.accept(class, key, bytes, Arc::clone(&accepted), now) {
            accounting.shed(class, cause);
            return Submission::Shed { class, cause };
        }
        // No worker has it before the lock is free: this is its first span.
        accepted.trace(root(&accepted.alert, id));
        self.window.insert(id, now);
        accounting.accepted(names.len());
        Submission::Accepted { id, playbooks: names }
    }

    /// The settlement of an accepted alert; `None` where it is settled already. Looks from the newest on, which is where
    /// one that was just accepted is; a duplicate of an old one costs a walk over all that are unfinished.
    pub(super) fn settlement(&self, id: &AlertId) -> Option<Settlement> {
        let accepted = self.work.unfinished().rev().find(|accepted| accepted.id == *id)?;
        Some(Settlement::of(accepted))
    }

    /// Takes the alert's next delivery for a new one: its decision asked for it to be sent again.
    pub(super) fn forget(&mut self, id: &AlertId) {
        self.window.forget(id);
    }
}

/// About how many bytes a decoded alert takes.
fn weight(alert: &Alert) -> usize {
    fn of_value(value: &Value) -> usize {
        match value {
            Value::String(text) => text.len(),
            Value::List(values) => values.iter().map(|value| size_of::<Value>() + of_value(value)).sum(),
            _ => 0,
        }
    }
    let fields: usize = alert
        .fields()
        .map(|(name, value)| size_of::<(Box<str>, Value)>() + name.len() + of_value(value))
        .sum();
    let texts = [alert.output(), alert.message(), alert.hostname(), alert.uuid()];
    let others: usize = alert.others().map(|(key, json)| key.len() + json.len()).sum();
    let tags: usize = alert.tags().iter().map(|tag| size_of::<Box<str>>() + tag.len()).sum();
    size_of::<AcceptedAlert>() + fields + texts.into_iter().flatten().map(str::len).sum::<usize>() + others + tags
}
