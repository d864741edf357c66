//! Decisions in small clusters. This file has the cluster; each file below it has tests of one subject.

use std::mem::discriminant;
use std::sync::Arc;

use k8s_openapi::api::core::v1::Pod;
use proptest::prelude::*;
use rstest::rstest;
use serde_json::{Value, json};

use super::*;
use crate::alert::{Alert, Bounds, Sender, SenderName};
use crate::custom_kind::{CustomKind, CustomLocator};
use crate::document::SourceFile;
use crate::network::{EnginePolicies, EnginePolicy, Policies, PolicyEngine};
use crate::object::{Kind, Name, Namespace, Uid};
use crate::own::DenyingKind;
use crate::owner::{BrokenLink, Controller, CustomOwner, Owner, OwnerChain};
use crate::playbook::load;
use crate::pod::PodOnNode;
use crate::port::ReadErrorKind;
use crate::serving::{ServingKind, ServingNamespaces};
use crate::snapshot::Part;
use crate::target::{LocatedPod, PodClaim};
use crate::trace::Verdict;

mod audited;
mod classes;
mod confinement;
mod denials;
mod floor;
mod limits;
mod lint;
mod marks;
mod nodes;
mod owners;
mod plans;
mod refusals;
mod targets;

const ALERT_AT: &str = "2026-11-24T03:00:05.5Z";
const NOW: &str = "2026-11-24T03:00:07Z";

// --- the world -----------------------------------------------------------------------------------

fn alert_json() -> Value {
    json!({
        "rule": "Terminal shell in container", "priority": "Notice", "source": "syscall", "hostname": "worker-1",
        "time": "2026-11-24T03:00:05.500000000Z",
        "output_fields": {"container.id": "aaaaaaaaaaaa", "k8s.ns.name": "web", "k8s.pod.name": "web-0", "proc.name": "bash"},
    })
}

