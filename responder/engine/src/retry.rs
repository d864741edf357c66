//! The retry policy: what to do after a request failed, by verb and class of failure. Step of the flow: act.
//!
//! A pure table. Every request of ours may be repeated safely: what changes an object of others carries its uid, and a
//! creation that was carried out after all answers `AlreadyExists`, of an object that is recognised as our own. So an
//! answer that never came is asked for again rather than guessed. What repeating does not change is never repeated, and
//! what may mean that the target is another one is looked at first, never tried again by name.

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use responder_core::port::SendErrorKind;
use responder_core::request::Verb;

/// What to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Send it again after a pause.
    Repeat(Pace),
    /// Read the object. Gone or replaced ends it; if it is still the one, send it again after a pause.
    LookThenRepeat(Pace),
    /// Read the object, to say what happened. Whatever it says, it is not sent again.
    LookThenStop,
    /// Give up.
    Stop,
}

/// How long to pause.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// From 100 ms, doubled each time up to 2 s, with jitter.
    Backoff,
    /// As long as the server asks (`Retry-After`), and no less than the backoff.
    Server,
    /// Three seconds: a PodDisruptionBudget frees up when a pod somewhere becomes ready, which takes seconds.
    Budget,
}

/// So often a request is sent at most, whatever time its step has.
pub const MOST_TRIES: u32 = 32;

const BUDGET_PAUSE: Duration = Duration::from_secs(3);

/// What to do after a failure of this class.
pub const fn next(verb: Verb, kind: SendErrorKind) -> Next {
    use SendErrorKind as K;
    match kind {
        // Nothing was sent, or the same request can't do more than it was meant to.
        K::Unreachable | K::Unknown | K::Timeout => Next::Repeat(Pace::Backoff),
        K::Busy => Next::Repeat(Pace::Server),
        K::NotFound | K::UidMismatch | K::Invalid => match verb {
            Verb::Create => Next::Stop,
            Verb::Patch | Verb::Delete | Verb::Evict => Next::LookThenStop,
        },
        K::Conflict => match verb {
            Verb::Create => Next::Repeat(Pace::Backoff),
            Verb::Patch | Verb::Delete | Verb::Evict => Next::LookThenRepeat(Pace::Backoff),
        },
        K::AlreadyExists => match verb {
            Verb::Create => Next::LookThenStop,
            Verb::Patch | Verb::Delete | Verb::Evict => Next::Stop,
        },
        K::BlockedByBudget => match verb {
            Verb::Evict => Next::LookThenRepeat(Pace::Budget),
            Verb::Create | Verb::Patch | Verb::Delete => Next::Stop,
        },
        // It will never work, but the reason may be that the pod is another one: the budgets are looked at before the uid.
        K::SeveralBudgets => match verb {
            Verb::Evict => Next::LookThenStop,
            Verb::Create | Verb::Patch | Verb::Delete => Next::Stop,
        },
        K::Forbidden | K::Rejected => Next::Stop,
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
    #[case(K::NotFound, [Next::Stop, Next::LookThenStop, Next::LookThenStop, Next::LookThenStop])]
    #[case(K::UidMismatch, [Next::Stop, Next::LookThenStop, Next::LookThenStop, Next::LookThenStop])]
    #[case(K::Invalid, [Next::Stop, Next::LookThenStop, Next::LookThenStop, Next::LookThenStop])]
    #[case(K::Conflict, [Next::Repeat(Pace::Backoff), Next::LookThenRepeat(Pace::Backoff), Next::LookThenRepeat(Pace::Backoff), Next::LookThenRepeat(Pace::Backoff)])]
    #[case(K::AlreadyExists, [Next::LookThenStop, Next::Stop, Next::Stop, Next::Stop])]
    #[case(K::BlockedByBudget, [Next::Stop, Next::Stop, Next::Stop, Next::LookThenRepeat(Pace::Budget)])]
    #[case(K::SeveralBudgets, [Next::Stop, Next::Stop, Next::Stop, Next::LookThenStop])]
    #[case(K::Busy, [Next::Repeat(Pace::Server); 4])]
    #[case(K::Forbidden, [Next::Stop; 4])]
    #[case(K::Rejected, [Next::Stop; 4])]
    #[case(K::Unknown, [Next::Repeat(Pace::Backoff); 4])]
    #[case(K::Timeout, [Next::Repeat(Pace::Backoff); 4])]
    #[case(K::Unreachable, [Next::Repeat(Pace::Backoff); 4])]
    fn every_failure_of_every_verb_has_its_answer(#[case] kind: SendErrorKind, #[case] expected: [Next; 4]) {
        assert_eq!(VERBS.map(|verb| next(verb, kind)), expected);
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
