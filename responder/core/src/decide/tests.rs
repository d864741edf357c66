//! Decisions in small clusters: a row for each refusal, and snapshots of plans.

use std::mem::discriminant;
use std::sync::Arc;

use k8s_openapi::api::core::v1::Pod;
use proptest::prelude::*;
use rstest::rstest;
use serde_json::{Value, json};

use super::*;
use crate::alert::{Alert, Bounds, Sender, SenderName};
use crate::document::SourceFile;
use crate::object::{Name, Namespace, Uid};
use crate::playbook::load;
use crate::port::ReadErrorKind;
use crate::snapshot::{Owner, OwnerChain, Part, Policies, PolicyEngine};
use crate::trace::Verdict;

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
    namespace_labels: Value,
    policies: Vec<Value>,
    engine: Option<&'static str>,
    replicas: Option<u32>,
    broken: Option<String>,
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
            engine: Some("cilium"),
            replicas: Some(3),
            broken: None,
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
            labels: std::collections::BTreeMap::new(),
            annotations: std::collections::BTreeMap::new(),
        };
        Snapshot {
            pod: self.pod.as_ref().map(|pod| Arc::new(typed(pod))).into(),
            owners: Part::Found(OwnerChain {
                owners: vec![
                    owner(crate::object::Kind::ReplicaSet, "web-abc", "rs-uid"),
                    owner(crate::object::Kind::Deployment, "web", "deploy-uid"),
                ],
                broken: self.broken.clone(),
            }),
            falco_pod: self
                .falco_pod
                .as_ref()
                .map(|pod| Arc::new(serde_json::from_value(pod.clone()).unwrap()))
                .into(),
            node: Part::Found(Arc::new(serde_json::from_value(self.node.clone()).unwrap())),
            namespace: Part::Found(Arc::new(
                serde_json::from_value(json!({"metadata": {"name": "web", "labels": self.namespace_labels}})).unwrap(),
            )),
            policies: Part::Found(Policies {
                policies: self
                    .policies
                    .iter()
                    .map(|policy| serde_json::from_value(policy.clone()).unwrap())
                    .collect(),
                engine: self.engine.map(|name| PolicyEngine(name.to_owned())),
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
            ..Snapshot::empty(NOW.parse().unwrap())
        }
    }

    fn decide(&self, playbook: &str) -> Decision {
        self.decide_at(playbook, NOW)
    }

    fn decide_at(&self, playbook: &str, now: &str) -> Decision {
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
        let decision = decide(&context, Ok(&self.snapshot()), &ledger);
        assert!(is_in_order(&decision.trace), "{}", decision.trace);
        decision
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

#[rstest]
#[case::internal("/source", json!("internal"), RefusalReason::NoTarget)]
#[case::cloud("/source", json!("aws_cloudtrail"), RefusalReason::NoTarget)]
#[case::no_pod("/output_fields/k8s.pod.name", Value::Null, RefusalReason::NoTarget)]
#[case::na("/output_fields/k8s.pod.name", json!("<NA>"), RefusalReason::NoTarget)]
#[case::a_path_in_a_name("/output_fields/k8s.pod.name", json!("../../nodes/worker-1"), RefusalReason::NoTarget)]
#[case::host_process("/output_fields/container.id", json!("host"), RefusalReason::HostProcess)]
#[case::kube_system("/output_fields/k8s.ns.name", json!("kube-system"), RefusalReason::Protected)]
#[case::falco("/output_fields/k8s.ns.name", json!("falco"), RefusalReason::Protected)]
#[case::own_namespace("/output_fields/k8s.ns.name", json!("responder"), RefusalReason::Protected)]
#[case::stale("/time", json!("2026-11-24T02:50:00Z"), RefusalReason::Stale)]
#[case::future("/time", json!("2026-11-24T03:10:00Z"), RefusalReason::Future)]
#[case::forged_container("/output_fields/container.id", json!("cccccccccccc"), RefusalReason::Contradicted)]
fn an_alert_with_one_wrong_field_is_refused(
    #[case] pointer: &str,
    #[case] value: Value,
    #[case] expected: RefusalReason,
) {
    let mut world = World::new();
    edit(&mut world.alert, pointer, value);
    assert_eq!(world.refusal(&delete()), Some(expected));
}

#[rstest]
#[case::terminating("/metadata/deletionTimestamp", json!("2026-11-24T03:00:00Z"), RefusalReason::Terminating)]
#[case::completed("/status/phase", json!("Succeeded"), RefusalReason::Completed)]
#[case::mirror("/metadata/annotations", json!({"kubernetes.io/config.mirror": "x"}), RefusalReason::MirrorPod)]
#[case::static_pod("/metadata/ownerReferences", json!([{"apiVersion": "v1", "kind": "Node", "name": "worker-1", "uid": "n", "controller": true}]), RefusalReason::MirrorPod)]
#[case::daemon_set("/metadata/ownerReferences", json!([{"apiVersion": "apps/v1", "kind": "DaemonSet", "name": "agent", "uid": "d", "controller": true}]), RefusalReason::DaemonSetPod)]
fn a_pod_that_deleting_does_not_help_is_refused(
    #[case] pointer: &str,
    #[case] value: Value,
    #[case] expected: RefusalReason,
) {
    let mut world = World::new();
    edit(world.pod.as_mut().unwrap(), pointer, value);
    assert_eq!(world.refusal(&delete()), Some(expected));
}

#[rstest]
#[case::host_network("/spec/hostNetwork", json!(true), RefusalReason::HostNetwork)]
#[case::quarantined_already("/metadata/labels/responder.dev~1quarantine", json!("x"), RefusalReason::AlreadyDone)]
fn a_pod_that_quarantine_does_not_reach_is_refused(
    #[case] pointer: &str,
    #[case] value: Value,
    #[case] expected: RefusalReason,
) {
    let mut world = World::new();
    let pod = world.pod.as_mut().unwrap();
    match pointer.rsplit_once('/') {
        Some((parent, key)) => pod.pointer_mut(parent).unwrap()[key.replace("~1", "/")] = value,
        None => unreachable!("every pointer has a slash"),
    }
    assert_eq!(world.refusal(&quarantine()), Some(expected));
}

#[test]
fn a_pod_that_is_not_there_is_gone() {
    let world = World {
        pod: None,
        ..World::new()
    };
    assert_eq!(world.refusal(&delete()), Some(RefusalReason::TargetGone));
}

#[test]
fn a_part_that_could_not_be_read_is_refused() {
    let world = World::new();
    let sources = [SourceFile {
        file: "p.yaml".into(),
        text: delete(),
    }];
    let loaded = load(&sources, NOW.parse().unwrap()).unwrap();
    let alert = Alert::decode(world.alert.to_string().as_bytes(), &Bounds::default()).unwrap();
    let guard = Guard::built_in();
    let context = Context {
        alert: &alert,
        alert_id: alert.id(),
        sender: None,
        playbook: &loaded.playbooks[0],
        guard: &guard,
        process_mode: Mode::Enforce,
        own: &world.own,
        now: NOW.parse().unwrap(),
    };
    let error = ReadError {
        what: "pod/web/web-0".to_owned(),
        kind: ReadErrorKind::Timeout,
        detail: "10 s".to_owned(),
    };
    assert_eq!(
        reason(&decide(&context, Err(&error), &LedgerView::empty())),
        Some(RefusalReason::Unreadable)
    );
    // A snapshot without any part read refuses too.
    let empty = Snapshot::empty(NOW.parse().unwrap());
    assert_eq!(
        reason(&decide(&context, Ok(&empty), &LedgerView::empty())),
        Some(RefusalReason::Unreadable)
    );
}

#[test]
fn an_alert_is_answered_once_by_each_playbook() {
    let mut world = World::new();
    world.commit(&delete());
    assert_eq!(world.refusal(&delete()), Some(RefusalReason::Duplicate));
}

#[test]
fn a_cooldown_per_owner_holds_for_the_replacement() {
    let spec = playbook("mode: Enforce\nlimits: {cooldown: {per: Owner, for: 10m}}\nsteps: [{delete: {}}]");
    let mut world = World::new();
    world.commit(&spec);
    edit(&mut world.alert, "/output_fields/container.id", json!("bbbbbbbbbbbb"));
    let pod = world.pod.as_mut().unwrap();
    edit(pod, "/metadata/uid", json!("replacement-uid"));
    edit(
        pod,
        "/status/containerStatuses/0/containerID",
        json!("containerd://bbbbbbbbbbbbbbbb"),
    );
    assert_eq!(world.refusal(&spec), Some(RefusalReason::Cooldown));
}

#[test]
fn a_budget_of_the_guard_is_not_exceeded() {
    let mut world = World::new();
    world.guard = "apiVersion: responder.dev/v1alpha1\nkind: Guard\nmetadata: {name: default}\nspec:\n  mode: Enforce\n  budgets: [{scope: Namespace, class: Destroy, max: 1, per: 10m}]\n";
    world.commit(&delete());
    edit(&mut world.alert, "/output_fields/container.id", json!("bbbbbbbbbbbb"));
    let pod = world.pod.as_mut().unwrap();
    edit(pod, "/metadata/uid", json!("second-uid"));
    edit(
        pod,
        "/status/containerStatuses/0/containerID",
        json!("containerd://bbbbbbbbbbbbbbbb"),
    );
    assert_eq!(world.refusal(&delete()), Some(RefusalReason::BudgetExhausted));
}

#[test]
fn a_limit_that_counts_by_owner_refuses_when_the_owner_is_unknown() {
    let spec = playbook("mode: Enforce\nlimits: {cooldown: {per: Owner, for: 10m}}\nsteps: [{delete: {}}]");
    let world = World {
        broken: Some("the ReplicaSet web-abc is gone".to_owned()),
        ..World::new()
    };
    assert_eq!(world.refusal(&spec), Some(RefusalReason::OwnerUnknown));
}

#[test]
fn the_last_schedulable_node_stays() {
    let mut world = World::new();
    for node in &mut world.nodes[1..] {
        edit(node, "/spec/unschedulable", json!(true));
    }
    assert_eq!(world.refusal(&cordon()), Some(RefusalReason::LastSchedulableNode));
}

#[test]
fn a_node_that_another_response_has_just_claimed_counts_as_cordoned() {
    let mut world = World::new();
    world.nodes.truncate(2);
    world.commit(&cordon());
    // The snapshot still shows worker-1 as schedulable: its cordon is in progress.
    edit(&mut world.alert, "/hostname", json!("worker-2"));
    edit(&mut world.alert, "/output_fields/container.id", json!("host"));
    world.node = node_json("worker-2");
    assert_eq!(world.refusal(&cordon()), Some(RefusalReason::LastSchedulableNode));
}

#[rstest]
#[case("", Some(RefusalReason::LastSchedulableNode))]
#[case("effect: PreferNoSchedule", None)]
fn the_last_schedulable_node_is_tainted_only_if_it_still_takes_pods(
    #[case] parameters: &str,
    #[case] refusal: Option<RefusalReason>,
) {
    let mut world = World::new();
    for node in &mut world.nodes[1..] {
        edit(node, "/spec/unschedulable", json!(true));
    }
    assert_eq!(world.refusal(&taint(parameters)), refusal);
}

/// The claim of one action counts for another, before a snapshot shows the change.
#[rstest]
#[case::a_taint_for_a_cordon(&taint(""), &cordon())]
#[case::a_cordon_for_a_taint(&cordon(), &taint(""))]
fn a_node_that_any_response_has_reserved_does_not_count_as_schedulable(#[case] first: &str, #[case] second: &str) {
    let mut world = World::new();
    world.nodes.truncate(2);
    world.commit(first);
    edit(&mut world.alert, "/hostname", json!("worker-2"));
    edit(&mut world.alert, "/output_fields/container.id", json!("host"));
    world.node = node_json("worker-2");
    assert_eq!(world.refusal(second), Some(RefusalReason::LastSchedulableNode));
}

#[test]
fn a_node_tainted_by_a_response_does_not_count_as_schedulable_and_one_tainted_otherwise_does() {
    let mut world = World::new();
    world.nodes.truncate(2);
    let taint = json!([{"key": "example.org/suspect", "value": "abc", "effect": "NoSchedule"}]);
    edit(&mut world.nodes[1], "/spec/taints", taint);
    assert_eq!(world.refusal(&cordon()), None);
    edit(
        &mut world.nodes[1],
        "/metadata/annotations",
        json!({"responder.dev/tainted-by.abc": "p/abc"}),
    );
    assert_eq!(world.refusal(&cordon()), Some(RefusalReason::LastSchedulableNode));
}

#[test]
fn a_label_reserves_no_node() {
    let mut world = World::new();
    world.nodes.truncate(2);
    world.commit(&playbook(
        "mode: Enforce\ntarget: Node\nsteps: [{label: {labels: {a: b}}}]",
    ));
    edit(&mut world.alert, "/hostname", json!("worker-2"));
    edit(&mut world.alert, "/output_fields/container.id", json!("host"));
    world.node = node_json("worker-2");
    assert_eq!(world.refusal(&cordon()), None);
}

#[rstest]
#[case::by_another_writer(None, "by another writer; responder will not remove it")]
#[case::by_another_response(Some("q/other"), "by q/other")]
fn an_existing_taint_is_noted_and_not_overwritten(#[case] by: Option<&str>, #[case] note: &str) {
    let mut world = World::new();
    let there = json!([{"key": "responder.dev/incident", "value": "other", "effect": "NoSchedule"}]);
    edit(&mut world.node, "/spec/taints", there);
    if let Some(by) = by {
        edit(
            &mut world.node,
            "/metadata/annotations",
            json!({"responder.dev/tainted-by.other": by}),
        );
    }
    let decision = world.decide(&taint(""));
    let Outcome::Refuse(refusal) = &decision.outcome else {
        panic!("{decision:?}")
    };
    assert_eq!(refusal.reason, RefusalReason::AlreadyDone);
    assert_eq!(
        refusal.detail,
        format!("node/worker-1 is already tainted responder.dev/incident=other:NoSchedule, {note}")
    );
}

#[test]
fn a_control_plane_node_is_protected() {
    let mut world = World::new();
    edit(
        &mut world.node,
        "/metadata/labels",
        json!({"node-role.kubernetes.io/control-plane": ""}),
    );
    assert_eq!(world.refusal(&cordon()), Some(RefusalReason::Protected));
}

#[test]
fn a_quarantine_that_isolates_nothing_is_refused() {
    let open = json!({"metadata": {"name": "open"}, "spec": {"podSelector": {}, "policyTypes": ["Ingress", "Egress"], "ingress": [{}], "egress": [{}]}});
    let world = World {
        policies: vec![open],
        ..World::new()
    };
    assert_eq!(world.refusal(&quarantine()), Some(RefusalReason::WouldNotIsolate));
}

#[test]
fn an_exception_refuses_with_its_reason_until_it_expires() {
    let spec = playbook(
        "mode: Enforce\nexcept: [{fields: [{field: proc.name, in: [bash]}], reason: SEC-12, expiresAt: \"2026-11-24T03:00:06Z\"}]\nsteps: [{delete: {}}]",
    );
    let world = World::new();
    assert_eq!(
        reason(&world.decide_at(&spec, "2026-11-24T03:00:05.9Z")),
        Some(RefusalReason::Excepted)
    );
    assert_eq!(reason(&world.decide_at(&spec, NOW)), None);
}

#[test]
fn a_live_match_reads_the_live_object_and_not_the_alerts_claim() {
    let spec = "apiVersion: responder.dev/v1alpha1\nkind: ClusterPlaybook\nmetadata: {name: p}\nspec:\n  description: A test.\n  mode: Enforce\n  match: {rules: [\"*\"], pod: {matchLabels: {team: bank}}}\n  steps: [{delete: {}}]\n";
    assert_eq!(World::new().refusal(spec), Some(RefusalReason::NotSelected));
}

#[test]
fn an_alert_of_another_cluster_is_refused() {
    let mut world = World::new();
    world.guard = "apiVersion: responder.dev/v1alpha1\nkind: Guard\nmetadata: {name: default}\nspec:\n  mode: Enforce\n  cluster: {name: prod-eu-1, field: cluster}\n";
    world.alert["output_fields"]["cluster"] = json!("prod-us-1");
    assert_eq!(world.refusal(&delete()), Some(RefusalReason::ForeignCluster));
    world.alert["output_fields"]["cluster"] = json!("prod-eu-1");
    assert_eq!(world.refusal(&delete()), None);
}

// --- modes ---------------------------------------------------------------------------------------

#[rstest]
#[case(Mode::Observe, "Enforce", Mode::Observe)]
#[case(Mode::Enforce, "Rehearse", Mode::Rehearse)]
#[case(Mode::Enforce, "Enforce", Mode::Enforce)]
fn the_mode_is_the_safest(#[case] process: Mode, #[case] written: &str, #[case] expected: Mode) {
    let world = World {
        process_mode: process,
        ..World::new()
    };
    let decision = world.decide(&playbook(&format!("mode: {written}\nsteps: [{{delete: {{}}}}]")));
    assert_eq!(plan(&decision).mode.mode(), expected);
}

#[test]
fn a_rollout_raises_the_mode_in_the_namespaces_that_it_selects() {
    let spec = playbook(
        "mode: Observe\nrollout: [{namespaces: {matchLabels: {ring: canary}}, mode: Enforce}]\nsteps: [{delete: {}}]",
    );
    let mut world = World::new();
    assert_eq!(plan(&world.decide(&spec)).mode.mode(), Mode::Observe);
    world.namespace_labels = json!({"ring": "canary"});
    assert_eq!(plan(&world.decide(&spec)).mode.mode(), Mode::Enforce);
}

// --- targets -------------------------------------------------------------------------------------

#[test]
fn a_host_alert_finds_its_node_by_the_falco_pod_on_it() {
    let mut world = World::new();
    edit(&mut world.alert, "/hostname", json!("falco-xczjd"));
    edit(&mut world.alert, "/output_fields/container.id", json!("host"));
    world.falco_pod = Some(
        json!({"metadata": {"name": "falco-xczjd", "namespace": "falco"}, "spec": {"containers": [], "nodeName": "worker-1"}}),
    );
    assert_eq!(plan(&world.decide(&cordon())).target.to_string(), "node/worker-1");
}

#[test]
fn an_owner_is_the_topmost_controller() {
    let spec =
        playbook("mode: Enforce\ntarget: Owner\nsteps: [{annotate: {annotations: {example.org/seen: \"yes\"}}}]");
    assert_eq!(
        plan(&World::new().decide(&spec)).target.to_string(),
        "deployment/web/web"
    );
}

// --- plans, as an operator reads them -------------------------------------------------------------

#[test]
fn the_plan_of_a_delete() {
    insta::assert_snapshot!(plan(&World::new().decide(&delete())));
}

#[test]
fn the_plan_of_a_quarantine_that_leaks_dns() {
    let dns = json!({"metadata": {"name": "allow-dns"}, "spec": {"podSelector": {}, "policyTypes": ["Egress"], "egress": [{"ports": [{"port": 53, "protocol": "UDP"}]}]}});
    let world = World {
        policies: vec![dns],
        ..World::new()
    };
    insta::assert_snapshot!(plan(&world.decide(&quarantine())));
}

#[test]
fn the_plan_of_a_quarantine_of_a_stateful_pod_says_why_it_is_not_detached() {
    let mut world = World::new();
    edit(
        world.pod.as_mut().unwrap(),
        "/metadata/ownerReferences/0/kind",
        json!("StatefulSet"),
    );
    insta::assert_snapshot!(plan(&world.decide(&quarantine())));
}

#[test]
fn the_plan_of_a_cordon() {
    insta::assert_snapshot!(plan(&World::new().decide(&cordon())));
}

#[test]
fn the_plan_of_a_taint_beside_another_one() {
    let mut world = World::new();
    let foreign = json!([{"key": "example.org/gpu", "value": "a100", "effect": "NoSchedule"}]);
    edit(&mut world.node, "/spec/taints", foreign);
    let decision = world.decide(&taint("key: example.org/suspect"));
    insta::assert_snapshot!(plan(&decision));
    insta::assert_yaml_snapshot!("the_step_of_a_taint", plan(&decision).steps[0]);
}

#[test]
fn the_plan_of_labels_taken_from_the_alert() {
    let spec = playbook(
        "mode: Rehearse\nsteps: [{label: {labels: {suspect: {field: proc.name}, missing: {field: proc.pname}, team: null}}}]",
    );
    insta::assert_snapshot!(plan(&World::new().decide(&spec)));
}

#[test]
fn the_trace_of_a_decision() {
    insta::assert_snapshot!(World::new().decide(&delete()).trace);
}

#[test]
fn the_checks_of_a_trace_come_in_the_order_of_their_names() {
    let mut world = World {
        sender: Some(Sender::Anonymous),
        guard: "apiVersion: responder.dev/v1alpha1\nkind: Guard\nmetadata: {name: default}\nspec:\n  mode: Enforce\n  cluster: {name: prod-eu-1, field: cluster}\n  budgets:\n    - {scope: Namespace, class: Destroy, max: 9, per: 10m}\n    - {scope: Cluster, class: Annotate, max: 9, per: 10m}\n",
        ..World::new()
    };
    world.alert["output_fields"]["k8s.pod.uid"] = json!("pod-uid");
    let spec = "apiVersion: responder.dev/v1alpha1\nkind: ClusterPlaybook\nmetadata: {name: p}\nspec:\n  description: A test.\n  mode: Enforce\n  match: {rules: [\"*\"], image: {glob: \"*\"}, pod: {matchLabels: {team: shop}}, when: \"true\"}\n  except:\n    - {pod: {matchLabels: {team: bank}}, reason: SEC-1}\n    - {fields: [{field: proc.name, equals: zsh}], reason: SEC-2}\n    - {fields: [{field: proc.name, equals: ash}], reason: SEC-3}\n  limits: {cooldown: {for: 10m}, targets: {max: 5, percentOfOwner: 50, per: 10m}}\n  steps: [{label: {labels: {a: b}}}, {delete: {}}]\n";
    let decision = world.decide(spec);
    insta::assert_snapshot!(decision.trace);
    let mut trace = decision.trace;
    assert!(is_in_order(&trace));
    trace.checks.swap(0, 1);
    assert!(!is_in_order(&trace));
}

#[test]
fn the_sender_is_the_first_check_of_the_trace() {
    let name = SenderName::new("falco").unwrap();
    for (sender, verdict, detail) in [
        (Sender::Basic(name), Verdict::Passed, "basic falco"),
        (Sender::Anonymous, Verdict::Skipped, "the sender was not authenticated"),
    ] {
        let world = World {
            sender: Some(sender),
            ..World::new()
        };
        let trace = world.decide(&delete()).trace;
        let first = &trace.checks[0];
        assert_eq!(
            (&first.name, first.verdict, &*first.detail),
            (&CheckName::Sender, verdict, detail)
        );
    }
}

#[test]
fn the_manifest_of_a_quarantine_policy_selects_its_incident_only() {
    let decision = World::new().decide(&playbook(
        "mode: Enforce\nsteps: [{quarantine: {ttl: 2h, allow: {dns: true}}}]",
    ));
    insta::assert_yaml_snapshot!(plan(&decision).steps[0].plan.requests[0].request);
}

// --- the lint ------------------------------------------------------------------------------------

#[test]
fn a_plan_that_goes_to_another_object_is_found() {
    let decision = World::new().decide(&delete());
    let mut plan = plan(&decision).clone();
    if let crate::request::Request::Delete { target, .. } = &mut plan.steps[0].plan.requests[0].request {
        target.uid = Uid::new("another-pod").unwrap();
    }
    assert!(matches!(
        lint(&plan),
        Some(crate::plan::PlanFault::WrongTarget { step: 1, .. })
    ));
}

#[test]
fn a_patch_of_a_list_without_a_version_is_found() {
    let mut plan = plan(&World::new().decide(&taint(""))).clone();
    let crate::request::Request::Patch { patch, .. } = &mut plan.steps[0].plan.requests[0].request else {
        panic!("{plan}")
    };
    *patch = crate::patch::Patch::new(patch.changes().to_vec());
    assert_eq!(lint(&plan), Some(crate::plan::PlanFault::Unversioned { step: 1 }));
}

#[test]
fn an_undo_that_does_not_belong_to_its_request_is_found() {
    let mut plan = plan(&World::new().decide(&delete())).clone();
    plan.steps[0].plan.requests[0].undo = crate::plan::Undo::Restore;
    assert_eq!(lint(&plan), Some(crate::plan::PlanFault::StrayUndo { step: 1 }));
}

#[test]
fn a_step_after_the_end_of_its_target_is_found() {
    let spec = playbook("mode: Enforce\nsteps: [{delete: {}}, {label: {labels: {a: b}}}]");
    assert_eq!(World::new().refusal(&spec), Some(RefusalReason::PlanUnsound));
}

// --- properties ----------------------------------------------------------------------------------

/// Parts of alerts: valid, invalid and missing ones.
fn field() -> impl Strategy<Value = Value> {
    prop::sample::select(vec![
        json!("web"),
        json!("web-0"),
        json!("aaaaaaaaaaaa"),
        json!("cccccccccccc"),
        json!("host"),
        json!("kube-system"),
        json!("pod-uid"),
        json!("other-uid"),
        Value::Null,
        json!(""),
        json!("<NA>"),
        json!("*"),
        json!(["web"]),
        json!(7),
        json!(true),
    ])
}

proptest! {
    /// Promise 2: whatever an alert says, requests go only to the corroborated object.
    #[test]
    fn no_alert_moves_a_request_to_another_object(
        namespace in field(), name in field(), container in field(), uid in field(), created in 0..59_u32,
    ) {
        let mut world = World::new();
        world.alert["output_fields"] = json!({
            "k8s.ns.name": namespace, "k8s.pod.name": name, "container.id": container, "k8s.pod.uid": uid,
        });
        edit(world.pod.as_mut().unwrap(), "/metadata/creationTimestamp", json!(format!("2026-11-24T03:00:{created:02}Z")));
        let decision = world.decide(&delete());
        if let Outcome::Act { plan, .. } = &decision.outcome {
            for planned in plan.requests() {
                let target = planned.request.target().unwrap();
                prop_assert_eq!(target.uid.as_str(), "pod-uid");
                prop_assert_eq!(target.at.to_string(), "pod/web/web-0");
            }
            prop_assert!(container == json!("aaaaaaaaaaaa"));
            prop_assert!(uid != json!("other-uid"));
        }
        // The same input gives the same decision.
        prop_assert_eq!(world.decide(&delete()), decision);
    }
}

#[test]
fn the_pod_of_the_world_is_a_pod() {
    let pod: Pod = serde_json::from_value(pod_json()).unwrap();
    assert!(crate::pod::reference(&pod).is_some());
    assert!(ALERT_AT < NOW);
}
