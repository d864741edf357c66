//! `run`: takes alerts over HTTP and NATS and answers them, until it is told to stop.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use jiff::Timestamp;
use responder_cluster::{ConnectOptions, KubeCluster, SimulatedCluster};
use responder_core::alert::Alert;
use responder_core::decide::OwnIdentity;
use responder_core::mode::Mode;
use responder_core::object::{Name, Namespace};
use responder_core::playbook::Index;
use responder_core::port::{ClusterReader, ClusterWriter};
use responder_core::span::Span;
use responder_engine::{
    AuditRecord, AuditTrail, Engine, EngineConfig, LaneLimits, MemoryLedger, Ports, RuleSet, Submission, TracingAudit,
};
use responder_intake::http::{Limits, Pages, Server};
use responder_intake::nats::{self, Nats, NatsConfig, NatsState};
use responder_intake::{Settled, Settling, SettlingSink, Sink, Taken};
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::cli::{ClusterArgs, LogFormat, PlaybookArgs};
use crate::clock::WallClock;
use crate::nats::NatsArgs;
use crate::notify::LogNotifier;
use crate::report;
use crate::rules::Rules;
use crate::telemetry::render_metrics;

/// What to answer by, where, and how far.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct RunArgs {
    #[command(flatten)]
    playbooks: PlaybookArgs,
    #[command(flatten)]
    cluster: ClusterArgs,
    /// The most that is done: Observe, Rehearse or Enforce. By default Enforce with a guard, and Observe without
    #[arg(long, value_name = "MODE", env = "RESPONDER_MODE", hide_env = true)]
    mode: Option<Mode>,
    /// Where alerts are taken
    #[arg(
        long,
        value_name = "ADDRESS",
        default_value = "127.0.0.1:2803",
        env = "RESPONDER_LISTEN",
        hide_env = true
    )]
    listen: SocketAddr,
    /// Listens beyond loopback although nobody who sends has to prove who he is
    #[arg(long)]
    insecure_no_auth: bool,
    /// Responses at work at once
    ///
    /// Past eight at a time only the queue inside the API server grows, not the rate.
    #[arg(long, value_name = "COUNT", default_value_t = 8, value_parser = clap::value_parser!(u16).range(2..=256))]
    max_in_flight: u16,
    /// How long accepted alerts may still be finished when it is told to stop
    #[arg(long, value_name = "DURATION", default_value = "20s")]
    shutdown_deadline: Span,
    // Last: what follows would stand under its heading.
    #[command(flatten)]
    nats: NatsArgs,
}

const EXAMPLES: &str = "\
Examples:
  responder run --simulate playbooks/demo/cluster --playbooks playbooks/demo/playbooks --guard playbooks/demo/guard.yaml
  responder run --playbooks playbooks/terminal-shell/playbook.yaml
  responder run --playbooks mine --guard guard.yaml --mode Rehearse --kubeconfig ~/.kube/staging
  responder run --playbooks mine --nats-url nats://127.0.0.1:4222 --nats-stream falco

The first signal (Ctrl-C, TERM) finishes what was accepted, or names what is handed back; the second ends at once.

Exit codes:
  0  told to stop, and stopped
  1  it could not be done: the address is in use, there is no cluster to connect to
  2  errors in the playbooks, the guard or the settings for NATS, or an unknown option";

