//! Spans without room, and spans that no receiver takes.

use std::sync::Mutex;

use opentelemetry::trace::{Tracer as _, TracerProvider as _};
use opentelemetry_sdk::error::OTelSdkError;
use opentelemetry_sdk::trace::SdkTracerProvider;

use super::*;

/// A queue that is never emptied.
#[derive(Debug, Clone, Default)]
struct Kept(Arc<Mutex<Vec<SpanData>>>);

impl SpanProcessor for Kept {
    fn on_start(&self, _: &mut Span, _: &Context) {}

    fn on_end(&self, span: SpanData) {
        self.0.lock().unwrap().push(span);
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        Ok(())
    }
}

/// A receiver that can be down.
#[derive(Debug)]
struct Receiver {
    is_up: Arc<AtomicBool>,
}

impl SpanExporter for Receiver {
    async fn export(&self, _: Vec<SpanData>) -> OTelSdkResult {
        if self.is_up.load(Ordering::Relaxed) {
            Ok(())
        } else {
            Err(OTelSdkError::InternalFailure("away".to_owned()))
        }
    }
}

#[tokio::test]
async fn every_span_is_exported_or_dropped_or_failed() {
    let counts = SpanCounts::default();
    let kept = Kept::default();
    let queue = BoundedQueue {
        queue: kept.clone(),
        counts: counts.clone(),
        is_full: AtomicBool::new(false),
    };
    let provider = SdkTracerProvider::builder().with_span_processor(queue).build();
    let tracer = provider.tracer("test");
    for _ in 0..QUEUE + 7 {
        drop(tracer.start("span"));
    }
    assert_eq!(counts.counts(), [("exported", 0), ("dropped", 7), ("failed", 0)]);

    let is_up = Arc::new(AtomicBool::new(false));
    let receiver = Receiver {
        is_up: Arc::clone(&is_up),
    };
    let exporter = Reported::new(receiver, counts.clone());
    let batch = |size| kept.0.lock().unwrap().drain(..size).collect();
    assert!(exporter.export(batch(500)).await.is_err());
    is_up.store(true, Ordering::Relaxed);
    exporter.export(batch(QUEUE - 500)).await.unwrap();
    let sent = (QUEUE - 500) as u64;
    assert_eq!(counts.counts(), [("exported", sent), ("dropped", 7), ("failed", 500)]);

    // There is room again.
    drop(tracer.start("span"));
    assert_eq!(kept.0.lock().unwrap().len(), 1);
}
