//! The bounds of the work queue, and the names of those that an alert meets.

use serde::Serialize;

use super::class::QueueClass;

/// The bounds of one class: alerts that are accepted and not finished, waiting or working.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueueBound {
    /// The most alerts.
    pub alerts: usize,
    /// The most bytes of decoded alerts: one alert may be 256 KiB, and a class full of those must not exhaust the memory.
    pub bytes: usize,
}

/// The bounds of the work queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueueLimits {
    /// Responses at work at once; 8 by default and at least 2. Past eight at a time only the queue inside the API server
    /// grows, not the rate (measured: 420 deletions/s with eight in flight, 450/s with thirty-two).
    pub concurrency: usize,
    /// How many of them ordinary alerts never take; a quarter by default, at least one and less than all. Critical alerts
    /// use the others too while no ordinary alert wants them.
    pub critical_share: usize,
    /// Critical alerts; 1,024 and 8 MiB by default.
    pub critical: QueueBound,
    /// Ordinary alerts; 4,096 and 16 MiB by default.
    pub ordinary: QueueBound,
    /// Alerts about one subject, of both classes together; 256 by default. So a pod that is made to raise alerts all the
    /// time fills a sixteenth of its class and shields no other.
    pub per_subject: usize,
}

impl Default for QueueLimits {
    fn default() -> Self {
        Self {
            concurrency: 8,
            critical_share: 2,
            critical: QueueBound {
                alerts: 1024,
                bytes: 8 << 20,
            },
            ordinary: QueueBound {
                alerts: 4096,
                bytes: 16 << 20,
            },
            per_subject: 256,
        }
    }
}

impl QueueLimits {
    pub(super) const fn bound(&self, class: QueueClass) -> QueueBound {
        match class {
            QueueClass::Critical => self.critical,
            QueueClass::Ordinary => self.ordinary,
        }
    }

    pub(super) fn normalised(mut self) -> Self {
        self.concurrency = self.concurrency.max(2);
        self.critical_share = self.critical_share.clamp(1, self.concurrency - 1);
        self
    }
}

/// Why an alert was shed. A closed set: it is a metric label.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum ShedCause {
    /// Its class is at its bound of alerts or of bytes.
    QueueFull,
    /// The alerts about its subject are at their bound.
    SubjectFull,
    /// The controller is stopping.
    Stopping,
}

impl ShedCause {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::QueueFull, Self::SubjectFull, Self::Stopping];

    /// A bounded name for metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::QueueFull => "queue full",
            Self::SubjectFull => "subject full",
            Self::Stopping => "stopping",
        }
    }
}
