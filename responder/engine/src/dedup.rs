//! The window in which a second delivery of an alert is known as one. Step of the flow: between match and snapshot.
//!
//! Two generations of ids: ids go into the younger one, the older one is only looked up, and the younger becomes the older
//! when it is full or old. So an id is remembered for at least one length of the window (unless a flood fills it sooner) and memory
//! has a bound. An alert that falls out is not acted on twice: the ledger still knows it.

use std::collections::HashSet;
use std::time::Duration;

use responder_core::alert::AlertId;
use tokio::time::Instant;

/// The bounds of the window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DedupLimits {
    /// Ids in one of the two generations; 32,768 by default, 2 MiB for both when full.
    pub ids: usize,
    /// The least time that an id is remembered, if no flood fills the window; 10 minutes by default, twice the age past
    /// which an alert is not acted on.
    pub length: Duration,
}

impl Default for DedupLimits {
    fn default() -> Self {
        Self {
            ids: 32_768,
            length: Duration::from_mins(10),
        }
    }
}

#[derive(Debug)]
pub(crate) struct DedupWindow {
    limits: DedupLimits,
    younger: HashSet<AlertId>,
    older: HashSet<AlertId>,
    turned_at: Instant,
}

impl DedupWindow {
    pub(crate) fn new(limits: DedupLimits, now: Instant) -> Self {
        Self {
            limits,
            younger: HashSet::new(),
            older: HashSet::new(),
            turned_at: now,
        }
    }

    pub(crate) fn contains(&mut self, id: &AlertId, now: Instant) -> bool {
        self.turn_if_old(now);
        self.younger.contains(id) || self.older.contains(id)
    }

    pub(crate) fn insert(&mut self, id: AlertId, now: Instant) {
        self.turn_if_old(now);
        if self.younger.len() >= self.limits.ids.max(1) {
            self.turn(now);
        }
        self.younger.insert(id);
    }

    /// Forgets an id whose decision asks for the alert to be sent again.
    pub(crate) fn forget(&mut self, id: &AlertId) {
        self.younger.remove(id);
        self.older.remove(id);
    }

    fn turn_if_old(&mut self, now: Instant) {
        let age = now.saturating_duration_since(self.turned_at);
        if age >= self.limits.length * 2 {
            // Both generations are old.
            self.turn(now);
        }
        if age >= self.limits.length {
            self.turn(now);
        }
    }

    fn turn(&mut self, now: Instant) {
        self.older = std::mem::take(&mut self.younger);
        self.turned_at = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: u8) -> AlertId {
        format!("{number:064x}").parse().unwrap()
    }

    /// A window of a minute and of ten ids in a generation.
    fn small(start: Instant) -> DedupWindow {
        let length = Duration::from_mins(1);
        DedupWindow::new(DedupLimits { ids: 10, length }, start)
    }

    #[test]
    fn an_id_is_known_for_one_length_and_forgotten_after_two() {
        let start = Instant::now();
        let mut window = small(start);
        let length = window.limits.length;
        window.insert(id(1), start);
        assert!(window.contains(&id(1), start + length - Duration::from_secs(1)));
        assert!(window.contains(&id(1), start + length));
        assert!(!window.contains(&id(1), start + length * 2));
    }

    #[test]
    fn after_a_long_silence_nothing_is_known() {
        let start = Instant::now();
        let mut window = small(start);
        window.insert(id(1), start);
        assert!(!window.contains(&id(1), start + Duration::from_hours(1)));
    }

    #[test]
    fn a_flood_never_makes_it_hold_more_than_two_generations() {
        let start = Instant::now();
        let mut window = small(start);
        for number in 0..=255 {
            window.insert(id(number), start);
            assert!(window.contains(&id(number), start));
            assert!(window.younger.len() + window.older.len() <= 20);
        }
    }

    #[test]
    fn a_forgotten_id_is_taken_again() {
        let start = Instant::now();
        let mut window = DedupWindow::new(DedupLimits::default(), start);
        window.insert(id(1), start);
        window.forget(&id(1));
        assert!(!window.contains(&id(1), start));
    }
}
