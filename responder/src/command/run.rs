//! `run`: takes alerts over HTTP and answers them, until it is told to stop.

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use clap::{ArgMatches, Args};
use jiff::Timestamp;
use responder_cluster::{KubeCluster, SimulatedCluster};
use responder_core::alert::{Alert, Sender};
use responder_core::decide::OwnIdentity;
use responder_core::object::{Name, Namespace};
use responder_core::playbook::Index;
use responder_core::port::{ClusterReader, ClusterWriter};
use responder_engine::{
    AuditRecord, AuditTrail, Engine, EngineConfig, LaneLimits, MemoryLedger, Ports, RuleSet, Submission, TracingAudit,
};
use responder_intake::auth::Access;
use responder_intake::http::{Pages, Server};
use responder_intake::{Sink, Taken};
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::cli::{LogArgs, PlaybookArgs};
use crate::clock::WallClock;
use crate::config::{self, Cluster, Configuration, LogFormat, Overrides};
use crate::notify::{FromCluster, LogNotifier};
use crate::report::print_data;
use crate::rules::{Ceiling, Rules};
use crate::telemetry::{Exposed, render_metrics, start_logging};

/// What to answer by, where, and how far: each from a flag, else the environment, else the file.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct RunArgs {
    #[command(flatten)]
    overrides: Overrides,
    /// Prints the configuration that would be in force, with the origin of each value, and ends
    #[arg(long)]
    print_config: bool,
}

const EXAMPLES: &str = "\
Examples:
  responder run --simulate playbooks/demo/cluster --playbooks playbooks/demo/playbooks --guard playbooks/demo/guard.yaml
  responder run --playbooks playbooks/terminal-shell/playbook.yaml
  responder run --playbooks mine --guard guard.yaml --mode Rehearse --kubeconfig ~/.kube/staging
  responder run --config responder.yaml --print-config

The first signal (Ctrl-C, TERM) finishes what was accepted, or names what is handed back; the second ends at once.

Exit codes:
  0  told to stop, and stopped
  1  it could not be done: the address is in use, there is no cluster to connect to
  2  errors in the configuration, the playbooks or the guard, or an unknown option";

/// Everything that `run` needs before the first await: what is wrong with it has been printed when an exit code comes
/// back, and that of success has printed the configuration.
pub(crate) fn prepare(
    args: &RunArgs,
    log: &LogArgs,
    matches: &ArgMatches,
) -> anyhow::Result<Result<Prepared, ExitCode>> {
    // The options of a command are in its own matches.
    let matches = matches.subcommand_matches("run").unwrap_or(matches);
    let Ok(read) = config::read(&args.overrides, log, matches)? else {
        return Ok(Err(ExitCode::from(2)));
    };
    if args.print_config {
        print_data(&read.effective.to_string())?;
        return Ok(Err(ExitCode::SUCCESS));
    }
    let configuration = read.configuration;
    let files = PlaybookArgs {
        playbooks: configuration.playbooks.clone(),
        guard: configuration.guard.clone(),
    };
    let Ok(rules) = Rules::load(&files, Timestamp::now())? else {
        return Ok(Err(ExitCode::from(2)));
    };
    let identity = rules.guard.cluster.as_ref().map(|cluster| cluster.name.clone());
    start_logging(&configuration.log, identity.as_deref())?;
    Ok(Ok(Prepared {
        configuration,
        rules,
        identity,
    }))
}

/// What `run` runs by, read and found right.
pub(crate) struct Prepared {
    configuration: Configuration,
    rules: Rules,
    /// The name of the cluster, on every line, record, metric and message.
    identity: Option<String>,
}

impl Prepared {
    /// Runs until it is told to stop.
    pub(crate) async fn run(self) -> anyhow::Result<ExitCode> {
        let http = &self.configuration.http;
        let access = Access::load(http.tls.clone(), http.credentials.clone())?;
        // Before the cluster is asked for anything: an address in use is told at once.
        let listener = TcpListener::bind(http.listen)
            .await
            .with_context(|| format!("can't listen on {}: choose another address with --listen", http.listen))?;
        match &self.configuration.cluster {
            Cluster::Simulated(directory) => {
                let cluster = SimulatedCluster::from_dir(directory)?.with_clock(Arc::new(WallClock));
                let place = format!("simulated from {}", directory.display());
                self.serve(cluster, &place, listener, access).await
            }
            Cluster::Kubernetes(options) => {
                let cluster = KubeCluster::connect(options).await?;
                self.serve(cluster, "the API server", listener, access).await
            }
        }
    }

