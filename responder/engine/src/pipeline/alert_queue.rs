//! The way in: what was seen before, and what there is room for, asked and answered under one lock. Step of the flow:
//! between match and snapshot.

use std::mem::size_of;
use std::sync::Arc;

use responder_core::alert::{Alert, AlertId, Sender, Value};
use responder_core::playbook::Playbook;
use responder_core::target::Subject;
use tokio::time::Instant;
use tracing::Span;

use super::{Accepted, Settlement, Submission};
use crate::accounting::Accounting;
use crate::dedup::{Window, WindowLimits};
use crate::queue::{QueueClass, QueueLimits, ShedCause, TargetKey, WorkQueue};

pub(crate) struct AlertQueue<J> {
    window: Window,
    pub(crate) lanes: WorkQueue<J>,
    pub(crate) is_stopping: bool,
}

impl AlertQueue<Accepted> {
    pub(crate) fn new(lanes: QueueLimits, window: WindowLimits, now: Instant) -> Self {
        Self {
            window: Window::new(window, now),
            lanes: WorkQueue::new(lanes),
            is_stopping: false,
        }
    }

    /// Takes an alert in. An id is remembered only once there is room for its alert: whoever was shed may come again.
    pub(crate) fn take(
        &mut self,
        alert: Alert,
        sender: Sender,
        playbooks: Vec<Arc<Playbook>>,
        accounting: &Accounting,
        root: impl FnOnce(&Alert, AlertId) -> Span,
    ) -> Submission {
        let now = Instant::now();
        let id = alert.id();
        let lane = QueueClass::of(alert.priority());
        if self.is_stopping {
            accounting.shed(lane, ShedCause::Stopping);
            return Submission::Shed {
                lane,
                cause: ShedCause::Stopping,
            };
        }
        if self.window.contains(&id, now) {
            accounting.duplicate();
            return Submission::Duplicate { id };
        }
        let key = Subject::of(&alert).ok().map(|subject| TargetKey::of(&subject));
        let bytes = weight(&alert);
        let names: Vec<_> = playbooks.iter().map(|playbook| playbook.name.clone()).collect();
        let job = Arc::new(Accepted::new(alert, id, sender, playbooks, lane, now));
        if let Err(cause) = self.lanes.accept(lane, key, bytes, Arc::clone(&job), now) {
            accounting.shed(lane, cause);
            return Submission::Shed { lane, cause };
        }
        // Nobody works on it before the lock is free. It is its first span.
        let _ = job.span.set(root(&job.alert, id));
        self.window.insert(id, now);
        accounting.accepted(names.len());
        Submission::Accepted { id, playbooks: names }
    }

    /// How to learn that an accepted alert is settled; `None` where it is already. Looks from the newest on, which is where
    /// one that was just accepted is; a duplicate of an old one costs a walk over what the lanes hold.
    pub(crate) fn settlement(&self, id: &AlertId) -> Option<Settlement> {
        let job = self.lanes.unfinished().rev().find(|job| job.id == *id)?;
        Some(Settlement::of(job))
    }

    /// Takes the alert's next delivery for a new one: its decision asked for it to be sent again.
    pub(crate) fn forget(&mut self, id: &AlertId) {
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
    size_of::<Accepted>() + fields + texts.into_iter().flatten().map(str::len).sum::<usize>() + others + tags
}
