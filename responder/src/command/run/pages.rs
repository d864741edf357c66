//! The pages for probes and metrics, from the running parts.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use responder_intake::auth::Access;
use responder_intake::http::{Connections, Pages};
use responder_intake::nats::NatsState;
use tokio_util::sync::CancellationToken;

use super::sink::RunningEngine;
use crate::telemetry::{Exposed, Process, render_metrics};

/// The parts that the pages show.
pub(super) struct EnginePages {
    pub(super) engine: RunningEngine,
    pub(super) process: Process,
    pub(super) access: Arc<Access>,
    pub(super) connections: Arc<Connections>,
    pub(super) reachable: Arc<AtomicBool>,
    pub(super) nats: Option<Arc<NatsState>>,
    pub(super) stop: CancellationToken,
}

impl Pages for EnginePages {
    fn ready(&self) -> Result<(), String> {
        if self.stop.is_cancelled() {
            return Err("stopping".to_owned());
        }
        if !self.reachable.load(Ordering::Relaxed) {
            return Err("the cluster does not answer".to_owned());
        }
        self.nats.as_ref().map_or(Ok(()), |nats| nats.ready())
    }

    fn metrics(&self) -> String {
        let reloads = self.access.reloads().into_iter();
        render_metrics(Exposed {
            accounts: self.engine.accounts(),
            connections: self.connections.counts(),
            nats: self.nats.as_ref().map(|nats| nats.snapshot()),
            reloads: reloads.filter_map(|(files, reloads)| Some((files, reloads?))).collect(),
            process: &self.process,
        })
    }
}
