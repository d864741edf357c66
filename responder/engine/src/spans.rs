//! The spans of a trace, one for each step of a response. A sink: events are recorded on them. A caller that wants traces
//! gives a span to [`Engine::submit_from`](crate::Engine::submit_from), and every step for that alert becomes a part of
//! it.
//!
//! An alert without a trace costs no span: each constructor looks at its parent first, and where no subscriber takes
//! [`SPANS`], `tracing` knows so at each place by one load.

use responder_core::decide::Outcome;
use responder_core::playbook::Playbook;
use responder_core::request::Armed;
use tracing::{Span, field::Empty, info_span};

use crate::about::About;
use crate::event::Event;
use crate::latency::PipelineStage;

/// The target of every span, and of nothing else: a subscriber tells them from the spans of libraries by it.
pub const SPANS: &str = "responder::spans";

/// The span of one playbook's answer to an alert: the parent of its steps.
pub(crate) fn response(alert: &Span, playbook: &Playbook) -> Span {
    if alert.is_disabled() {
        return Span::none();
    }
    info_span!(
        target: SPANS,
        parent: alert,
        "respond",
        responder.playbook = playbook.name.as_str(),
        responder.playbook.hash = %playbook.hash,
        responder.incident = Empty,
        responder.target = Empty,
        responder.mode = Empty,
        responder.outcome = Empty,
        responder.reason = Empty,
        otel.status_code = Empty,
    )
}

/// The span of a step of the response at hand.
pub(crate) fn step(stage: PipelineStage) -> Span {
    let response = Span::current();
    if response.is_disabled() {
        return Span::none();
    }
    match stage {
        PipelineStage::Snapshot => info_span!(target: SPANS, parent: &response, "snapshot"),
        PipelineStage::Decide => info_span!(target: SPANS, parent: &response, "decide"),
        PipelineStage::Act => info_span!(target: SPANS, parent: &response, "act"),
        PipelineStage::Verify => info_span!(target: SPANS, parent: &response, "verify", responder.outcome = Empty),
    }
}

/// The span of one request, sent once.
pub(crate) fn request(armed: Armed<'_>, attempt: u32) -> Span {
    let step = Span::current();
    if step.is_disabled() {
        return Span::none();
    }
    info_span!(
        target: SPANS,
        parent: &step,
        "request",
        otel.kind = "client",
        responder.verb = armed.request().verb().as_str(),
        responder.object = %armed.request().at(),
        responder.dry_run = armed.is_dry_run(),
        responder.try = attempt,
        responder.outcome = Empty,
        otel.status_code = Empty,
    )
}

/// The span of a quarantine's end: a trace of its own, perhaps days after the one that began it, and of another process.
pub(crate) fn expiry(about: &About) -> Span {
    info_span!(
        target: SPANS,
        parent: None,
        "expiry",
        responder.incident = about.incident,
        responder.playbook = about.playbook,
        responder.target = about.target,
        responder.outcome = Empty,
    )
}

/// Records an event on the current span, which is that of its step.
pub(crate) fn record(event: &Event<'_>) {
    let span = Span::current();
    if span.is_disabled() {
        return;
    }
    match event {
        Event::Decided { about, decision, .. } => {
            if let Some(target) = &about.target {
                span.record("responder.target", target);
            }
            if let Some(mode) = about.mode {
                span.record("responder.mode", mode.as_str());
            }
            if let Some(incident) = &about.incident {
                span.record("responder.incident", incident);
            }
            if let Outcome::Refuse(refusal) = &decision.outcome {
                span.record("responder.outcome", "Refused");
                span.record("responder.reason", refusal.reason.as_str());
            }
        }
        Event::Requested { request, .. } => ended(&span, request.answer, request.has_failed()),
        Event::Settled { response, .. } => {
            ended(&span, response.outcome.as_str(), response.outcome.is_failure());
        }
        Event::Verified { verification, .. } => ended(&span, verification.verdict.as_str(), false),
        // The span of a quarantine's end has its outcome even where it is not told again.
        Event::Expired { .. } | Event::HandedBack { .. } | Event::LedgerFills { .. } | Event::Panicked { .. } => {}
    }
}

/// Records how the step of a span ended.
pub(crate) fn ended(span: &Span, outcome: &'static str, is_error: bool) {
    span.record("responder.outcome", outcome);
    if is_error {
        span.record("otel.status_code", "ERROR");
    }
}

/// The span in which the other sinks are told that a plan has run.
pub(crate) fn settling(event: &Event<'_>) -> Span {
    let response = Span::current();
    if response.is_disabled() || !matches!(event, Event::Settled { .. }) {
        return Span::none();
    }
    info_span!(target: SPANS, parent: &response, "settle")
}