pub(crate) async fn run(args: &RunArgs, format: LogFormat) -> anyhow::Result<ExitCode> {
    let Ok(rules) = Rules::load(&args.playbooks, Timestamp::now())? else {
        return Ok(ExitCode::from(2));
    };
    if !args.listen.ip().is_loopback() && !args.insecure_no_auth {
        anyhow::bail!(
            "{} can be reached by others, and this version can't ask a sender who he is: listen on 127.0.0.1, or say \
             --insecure-no-auth where something else keeps others out",
            args.listen
        );
    }
    let nats = match args.nats.config() {
        Ok(nats) => nats,
        Err(error) => {
            report::print_message(&format!("error: {error:#}\n"))?;
            return Ok(ExitCode::from(2));
        }
    };
    // Before the cluster is asked for anything: an address in use is told at once.
    let listener = TcpListener::bind(args.listen)
        .await
        .with_context(|| format!("can't listen on {}: choose another address with --listen", args.listen))?;
    if let Some(directory) = &args.cluster.simulate {
        let cluster = SimulatedCluster::from_dir(directory)?.with_clock(Arc::new(WallClock));
        let place = format!("simulated from {}", directory.display());
        serve(args, format, rules, cluster, &place, Intakes { listener, nats }).await
    } else {
        let ClusterArgs {
            kubeconfig, context, ..
        } = &args.cluster;
        let options = ConnectOptions {
            kubeconfig: kubeconfig.clone(),
            context: context.clone(),
        };
        let cluster = KubeCluster::connect(&options).await?;
        serve(
            args,
            format,
            rules,
            cluster,
            "the API server",
            Intakes { listener, nats },
        )
        .await
    }
}

/// Where alerts come in.
struct Intakes {
    listener: TcpListener,
    nats: Option<NatsConfig>,
}

type RunningEngine<C> = Engine<C, MemoryLedger, LogNotifier, WallClock>;

async fn serve<C>(
    args: &RunArgs,
    format: LogFormat,
    rules: Rules,
    cluster: C,
    place: &str,
    intakes: Intakes,
) -> anyhow::Result<ExitCode>
where
    C: ClusterReader + ClusterWriter,
{
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let ceiling = rules.ceiling(args.mode);
    tracing::info!("cluster: {place}");
    tracing::info!("ceiling: {} ({})", ceiling.mode, ceiling.because);
    for playbook in &rules.playbooks {
        let mode = playbook.mode.min(ceiling.mode).min(rules.guard.mode);
        tracing::info!(
            "playbook {} ({}): {}, here at most {mode}",
            playbook.name,
            playbook.hash,
            playbook.mode
        );
    }
    let config = EngineConfig {
        process_mode: ceiling.mode,
        own: own_identity(),
        lanes: LaneLimits {
            concurrency: usize::from(args.max_in_flight),
            ..LaneLimits::default()
        },
        ..EngineConfig::default()
    };
    let set = Arc::new(RuleSet {
        index: Index::new(rules.playbooks),
        guard: rules.guard,
    });
    let cluster = Arc::new(cluster);
    let ports = Ports {
        cluster: Arc::clone(&cluster),
        ledger: Arc::new(MemoryLedger::new(MemoryLedger::DEFAULT_BOUND)),
        notifier: Arc::new(LogNotifier),
        clock: Arc::new(WallClock),
    };
    let audit: Arc<dyn AuditTrail> = match format {
        LogFormat::Text => Arc::new(Sentences),
        LogFormat::Json => Arc::new(TracingAudit),
    };
    let engine = Engine::start(config, set, ports, audit);

    let stop = CancellationToken::new();
    let reachable = Arc::new(AtomicBool::new(false));
    let probe = tokio::spawn(probe(cluster, Arc::clone(&reachable), stop.clone()));
    let Intakes { listener, nats } = intakes;
    let limits = Limits::default();
    let nats = match nats {
        None => None,
        Some(config) => {
            let sink = Arc::new(EngineSink { engine: engine.clone() });
            Some(nats::start(config, limits.alert, sink, stop.clone()).await?)
        }
    };
    let pages = EnginePages {
        engine: engine.clone(),
        reachable,
        nats: nats.as_ref().map(Nats::state),
        stop: stop.clone(),
    };
    let server = Server::new(EngineSink { engine: engine.clone() }, pages, limits);
    tracing::info!("listening on http://{}", listener.local_addr()?);
    let serving = tokio::spawn(server.serve(listener, stop.clone(), DRAIN));

    first_signal(&mut interrupt, &mut terminate).await;
    tracing::info!(
        "stopping: what was accepted is finished within {}; a second signal ends at once",
        args.shutdown_deadline
    );
    stop.cancel();
    let finish = async {
        let _ = serving.await;
        let finishing = match nats {
            None => None,
            Some(nats) => Some(nats.stopped_taking().await),
        };
        let handback = engine.shutdown(args.shutdown_deadline.get()).await;
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
        () = first_signal(&mut interrupt, &mut terminate) => tracing::warn!("stopped at once, by a second signal"),
    }
    probe.abort();
    Ok(ExitCode::SUCCESS)
}

