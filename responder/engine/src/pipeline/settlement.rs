//! The end of an accepted alert, for a sender who keeps it until then. Step of the flow: settle.

use std::fmt;
use std::sync::Arc;

use responder_core::alert::AlertOutcome;

use super::Accepted;

/// The promise that an accepted alert will be settled. Whoever holds it keeps the alert in memory.
#[must_use = "without waiting for it nobody learns how the alert ended"]
pub struct Settlement(Arc<Accepted>);

impl fmt::Debug for Settlement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Settlement").field(&self.0.id).finish()
    }
}

impl Settlement {
    pub(super) fn of(job: &Arc<Accepted>) -> Self {
        Self(Arc::clone(job))
    }

    /// Waits for it. An engine that is dropped without [`shutdown`](crate::Engine::shutdown) never settles what it holds.
    pub async fn settled(self) -> AlertOutcome {
        *self.0.settled.wait().await
    }
}

impl Accepted {
    /// Once: whoever is second has nothing to add.
    pub(super) fn settle(&self, how: AlertOutcome) {
        let _ = self.settled.set(how);
    }
}

#[cfg(test)]
mod tests {
    use responder_core::alert::{Alert, Bounds, Sender};
    use responder_core::refusal::RefusalReason;
    use tokio::time::Instant;

    use super::*;
    use crate::queue::QueueClass;

    fn accepted() -> Arc<Accepted> {
        let text = br#"{"rule":"r","priority":"Critical","time":"2023-05-25T13:44:05.478445995Z","output_fields":{}}"#;
        let alert = Alert::decode(text, &Bounds::default()).unwrap();
        let id = alert.id();
        Arc::new(Accepted::new(
            alert,
            id,
            Sender::Anonymous,
            Vec::new(),
            QueueClass::Critical,
            Instant::now(),
        ))
    }

    #[tokio::test]
    async fn everybody_who_waits_learns_how_it_ended_and_the_first_end_counts() {
        let job = accepted();
        let (one, two) = (Settlement::of(&job), Settlement::of(&job));
        let early = tokio::spawn(one.settled());
        tokio::task::yield_now().await;
        assert!(!early.is_finished());
        job.settle(AlertOutcome::SendAgain(RefusalReason::Unreadable));
        job.settle(AlertOutcome::HandedBack);
        assert_eq!(early.await.unwrap(), AlertOutcome::SendAgain(RefusalReason::Unreadable));
        assert_eq!(two.settled().await, AlertOutcome::SendAgain(RefusalReason::Unreadable));
    }
}