fn pod_json() -> Value {
    json!({
        "metadata": {
            "name": "web-0", "namespace": "web", "uid": "pod-uid", "creationTimestamp": "2026-11-24T01:00:00Z",
            "labels": {"app": "web", "pod-template-hash": "abc", "team": "shop"},
            "ownerReferences": [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web-abc", "uid": "rs-uid", "controller": true}],
        },
        "spec": {"containers": [{"name": "app", "image": "registry.example/web:1"}], "nodeName": "worker-1"},
        "status": {"phase": "Running", "containerStatuses": [{
            "name": "app", "image": "registry.example/web:1", "imageID": "", "ready": true, "restartCount": 0,
            "containerID": "containerd://aaaaaaaaaaaaaaaa",
            "state": {"running": {"startedAt": "2026-11-24T01:00:01Z"}},
        }]},
    })
}

fn node_json(name: &str) -> Value {
    json!({
        "metadata": {
            "name": name, "uid": format!("{name}-uid"), "creationTimestamp": "2026-11-01T00:00:00Z", "resourceVersion": "7",
        },
        "spec": {},
        "status": {"conditions": [{"type": "Ready", "status": "True"}]},
    })
}

struct World {
    alert: Value,
    pod: Option<Value>,
    node: Value,
    nodes: Vec<Value>,
    /// Null for a namespace that is not there.
    namespace_labels: Value,
    policies: Vec<Value>,
    engine: Option<PolicyEngine>,
    can_deny: Vec<DenyingKind>,
    engine_policies: Vec<EnginePolicy>,
    replicas: Option<u32>,
    broken: Option<String>,
    /// With `broken`: the number of controllers that are believed.
    believed: usize,
    /// Kind, name and uid of each controller, from the pod's own to the top.
    owners: Vec<(Kind, &'static str, &'static str)>,
    /// The controller above them.
    custom: Option<CustomOwner>,
    /// A controller of a custom kind above them that could not be read.
    unread: Option<CustomLocator>,
    /// Whether a DaemonSet's template is Falco's.
    runs_falco: bool,
    /// The namespaces that the API server calls.
    serving: ServingNamespaces,
    falco_pod: Option<Value>,
    guard: &'static str,
    process_mode: Mode,
    own: OwnIdentity,
    sender: Option<Sender>,
    claims: Vec<Claim>,
}

impl World {
    fn new() -> Self {
        Self {
            alert: alert_json(),
            pod: Some(pod_json()),
            node: node_json("worker-1"),
            nodes: vec![node_json("worker-1"), node_json("worker-2"), node_json("worker-3")],
            namespace_labels: json!({"kubernetes.io/metadata.name": "web"}),
            policies: Vec::new(),
            engine: Some(PolicyEngine::Cilium),
            can_deny: DenyingKind::ALL.to_vec(),
            engine_policies: Vec::new(),
            replicas: Some(3),
            broken: None,
            believed: 0,
            owners: vec![
                (Kind::ReplicaSet, "web-abc", "rs-uid"),
                (Kind::Deployment, "web", "deploy-uid"),
            ],
            custom: None,
            unread: None,
            runs_falco: false,
            serving: ServingNamespaces::default(),
            falco_pod: None,
            guard: "",
            process_mode: Mode::Enforce,
            own: OwnIdentity {
                namespace: Namespace::new("responder"),
                pod: Name::new("responder-0"),
            },
            sender: None,
            claims: Vec::new(),
        }
    }

    fn snapshot(&self) -> Snapshot {
        let typed = |value: &Value| serde_json::from_value(value.clone()).unwrap();
        let owner = |kind, name: &str, uid: &str| Owner {
            object: crate::object::ObjectRef {
                at: crate::object::Locator::namespaced(kind, Namespace::new("web").unwrap(), Name::new(name).unwrap())
                    .unwrap(),
                uid: Uid::new(uid).unwrap(),
            },
            replicas: self.replicas,
            selector: serde_json::from_value(json!({"matchLabels": {"app": "web", "pod-template-hash": "abc"}}))
                .unwrap(),
            runs_falco: self.runs_falco && kind == Kind::DaemonSet,
            labels: std::collections::BTreeMap::new(),
            annotations: std::collections::BTreeMap::new(),
        };
        Snapshot {
            pod: self.pod.as_ref().map(|pod| Arc::new(typed(pod))).into(),
            owners: Part::Found(OwnerChain {
                owners: self
                    .owners
                    .iter()
                    .map(|(kind, name, uid)| Controller::Known(owner(*kind, name, uid)))
                    .chain(self.custom.clone().map(Controller::Custom))
                    .collect(),
                broken: self.broken.clone().map(|why| BrokenLink {
                    why,
                    believed: self.believed,
                    unread: self.unread.clone(),
                }),
                claimed: self.owners.last().and_then(|(.., uid)| Uid::new(uid)),
            }),
            falco_pod: self
                .falco_pod
                .as_ref()
                .map(|pod| Arc::new(serde_json::from_value(pod.clone()).unwrap()))
                .into(),
            node: Part::Found(Arc::new(serde_json::from_value(self.node.clone()).unwrap())),
            namespace: match &self.namespace_labels {
                Value::Null => Part::Missing,
                labels => Part::Found(Arc::new(
                    serde_json::from_value(json!({"metadata": {"name": "web", "labels": labels}})).unwrap(),
                )),
            },
            policies: Part::Found(Policies {
                network_policies: self
                    .policies
                    .iter()
                    .map(|policy| serde_json::from_value(policy.clone()).unwrap())
                    .collect(),
                others: EnginePolicies {
                    engine: self.engine,
                    policies: self.engine_policies.clone(),
                    can_deny: self.can_deny.clone(),
                    unread: Vec::new(),
                },
            }),
            services: Part::Found(vec![
                serde_json::from_value(json!({"metadata": {"name": "web"}, "spec": {"selector": {"app": "web"}}}))
                    .unwrap(),
            ]),
            nodes: Part::Found(
                self.nodes
                    .iter()
                    .map(|node| serde_json::from_value(node.clone()).unwrap())
                    .collect(),
            ),
            serving: Part::Found(Arc::new(self.serving.clone())),
            located: self.located(),
            ..Snapshot::empty(NOW.parse().unwrap())
        }
    }

    /// The lookup of a container on `worker-1`, where `web-0` is the only pod.
    fn located(&self) -> LocatedPod {
        let alert = Alert::decode(self.alert.to_string().as_bytes(), &Bounds::default()).unwrap();
        let Ok(Subject::Container { container, .. }) = Subject::of(&alert) else {
            return LocatedPod::NotAsked;
        };
        let pod: Option<Pod> = self
            .pod
            .as_ref()
            .map(|pod| serde_json::from_value(pod.clone()).unwrap());
        match pod.map(PodOnNode::from).filter(|pod| pod.has(&container)) {
            Some(pod) => {
                let (namespace, name) = pod.names.unwrap();
                let claim = PodClaim {
                    namespace,
                    name,
                    container: Some(container),
                    uid: None,
                    from_audit: false,
                };
                LocatedPod::Found {
                    claim,
                    node: Name::new("worker-1").unwrap(),
                }
            }
            None => LocatedPod::Missing("none of the 1 pods on worker-1 has or had it".to_owned()),
        }
    }

    fn decide(&self, playbook: &str) -> Decision {
        self.decide_at(playbook, NOW)
    }

    fn decide_at(&self, playbook: &str, now: &str) -> Decision {
        let decision = self.with_context(playbook, now, |context, ledger| {
            decide(context, Ok(&self.snapshot()), ledger)
        });
        assert!(is_in_order(&decision.trace), "{}", decision.trace);
        decision
    }

    /// The reason of the refusal for which the cluster is not read.
    fn screened(&self, playbook: &str) -> Option<RefusalReason> {
        let decision = self.with_context(playbook, NOW, screen);
        decision.as_ref().and_then(reason)
    }

    fn with_context<T>(&self, playbook: &str, now: &str, work: impl FnOnce(&Context<'_>, &LedgerView) -> T) -> T {
        let sources = [
            SourceFile {
                file: "playbook.yaml".into(),
                text: playbook.to_owned(),
            },
            SourceFile {
                file: "guard.yaml".into(),
                text: self.guard.to_owned(),
            },
        ];
        let loaded = load(&sources, NOW.parse().unwrap()).unwrap_or_else(|problems| panic!("{problems:?}"));
        let guard = loaded.guard.unwrap_or_else(|| Arc::new(Guard::built_in()));
        let alert = Alert::decode(self.alert.to_string().as_bytes(), &Bounds::default()).unwrap();
        let context = Context {
            alert: &alert,
            alert_id: alert.id(),
            sender: self.sender.as_ref(),
            playbook: &loaded.playbooks[0],
            guard: &guard,
            process_mode: self.process_mode,
            own: &self.own,
            now: now.parse().unwrap(),
        };
        let ledger = LedgerView {
            claims: Arc::new(self.claims.clone()),
            ..LedgerView::empty()
        };
        work(&context, &ledger)
    }

    fn refusal(&self, playbook: &str) -> Option<RefusalReason> {
        reason(&self.decide(playbook))
    }

    /// Commits the claim of this playbook's decision.
    fn commit(&mut self, playbook: &str) {
        match self.decide(playbook).outcome {
            Outcome::Act { claim, .. } => self.claims.push(*claim),
            Outcome::Refuse(refusal) => panic!("{refusal}"),
        }
    }
}

/// Whether the checks come in the order of their names; steps and budgets come in the order of their files.
fn is_in_order(trace: &Trace) -> bool {
    trace.checks.is_sorted_by(|earlier, later| {
        earlier.name <= later.name || discriminant(&earlier.name) == discriminant(&later.name)
    })
}

fn reason(decision: &Decision) -> Option<RefusalReason> {
    match &decision.outcome {
        Outcome::Act { .. } => None,
        Outcome::Refuse(refusal) => Some(refusal.reason),
    }
}

fn plan(decision: &Decision) -> &Plan {
    match &decision.outcome {
        Outcome::Act { plan, .. } => plan,
        Outcome::Refuse(refusal) => panic!("{refusal}\n{}", decision.trace),
    }
}

fn playbook(spec: &str) -> String {
    let indented = spec.replace('\n', "\n  ");
    format!(
        "apiVersion: responder.dev/v1alpha1\nkind: ClusterPlaybook\nmetadata: {{name: p}}\nspec:\n  description: A test.\n  match: {{rules: [\"*\"]}}\n  {indented}\n"
    )
}

fn delete() -> String {
    playbook("mode: Enforce\nsteps: [{delete: {}}]")
}

fn cordon() -> String {
    playbook("mode: Enforce\ntarget: Node\nsteps: [{cordon: {}}]")
}

fn taint(parameters: &str) -> String {
    playbook(&format!(
        "mode: Enforce\ntarget: Node\nsteps: [{{taint: {{{parameters}}}}}]"
    ))
}

fn quarantine() -> String {
    playbook("mode: Enforce\nsteps: [{quarantine: {ttl: 2h}}]")
}

// --- refusals ------------------------------------------------------------------------------------

fn edit(value: &mut Value, pointer: &str, new: Value) {
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    value.pointer_mut(parent).unwrap()[key] = new;
}

#[test]
fn the_pod_of_the_world_is_a_pod() {
    let pod: Pod = serde_json::from_value(pod_json()).unwrap();
    assert!(crate::pod::reference(&pod).is_some());
    assert!(ALERT_AT < NOW);
}
