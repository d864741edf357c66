//! What `explain` and `replay` decide by: the playbooks and the guard as `run` reads them, a ledger that begins empty, and
//! a cluster that is only read.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context as _;
use clap::Args;
use jiff::Timestamp;
use responder_cluster::{ConnectOptions, KubeCluster, SimulatedCluster};
use responder_core::alert::Alert;
use responder_core::decide::OwnIdentity;
use responder_core::mode::Mode;
use responder_core::playbook::{Index, Playbook};
use responder_core::port::Clock;
use responder_engine::explain::{ExplainOptions, explain};
use responder_engine::{Explanation, MemoryLedger, RuleSet};
use serde_json::{Value, json};

use super::assumed::Assumed;
use crate::arguments::{ClusterArgs, PlaybookArgs};
use crate::rules::{Ceiling, LoadedRules};

/// By what, and against which cluster.
#[derive(Debug, Args)]
pub(super) struct ConsultArgs {
    #[command(flatten)]
    playbooks: PlaybookArgs,
    /// The most that may be done: Observe, Rehearse or Enforce. By default Enforce with a guard, and Observe without
    #[arg(long, value_name = "MODE")]
    mode: Option<Mode>,
    #[command(flatten)]
    cluster: ClusterArgs,
    /// Invents the pods and nodes that the alerts name and that the simulated cluster lacks
    #[arg(long, help_heading = "Cluster", conflicts_with_all = ["kubeconfig", "context"])]
    assume_targets: bool,
}

/// Playbooks, guard, ledger and cluster, ready to decide.
pub(super) struct Consultation {
    rules: RuleSet,
    ceiling: Ceiling,
    own: OwnIdentity,
    ledger: MemoryLedger,
    cluster: ConsultedCluster,
    cluster_name: String,
}

enum ConsultedCluster {
    Simulated(SimulatedCluster),
    Kube(KubeCluster),
}

impl Consultation {
    /// Reads the files and opens the cluster. `now` tells which exceptions have expired. What is wrong with the files has
    /// been printed when an exit code comes back.
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
            // What is said here holds for the controller that runs elsewhere, not for this process.
            own: OwnIdentity::default(),
            // An alert makes at most one claim of each playbook, and a recording is read to its end.
            ledger: MemoryLedger::new(usize::MAX),
            cluster,
            cluster_name,
        }))
    }

    /// Every decision about an alert, at this time. What is decided counts towards limits and budgets.
    pub(super) async fn explain(&self, alert: &Alert, now: Timestamp) -> Explanation {
        let options = ExplainOptions {
            rules: &self.rules,
            process_mode: self.ceiling.mode,
            own: &self.own,
            commits: true,
        };
        let clock = FixedClock(now);
        // Boxed: a reading of everything at once is a future of 25 kB.
        match &self.cluster {
            ConsultedCluster::Simulated(cluster) => {
                Box::pin(explain(cluster, &self.ledger, &clock, options, alert)).await
            }
            ConsultedCluster::Kube(cluster) => Box::pin(explain(cluster, &self.ledger, &clock, options, alert)).await,
        }
    }

    /// All playbooks, in the order in which they answer.
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

    /// The most that the controller would do, for a person.
    pub(super) fn ceiling(&self) -> String {
        format!("{}: {}", self.ceiling.mode, self.ceiling.because)
    }
}

/// The time of the alert, or the one that was asked for.
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
    ) -> anyhow::Result<(ConsultedCluster, String)> {
        let ClusterArgs {
            simulate,
            kubeconfig,
            context,
        } = &self.cluster;
        let assumed = self.assume_targets.then(|| Assumed::of(alerts));
        if simulate.is_some() || assumed.is_some() {
            let cluster = simulated(simulate.as_deref(), assumed.as_ref()).context("cannot simulate the cluster")?;
            let parts = [
                simulate.as_ref().map(|directory| directory.display().to_string()),
                assumed.map(|assumed| format!("what the alerts name ({})", assumed.describe())),
            ];
            let parts: Vec<String> = parts.into_iter().flatten().collect();
            return Ok((
                ConsultedCluster::Simulated(cluster),
                format!("simulated: {}", parts.join(" and ")),
            ));
        }
        let options = ConnectOptions {
            kubeconfig: kubeconfig.clone(),
            context: context.clone(),
        };
        let cluster = KubeCluster::connect(&options).await.context(
            "cannot reach a cluster; --simulate DIR takes manifests, and --assume-targets invents what the alerts name",
        )?;
        let name = cluster.server().to_owned();
        Ok((ConsultedCluster::Kube(cluster), name))
    }
}

/// The simulated cluster of a directory, with what the alerts name and it lacks.
fn simulated(directory: Option<&Path>, assumed: Option<&Assumed>) -> anyhow::Result<SimulatedCluster> {
    let written = directory.map(SimulatedCluster::from_dir).transpose()?;
    let Some(assumed) = assumed else {
        return Ok(written.unwrap_or_else(SimulatedCluster::empty));
    };
    let written: Vec<Value> = written
        .iter()
        .flat_map(|cluster| cluster.objects().into_values())
        .collect();
    let places: BTreeSet<_> = written.iter().map(place).collect();
    let mut missing: Vec<Value> = assumed
        .manifests()
        .into_iter()
        .filter(|manifest| !places.contains(&place(manifest)))
        .collect();
    if !written.iter().any(|manifest| manifest["kind"] == "Node") {
        missing.extend(Assumed::spare_nodes());
    }
    let list = |items: Vec<Value>| json!({"apiVersion": "v1", "kind": "List", "items": items}).to_string();
    let (written, missing) = (list(written), list(missing));
    Ok(SimulatedCluster::from_manifests([
        ("the cluster", &*written),
        ("what the alerts name", &*missing),
    ])?)
}

/// Where an object is: its kind, namespace and name.
fn place(manifest: &Value) -> [String; 3] {
    ["/kind", "/metadata/namespace", "/metadata/name"].map(|pointer| {
        manifest
            .pointer(pointer)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    })
}
