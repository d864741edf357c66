//! Writes metrics of each kind in the OpenMetrics text format.

use std::fmt;

use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Unit;
use responder_engine::latency::{BUCKETS, Histogram};

/// Milliseconds in seconds.
#[expect(
    clippy::cast_precision_loss,
    reason = "52 bits of milliseconds last for 140,000 years"
)]
pub(super) fn seconds(milliseconds: i64) -> f64 {
    milliseconds as f64 / 1e3
}

#[expect(clippy::cast_precision_loss, reason = "52 bits of microseconds last for 140 years")]
fn micros(microseconds: u64) -> f64 {
    microseconds as f64 / 1e6
}

/// Writes to the page.
pub(super) struct Page<'a>(pub(super) DescriptorEncoder<'a>);

impl Page<'_> {
    pub(super) fn version(&mut self) -> fmt::Result {
        let labels = vec![("version", env!("CARGO_PKG_VERSION"))];
        self.families("build_info", "The version", MetricType::Gauge, [(labels, 1)])
    }

    pub(super) fn counter(&mut self, name: &str, help: &str, value: u64) -> fmt::Result {
        let metric = self
            .0
            .encode_descriptor(name, help, None::<&Unit>, MetricType::Counter)?;
        ConstCounter::new(value).encode(metric)
    }

    pub(super) fn gauge(&mut self, name: &str, help: &str, value: u64) -> fmt::Result {
        let metric = self.0.encode_descriptor(name, help, None::<&Unit>, MetricType::Gauge)?;
        ConstGauge::new(value).encode(metric)
    }

    pub(super) fn seconds<'v>(
        &mut self,
        name: &str,
        help: &str,
        values: impl IntoIterator<Item = (Vec<(&'static str, &'v str)>, f64)>,
    ) -> fmt::Result {
        let mut family = self
            .0
            .encode_descriptor(name, help, Some(&Unit::Seconds), MetricType::Gauge)?;
        for (labels, value) in values {
            ConstGauge::new(value).encode(family.encode_family(&labels)?)?;
        }
        Ok(())
    }

    /// Histograms of seconds; an empty one has zeros.
    pub(super) fn histograms<'v>(
        &mut self,
        name: &str,
        help: &str,
        values: impl IntoIterator<Item = ((&'static str, &'v str), Option<&'v Histogram>)>,
    ) -> fmt::Result {
        let mut family = self
            .0
            .encode_descriptor(name, help, Some(&Unit::Seconds), MetricType::Histogram)?;
        let nothing = Histogram::default();
        for (label, histogram) in values {
            let histogram = histogram.unwrap_or(&nothing);
            let ends = BUCKETS.iter().map(|end| micros(*end)).chain([f64::INFINITY]);
            let buckets: Vec<(f64, u64)> = ends.zip(histogram.counts).collect();
            family.encode_family(&[label])?.encode_histogram::<NoLabelSet>(
                micros(histogram.sum),
                histogram.count(),
                &buckets,
                None,
            )?;
        }
        Ok(())
    }

    pub(super) fn counters<'v>(
        &mut self,
        name: &str,
        help: &str,
        label: &'static str,
        values: impl IntoIterator<Item = (&'v str, u64)>,
    ) -> fmt::Result {
        let values = values.into_iter().map(|(value, count)| (vec![(label, value)], count));
        self.families(name, help, MetricType::Counter, values)
    }

    pub(super) fn families<'v>(
        &mut self,
        name: &str,
        help: &str,
        kind: MetricType,
        values: impl IntoIterator<Item = (Vec<(&'static str, &'v str)>, u64)>,
    ) -> fmt::Result {
        let mut family = self.0.encode_descriptor(name, help, None::<&Unit>, kind)?;
        for (labels, value) in values {
            let metric = family.encode_family(&labels)?;
            match kind {
                MetricType::Counter => ConstCounter::new(value).encode(metric)?,
                _ => ConstGauge::new(value).encode(metric)?,
            }
        }
        Ok(())
    }
}
