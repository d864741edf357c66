//! From intake to the engine, and what became of it back.

use responder_core::alert::{Alert, AlertId};
use responder_core::port::Cluster;
use responder_engine::{AlertOutcome, Engine, MemoryLedger, ShedCause, Submission};
use responder_intake::{Arrival, Settled, Settling, SettlingSink, Sink, Taken};
use tracing::Span;

use crate::telemetry::{Counted, Traces};

/// The engine that `run` drives.
pub(super) type RunningEngine<C> = Engine<Counted<C>, MemoryLedger>;

/// The engine as intake knows it.
pub(super) struct EngineSink<C> {
    pub(super) engine: RunningEngine<C>,
    pub(super) traces: Option<Traces>,
}

impl<C> EngineSink<C> {
    /// The root of an alert's trace, where somebody wants one.
    fn root(&self, alert: &Alert, id: AlertId, arrival: &Arrival<'_>) -> Span {
        self.traces
            .as_ref()
            .map_or_else(Span::none, |traces| traces.begin(alert, id, arrival))
    }
}

impl<C: Cluster> Sink for EngineSink<C> {
    fn submit(&self, alert: Alert, arrival: Arrival<'_>) -> Taken {
        let root = |alert: &Alert, id| self.root(alert, id, &arrival);
        taken(self.engine.submit_from(alert, arrival.sender, root))
    }

    fn is_traced(&self) -> bool {
        self.traces.is_some()
    }

    fn rejected(&self, kind: &'static str) {
        self.engine.accounting().rejected(kind);
    }
}

impl<C: Cluster> SettlingSink for EngineSink<C> {
    fn submit_and_follow(&self, alert: Alert, arrival: Arrival<'_>) -> (Taken, Option<Settling>) {
        let root = |alert: &Alert, id| self.root(alert, id, &arrival);
        let (submission, settlement) = self.engine.submit_and_follow(alert, arrival.sender, root);
        let settling = settlement.map(|settlement| -> Settling {
            Box::pin(async {
                match settlement.settled().await {
                    AlertOutcome::Decided => Settled::Decided,
                    AlertOutcome::SendAgain(reason) => Settled::SendAgain(reason),
                    AlertOutcome::HandedBack => Settled::HandedBack,
                }
            })
        });
        (taken(submission), settling)
    }
}

fn taken(submission: Submission) -> Taken {
    match submission {
        Submission::Unmatched => Taken::Unmatched,
        Submission::Duplicate { .. } => Taken::Duplicate,
        Submission::Shed {
            cause: ShedCause::Stopping,
            ..
        } => Taken::Stopping,
        Submission::Shed { .. } => Taken::Shed,
        Submission::Accepted { id, playbooks } => Taken::Accepted { alert: id, playbooks },
    }
}
