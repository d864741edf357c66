//! A rotation of distinct keys: the first leaves, newcomers go to the end, and any of them can leave at any time.

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;

/// The keys, in the order of their places. Every operation costs a search in a tree.
#[derive(Debug)]
pub(super) struct Rotation<K> {
    order: BTreeMap<u64, K>,
    places: HashMap<K, u64>,
    last: u64,
}

impl<K: Clone + Eq + Hash> Rotation<K> {
    pub(super) fn new() -> Self {
        Self {
            order: BTreeMap::new(),
            places: HashMap::new(),
            last: 0,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    /// Puts a key at the end; one that has a place keeps it.
    pub(super) fn push(&mut self, key: K) {
        if self.places.contains_key(&key) {
            return;
        }
        self.last += 1;
        self.places.insert(key.clone(), self.last);
        self.order.insert(self.last, key);
    }

    pub(super) fn pop(&mut self) -> Option<K> {
        let (_, key) = self.order.pop_first()?;
        self.places.remove(&key);
        Some(key)
    }

    pub(super) fn remove(&mut self, key: &K) {
        if let Some(place) = self.places.remove(key) {
            self.order.remove(&place);
        }
    }
}

/// Subjects that take turns: round by tenant, and those of one tenant among themselves.
#[derive(Debug)]
pub(super) struct Rounds<T, S> {
    tenants: Rotation<T>,
    subjects: HashMap<T, Rotation<S>>,
}

impl<T: Clone + Eq + Hash, S: Clone + Eq + Hash> Rounds<T, S> {
    pub(super) fn new() -> Self {
        Self {
            tenants: Rotation::new(),
            subjects: HashMap::new(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.tenants.is_empty()
    }

    /// Puts a subject at the end of its tenant's rotation.
    pub(super) fn push(&mut self, tenant: &T, subject: S) {
        let own = self.subjects.entry(tenant.clone()).or_insert_with(Rotation::new);
        own.push(subject);
        self.tenants.push(tenant.clone());
    }

    /// The subject whose turn it is; its tenant's next one comes after those of all others.
    pub(super) fn pop(&mut self) -> Option<S> {
        let tenant = self.tenants.pop()?;
        let own = self.subjects.get_mut(&tenant)?;
        let subject = own.pop();
        if own.is_empty() {
            self.subjects.remove(&tenant);
        } else {
            self.tenants.push(tenant);
        }
        subject
    }

    pub(super) fn remove(&mut self, tenant: &T, subject: &S) {
        let Some(own) = self.subjects.get_mut(tenant) else {
            return;
        };
        own.remove(subject);
        if own.is_empty() {
            self.subjects.remove(tenant);
            self.tenants.remove(tenant);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn popped(rounds: &mut Rounds<char, u8>) -> Vec<u8> {
        std::iter::from_fn(|| rounds.pop()).collect()
    }

    #[test]
    fn tenants_take_turns_whatever_the_number_of_their_subjects() {
        let mut rounds = Rounds::new();
        for (tenant, subject) in [('a', 1), ('a', 2), ('a', 3), ('b', 4), ('c', 5), ('b', 6)] {
            rounds.push(&tenant, subject);
        }
        assert_eq!(popped(&mut rounds), [1, 4, 5, 2, 6, 3]);
        assert!(rounds.is_empty() && rounds.subjects.is_empty());
    }

    #[test]
    fn a_subject_that_leaves_takes_no_turn_and_one_that_is_there_gets_no_second() {
        let mut rounds = Rounds::new();
        for (tenant, subject) in [('a', 1), ('a', 2), ('b', 3), ('a', 1)] {
            rounds.push(&tenant, subject);
        }
        rounds.remove(&'a', &1);
        rounds.remove(&'b', &3);
        rounds.remove(&'b', &3);
        assert_eq!(popped(&mut rounds), [2]);
        assert!(rounds.is_empty() && rounds.subjects.is_empty());
    }
}
