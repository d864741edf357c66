//! An accepted alert: how far it has come, and how a sender that keeps it until then learns of its end.

use std::fmt;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use responder_core::alert::{Alert, AlertId, AlertOutcome, Sender};
use responder_core::playbook::Playbook;
use responder_core::refusal::RefusalReason;
use responder_core::target::Subject;
use tokio::sync::SetOnce;
use tokio::time::Instant;
use tracing::Span;

use crate::queue::QueueClass;
use crate::shutdown::{HandedBackAlert, Progress};

/// An accepted alert.
#[derive(Debug)]
pub(crate) struct AcceptedAlert {
    pub(crate) alert: Alert,
    pub(crate) id: AlertId,
    pub(crate) sender: Sender,
    pub(crate) playbooks: Vec<Arc<Playbook>>,
    pub(crate) class: QueueClass,
    pub(crate) accepted_at: Instant,
    /// The root of its trace; unset where it is not traced.
    span: OnceLock<Span>,
    /// The alerts that were joined to it while it waited.
    repeats: Mutex<Vec<AlertId>>,
    /// How many of the playbooks have a decision that was counted.
    decided: AtomicUsize,
    /// How many of the playbooks are done with it.
    finished: AtomicUsize,
    progress: AtomicU8,
    /// The first reason among its refusals that asks for it to be sent again.
    send_again: OnceLock<RefusalReason>,
    outcome: SetOnce<AlertOutcome>,
}

impl AcceptedAlert {
    pub(crate) fn new(
        alert: Alert,
        id: AlertId,
        sender: Sender,
        playbooks: Vec<Arc<Playbook>>,
        class: QueueClass,
        accepted_at: Instant,
    ) -> Self {
        Self {
            alert,
            id,
            sender,
            playbooks,
            class,
            accepted_at,
            span: OnceLock::new(),
            repeats: Mutex::default(),
            decided: AtomicUsize::new(0),
            finished: AtomicUsize::new(0),
            progress: AtomicU8::new(Progress::Waiting as u8),
            send_again: OnceLock::new(),
            outcome: SetOnce::new(),
        }
    }

    /// The root of its trace.
    pub(crate) fn span(&self) -> Span {
        self.span.get().cloned().unwrap_or_else(Span::none)
    }

    /// Gives it a trace; its first one stays.
    pub(crate) fn trace(&self, root: Span) {
        let _ = self.span.set(root);
    }

    fn joined(&self) -> MutexGuard<'_, Vec<AlertId>> {
        // A push is the only change.
        self.repeats.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An alert is decided with it.
    pub(crate) fn join(&self, repeat: AlertId) {
        self.joined().push(repeat);
    }

    /// The alerts that are decided with it.
    pub(crate) fn repeats(&self) -> Vec<AlertId> {
        self.joined().clone()
    }

    /// Whether its decision is about this alert: it is the alert, or the alert was joined to it.
    pub(crate) fn answers(&self, id: &AlertId) -> bool {
        self.id == *id || self.joined().contains(id)
    }

    pub(crate) fn set_progress(&self, progress: Progress) {
        self.progress.store(progress as u8, Ordering::Relaxed);
    }

    /// One more of its playbooks has a decision that is counted.
    pub(crate) fn count_decided(&self) {
        self.decided.fetch_add(1, Ordering::Relaxed);
    }

    /// Takes the decisions of the first `playbooks` playbooks for counted, and says how many of them were not: a second
    /// call finds none.
    pub(crate) fn count_undecided(&self, playbooks: usize) -> usize {
        playbooks.saturating_sub(self.decided.fetch_max(playbooks, Ordering::Relaxed))
    }

    /// The first `playbooks` playbooks are done with it.
    pub(crate) fn set_finished(&self, playbooks: usize) {
        self.finished.store(playbooks, Ordering::Relaxed);
    }

    /// The playbooks that have not answered it.
    pub(crate) fn unanswered(&self) -> impl Iterator<Item = &Arc<Playbook>> {
        self.playbooks.iter().skip(self.finished.load(Ordering::Relaxed))
    }

    /// A refusal asks for it to be sent again. The first reason stays: one is enough.
    pub(crate) fn ask_again(&self, reason: RefusalReason) {
        let _ = self.send_again.set(reason);
    }

    /// Ends it: every playbook is done with it.
    pub(crate) fn finish(&self) {
        let again = self.send_again.get().copied();
        self.settle(again.map_or(AlertOutcome::Decided, AlertOutcome::SendAgain));
    }

    /// Ends it; the first end stays.
    pub(crate) fn settle(&self, outcome: AlertOutcome) {
        let _ = self.outcome.set(outcome);
    }

    pub(crate) fn handed_back(&self) -> HandedBackAlert {
        let progress = self.progress.load(Ordering::Relaxed);
        let all = [Progress::Waiting, Progress::Deciding, Progress::Acting];
        HandedBackAlert {
            alert: self.id,
            rule: self.alert.rule().to_string(),
            target: Subject::of(&self.alert).ok().map(|subject| subject.to_string()),
            playbooks: self.unanswered().map(|playbook| playbook.name.to_string()).collect(),
            repeats: self.joined().len(),
            progress: all
                .into_iter()
                .find(|known| *known as u8 == progress)
                .unwrap_or(Progress::Waiting),
        }
    }
}

/// The promise that an accepted alert will be settled. It keeps the alert in memory.
#[must_use = "an alert's end is only learned by waiting for it"]
pub struct Settlement(Arc<AcceptedAlert>);

impl fmt::Debug for Settlement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Settlement").field(&self.0.id).finish()
    }
}

impl Settlement {
    pub(crate) fn of(accepted: &Arc<AcceptedAlert>) -> Self {
        Self(Arc::clone(accepted))
    }

    /// Waits for it. An engine that is dropped without [`shutdown`](crate::Engine::shutdown) never settles what it holds.
    pub async fn settled(self) -> AlertOutcome {
        *self.0.outcome.wait().await
    }
}

#[cfg(test)]
mod tests {
    use responder_core::alert::Bounds;

    use super::*;

    fn accepted() -> AcceptedAlert {
        let text = br#"{"rule":"r","priority":"Critical","time":"2023-05-25T13:44:05.478445995Z","output_fields":{}}"#;
        let alert = Alert::decode(text, &Bounds::default()).unwrap();
        let id = alert.id();
        AcceptedAlert::new(
            alert,
            id,
            Sender::Anonymous,
            Vec::new(),
            QueueClass::Critical,
            Instant::now(),
        )
    }

    #[tokio::test]
    async fn every_sender_that_waits_learns_the_end_and_the_first_end_counts() {
        let accepted = Arc::new(accepted());
        let (one, two) = (Settlement::of(&accepted), Settlement::of(&accepted));
        let early = tokio::spawn(one.settled());
        tokio::task::yield_now().await;
        assert!(!early.is_finished());
        accepted.settle(AlertOutcome::SendAgain(RefusalReason::Unreadable));
        accepted.settle(AlertOutcome::HandedBack);
        assert_eq!(early.await.unwrap(), AlertOutcome::SendAgain(RefusalReason::Unreadable));
        assert_eq!(two.settled().await, AlertOutcome::SendAgain(RefusalReason::Unreadable));
    }

    #[test]
    fn a_decision_is_found_uncounted_once() {
        let accepted = accepted();
        accepted.count_decided();
        assert_eq!(accepted.count_undecided(1), 0);
        assert_eq!(accepted.count_undecided(3), 2);
        assert_eq!(accepted.count_undecided(3), 0);
    }
}
