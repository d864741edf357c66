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
use crate::queue::{Displaced, NewJob, QueueAnswer, QueueClass, QueueLimits, ShedCause, TargetKey, WorkQueue};
use crate::repeat;

/// What is to be told of an alert that was taken in, once the lock is free.
#[derive(Default)]
pub(super) struct Unqueued {
    /// The alert itself, where it was joined to another.
    pub(super) joined: Option<(Arc<AcceptedAlert>, AlertId)>,
    /// The alerts that gave way to it.
    pub(super) displaced: Vec<Displaced<AcceptedAlert>>,
}

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
    ) -> (Submission, Unqueued) {
        let now = Instant::now();
        let id = alert.id();
        let class = QueueClass::of(alert.priority());
        if self.is_stopping {
            let cause = ShedCause::Stopping;
            accounting.shed(class, cause);
            return (Submission::Shed { class, cause }, Unqueued::default());
        }
        if self.window.contains(&id, now) {
            accounting.duplicate();
            return (Submission::Duplicate { id }, Unqueued::default());
        }
        let subject = Subject::of(&alert).map_or(TargetKey::Nothing, |subject| TargetKey::of(&subject));
        let (priority, bytes) = (alert.priority(), weight(&alert));
        let names: Vec<_> = playbooks.iter().map(|playbook| playbook.name.clone()).collect();
        let accepted = Arc::new(AcceptedAlert::new(alert, id, sender, playbooks, class, now));
        let arrival = NewJob {
            priority,
            subject,
            bytes,
            job: Arc::clone(&accepted),
        };
        let is_repeat = |waiting: &AcceptedAlert| repeat::is_repeat(waiting, &accepted);
        let (admission, displaced) = self.work.accept(arrival, now, is_repeat);
        for Displaced { job, .. } in &displaced {
            self.forget(job);
        }
        let mut unqueued = Unqueued {
            joined: None,
            displaced,
        };
        match admission {
            QueueAnswer::Shed(cause) => {
                accounting.shed(class, cause);
                return (Submission::Shed { class, cause }, unqueued);
            }
            QueueAnswer::Joined(original) => {
                original.join(id);
                unqueued.joined = Some((Arc::clone(&accepted), original.id));
            }
            QueueAnswer::Queued => {}
        }
        // No worker has it before the lock is free: this is its first span.
        accepted.trace(root(&accepted.alert, id));
        self.window.insert(id, now);
        accounting.accepted(names.len());
        (Submission::Accepted { id, playbooks: names }, unqueued)
    }

    /// The settlement of an accepted alert; `None` where it is settled already. Looks from the newest on, which is where
    /// one that was just accepted is; one that was joined to another is settled with that. A duplicate of an old one costs a walk over all that are unfinished.
    pub(super) fn settlement(&self, id: &AlertId) -> Option<Settlement> {
        let accepted = self.work.unfinished().rev().find(|accepted| accepted.answers(id))?;
        Some(Settlement::of(accepted))
    }

    /// Takes the next delivery of an alert, or of one that was joined to it, for a new one: its decision asked for it to
    /// be sent again.
    pub(super) fn forget(&mut self, accepted: &AcceptedAlert) {
        self.window.forget(&accepted.id);
        for repeat in accepted.repeats() {
            self.window.forget(&repeat);
        }
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
