//! The wall clock: the one place where the program reads the time of the machine.

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
