//! One read for all who ask at the same time. A burst of responses sends one request, and each of them waits for it, or for
//! its failure, no longer than for a request of its own.

use std::pin::pin;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use responder_core::port::ReadError;
use tokio::sync::watch;
use tokio::time::Instant;

/// The value that was read, or the read under way.
#[derive(Debug)]
pub(super) struct SharedRead<T> {
    keep: Duration,
    state: Mutex<State<T>>,
}

#[derive(Debug)]
enum State<T> {
    Unknown,
    /// The receiver of the result, which is `None` until then. Its sender is gone if the read was given up.
    Reading(watch::Receiver<Option<Result<T, ReadError>>>),
    Known(Instant, T),
}

/// The part of a caller.
enum Turn<T> {
    Known(T),
    Wait(watch::Receiver<Option<Result<T, ReadError>>>),
    Read(watch::Sender<Option<Result<T, ReadError>>>),
}

impl<T: Clone> SharedRead<T> {
    /// Keeps a value for a while; with zero only those share it who wait for the same read.
    pub(super) const fn new(keep: Duration) -> Self {
        Self {
            keep,
            state: Mutex::new(State::Unknown),
        }
    }

    /// The kept value, or the one that is read. A failure goes to all who wait for it, and is not kept.
    pub(super) async fn get_or_read(&self, read: impl Future<Output = Result<T, ReadError>>) -> Result<T, ReadError> {
        let mut read = pin!(read);
        loop {
            match self.turn() {
                Turn::Known(value) => return Ok(value),
                Turn::Wait(mut result) => {
                    if let Ok(result) = result.wait_for(Option::is_some).await
                        && let Some(read) = &*result
                    {
                        return read.clone();
                    }
                    // The caller that was reading is gone, and it is another's turn.
                }
                Turn::Read(sender) => {
                    let result = read.as_mut().await;
                    self.set(match &result {
                        Ok(value) if !self.keep.is_zero() => State::Known(Instant::now(), value.clone()),
                        Ok(_) | Err(_) => State::Unknown,
                    });
                    sender.send_replace(Some(result.clone()));
                    return result;
                }
            }
        }
    }

    fn turn(&self) -> Turn<T> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match &*state {
            State::Known(at, value) if at.elapsed() < self.keep => Turn::Known(value.clone()),
            // An error here means that the sender is gone.
            State::Reading(result) if result.has_changed().is_ok() => Turn::Wait(result.clone()),
            State::Unknown | State::Known(..) | State::Reading(_) => {
                let (sender, result) = watch::channel(None);
                *state = State::Reading(result);
                Turn::Read(sender)
            }
        }
    }

    fn set(&self, state: State<T>) {
        *self.state.lock().unwrap_or_else(PoisonError::into_inner) = state;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures_util::future::join_all;
    use responder_core::network::PolicyEngine;
    use responder_core::port::ReadErrorKind;

    use super::*;

    const TTL: Duration = Duration::from_mins(1);

    type Detected = Result<Option<PolicyEngine>, ReadError>;

    fn failed() -> Detected {
        Err(ReadError {
            what: "the API groups".to_owned(),
            kind: ReadErrorKind::Timeout,
            detail: "no answer within 10 s".to_owned(),
        })
    }

    fn cilium() -> PolicyEngine {
        PolicyEngine::Cilium
    }

    #[tokio::test(start_paused = true)]
    async fn a_failure_is_that_of_all_who_wait_and_none_waits_for_another_attempt() {
        let (cache, asked) = (SharedRead::new(TTL), AtomicUsize::new(0));
        let started = Instant::now();
        let ask = || {
            cache.get_or_read(async {
                asked.fetch_add(1, Ordering::Relaxed);
                tokio::time::sleep(Duration::from_secs(10)).await;
                failed()
            })
        };
        let results = join_all((0..8).map(|_| ask())).await;
        assert!(results.into_iter().all(|result| result == failed()));
        assert_eq!(asked.load(Ordering::Relaxed), 1);
        assert_eq!(
            started.elapsed(),
            Duration::from_secs(10),
            "the clock of the test stands still otherwise"
        );
        assert_eq!(ask().await, failed());
        assert_eq!(asked.load(Ordering::Relaxed), 2, "a failure is not cached");
    }

    #[tokio::test(start_paused = true)]
    async fn a_result_is_shared_and_cached_for_a_while() {
        let (cache, asked) = (SharedRead::new(TTL), AtomicUsize::new(0));
        let ask = || {
            cache.get_or_read(async {
                asked.fetch_add(1, Ordering::Relaxed);
                tokio::task::yield_now().await;
                Ok(Some(cilium()))
            })
        };
        let results = join_all((0..8).map(|_| ask())).await;
        assert!(results.into_iter().all(|result| result == Ok(Some(cilium()))));
        assert_eq!((ask().await, asked.load(Ordering::Relaxed)), (Ok(Some(cilium())), 1));
        tokio::time::advance(TTL).await;
        assert_eq!((ask().await, asked.load(Ordering::Relaxed)), (Ok(Some(cilium())), 2));
    }

    #[tokio::test(start_paused = true)]
    async fn when_the_caller_that_detects_is_gone_another_detects() {
        let cache = Arc::new(SharedRead::new(TTL));
        let first = tokio::spawn({
            let cache = Arc::clone(&cache);
            async move { cache.get_or_read(async { std::future::pending().await }).await }
        });
        tokio::task::yield_now().await;
        let second = tokio::spawn({
            let cache = Arc::clone(&cache);
            async move { cache.get_or_read(async { Ok(Some(cilium())) }).await }
        });
        tokio::task::yield_now().await;
        assert!(!second.is_finished(), "it waits for the first");
        first.abort();
        assert_eq!(second.await.unwrap(), Ok(Some(cilium())));
    }
}
