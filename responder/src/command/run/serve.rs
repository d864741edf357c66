//! The wiring of intakes, engine, cluster and telemetry, from the start to the stop.

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use responder_cluster::AnyCluster;
use responder_core::playbook::Index;
use responder_core::rbac::highest_mode;
use responder_engine::{Engine, EngineConfig, MemoryLedger, Ports, QueueLimits, RuleSet};
use responder_intake::auth::Access;
use responder_intake::http::{HttpServer, ProbeServer};
use responder_intake::nats::{self, Nats};
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::identity::{actor, own_identity};
use super::pages::EnginePages;
use super::probe::probe;
use super::sink::{EngineSink, RunningEngine};
use crate::clock::WallClock;
use crate::config::Configuration;
use crate::notify::{FromCluster, LogNotifier};
use crate::rules::{Ceiling, LoadedRules};
use crate::telemetry::{CountedCluster, Process, Traces, audit_trail};

/// The parts of `run` beside the cluster.
pub(super) struct Parts {
    pub(super) configuration: Configuration,
    pub(super) rules: LoadedRules,
    pub(super) traces: Option<Traces>,
    pub(super) intake: HttpIntake,
    /// The socket of the pages for probes and metrics.
    pub(super) probes: TcpListener,
}

/// The socket of the HTTP intake, and its access rules.
pub(super) struct HttpIntake {
    pub(super) listener: TcpListener,
    pub(super) access: Arc<Access>,
}

/// For the HTTP requests in flight at the stop; an answer takes milliseconds.
const DRAIN: Duration = Duration::from_secs(2);

/// Serves until a signal, and then finishes the accepted alerts.
pub(super) async fn serve(parts: Parts, cluster: AnyCluster, place: &str) -> anyhow::Result<ExitCode> {
    let Parts {
        configuration,
        rules,
        traces,
        intake,
        probes,
    } = parts;
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let ceiling = rules.ceiling(configuration.mode);
    announce(place, &rules, ceiling);
    let process = Process::starting(rules.guard.cluster.as_ref(), traces.as_ref());
    let cluster = Arc::new(CountedCluster::new(cluster, Arc::clone(&process.read_errors)));
    let engine = engine(&configuration, rules, ceiling, Arc::clone(&cluster));

    let stop = CancellationToken::new();
    let reachable = Arc::new(AtomicBool::new(false));
    let probe = tokio::spawn(probe(cluster, Arc::clone(&reachable), stop.clone()));
    let sink = || EngineSink {
        engine: engine.clone(),
        traces: traces.clone(),
    };
    let http = &configuration.http;
    let nats = match configuration.nats.clone() {
        None => None,
        Some(config) => Some(nats::start(config, http.limits.alert, Arc::new(sink()), stop.clone()).await?),
    };
    let HttpIntake { listener, access } = intake;
    let scheme = if access.is_encrypted() { "https" } else { "http" };
    if !access.is_encrypted() && http.is_authenticated() && !http.listen.ip().is_loopback() {
        tracing::warn!("passwords and tokens arrive as plain text: http.tls encrypts them");
    }
    let server = HttpServer::new(sink(), http.limits.clone()).with_access(Arc::clone(&access));
    let pages = EnginePages {
        engine: engine.clone(),
        process,
        access,
        connections: server.connections(),
        reachable,
        nats: nats.as_ref().map(Nats::state),
        stop: stop.clone(),
    };
    tracing::info!("probes and metrics at http://{}", probes.local_addr()?);
    // Until the end of the process, so that a probe finds it alive while it finishes alerts.
    let probing = tokio::spawn(ProbeServer::new(pages).serve(probes, CancellationToken::new()));
    tracing::info!("listening on {scheme}://{}", listener.local_addr()?);
    let serving = tokio::spawn(server.serve(listener, stop.clone(), DRAIN));

    first_signal(&mut interrupt, &mut terminate).await;
    let deadline = configuration.shutdown_deadline;
    tracing::info!("stopping: accepted alerts are finished within {deadline}; a second signal ends at once");
    stop.cancel();
    let finish = async {
        let _ = serving.await;
        let finishing = match nats {
            None => None,
            Some(nats) => Some(nats.stopped_taking().await),
        };
        let handback = engine.shutdown(deadline.get()).await;
        // After the shutdown of the engine every alert is settled or handed back.
        if let Some(finishing) = finishing {
            finishing.finish().await;
        }
        handback
    };
    tokio::select! {
        handback = finish => {
            for alert in &handback.handed_back {
                tracing::warn!("handed back: {alert}");
            }
            tracing::info!("stopped: {} finished, {} handed back", handback.finished, handback.handed_back.len());
        }
        () = first_signal(&mut interrupt, &mut terminate) => {
            tracing::warn!("stopped at once, by a second signal");
            // The last spans are lost: an unreachable receiver would delay the end for seconds.
            return Ok(ExitCode::SUCCESS);
        }
    }
    probe.abort();
    probing.abort();
    if let Some(traces) = traces {
        traces.end().await;
    }
    Ok(ExitCode::SUCCESS)
}

fn engine(
    configuration: &Configuration,
    rules: LoadedRules,
    ceiling: Ceiling,
    cluster: Arc<CountedCluster>,
) -> RunningEngine {
    let own = own_identity();
    let config = EngineConfig {
        process_mode: ceiling.mode,
        actor: actor(&own),
        own,
        queue: QueueLimits {
            concurrency: usize::from(configuration.max_in_flight),
            ..QueueLimits::default()
        },
        ..EngineConfig::default()
    };
    let notifier = FromCluster {
        notifier: LogNotifier,
        cluster: rules.guard.cluster.as_ref().map(|cluster| cluster.name.clone()),
    };
    let set = RuleSet {
        index: Index::new(rules.playbooks),
        guard: rules.guard,
    };
    let ports = Ports {
        cluster,
        ledger: Arc::new(MemoryLedger::default()),
        notifier: Arc::new(notifier),
        audit: audit_trail(configuration.log.format),
        clock: Arc::new(WallClock),
    };
    Engine::start(config, Arc::new(set), ports)
}

/// Logs the highest mode of each playbook before the first alert.
fn announce(place: &str, rules: &LoadedRules, ceiling: Ceiling) {
    tracing::info!("cluster: {place}");
    tracing::info!("ceiling: {} ({})", ceiling.mode, ceiling.because);
    for playbook in &rules.playbooks {
        let mode = highest_mode(playbook, &rules.guard, ceiling.mode);
        tracing::info!(
            "playbook {} ({}): {}, here at most {mode}",
            playbook.name,
            playbook.hash,
            playbook.mode
        );
    }
}

async fn first_signal(interrupt: &mut Signal, terminate: &mut Signal) {
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}
