//! The clock port: decisions never ask the machine for the time.

use jiff::Timestamp;

/// Where the pipeline takes the time from: the wall clock in `run`, the alerts themselves in `replay`.
pub trait Clock: Send + Sync + 'static {
    /// The time now.
    fn now(&self) -> Timestamp;
}
