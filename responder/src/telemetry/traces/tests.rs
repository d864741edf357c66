//! The beginning of a trace.

use std::sync::{Arc, Mutex};

use http::HeaderMap;
use opentelemetry::trace::SpanId;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::SpanData;
use responder_core::alert::{Bounds, Sender};
use rstest::rstest;
use tracing_subscriber::layer::SubscriberExt as _;

use super::*;

#[derive(Debug, Clone, Default)]
struct Kept(Arc<Mutex<Vec<SpanData>>>);

impl opentelemetry_sdk::trace::SpanExporter for Kept {
    async fn export(&self, mut batch: Vec<SpanData>) -> OTelSdkResult {
        self.0.lock().unwrap().append(&mut batch);
        Ok(())
    }
}

/// The exported spans of an alert with this `traceparent`, sampled at this ratio.
fn exported(traceparent: Option<&str>, sample: f64) -> Vec<SpanData> {
    let rule = "é".repeat(200);
    let text = format!(
        r#"{{"rule":"{rule}","priority":"Notice","time":"2026-11-24T12:00:00Z","output":"","output_fields":{{}}}}"#
    );
    let alert = Alert::decode(text.as_bytes(), &Bounds::default()).unwrap();
    let kept = Kept::default();
    let builder = SdkTracerProvider::builder().with_simple_exporter(kept.clone());
    let traces = Traces::of(builder, sample, SpanCounts::default());
    let mut headers = HeaderMap::new();
    if let Some(traceparent) = traceparent {
        headers.insert("traceparent", traceparent.parse().unwrap());
    }
    let decoded = Instant::now();
    let begun = decoded.checked_sub(Duration::from_millis(3)).unwrap();
    let arrival = Arrival {
        sender: &Sender::Anonymous,
        headers: &headers,
        begun: Some(begun),
        decoded: Some(decoded),
    };
    let subscriber = tracing_subscriber::registry().with(traces.layer());
    tracing::subscriber::with_default(subscriber, || drop(traces.begin(&alert, alert.id(), &arrival)));
    std::mem::take(&mut *kept.0.lock().unwrap())
}

#[test]
fn a_trace_continues_that_of_its_sender_and_begins_with_the_reading() {
    let spans = exported(Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"), 0.0);
    let [intake, matched, alert] = &spans[..] else {
        panic!("{spans:#?}")
    };
    let names = [intake, matched, alert].map(|span| span.name.as_ref());
    assert_eq!(names, ["intake", "match", "alert"]);
    for span in &spans {
        assert_eq!(
            span.span_context.trace_id().to_string(),
            "0af7651916cd43dd8448eb211c80319c"
        );
    }
    assert_eq!(alert.parent_span_id.to_string(), "b7ad6b7169203331");
    assert_eq!(intake.parent_span_id, alert.span_context.span_id());
    assert_eq!(
        (intake.start_time, intake.end_time),
        (alert.start_time, matched.start_time)
    );
    assert_eq!(
        intake.end_time.duration_since(intake.start_time).unwrap(),
        Duration::from_millis(3)
    );

    let attributes: Vec<&str> = alert
        .attributes
        .iter()
        .map(|attribute| attribute.key.as_str())
        .collect();
    assert_eq!(attributes, ["responder.alert.id", "responder.rule"]);
    assert_eq!(alert.attributes[1].value.as_str().len(), LONGEST_TEXT);
}

#[rstest]
// Without a context: the ratio decides.
#[case(None, 1.0, 3)]
#[case(None, 0.0, 0)]
// The sender does not sample it.
#[case(Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"), 1.0, 0)]
// An invalid context: a new trace.
#[case(Some("00-00000000000000000000000000000000-b7ad6b7169203331-01"), 1.0, 3)]
#[case(Some("'; DROP TABLE traces"), 1.0, 3)]
fn the_sender_decides_about_sampling_and_else_the_ratio(
    #[case] traceparent: Option<&str>,
    #[case] sample: f64,
    #[case] count: usize,
) {
    let spans = exported(traceparent, sample);
    assert_eq!(spans.len(), count);
    let roots = spans.iter().filter(|span| span.parent_span_id == SpanId::INVALID);
    assert_eq!(roots.count(), count.min(1));
}
