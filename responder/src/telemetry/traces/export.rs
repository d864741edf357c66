//! Sends spans from a thread of its own, through a bounded queue, so that a slow receiver delays nothing. Spans without room
//! are dropped, and spans that can't be sent are lost; both are counted, and logged once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use opentelemetry::Context;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{BatchConfigBuilder, BatchSpanProcessor, Span, SpanData, SpanExporter, SpanProcessor};

/// Spans in the queue: those of some 400 responses, and about 4 MB of memory.
pub(super) const QUEUE: usize = 4096;
/// Spans in one batch.
const BATCH: usize = 512;
/// The longest wait of a span for a full batch.
const DELAY: Duration = Duration::from_secs(1);

/// The counts of spans, by result.
#[derive(Debug, Clone, Default)]
pub(crate) struct SpanCounts(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    waiting: AtomicUsize,
    exported: AtomicU64,
    dropped: AtomicU64,
    failed: AtomicU64,
}

impl SpanCounts {
    /// The count of each result.
    pub(crate) fn counts(&self) -> [(&'static str, u64); 3] {
        [
            ("exported", &self.0.exported),
            ("dropped", &self.0.dropped),
            ("failed", &self.0.failed),
        ]
        .map(|(result, count)| (result, count.load(Ordering::Relaxed)))
    }
}

/// Bounds the number of waiting spans, and counts those that are dropped.
#[derive(Debug)]
pub(super) struct BoundedQueue<P> {
    queue: P,
    counts: SpanCounts,
    is_full: AtomicBool,
}

impl BoundedQueue<BatchSpanProcessor> {
    pub(super) fn new<E: SpanExporter + 'static>(exporter: Reported<E>, counts: SpanCounts) -> Self {
        let config = BatchConfigBuilder::default()
            .with_max_queue_size(QUEUE)
            .with_max_export_batch_size(BATCH)
            .with_scheduled_delay(DELAY)
            .build();
        let queue = BatchSpanProcessor::builder(exporter).with_batch_config(config).build();
        Self {
            queue,
            counts,
            is_full: AtomicBool::new(false),
        }
    }
}

impl<P: SpanProcessor> SpanProcessor for BoundedQueue<P> {
    fn on_start(&self, span: &mut Span, context: &Context) {
        self.queue.on_start(span, context);
    }

    fn on_end(&self, span: SpanData) {
        if !span.span_context.is_sampled() {
            return;
        }
        let counts = &self.counts.0;
        let waiting = counts.waiting.fetch_add(1, Ordering::Relaxed);
        if waiting < QUEUE {
            // Only a half empty queue ends the shortage, so that one is logged once and not with each batch.
            if waiting < QUEUE / 2 {
                self.is_full.store(false, Ordering::Relaxed);
            }
            self.queue.on_end(span);
            return;
        }
        counts.waiting.fetch_sub(1, Ordering::Relaxed);
        counts.dropped.fetch_add(1, Ordering::Relaxed);
        if !self.is_full.swap(true, Ordering::Relaxed) {
            tracing::warn!("spans are dropped: {QUEUE} wait to be sent; decisions are not affected");
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.queue.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.queue.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.queue.set_resource(resource);
    }
}

/// Logs when spans can't be sent, and when they can again.
#[derive(Debug)]
pub(super) struct Reported<E> {
    exporter: E,
    counts: SpanCounts,
    is_failing: AtomicBool,
}

impl<E> Reported<E> {
    pub(super) const fn new(exporter: E, counts: SpanCounts) -> Self {
        Self {
            exporter,
            counts,
            is_failing: AtomicBool::new(false),
        }
    }
}

impl<E: SpanExporter> SpanExporter for Reported<E> {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let counts = &self.counts.0;
        let count = batch.len();
        counts.waiting.fetch_sub(count, Ordering::Relaxed);
        let answer = self.exporter.export(batch).await;
        let result = if answer.is_ok() {
            &counts.exported
        } else {
            &counts.failed
        };
        result.fetch_add(count as u64, Ordering::Relaxed);
        match &answer {
            Err(error) if !self.is_failing.swap(true, Ordering::Relaxed) => {
                tracing::warn!("spans can't be sent and are lost, decisions are not affected; trying again: {error}");
            }
            Ok(()) if self.is_failing.swap(false, Ordering::Relaxed) => {
                let lost = counts.failed.load(Ordering::Relaxed) + counts.dropped.load(Ordering::Relaxed);
                tracing::info!("spans are sent again; {lost} were lost since the start");
            }
            _ => {}
        }
        answer
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.exporter.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}

#[cfg(test)]
mod tests;
