//! Log lines that a sender can cause: one a minute of each kind, with the number of those that were left out.
//!
//! Falco shows nobody what it is answered, and NATS has no answers at all, so a rejection must be in our log; and whoever
//! can send must not be able to fill a disk with it.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

const EVERY: Duration = Duration::from_secs(60);

/// When each kind was last logged. The kinds are a closed set, so it does not grow.
#[derive(Debug, Default)]
pub(crate) struct Notices(Mutex<HashMap<&'static str, Last>>);

#[derive(Debug)]
struct Last {
    logged: Instant,
    left_out: u64,
}

impl Notices {
    /// Whether a line of this kind is due; then with how many were left out since the last one.
    pub(crate) fn take(&self, kind: &'static str) -> Option<u64> {
        let now = Instant::now();
        // A panic elsewhere leaves at worst a count that is off by one.
        let mut kinds = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(last) = kinds.get_mut(kind) else {
            kinds.insert(
                kind,
                Last {
                    logged: now,
                    left_out: 0,
                },
            );
            return Some(0);
        };
        if now.duration_since(last.logged) < EVERY {
            last.left_out += 1;
            return None;
        }
        last.logged = now;
        Some(std::mem::take(&mut last.left_out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn one_line_a_minute_of_each_kind_says_how_many_were_left_out() {
        let notices = Notices::default();
        assert_eq!(notices.take("syntax"), Some(0));
        assert_eq!(notices.take("syntax"), None);
        assert_eq!(notices.take("syntax"), None);
        assert_eq!(notices.take("time"), Some(0));
        tokio::time::advance(EVERY).await;
        assert_eq!(notices.take("syntax"), Some(2));
        assert_eq!(notices.take("syntax"), None);
    }
}
