//! Hands alerts from the intake to the engine, and the engine's receipts back.

use responder_core::alert::{Alert, AlertId};
use responder_engine::{Engine, MemoryLedger, ShedCause, Submission};
use responder_intake::{Arrival, Receipt, Settling, SettlingSink, Sink};
use tracing::Span;

use crate::telemetry::{CountedCluster, Traces};

/// The engine that `run` drives.
pub(super) type RunningEngine = Engine<CountedCluster, MemoryLedger>;

/// The engine as the sink of the intake.
pub(super) struct EngineSink {
    pub(super) engine: RunningEngine,
    pub(super) traces: Option<Traces>,
}

impl EngineSink {
    /// The root span of an alert's trace; none while traces are off.
    fn root(&self, alert: &Alert, id: AlertId, arrival: &Arrival<'_>) -> Span {
        self.traces
            .as_ref()
            .map_or_else(Span::none, |traces| traces.begin(alert, id, arrival))
    }
}

impl Sink for EngineSink {
    fn submit(&self, alert: Alert, arrival: Arrival<'_>) -> Receipt {
        let root = |alert: &Alert, id| self.root(alert, id, &arrival);
        receipt(self.engine.submit_from(alert, arrival.sender, root))
    }

    fn is_traced(&self) -> bool {
        self.traces.is_some()
    }

    fn rejected(&self, kind: &'static str) {
        self.engine.accounting().rejected(kind);
    }
}

impl SettlingSink for EngineSink {
    fn submit_and_follow(&self, alert: Alert, arrival: Arrival<'_>) -> (Receipt, Option<Settling>) {
        let root = |alert: &Alert, id| self.root(alert, id, &arrival);
        let (submission, settlement) = self.engine.submit_and_follow(alert, arrival.sender, root);
        let settling = settlement.map(|settlement| -> Settling { Box::pin(settlement.settled()) });
        (receipt(submission), settling)
    }
}

fn receipt(submission: Submission) -> Receipt {
    match submission {
        Submission::Unmatched => Receipt::Unmatched,
        Submission::Duplicate { .. } => Receipt::Duplicate,
        Submission::Shed {
            cause: ShedCause::Stopping,
            ..
        } => Receipt::Stopping,
        Submission::Shed { .. } => Receipt::Shed,
        Submission::Accepted { id, playbooks } => Receipt::Accepted { alert: id, playbooks },
    }
}