/// The audit trail for a person: its sentences. The whole records are in the JSON log lines.
#[derive(Debug)]
struct Sentences;

impl AuditTrail for Sentences {
    fn write(&self, record: &AuditRecord) {
        tracing::info!(target: "audit", "{}", record.summary());
    }
}

/// For requests in flight when it is told to stop: their answers are a matter of milliseconds.
const DRAIN: Duration = Duration::from_secs(2);
/// How often the cluster is asked whether it answers.
const PROBE_INTERVAL: Duration = Duration::from_secs(2);

async fn first_signal(interrupt: &mut Signal, terminate: &mut Signal) {
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}

/// Keeps readiness true to whether the cluster answers, and logs the changes.
async fn probe<C: ClusterReader>(cluster: Arc<C>, reachable: Arc<AtomicBool>, stop: CancellationToken) {
    let Some(namespace) = Namespace::new("default") else {
        return;
    };
    let mut first = true;
    while !stop.is_cancelled() {
        let answer = cluster.namespace(&namespace).await;
        // A role that may not read namespaces is an answer too.
        let answers = answer.as_ref().is_ok()
            || answer
                .as_ref()
                .is_err_and(|error| error.kind == responder_core::port::ReadErrorKind::Forbidden);
        let before = reachable.swap(answers, Ordering::Relaxed);
        match answer {
            Err(error) if !answers && (before || first) => {
                tracing::warn!("the cluster does not answer; alerts are taken, and refused as Unreadable: {error}");
            }
            _ if answers && !before => tracing::info!("the cluster answers; ready"),
            _ => {}
        }
        first = false;
        tokio::time::sleep(PROBE_INTERVAL).await;
    }
}

/// Who we are, from the environment that the downward API fills; nobody, outside a cluster.
fn own_identity() -> OwnIdentity {
    let variable = |name| std::env::var(name).ok();
    OwnIdentity {
        namespace: variable("POD_NAMESPACE").as_deref().and_then(Namespace::new),
        pod: variable("POD_NAME").as_deref().and_then(Name::new),
    }
}

struct EngineSink<C> {
    engine: RunningEngine<C>,
}

fn taken(submission: Submission) -> Taken {
    match submission {
        Submission::Unmatched => Taken::Unmatched,
        Submission::Duplicate { .. } => Taken::Duplicate,
        Submission::Shed {
            cause: responder_engine::ShedCause::Stopping,
            ..
        } => Taken::Stopping,
        Submission::Shed { .. } => Taken::Shed,
        Submission::Accepted { id, playbooks } => Taken::Accepted { alert: id, playbooks },
    }
}

impl<C: ClusterReader + ClusterWriter> Sink for EngineSink<C> {
    fn submit(&self, alert: Alert) -> Taken {
        taken(self.engine.submit(alert))
    }

    fn rejected(&self, kind: &'static str) {
        self.engine.accounting().rejected(kind);
    }
}

impl<C: ClusterReader + ClusterWriter> SettlingSink for EngineSink<C> {
    fn submit_and_follow(&self, alert: Alert) -> (Taken, Option<Settling>) {
        let (submission, settlement) = self.engine.submit_and_follow(alert);
        let settling = settlement.map(|settlement| -> Settling {
            Box::pin(async {
                match settlement.settled().await {
                    responder_engine::Settled::Decided => Settled::Decided,
                    responder_engine::Settled::SendAgain(reason) => Settled::SendAgain(reason),
                    responder_engine::Settled::HandedBack => Settled::HandedBack,
                }
            })
        });
        (taken(submission), settling)
    }
}

struct EnginePages<C> {
    engine: RunningEngine<C>,
    reachable: Arc<AtomicBool>,
    nats: Option<Arc<NatsState>>,
    stop: CancellationToken,
}

impl<C: ClusterReader + ClusterWriter> Pages for EnginePages<C> {
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
        let nats = self.nats.as_ref().map(|nats| nats.snapshot());
        render_metrics(self.engine.accounts(), nats)
    }
}
