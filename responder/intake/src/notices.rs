//! Limits the log lines that a sender can cause to one a minute of each kind, with the number of lines left out.
//!
//! Falco discards the answers to its requests, and NATS has no answers, so the log has to tell of a rejection; but no
//! sender may be able to fill the disk with log lines.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Between two lines of one kind.
const INTERVAL: Duration = Duration::from_mins(1);

/// When each kind was last logged. The kinds are a closed set, so the map does not grow.
#[derive(Debug, Default)]
pub(crate) struct Notices(Mutex<HashMap<&'static str, Last>>);

#[derive(Debug)]
struct Last {
    logged: Instant,
    left_out: u64,
}

impl Notices {
    /// The number of lines left out since the last one, if a line of this kind is due; `None` if it is not.
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
        if now.duration_since(last.logged) < INTERVAL {
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
    async fn one_line_a_minute_of_each_kind_tells_how_many_were_left_out() {
        let notices = Notices::default();
        assert_eq!(notices.take("syntax"), Some(0));
        assert_eq!(notices.take("syntax"), None);
        assert_eq!(notices.take("syntax"), None);
        assert_eq!(notices.take("time"), Some(0));
        tokio::time::advance(INTERVAL).await;
        assert_eq!(notices.take("syntax"), Some(2));
        assert_eq!(notices.take("syntax"), None);
    }
}
