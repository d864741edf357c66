//! Traces of the alerts that match a playbook, from their arrival to the verification, sent to an OTLP receiver.
//!
//! The steps are spans of `tracing` with the target [`SPANS`]. No log line and no span of a library becomes part of a trace.
//! Without a receiver no such span is ever made.

mod backdated;
mod export;

use std::time::{Duration, Instant, SystemTime};

use anyhow::Context as _;
use opentelemetry::propagation::{Extractor, TextMapPropagator as _};
use opentelemetry::trace::{Span as _, TraceContextExt as _, Tracer as _, TracerProvider as _};
use opentelemetry::{Context, KeyValue};
use opentelemetry_otlp::tonic_types::transport::{Certificate, ClientTlsConfig};
use opentelemetry_otlp::{SpanExporter, WithExportConfig as _, WithTonicConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{Sampler, SdkTracer, SdkTracerProvider, TracerProviderBuilder};
use responder_core::alert::{Alert, AlertId};
use responder_core::decide::OwnIdentity;
use responder_core::guard::ClusterIdentity;
use responder_core::port::Clock as _;
use responder_engine::spans::SPANS;
use responder_intake::{Arrival, Headers};
use tracing::{Span, Subscriber};
use tracing_opentelemetry::{OpenTelemetryLayer, OpenTelemetrySpanExt as _};
use tracing_subscriber::registry::LookupSpan;

use self::backdated::{BEGUN, Backdated};
pub(crate) use self::export::SpanCounts;
use self::export::{BoundedQueue, Reported};
use crate::clock::WallClock;
use crate::config::Telemetry;

/// For one batch, retries included: a collector in the cluster answers within it, or is down.
const EXPORT_TIMEOUT: Duration = Duration::from_secs(5);

/// For the last spans at the stop.
const LAST_EXPORT: Duration = Duration::from_secs(3);

/// Bytes of an alert's text in a span.
const LONGEST_TEXT: usize = 128;

/// Creates traces and sends them.
#[derive(Debug, Clone)]
pub(crate) struct Traces {
    provider: SdkTracerProvider,
    tracer: SdkTracer,
    propagator: TraceContextPropagator,
    counts: SpanCounts,
}

impl Traces {
    /// `None` without a receiver. Called inside the runtime, which drives the connection. The first spans open it, and after
    /// a failure the next ones open it again.
    pub(crate) fn new(
        settings: &Telemetry,
        own: &OwnIdentity,
        cluster: Option<&ClusterIdentity>,
    ) -> anyhow::Result<Option<Self>> {
        let Some(endpoint) = settings.endpoint.as_deref() else {
            return Ok(None);
        };
        let mut exporter = SpanExporter::builder()
            .with_tonic()
            .with_endpoint(endpoint)
            .with_timeout(EXPORT_TIMEOUT);
        // Without settings it trusts no authority (opentelemetry-otlp 0.33, `ClientTlsConfig::new`).
        if endpoint.starts_with("https://") {
            exporter = exporter.with_tls_config(trusted(settings)?);
        }
        let exporter = exporter
            .build()
            .context("traces can't be sent to --otlp-endpoint (or OTEL_EXPORTER_OTLP_ENDPOINT): correct it")?;
        let counts = SpanCounts::default();
        let queue = BoundedQueue::new(Reported::new(exporter, counts.clone()), counts.clone());
        let builder = SdkTracerProvider::builder()
            .with_span_processor(queue)
            .with_resource(resource(own, cluster));
        Ok(Some(Self::of(builder, settings.sample, counts)))
    }

    fn of(builder: TracerProviderBuilder, sample: f64, counts: SpanCounts) -> Self {
        let sampler = Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(sample)));
        let provider = builder.with_sampler(sampler).build();
        Self {
            tracer: provider.tracer("responder"),
            provider,
            propagator: TraceContextPropagator::new(),
            counts,
        }
    }

    /// The counts of spans, by result.
    pub(crate) const fn counts(&self) -> &SpanCounts {
        &self.counts
    }

    /// The layer that turns spans into those of OpenTelemetry.
    pub(super) fn layer<S>(&self) -> OpenTelemetryLayer<S, Backdated>
    where
        S: Subscriber + for<'span> LookupSpan<'span>,
    {
        tracing_opentelemetry::layer()
            .with_tracer(Backdated(self.tracer.clone()))
            .with_location(false)
            .with_threads(false)
            .with_target(false)
            .with_tracked_inactivity(false)
    }

    /// Begins the trace of an accepted alert, inside the trace in its headers if there is one. Its first spans are the steps
    /// that are over by now.
    pub(crate) fn begin(&self, alert: &Alert, id: AlertId, arrival: &Arrival<'_>) -> Span {
        let wall = Wall::now();
        let matched = wall.monotonic;
        let begun = arrival.begun.unwrap_or(matched);
        let decoded = arrival.decoded.unwrap_or(matched);
        let root = tracing::info_span!(
            target: SPANS,
            parent: None,
            "alert",
            otel.kind = "server",
            responder.alert.id = %id,
            responder.rule = cut(alert.rule().as_str()),
            { BEGUN } = wall.nanoseconds(begun),
        );
        let parent = self
            .propagator
            .extract_with_context(&Context::new(), &Carrier(arrival.headers));
        if parent.span().span_context().is_valid() {
            // A new span takes a parent, so this does not fail.
            let _ = root.set_parent(parent);
        }
        let context = root.context();
        for (name, from, to) in [("intake", begun, decoded), ("match", decoded, matched)] {
            let mut span = self
                .tracer
                .span_builder(name)
                .with_start_time(wall.at(from))
                .start_with_context(&self.tracer, &context);
            span.end_with_timestamp(wall.at(to));
        }
        root
    }

    /// Sends the last spans within seconds; those that can't be sent are lost.
    pub(crate) async fn end(self) {
        let last = tokio::task::spawn_blocking(move || self.provider.shutdown_with_timeout(LAST_EXPORT));
        if let Ok(Err(error)) = last.await {
            tracing::warn!("the last spans could not be sent: {error}");
        }
    }
}

