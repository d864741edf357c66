//! The world of a test: the cluster, the rules, the clock, and a plan or an engine in it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use responder_cluster::SimulatedCluster;
use responder_core::alert::Alert;
use responder_core::class::ActionClass;
use responder_core::decide::{Decision, Outcome, OwnIdentity};
use responder_core::document::SourceFile;
use responder_core::guard::Guard;
use responder_core::mode::Mode;
use responder_core::object::{Name, Namespace};
use responder_core::plan::Plan;
use responder_core::playbook::{Index, load};
use responder_core::port::{Clock, Cluster, Ledger};
use responder_core::refusal::{Refusal, RefusalReason};
use serde_json::Value;
use tokio::time::Instant;

use super::cluster::{ScriptedCluster, Then};
use super::documents::uid_of;
use super::witness::Witness;
use crate::about::{About, Author};
use crate::accounting::AccountingSnapshot;
use crate::config::{EngineConfig, Ports, RuleSet};
use crate::decision::{CommittedDecision, Decider, DecisionRequest};
use crate::execute::{BranchBudget, Execution, Executor};
use crate::ledger::MemoryLedger;
use crate::pipeline::Engine;
use crate::send::RequestSender;
use crate::sensor::SensorNodes;
use crate::sinks::Sinks;
use crate::wait::WaitInPlace;

/// Pods `web-1` to `web-3` of a Deployment, `db-0` of a StatefulSet, `solo-1` to `solo-4` without a controller, Services, three
/// nodes, Falco, and a network that enforces policies.
const CLUSTER: &str = include_str!("cluster.yaml");

/// The time at which a test begins.
pub(crate) fn start_of_time() -> Timestamp {
    // A literal.
    "2026-11-24T03:00:00Z".parse().unwrap()
}

/// Tokio's time as the clock port.
#[derive(Debug)]
pub(crate) struct RuntimeClock {
    began: Instant,
}

impl Clock for RuntimeClock {
    fn now(&self) -> Timestamp {
        // No test lasts for centuries.
        start_of_time().checked_add(self.began.elapsed()).unwrap()
    }
}

pub(crate) type TestEngine = Engine<ScriptedCluster, MemoryLedger>;

/// The cluster, the rules and the ports of a response. A clone is the same world.
#[derive(Clone)]
pub(crate) struct TestWorld {
    pub(crate) cluster: ScriptedCluster,
    pub(crate) clock: Arc<RuntimeClock>,
    pub(crate) ledger: Arc<MemoryLedger>,
    pub(crate) rules: Arc<RuleSet>,
    pub(crate) own: OwnIdentity,
    pub(crate) sensors: Arc<SensorNodes>,
    pub(crate) witness: Witness,
    /// The sinks of a plan that runs without an engine; the witness is among them.
    pub(crate) sinks: Arc<Sinks>,
    /// The head of their records.
    pub(crate) about: About,
}

impl TestWorld {
    /// A world with these playbooks, and a guard where one is among them.
    pub(crate) fn new(rules: &str) -> Self {
        let clock = Arc::new(RuntimeClock { began: Instant::now() });
        let shared: Arc<dyn Clock> = clock.clone();
        let witness = Witness::default();
        let author = Author {
            actor: "responder".into(),
            cluster: None,
        };
        let cluster = SimulatedCluster::from_manifests([("cluster.yaml", CLUSTER)])
            .unwrap_or_else(|error| panic!("{error}"))
            .with_clock(Arc::clone(&shared));
        Self {
            cluster: ScriptedCluster::new(cluster),
            clock,
            ledger: Arc::default(),
            rules: Arc::new(ruleset(rules)),
            own: OwnIdentity {
                namespace: Namespace::new("responder"),
                pod: Name::new("responder-0"),
            },
            sensors: Arc::default(),
            sinks: sinks(&witness, shared),
            witness,
            about: author.about_named("p".to_owned()),
        }
    }

    /// The same world after a restart, without what was in memory.
    pub(crate) fn restarted(&self) -> Self {
        self.cluster.before(|_, _| Then::Go);
        let witness = Witness::default();
        Self {
            ledger: Arc::default(),
            sinks: sinks(&witness, self.clock.clone()),
            witness,
            ..self.clone()
        }
    }

