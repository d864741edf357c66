//! The spans of a trace, one for each step of a response. Who wants traces gives a span to
//! [`Engine::submit_from`](crate::Engine::submit_from), and everything that is done for that alert becomes a part of it.
//!
//! An alert without a trace costs no span: each of these looks at its parent first, and where nobody listens to
//! [`SPANS`], `tracing` knows so at each place by one load.

use responder_core::playbook::Playbook;
use responder_core::request::Armed;
use tracing::{Span, field::Empty, info_span};

use crate::about::About;
use crate::latency::PipelineStage;
use crate::outcome::{Response, ResponseOutcome};

/// The target of every span, and of nothing else: so a subscriber tells them from those of libraries.
pub const SPANS: &str = "responder::spans";

/// What one playbook does about an alert: the parent of all that follows.
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

/// A step of the response at hand.
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

/// The end of the response at hand: who is told what.
pub(crate) fn settle() -> Span {
    let response = Span::current();
    if response.is_disabled() {
        return Span::none();
    }
    info_span!(target: SPANS, parent: &response, "settle")
}

/// One request, sent once.
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

/// The end of a quarantine's time: a trace of its own, days after the one that began it, and perhaps of another process.
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

/// What was decided, on the span of the response at hand.
pub(crate) fn decided(about: &About, refusal: Option<&'static str>) {
    let response = Span::current();
    if response.is_disabled() {
        return;
    }
    if let Some(target) = &about.target {
        response.record("responder.target", target);
    }
    if let Some(mode) = about.mode {
        response.record("responder.mode", mode.as_str());
    }
    if let Some(incident) = &about.incident {
        response.record("responder.incident", incident);
    }
    if let Some(reason) = refusal {
        response.record("responder.outcome", "Refused");
        response.record("responder.reason", reason);
    }
}

/// What became of it, on the span of the response at hand.
pub(crate) fn settled(response: &Response) {
    let span = Span::current();
    span.record("responder.outcome", response.outcome.as_str());
    if matches!(
        response.outcome,
        ResponseOutcome::Failed { .. } | ResponseOutcome::PartlyDone { .. }
    ) {
        span.record("otel.status_code", "ERROR");
    }
}