/// Trust in the authorities of the file, or in the system's.
fn trusted(settings: &Telemetry) -> anyhow::Result<ClientTlsConfig> {
    let tls = ClientTlsConfig::new();
    let Some(path) = &settings.ca_file else {
        return Ok(tls.with_enabled_roots());
    };
    let authorities = std::fs::read(path).with_context(|| {
        format!(
            "cannot read the authorities of the OTLP receiver from {}",
            path.display()
        )
    })?;
    Ok(tls.ca_certificate(Certificate::from_pem(authorities)))
}

fn resource(own: &OwnIdentity, cluster: Option<&ClusterIdentity>) -> Resource {
    // The builder reads OTEL_RESOURCE_ATTRIBUTES and OTEL_SERVICE_NAME.
    let mut resource = Resource::builder();
    if std::env::var_os("OTEL_SERVICE_NAME").is_none_or(|name| name.is_empty()) {
        resource = resource.with_service_name("responder");
    }
    let known = [
        ("service.version", Some(env!("CARGO_PKG_VERSION").to_owned())),
        ("k8s.namespace.name", own.namespace.as_ref().map(ToString::to_string)),
        ("k8s.pod.name", own.pod.as_ref().map(ToString::to_string)),
        ("k8s.cluster.name", cluster.map(|cluster| cluster.name.clone())),
    ];
    let known = known
        .into_iter()
        .filter_map(|(key, value)| Some(KeyValue::new(key, value?)));
    resource.with_attributes(known).build()
}

/// One moment on both clocks: spans have wall time, and durations are measured by the monotonic clock.
struct Wall {
    monotonic: Instant,
    wall: SystemTime,
}

impl Wall {
    fn now() -> Self {
        Self {
            monotonic: Instant::now(),
            wall: WallClock.now().into(),
        }
    }

    fn at(&self, moment: Instant) -> SystemTime {
        let ago = self.monotonic.saturating_duration_since(moment);
        self.wall.checked_sub(ago).unwrap_or(self.wall)
    }

    fn nanoseconds(&self, moment: Instant) -> i64 {
        let since = self
            .at(moment)
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default();
        i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
    }
}

/// The headers, for the propagator.
struct Carrier<'a>(&'a dyn Headers);

impl Extractor for Carrier<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.header(key)
    }

    // Only the propagator of baggage calls this, and baggage of senders is not taken.
    fn keys(&self) -> Vec<&str> {
        Vec::new()
    }
}

fn cut(text: &str) -> &str {
    &text[..text.floor_char_boundary(LONGEST_TEXT)]
}

#[cfg(test)]
mod tests;