    /// The same cluster under other rules, after a restart.
    pub(crate) fn restarted_with(&self, rules: &str) -> Self {
        Self {
            rules: Arc::new(ruleset(rules)),
            ..self.restarted()
        }
    }

    /// Adds objects, or writes them anew, as another client would.
    pub(crate) fn apply(&self, manifests: &str) {
        let applied = self.cluster.inner.apply(manifests);
        applied.unwrap_or_else(|error| panic!("{error}"));
    }

    /// The same world with a network of Cilium's.
    pub(crate) fn with_cilium(self) -> Self {
        self.apply(
            "{apiVersion: apps/v1, kind: DaemonSet, metadata: {name: cilium, namespace: kube-system}, \
             spec: {selector: {matchLabels: {k8s-app: cilium}}, template: {metadata: {labels: {k8s-app: cilium}}, \
             spec: {containers: [{name: agent, image: \"cilium:1\"}]}}}}\n---\n\
             {apiVersion: apiextensions.k8s.io/v1, kind: CustomResourceDefinition, \
             metadata: {name: ciliumnetworkpolicies.cilium.io}, \
             spec: {group: cilium.io, scope: Namespaced, names: {kind: CiliumNetworkPolicy, plural: ciliumnetworkpolicies}, \
             versions: [{name: v2, served: true, storage: true}]}}",
        );
        self
    }

    /// Adds this many bare pods `flood-0`, `flood-1`, … with the numbers from 1000 on.
    pub(crate) fn flood(&self, pods: u32) {
        let mut manifests = String::new();
        for place in 0..pods {
            let uid = uid_of(1000 + place);
            write!(
                manifests,
                "---\n{{apiVersion: v1, kind: Pod, metadata: {{name: flood-{place}, namespace: web, uid: {uid}, \
                 creationTimestamp: \"2026-11-24T01:00:00Z\"}}, spec: {{containers: [{{name: a, image: \"a:1\"}}]}}}}\n"
            )
            // Writing to a string never fails.
            .unwrap();
        }
        self.apply(&manifests);
    }

    pub(crate) fn decider<'a, L>(&'a self, ledger: &'a L) -> Decider<'a, ScriptedCluster, L, WaitInPlace> {
        Decider {
            cluster: &self.cluster,
            ledger,
            clock: &*self.clock,
            wait: &WaitInPlace,
            sensors: &self.sensors,
            rules: &self.rules,
            process_mode: Mode::Enforce,
            own: &self.own,
            patience: Duration::from_secs(3),
            commits: true,
            accounting: Some(&self.sinks.accounting),
        }
    }

    /// The question to the first playbook that matches.
    pub(crate) fn request<'a>(&'a self, alert: &'a Alert) -> DecisionRequest<'a> {
        DecisionRequest {
            alert,
            id: alert.id(),
            sender: None,
            playbook: self.rules.index.matching(alert)[0],
        }
    }

    /// The decision of the first playbook that matches.
    pub(crate) async fn decide_and_commit(&self, alert: &Alert) -> CommittedDecision {
        let request = self.request(alert);
        self.decider(&*self.ledger).decide_and_commit(request).await
    }

    pub(crate) async fn decide(&self, alert: &Alert) -> Decision {
        self.decide_and_commit(alert).await.decision
    }

    /// The plan of the first playbook that matches.
    pub(crate) async fn plan(&self, alert: &Alert) -> Plan {
        let decision = self.decide(alert).await;
        match decision.outcome {
            Outcome::Act { plan, .. } => *plan,
            Outcome::Refuse(refusal) => panic!("{refusal}\n{}", decision.trace),
        }
    }

