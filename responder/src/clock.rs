//! The wall clock: the one place where this program asks the machine for the time.

use jiff::Timestamp;
use responder_core::port::Clock;

/// The clock of the machine.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct WallClock;

impl Clock for WallClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}
