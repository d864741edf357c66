//! Lengths of steps: histograms with fixed buckets, which accounting keeps.

use std::time::Duration;

use serde::Serialize;

/// The steps of a response whose length is counted. A closed set: it is a metric label.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum PipelineStage {
    /// Reading the target, waiting for a container that its status does not show yet included.
    Snapshot,
    /// Deciding, and committing the claim.
    Decide,
    /// Sending the requests of a plan, repetitions and undo included.
    Act,
    /// Verifying, until the verdict: a pod has its grace period to end.
    Verify,
}

impl PipelineStage {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Snapshot, Self::Decide, Self::Act, Self::Verify];

    /// A bounded name for metrics and spans.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Snapshot => "snapshot",
            Self::Decide => "decide",
            Self::Act => "act",
            Self::Verify => "verify",
        }
    }
}

/// The upper ends of the buckets, in microseconds; longer lengths are in a last one, which has no end. A decision takes
/// tens of microseconds, a request milliseconds, and a verification as long as a pod's grace period.
pub const BUCKETS: [u64; 17] = [
    100, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000, 5_000_000,
    10_000_000, 30_000_000, 60_000_000,
];

/// A histogram of lengths.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Histogram {
    /// The count of each of [`BUCKETS`] alone, and that of longer lengths.
    pub counts: [u64; BUCKETS.len() + 1],
    /// The sum of all lengths, in microseconds.
    pub sum: u64,
}

impl Histogram {
    /// The count of all lengths.
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    pub(crate) fn observe(&mut self, length: Duration) {
        let length = u64::try_from(length.as_micros()).unwrap_or(u64::MAX);
        let bucket = BUCKETS.partition_point(|end| *end < length);
        self.counts[bucket] += 1;
        self.sum = self.sum.saturating_add(length);
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(0, 0)]
    #[case(100, 0)]
    #[case(101, 1)]
    #[case(60_000_000, 16)]
    #[case(60_000_001, 17)]
    #[case(u64::MAX, 17)]
    fn a_length_is_in_the_first_bucket_that_does_not_end_before_it(#[case] length: u64, #[case] bucket: usize) {
        let mut histogram = Histogram::default();
        histogram.observe(Duration::from_micros(length));
        assert_eq!(
            (histogram.counts[bucket], histogram.count(), histogram.sum),
            (1, 1, length)
        );
    }

    #[test]
    fn the_buckets_rise() {
        assert!(BUCKETS.is_sorted_by(|a, b| a < b));
    }
}