    async fn serve<C>(self, cluster: C, place: &str, listener: TcpListener, access: Access) -> anyhow::Result<ExitCode>
    where
        C: ClusterReader + ClusterWriter,
    {
        let Self {
            configuration,
            rules,
            identity,
        } = self;
        let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
        let ceiling = rules.ceiling(configuration.mode);
        announce(place, &rules, ceiling);
        let config = EngineConfig {
            process_mode: ceiling.mode,
            own: own_identity(),
            lanes: LaneLimits {
                concurrency: usize::from(configuration.max_in_flight),
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
            notifier: Arc::new(FromCluster {
                notifier: LogNotifier,
                cluster: identity.clone(),
            }),
            clock: Arc::new(WallClock),
        };
        let audit: Arc<dyn AuditTrail> = match configuration.log.format {
            LogFormat::Text => Arc::new(Sentences),
            LogFormat::Json => Arc::new(TracingAudit {
                cluster: identity.clone(),
            }),
        };
        let engine = Engine::start(config, set, ports, audit);

        let stop = CancellationToken::new();
        let reachable = Arc::new(AtomicBool::new(false));
        let probe = tokio::spawn(probe(cluster, Arc::clone(&reachable), stop.clone()));
        let access = Arc::new(access);
        let pages = EnginePages {
            engine: engine.clone(),
            access: Arc::clone(&access),
            identity,
            reachable,
            stop: stop.clone(),
        };
        let sink = EngineSink { engine: engine.clone() };
        let http = &configuration.http;
        let scheme = if access.is_encrypted() { "https" } else { "http" };
        if !access.is_encrypted() && http.is_authenticated() && !http.listen.ip().is_loopback() {
            tracing::warn!("passwords and tokens come in as plain text: http.tls encrypts them");
        }
        let server = Server::new(sink, pages, http.limits.clone()).with_access(access);
        tracing::info!("listening on {scheme}://{}", listener.local_addr()?);
        let serving = tokio::spawn(server.serve(listener, stop.clone(), DRAIN));

        first_signal(&mut interrupt, &mut terminate).await;
        let deadline = configuration.shutdown_deadline;
        tracing::info!("stopping: what was accepted is finished within {deadline}; a second signal ends at once");
        stop.cancel();
        let finish = async {
            let _ = serving.await;
            engine.shutdown(deadline.get()).await
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
}

type RunningEngine<C> = Engine<C, MemoryLedger, FromCluster<LogNotifier>, WallClock>;

/// Says what will be done at most, before the first alert.
fn announce(place: &str, rules: &Rules, ceiling: Ceiling) {
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

impl<C: ClusterReader + ClusterWriter> Sink for EngineSink<C> {
    fn submit(&self, alert: Alert, sender: &Sender) -> Taken {
        match self.engine.submit_from(alert, sender) {
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

    fn rejected(&self, kind: &'static str) {
        self.engine.accounting().rejected(kind);
    }
}

struct EnginePages<C> {
    engine: RunningEngine<C>,
    access: Arc<Access>,
    identity: Option<String>,
    reachable: Arc<AtomicBool>,
    stop: CancellationToken,
}

impl<C: ClusterReader + ClusterWriter> Pages for EnginePages<C> {
    fn ready(&self) -> Result<(), String> {
        if self.stop.is_cancelled() {
            return Err("stopping".to_owned());
        }
        if self.reachable.load(Ordering::Relaxed) {
            Ok(())
        } else {
            Err("the cluster does not answer".to_owned())
        }
    }

    fn metrics(&self) -> String {
        let reloads = self.access.reloads().into_iter();
        render_metrics(Exposed {
            accounts: self.engine.accounts(),
            reloads: reloads.filter_map(|(files, reloads)| Some((files, reloads?))).collect(),
            cluster: self.identity.clone(),
        })
    }
}
