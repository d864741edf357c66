//! An outage of the cluster as one decision meets it: which failed readings are tried again, and when. Step of the flow:
//! between match and decide.

use std::time::Duration;

use responder_core::port::ReadErrorKind;
use tokio::time::Instant;

use crate::retry::{Pace, Pauses};

/// How long a missing right is taken for a part of the outage: an API server that has just started listens before it has
/// read its roles, and answers Forbidden until then. Seen for less than two seconds on an idle machine (Kubernetes 1.37).
const ROLES_LOAD: Duration = Duration::from_secs(30);

/// The outage that one decision has seen so far.
pub(super) struct Outage {
    pauses: Pauses,
    /// When the cluster last did not answer.
    away_at: Option<Instant>,
}

impl Outage {
    pub(super) fn new() -> Self {
        Self {
            pauses: Pauses::new(),
            away_at: None,
        }
    }

    /// The pause before the next reading; `None` for a failure that no other reading will mend.
    pub(super) fn pause(&mut self, kind: ReadErrorKind) -> Option<Duration> {
        let now = Instant::now();
        let is_back = || self.away_at.is_some_and(|at| now.duration_since(at) < ROLES_LOAD);
        match kind {
            ReadErrorKind::Unavailable | ReadErrorKind::Timeout => self.away_at = Some(now),
            ReadErrorKind::Forbidden if is_back() => {}
            ReadErrorKind::Forbidden | ReadErrorKind::Malformed => return None,
        }
        Some(self.pauses.next(Pace::Backoff, None))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_missing_right_is_waited_for_only_after_the_cluster_was_away() {
        let mut outage = Outage::new();
        assert_eq!(outage.pause(ReadErrorKind::Forbidden), None);
        assert!(outage.pause(ReadErrorKind::Unavailable).is_some());
        assert!(outage.pause(ReadErrorKind::Forbidden).is_some());
        tokio::time::advance(ROLES_LOAD).await;
        assert_eq!(outage.pause(ReadErrorKind::Forbidden), None);
        assert!(outage.pause(ReadErrorKind::Timeout).is_some());
        assert_eq!(outage.pause(ReadErrorKind::Malformed), None);
    }
}
