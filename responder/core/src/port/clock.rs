//! The clock port: decisions never read the machine's clock.

use jiff::Timestamp;

/// The source of time: the wall clock in `run`, the times of the alerts in `replay`.
pub trait Clock: Send + Sync + 'static {
    /// The present time.
    fn now(&self) -> Timestamp;
}
