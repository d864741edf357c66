//! `run`: takes alerts over HTTP and NATS and responds to them, until it is stopped.

mod identity;
mod pages;
mod probe;
mod serve;
mod sink;

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context as _;
use clap::{ArgMatches, Args};
use jiff::Timestamp;
use responder_cluster::{KubeCluster, SimulatedCluster};
use responder_intake::auth::Access;
use tokio::net::TcpListener;

use self::identity::own_identity;
use self::serve::{HttpIntake, Parts, serve};
use crate::arguments::{LogArgs, PlaybookArgs};
use crate::clock::WallClock;
use crate::config::{self, ClusterChoice, Configuration, Overrides};
use crate::report::print_data;
use crate::rules::LoadedRules;
use crate::telemetry::{Traces, start_logging};

/// The options of `run`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct RunArgs {
    /// Prints the effective configuration with the origin of each value, and exits
    #[arg(long)]
    print_config: bool,
    // Last: further options would appear under its last heading.
    #[command(flatten)]
    overrides: Overrides,
}

const EXAMPLES: &str = "\
Examples:
  responder run --simulate playbooks/demo/cluster --playbooks playbooks/demo/playbooks --guard playbooks/demo/guard.yaml
  responder run --playbooks playbooks/terminal-shell/playbook.yaml
  responder run --playbooks mine --guard guard.yaml --mode Rehearse --kubeconfig ~/.kube/staging
  responder run --playbooks mine --nats-url nats://127.0.0.1:4222 --nats-stream FALCO
  responder run --config responder.yaml --print-config

The first signal (Ctrl-C, TERM) finishes the accepted alerts, or names those that are handed back; the second ends at once.

Exit codes:
  0  stopped by a signal
  1  failure: the address is in use, there is no cluster to connect to
  2  errors in the configuration, the playbooks or the guard, or an unknown option";

/// Reads everything that `run` needs before the first await. The exit code of success means that the configuration was
/// printed, and that of failure that its mistakes were. Called inside the runtime, which the sender of traces needs.
pub(crate) fn prepare(
    args: &RunArgs,
    log: &LogArgs,
    matches: &ArgMatches,
) -> anyhow::Result<Result<Prepared, ExitCode>> {
    // The matches of a subcommand are apart from the others.
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
    let Ok(rules) = LoadedRules::load(&files, Timestamp::now())? else {
        return Ok(Err(ExitCode::from(2)));
    };
    let cluster = rules.guard.cluster.as_ref();
    let traces = Traces::new(&configuration.telemetry, &own_identity(), cluster)?;
    let name = cluster.map(|cluster| cluster.name.as_str());
    start_logging(&configuration.log, name, traces.as_ref())?;
    Ok(Ok(Prepared {
        configuration,
        rules,
        traces,
    }))
}

/// The configuration and the rules of `run`, without mistakes.
pub(crate) struct Prepared {
    configuration: Configuration,
    rules: LoadedRules,
    traces: Option<Traces>,
}

impl Prepared {
    /// Runs until it is stopped.
    pub(crate) async fn run(self) -> anyhow::Result<ExitCode> {
        let Self {
            configuration,
            rules,
            traces,
        } = self;
        let http = &configuration.http;
        let access = Access::load(http.tls.clone(), http.credentials.clone())?;
        // Before the first request to the cluster, so that an address in use is reported at once.
        let listener = TcpListener::bind(http.listen)
            .await
            .with_context(|| format!("cannot listen on {}: choose another address with --listen", http.listen))?;
        let address = configuration.probes;
        let probes = TcpListener::bind(address).await.with_context(|| {
            format!("cannot listen for probes on {address}: choose another address with --probes-listen")
        })?;
        let intake = HttpIntake {
            listener,
            access: Arc::new(access),
        };
        let cluster = configuration.cluster.clone();
        let parts = Parts {
            configuration,
            rules,
            traces,
            intake,
            probes,
        };
        let (cluster, place) = match cluster {
            ClusterChoice::Simulated(directory) => {
                let cluster = SimulatedCluster::from_dir(&directory)?.with_clock(Arc::new(WallClock));
                (cluster.into(), format!("simulated from {}", directory.display()))
            }
            ClusterChoice::Kubernetes(options) => {
                let cluster = KubeCluster::connect(&options).await?;
                (cluster.into(), "the API server".to_owned())
            }
        };
        serve(parts, cluster, &place).await
    }
}
