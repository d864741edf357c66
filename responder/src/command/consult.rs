//! The decisions of `explain` and `replay`: by playbooks and a guard as `run` loads them, an empty ledger, and a cluster that
//! is only read.

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context as _;
use clap::Args;
use jiff::Timestamp;
use responder_cluster::{AnyCluster, AssumedTargets, ConnectOptions, KubeCluster, SimulatedCluster};
use responder_core::alert::Alert;
use responder_core::decide::OwnIdentity;
use responder_core::mode::Mode;
use responder_core::playbook::{Index, Playbook};
use responder_core::port::Clock;
use responder_engine::explain::{ExplainOptions, explain};
use responder_engine::{Explanation, MemoryLedger, RuleSet};

use crate::arguments::{ClusterArgs, PlaybookArgs};
use crate::report::counted;
use crate::rules::{Ceiling, LoadedRules};

/// The options that `explain` and `replay` share.
#[derive(Debug, Args)]
pub(super) struct ConsultArgs {
    #[command(flatten)]
    playbooks: PlaybookArgs,
    /// The highest mode: Observe, Rehearse or Enforce. By default Enforce with a guard, and Observe without
    #[arg(long, value_name = "MODE")]
    mode: Option<Mode>,
    #[command(flatten)]
    cluster: ClusterArgs,
    /// Assumes the pods and nodes that the alerts name and the simulated cluster lacks
    #[arg(long, help_heading = "Cluster", conflicts_with_all = ["kubeconfig", "context"])]
    assume_targets: bool,
}

/// Playbooks, guard, ledger and cluster, ready to decide.
pub(super) struct Consultation {
    rules: RuleSet,
    ceiling: Ceiling,
    own: OwnIdentity,
    ledger: MemoryLedger,
    cluster: AnyCluster,
    cluster_name: String,
}

impl Consultation {
    /// Loads the files and opens the cluster. `now` decides which exceptions have expired. An exit code means mistakes in the
    /// files, which were printed.
    pub(super) async fn open<'a>(
        args: &ConsultArgs,
        alerts: impl IntoIterator<Item = &'a Alert>,
        now: Timestamp,
    ) -> anyhow::Result<Result<Self, ExitCode>> {
        let Ok(rules) = LoadedRules::load(&args.playbooks, now)? else {
            return Ok(Err(ExitCode::from(2)));
        };
        let (cluster, cluster_name) = args.open_cluster(alerts).await?;
        Ok(Ok(Self {
            ceiling: rules.ceiling(args.mode),
            rules: RuleSet {
                index: Index::new(rules.playbooks),
                guard: rules.guard,
            },
            // The decisions are those of the controller, which runs elsewhere.
            own: OwnIdentity::default(),
            // Without a bound: a playbook makes at most one claim for an alert, and a recording has an end.
            ledger: MemoryLedger::new(usize::MAX, usize::MAX),
            cluster,
            cluster_name,
        }))
    }

    /// Every decision about an alert at this time. Decisions to act count towards limits and budgets.
    pub(super) async fn explain(&self, alert: &Alert, now: Timestamp) -> Explanation {
        let options = ExplainOptions {
            rules: &self.rules,
            process_mode: self.ceiling.mode,
            own: &self.own,
            commits: true,
        };
        let clock = FixedClock(now);
        // Boxed: the future has 25 kB.
        Box::pin(explain(&self.cluster, &self.ledger, &clock, options, alert)).await
    }

    /// All playbooks, in the order in which they decide.
    pub(super) fn playbooks(&self) -> &[Arc<Playbook>] {
        self.rules.index.playbooks()
    }

    /// The cluster, for a person.
    pub(super) fn cluster(&self) -> &str {
        &self.cluster_name
    }

    /// The guard, for a person.
    pub(super) fn guard(&self) -> String {
        let guard = &self.rules.guard;
        match guard.hash {
            Some(hash) => format!("version {hash}, mode {}", guard.mode),
            None => "none; the built-in floor holds".to_owned(),
        }
    }

    /// The ceiling of the controller, for a person.
    pub(super) fn ceiling(&self) -> String {
        format!("{}: {}", self.ceiling.mode, self.ceiling.because)
    }
}

/// A clock that stands still.
struct FixedClock(Timestamp);

impl Clock for FixedClock {
    fn now(&self) -> Timestamp {
        self.0
    }
}

impl ConsultArgs {
    async fn open_cluster<'a>(
        &self,
        alerts: impl IntoIterator<Item = &'a Alert>,
    ) -> anyhow::Result<(AnyCluster, String)> {
        let ClusterArgs {
            simulate,
            kubeconfig,
            context,
        } = &self.cluster;
        let assumed = self.assume_targets.then(|| AssumedTargets::of(alerts));
        if simulate.is_some() || assumed.is_some() {
            let written = simulate.as_deref().map(SimulatedCluster::from_dir).transpose();
            let cluster = written.and_then(|written| match &assumed {
                Some(assumed) => assumed.complete(written.as_ref()),
                None => Ok(written.unwrap_or_else(SimulatedCluster::empty)),
            });
            let cluster = cluster.context("cannot simulate the cluster")?;
            let parts = [
                simulate.as_ref().map(|directory| directory.display().to_string()),
                assumed.as_ref().map(described),
            ];
            let parts: Vec<String> = parts.into_iter().flatten().collect();
            return Ok((cluster.into(), format!("simulated: {}", parts.join(" and "))));
        }
        let options = ConnectOptions {
            kubeconfig: kubeconfig.clone(),
            context: context.clone(),
        };
        let cluster = KubeCluster::connect(&options).await.context(
            "cannot reach a cluster; --simulate DIR takes manifests, and --assume-targets assumes what the alerts name",
        )?;
        let name = cluster.server().to_owned();
        Ok((cluster.into(), name))
    }
}

/// The assumed targets, for a person.
fn described(assumed: &AssumedTargets) -> String {
    format!(
        "what the alerts name ({}, {} guessed from their names, {})",
        counted(assumed.pods(), "pod"),
        counted(assumed.replica_sets(), "ReplicaSet"),
        counted(assumed.nodes(), "node")
    )
}
