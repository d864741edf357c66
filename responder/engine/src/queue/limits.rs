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
    /// How many of them ordinary alerts never take; a quarter by default, at least one and less than all. Of the others,
    /// while both want them, ordinary and critical alerts get every second.
    pub critical_share: usize,
    /// Critical alerts; 1,024 and 8 MiB by default.
    pub critical: QueueBound,
    /// Ordinary alerts; 4,096 and 16 MiB by default.
    pub ordinary: QueueBound,
    /// The most of a class that one namespace may hold, in percent of its alerts and of its bytes; 50 by default. A host,
    /// whose alerts are about no namespace, counts as one.
    pub namespace_percent: u8,
    /// Alerts about one subject, of both classes together; 256 by default. Repeats that were joined to another alert
    /// count for their bytes only.
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
            namespace_percent: 50,
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

    /// The bound of one namespace.
    pub(super) const fn share(&self, class: QueueClass) -> QueueBound {
        let QueueBound { alerts, bytes } = self.bound(class);
        let percent = self.namespace_percent as usize;
        QueueBound {
            alerts: (alerts.saturating_mul(percent)).div_ceil(100),
            bytes: (bytes.saturating_mul(percent)).div_ceil(100),
        }
    }

    pub(super) fn normalised(mut self) -> Self {
        self.concurrency = self.concurrency.max(2);
        self.namespace_percent = self.namespace_percent.clamp(1, 100);
        self.critical_share = self.critical_share.clamp(1, self.concurrency - 1);
        self
    }
}

/// Why an alert was shed, or gave way to another. A closed set: it is a metric label.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum ShedCause {
    /// Its class is at its bound of alerts or of bytes.
    QueueFull,
    /// Its namespace is at its share of the class.
    NamespaceFull,
    /// The alerts about its subject are at their bound.
    SubjectFull,
    /// The controller is stopping.
    Stopping,
}

impl ShedCause {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::QueueFull, Self::NamespaceFull, Self::SubjectFull, Self::Stopping];

    /// A bounded name for metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::QueueFull => "queue full",
            Self::NamespaceFull => "namespace full",
            Self::SubjectFull => "subject full",
            Self::Stopping => "stopping",
        }
    }
}
