//! The retry policy: the reaction to a failed request, by verb and class of failure. Step of the flow: act.
//!
//! A pure table. Every request may be repeated safely: one that changes an object of others carries its uid, and a creation
//! that was carried out after all answers `AlreadyExists`, of an object that is recognised as our own. So a request whose
//! answer never came is sent again rather than its outcome guessed. A failure that a repetition does not change is not
//! repeated, and after one that may mean another object the object is read first: never again by name.

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use responder_core::port::SendErrorKind;
use responder_core::request::Verb;

/// The reaction to a failed request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reaction {
    /// Send it again after a pause.
    Repeat(Pace),
    /// Read the object. Gone or replaced ends it; if it is still the one, send it again after a pause.
    ReadThenRepeat(Pace),
    /// Read the object, to say what happened, and do not send it again.
    ReadThenStop,
    /// Give up.
    Stop,
}

/// The length of the pause before the next try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pace {
    /// From 100 ms, doubled each time up to 2 s, with jitter.
    Backoff,
    /// As long as the server asks (`Retry-After`), and no less than the backoff.
    Server,
    /// Three seconds: a PodDisruptionBudget frees up when a pod somewhere becomes ready, which takes seconds.
    Budget,
}

/// The most tries of one request, even where its step has time for more.
pub(crate) const MOST_TRIES: u32 = 32;

const BUDGET_PAUSE: Duration = Duration::from_secs(3);

/// The reaction to a failure of this class.
pub(crate) const fn reaction(verb: Verb, kind: SendErrorKind) -> Reaction {
    use SendErrorKind as K;
    match kind {
        // Nothing was sent, or the same request does the same.
        K::Unreachable | K::Unknown | K::Timeout => Reaction::Repeat(Pace::Backoff),
        K::Busy => Reaction::Repeat(Pace::Server),
        K::NotFound | K::UidMismatch | K::Invalid => match verb {
            Verb::Create => Reaction::Stop,
            Verb::Patch | Verb::Delete | Verb::Evict => Reaction::ReadThenStop,
        },
        K::Conflict => match verb {
            Verb::Create => Reaction::Repeat(Pace::Backoff),
            Verb::Patch | Verb::Delete | Verb::Evict => Reaction::ReadThenRepeat(Pace::Backoff),
        },
        K::AlreadyExists => match verb {
            Verb::Create => Reaction::ReadThenStop,
            Verb::Patch | Verb::Delete | Verb::Evict => Reaction::Stop,
        },
        K::BlockedByBudget => match verb {
            Verb::Evict => Reaction::ReadThenRepeat(Pace::Budget),
            Verb::Create | Verb::Patch | Verb::Delete => Reaction::Stop,
        },
        // It will never work, but the reason may be that the pod is another one: the budgets are looked at before the uid.
        K::SeveralBudgets => match verb {
            Verb::Evict => Reaction::ReadThenStop,
            Verb::Create | Verb::Patch | Verb::Delete => Reaction::Stop,
        },
        K::Forbidden | K::Rejected => Reaction::Stop,
    }
}

/// The pauses of one request.
#[derive(Debug)]
pub(crate) struct Pauses(ExponentialBackoff);

impl Pauses {
    pub(crate) fn new() -> Self {
        let builder = ExponentialBuilder::new()
            .with_min_delay(Duration::from_millis(100))
            .with_max_delay(Duration::from_secs(2))
            .with_jitter()
            .without_max_times();
        Self(builder.build())
    }

    pub(crate) fn next(&mut self, pace: Pace, retry_after: Option<Duration>) -> Duration {
        let backoff = self.0.next().unwrap_or(Duration::from_secs(2));
        match pace {
            Pace::Backoff => backoff,
            Pace::Server => retry_after.map_or(backoff, |asked| asked.max(backoff)),
            Pace::Budget => retry_after.unwrap_or(BUDGET_PAUSE).max(BUDGET_PAUSE),
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use SendErrorKind as K;

    const VERBS: [Verb; 4] = [Verb::Create, Verb::Patch, Verb::Delete, Verb::Evict];

    #[rstest]
    #[case(K::NotFound, [Reaction::Stop, Reaction::ReadThenStop, Reaction::ReadThenStop, Reaction::ReadThenStop])]
    #[case(K::UidMismatch, [Reaction::Stop, Reaction::ReadThenStop, Reaction::ReadThenStop, Reaction::ReadThenStop])]
    #[case(K::Invalid, [Reaction::Stop, Reaction::ReadThenStop, Reaction::ReadThenStop, Reaction::ReadThenStop])]
    #[case(K::Conflict, [Reaction::Repeat(Pace::Backoff), Reaction::ReadThenRepeat(Pace::Backoff), Reaction::ReadThenRepeat(Pace::Backoff), Reaction::ReadThenRepeat(Pace::Backoff)])]
    #[case(K::AlreadyExists, [Reaction::ReadThenStop, Reaction::Stop, Reaction::Stop, Reaction::Stop])]
    #[case(K::BlockedByBudget, [Reaction::Stop, Reaction::Stop, Reaction::Stop, Reaction::ReadThenRepeat(Pace::Budget)])]
    #[case(K::SeveralBudgets, [Reaction::Stop, Reaction::Stop, Reaction::Stop, Reaction::ReadThenStop])]
    #[case(K::Busy, [Reaction::Repeat(Pace::Server); 4])]
    #[case(K::Forbidden, [Reaction::Stop; 4])]
    #[case(K::Rejected, [Reaction::Stop; 4])]
    #[case(K::Unknown, [Reaction::Repeat(Pace::Backoff); 4])]
    #[case(K::Timeout, [Reaction::Repeat(Pace::Backoff); 4])]
    #[case(K::Unreachable, [Reaction::Repeat(Pace::Backoff); 4])]
    fn every_failure_of_every_verb_has_its_answer(#[case] kind: SendErrorKind, #[case] expected: [Reaction; 4]) {
        assert_eq!(VERBS.map(|verb| reaction(verb, kind)), expected);
    }

    #[test]
    fn the_server_is_never_asked_sooner_than_it_wants() {
        let asked = Duration::from_secs(7);
        assert!(Pauses::new().next(Pace::Server, Some(asked)) >= asked);
        assert!(Pauses::new().next(Pace::Budget, Some(asked)) >= asked);
    }

    #[test]
    fn pauses_grow_and_have_a_bound() {
        let mut pauses = Pauses::new();
        let first = pauses.next(Pace::Backoff, None);
        let later: Vec<Duration> = (0..20).map(|_| pauses.next(Pace::Backoff, None)).collect();
        assert!(first >= Duration::from_millis(100));
        // Jitter adds at most one pause more.
        assert!(later.iter().all(|pause| *pause <= Duration::from_secs(4)));
        assert!(later.last().is_some_and(|last| *last >= Duration::from_secs(2)));
    }
}
