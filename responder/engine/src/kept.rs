//! Answers that are kept for a while, in bounded memory: what a flood asks about must not fill it.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Answers by their question.
#[derive(Debug)]
pub(crate) struct Kept<K, V> {
    ttl: Duration,
    most: usize,
    answers: Mutex<HashMap<K, (Instant, V)>>,
}

impl<K: Eq + Hash, V: Clone> Kept<K, V> {
    /// Keeps at most so many answers, each for so long.
    pub(crate) fn new(ttl: Duration, most: usize) -> Self {
        Self {
            ttl,
            most,
            answers: Mutex::default(),
        }
    }

    /// The answer, if it is kept and not too old.
    pub(crate) fn get<Q: Eq + Hash + ?Sized>(&self, question: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        let answers = self.answers();
        let (at, answer) = answers.get(question)?;
        (at.elapsed() < self.ttl).then(|| answer.clone())
    }

    /// Keeps an answer, unless there is no room for it after those that are too old have gone.
    pub(crate) fn keep(&self, question: K, answer: V) {
        let mut answers = self.answers();
        if answers.len() >= self.most {
            answers.retain(|_, (at, _)| at.elapsed() < self.ttl);
        }
        if answers.len() < self.most {
            answers.insert(question, (Instant::now(), answer));
        }
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.answers().len()
    }

    fn answers(&self) -> MutexGuard<'_, HashMap<K, (Instant, V)>> {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
