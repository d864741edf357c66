//! Spans that began before their creation: an alert is traced only when a playbook has matched it, after it was read and
//! decoded.

use std::time::{Duration, SystemTime};

use opentelemetry::trace::{SpanBuilder, Tracer};
use opentelemetry::{Context, Value};
use opentelemetry_sdk::trace::{SdkTracer, Span};

/// The field with the start time of a span, in nanoseconds since 1970. It does not become an attribute.
pub(super) const BEGUN: &str = "responder.begun";

/// A tracer that takes the start time of a span from [`BEGUN`].
#[derive(Debug, Clone)]
pub(crate) struct Backdated(pub(super) SdkTracer);

impl Tracer for Backdated {
    type Span = Span;

    fn build_with_context(&self, mut builder: SpanBuilder, parent: &Context) -> Span {
        if let Some(attributes) = &mut builder.attributes
            && let Some(place) = attributes.iter().position(|attribute| attribute.key.as_str() == BEGUN)
            && let Value::I64(nanoseconds) = attributes.swap_remove(place).value
            && let Ok(nanoseconds) = u64::try_from(nanoseconds)
        {
            builder.start_time = SystemTime::UNIX_EPOCH.checked_add(Duration::from_nanos(nanoseconds));
        }
        self.0.build_with_context(builder, parent)
    }
}
