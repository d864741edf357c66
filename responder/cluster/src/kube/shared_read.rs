//! The detected policy engine, for a while. A burst of quarantines sends one request, and each of them waits for it, or for
//! its failure, no longer than for a request of its own.

use std::pin::pin;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use responder_core::port::ReadError;
use responder_core::snapshot::PolicyEngine;
use tokio::sync::watch;
use tokio::time::Instant;

/// How long the detected policy engine is cached. It changes with a cluster's installation, not with its pods.
const TTL: Duration = Duration::from_secs(60);

type Detected = Result<Option<PolicyEngine>, ReadError>;

/// The detected engine, or the detection under way.
#[derive(Debug, Default)]
pub(super) struct EngineCache(Mutex<State>);

#[derive(Debug, Default)]
enum State {
    #[default]
    Unknown,
    /// The receiver of the result, which is `None` until then. Its sender is gone if the detection was given up.
    Detecting(watch::Receiver<Option<Detected>>),
    Known(Instant, Option<PolicyEngine>),
}

/// The part of a caller.
enum Turn {
    Known(Option<PolicyEngine>),
    Wait(watch::Receiver<Option<Detected>>),
    Detect(watch::Sender<Option<Detected>>),
}

impl EngineCache {
    /// The cached engine, or the one that `detect` finds. A failure goes to all who wait for it, and is not cached.
    pub(super) async fn get_or_detect(&self, detect: impl Future<Output = Detected>) -> Detected {
        let mut detect = pin!(detect);
        loop {
            match self.turn() {
                Turn::Known(engine) => return Ok(engine),
                Turn::Wait(mut result) => {
                    if let Ok(result) = result.wait_for(Option::is_some).await
                        && let Some(detected) = &*result
                    {
                        return detected.clone();
                    }
                    // The caller that was detecting is gone, and it is another's turn.
                }
                Turn::Detect(sender) => {
                    let detected = detect.as_mut().await;
                    self.set(match &detected {
                        Ok(engine) => State::Known(Instant::now(), engine.clone()),
                        Err(_) => State::Unknown,
                    });
                    sender.send_replace(Some(detected.clone()));
                    return detected;
                }
            }
        }
    }

    fn turn(&self) -> Turn {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match &*state {
            State::Known(at, engine) if at.elapsed() < TTL => Turn::Known(engine.clone()),
            // An error here means that the sender is gone.
            State::Detecting(result) if result.has_changed().is_ok() => Turn::Wait(result.clone()),
            State::Unknown | State::Known(..) | State::Detecting(_) => {
                let (sender, result) = watch::channel(None);
                *state = State::Detecting(result);
                Turn::Detect(sender)
            }
        }
    }

    fn set(&self, state: State) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = state;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures_util::future::join_all;
    use responder_core::port::ReadErrorKind;

    use super::*;

    fn failed() -> Detected {
        Err(ReadError {
            what: "the API groups".to_owned(),
            kind: ReadErrorKind::Timeout,
            detail: "no answer within 10 s".to_owned(),
        })
    }

    fn cilium() -> PolicyEngine {
        PolicyEngine("cilium".to_owned())
    }

    #[tokio::test(start_paused = true)]
    async fn a_failure_is_that_of_all_who_wait_and_none_waits_for_another_attempt() {
        let (cache, asked) = (EngineCache::default(), AtomicUsize::new(0));
        let started = Instant::now();
        let ask = || {
            cache.get_or_detect(async {
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
        let (cache, asked) = (EngineCache::default(), AtomicUsize::new(0));
        let ask = || {
            cache.get_or_detect(async {
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
        let cache = Arc::new(EngineCache::default());
        let first = tokio::spawn({
            let cache = Arc::clone(&cache);
            async move { cache.get_or_detect(async { std::future::pending().await }).await }
        });
        tokio::task::yield_now().await;
        let second = tokio::spawn({
            let cache = Arc::clone(&cache);
            async move { cache.get_or_detect(async { Ok(Some(cilium())) }).await }
        });
        tokio::task::yield_now().await;
        assert!(!second.is_finished(), "it waits for the first");
        first.abort();
        assert_eq!(second.await.unwrap(), Ok(Some(cilium())));
    }
}