    pub(crate) fn sender(&self) -> RequestSender<'_, ScriptedCluster, WaitInPlace> {
        RequestSender {
            cluster: &self.cluster,
            clock: &*self.clock,
            wait: &WaitInPlace,
            sinks: &self.sinks,
            about: &self.about,
        }
    }

    pub(crate) async fn execute(&self, plan: &Plan) -> Execution {
        self.execute_with(plan, &EveryBranch).await
    }

    pub(crate) async fn execute_with(&self, plan: &Plan, budget: &(impl BranchBudget + Sync)) -> Execution {
        let sender = self.sender();
        let executor = Executor {
            sender: &sender,
            budget,
            plan,
        };
        executor.execute().await
    }

    /// Enforce, and otherwise the defaults.
    pub(crate) fn config(&self) -> EngineConfig {
        EngineConfig {
            process_mode: Mode::Enforce,
            own: self.own.clone(),
            ..EngineConfig::default()
        }
    }

    pub(crate) fn engine(&self) -> TestEngine {
        self.engine_with(self.config())
    }

    pub(crate) fn engine_with(&self, config: EngineConfig) -> TestEngine {
        let ports = Ports {
            cluster: Arc::new(self.cluster.clone()),
            ledger: Arc::clone(&self.ledger),
            notifier: Arc::new(self.witness.clone()),
            audit: Arc::new(self.witness.clone()),
            clock: self.clock.clone(),
        };
        Engine::start(config, Arc::clone(&self.rules), ports)
    }

    /// One object as stored, without what changes with every write.
    pub(crate) fn object(&self, key: &str) -> Option<Value> {
        self.objects().remove(key)
    }

    /// One pod of the namespace `web`, as stored.
    pub(crate) fn pod(&self, name: &str) -> Option<Value> {
        self.object(&format!("Pod/web/{name}"))
    }

    /// Every object as stored, without what changes with every write.
    pub(crate) fn objects(&self) -> BTreeMap<String, Value> {
        let mut objects = self.cluster.inner.objects();
        for object in objects.values_mut() {
            if let Some(metadata) = object["metadata"].as_object_mut() {
                metadata.remove("resourceVersion");
            }
        }
        objects
    }

    /// The objects that are not as they were, each with its two states.
    pub(crate) fn changes_since(&self, before: &BTreeMap<String, Value>) -> Vec<String> {
        let after = self.objects();
        let keys: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
        keys.into_iter()
            .filter(|key| before.get(*key) != after.get(*key))
            .map(|key| format!("{key}: {:?} became {:?}", before.get(key), after.get(key)))
            .collect()
    }

    /// The keys of all policies of quarantines, of any kind.
    pub(crate) fn quarantines(&self) -> Vec<String> {
        let objects = self.objects().into_keys();
        objects.filter(|key| key.contains("responder-quarantine-")).collect()
    }
}

fn sinks(witness: &Witness, clock: Arc<dyn Clock>) -> Arc<Sinks> {
    Arc::new(Sinks {
        accounting: Arc::default(),
        audit: Arc::new(witness.clone()),
        notifier: Arc::new(witness.clone()),
        clock,
    })
}

fn ruleset(text: &str) -> RuleSet {
    let source = SourceFile {
        file: "rules.yaml".into(),
        text: text.to_owned(),
    };
    let loaded = load(&[source], start_of_time()).unwrap_or_else(|problems| panic!("{problems}"));
    RuleSet {
        index: Index::new(loaded.playbooks),
        guard: loaded.guard.unwrap_or_else(|| Arc::new(Guard::built_in())),
    }
}

/// Waits until no accepted alert is unfinished.
pub(crate) async fn at_rest<C: Cluster, L: Ledger>(engine: &Engine<C, L>) -> AccountingSnapshot {
    loop {
        let accounts = engine.accounts();
        if accounts.depths.values().all(|depth| depth.accepted == 0) {
            return accounts;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// The reason of a refusal; `None` for a plan.
pub(crate) fn reason(decision: &Decision) -> Option<RefusalReason> {
    match &decision.outcome {
        Outcome::Act { .. } => None,
        Outcome::Refuse(refusal) => Some(refusal.reason),
    }
}

/// Budgets with a slot for every branch.
pub(crate) struct EveryBranch;

impl BranchBudget for EveryBranch {
    async fn reserve(&self, _: ActionClass) -> Result<(), Refusal> {
        Ok(())
    }
}
