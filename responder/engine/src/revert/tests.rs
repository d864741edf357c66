//! Values that are given back, and values that stay because another client wrote them.

use responder_cluster::simulated::SendFault;
use responder_core::action::{CORDONED_AT, CORDONED_BY};
use responder_core::alert::Alert;
use responder_core::plan::Plan;
use responder_core::port::ReadErrorKind;
use serde_json::{Value, json};

use super::*;
use crate::testing::{Before, TestWorld, Then, alert, enforced, playbook, pod_at};

const STEPS: &str = "[{label: {labels: {suspect: \"yes\", team: null, app: caught}}}]";

fn solo() -> Alert {
    alert("p", json!({}))
}

/// A world in which the pod was labelled, and the plan of it.
async fn labelled() -> (TestWorld, Plan) {
    let world = TestWorld::new(&enforced("p", STEPS));
    let plan = world.plan(&solo()).await;
    world.execute(&plan).await;
    assert_eq!(labels(&world), json!({"app": "caught", "suspect": "yes"}));
    (world, plan)
}

fn labels(world: &TestWorld) -> Value {
    world.object("Pod/web/solo-1").unwrap()["metadata"]["labels"].clone()
}

/// Another client changes the pod.
fn edit(cluster: &responder_cluster::SimulatedCluster, labels: &str) {
    let uid = crate::testing::uid_of(17);
    let pod = format!(
        "{{apiVersion: v1, kind: Pod, metadata: {{name: solo-1, namespace: web, uid: {uid}, labels: {labels}, \
         creationTimestamp: \"2026-11-24T01:00:00Z\"}}, spec: {{nodeName: worker-1, containers: [{{name: app, image: \"app:1\"}}]}}}}"
    );
    cluster.apply(&pod).unwrap_or_else(|error| panic!("{error}"));
}

async fn undone(world: &TestWorld, plan: &Plan) -> UndoOutcome {
    let planned = plan.requests().next().unwrap();
    let outcome = RequestOutcome::Done {
        reply: Reply::Patched {
            resource_version: "1".to_owned(),
        },
    };
    let changed = Changed {
        planned,
        outcome: &outcome,
    };
    undo(&world.sender(), changed, &plan.permit()).await.outcome
}

#[tokio::test(start_paused = true)]
async fn a_label_that_is_as_we_left_it_is_given_back() {
    let (world, plan) = labelled().await;
    assert_eq!(undone(&world, &plan).await, UndoOutcome::Undone);
    assert_eq!(labels(&world), json!({"app": "solo", "team": "shop"}));
}

#[tokio::test(start_paused = true)]
async fn a_label_that_another_writer_has_changed_since_stays() {
    let (world, plan) = labelled().await;
    edit(&world.cluster.inner, "{app: caught, suspect: cleared, team: bank}");
    let outcome = undone(&world, &plan).await;
    let left = ["label suspect", "label team"].map(str::to_owned).to_vec();
    assert_eq!(outcome, UndoOutcome::PartlyUndone { left });
    assert_eq!(
        labels(&world),
        json!({"app": "solo", "suspect": "cleared", "team": "bank"})
    );
}

#[tokio::test(start_paused = true)]
async fn where_nothing_is_as_we_left_it_nothing_is_sent() {
    let (world, plan) = labelled().await;
    edit(&world.cluster.inner, "{app: other, suspect: cleared, team: bank}");
    let sent = world.cluster.mutations().len();
    let outcome = undone(&world, &plan).await;
    assert!(matches!(outcome, UndoOutcome::Nothing { .. }), "{outcome:?}");
    assert_eq!(world.cluster.mutations().len(), sent);
}

/// The edit comes between our look and our patch: the server sees another version, and we look again.
#[tokio::test(start_paused = true)]
async fn an_edit_in_the_last_moment_is_seen_and_stays() {
    let (world, plan) = labelled().await;
    world.cluster.before(|cluster, before| {
        if let Before::Send(_, 0) = before {
            edit(cluster, "{app: caught, suspect: cleared}");
        }
        Then::Go
    });
    let outcome = undone(&world, &plan).await;
    let left = vec!["label suspect".to_owned()];
    assert_eq!(outcome, UndoOutcome::PartlyUndone { left });
    assert_eq!(
        labels(&world),
        json!({"app": "solo", "suspect": "cleared", "team": "shop"})
    );
}

#[tokio::test(start_paused = true)]
async fn an_object_that_keeps_changing_is_given_up_and_told() {
    let (world, plan) = labelled().await;
    let mut edits = 0;
    world.cluster.before(move |cluster, before| {
        if let Before::Send(..) = before {
            edits += 1;
            edit(
                cluster,
                &format!("{{app: caught, suspect: \"yes\", edit: \"{edits}\"}}"),
            );
        }
        Then::Go
    });
    let outcome = undone(&world, &plan).await;
    assert!(
        matches!(&outcome, UndoOutcome::Failed { because } if because.contains("kept changing")),
        "{outcome:?}"
    );
    let sent = world.cluster.mutations().len();
    assert_eq!(sent, 1 + MOST_RESTORES as usize);
}

#[tokio::test(start_paused = true)]
async fn an_undo_whose_answer_was_lost_is_told_as_done() {
    let (world, plan) = labelled().await;
    world.cluster.script([Then::Fail(SendFault::AnswerLost)]);
    assert_eq!(undone(&world, &plan).await, UndoOutcome::Undone);
    assert_eq!(labels(&world), json!({"app": "solo", "team": "shop"}));
}

#[tokio::test(start_paused = true)]
async fn an_undo_whose_answer_was_lost_still_tells_what_was_left_alone() {
    let (world, plan) = labelled().await;
    edit(&world.cluster.inner, "{app: caught, suspect: cleared}");
    world.cluster.script([Then::Fail(SendFault::AnswerLost)]);
    let left = vec!["label suspect".to_owned()];
    assert_eq!(undone(&world, &plan).await, UndoOutcome::PartlyUndone { left });
}

#[tokio::test(start_paused = true)]
async fn a_pod_that_took_the_name_is_not_touched() {
    let (world, plan) = labelled().await;
    let at = pod_at("solo-1");
    world.cluster.inner.replace(at.namespace().unwrap(), at.name()).unwrap();
    let before = world.objects();
    let outcome = undone(&world, &plan).await;
    assert!(
        matches!(&outcome, UndoOutcome::Nothing { because } if because.contains("another object")),
        "{outcome:?}"
    );
    assert_eq!(world.changes_since(&before), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_pod_that_is_gone_needs_no_undo() {
    let (world, plan) = labelled().await;
    world.cluster.inner.remove(&pod_at("solo-1"));
    let outcome = undone(&world, &plan).await;
    assert!(
        matches!(&outcome, UndoOutcome::Nothing { because } if because.contains("is gone")),
        "{outcome:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn an_undo_that_can_not_look_says_so() {
    let (world, plan) = labelled().await;
    world.cluster.inner.fail_reads([ReadErrorKind::Unavailable]);
    let outcome = undone(&world, &plan).await;
    assert!(
        matches!(&outcome, UndoOutcome::Failed { because } if because.contains("pod/web/solo-1") || because.contains("Pod/web/solo-1")),
        "{outcome:?}"
    );
}

/// A policy by the name of ours that is not the one that we created.
#[tokio::test(start_paused = true)]
async fn a_policy_that_is_not_the_one_we_created_stays() {
    let world = TestWorld::new(&enforced("p", "[{quarantine: {}}]"));
    let plan = world.plan(&solo()).await;
    let planned = plan.requests().next().unwrap();
    let outcome = RequestOutcome::Done {
        reply: Reply::Created(Uid::new("the-one-we-created").unwrap()),
    };
    let name = format!("responder-quarantine-{}", plan.incident);
    let foreign = format!(
        "{{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {{name: {name}, namespace: web}}, spec: {{podSelector: {{}}}}}}"
    );
    world.cluster.inner.apply(&foreign).unwrap();
    let changed = Changed {
        planned,
        outcome: &outcome,
    };
    let report = undo(&world.sender(), changed, &plan.permit()).await;
    assert!(matches!(report.outcome, UndoOutcome::Nothing { .. }), "{report:?}");
    assert_eq!(world.quarantines().len(), 1);
}

// --- nodes ---------------------------------------------------------------------------------------

async fn cordoned() -> (TestWorld, Plan) {
    let world = TestWorld::new(&playbook("p", "mode: Enforce\ntarget: Node\nsteps: [{cordon: {}}]"));
    let plan = world.plan(&solo()).await;
    world.execute(&plan).await;
    assert_eq!(node(&world)["spec"]["unschedulable"], true);
    (world, plan)
}

fn node(world: &TestWorld) -> Value {
    world.object("Node/worker-1").unwrap()
}

/// Another client writes the node's metadata and spec anew.
fn write_node(world: &TestWorld, annotations: &Value, unschedulable: bool) {
    let node = json!({
        "apiVersion": "v1", "kind": "Node",
        "metadata": {"name": "worker-1", "uid": "worker-1-uid", "annotations": annotations},
        "spec": {"unschedulable": unschedulable},
    });
    world.cluster.inner.apply(&node.to_string()).unwrap();
}

#[tokio::test(start_paused = true)]
async fn our_cordon_is_taken_back() {
    let (world, plan) = cordoned().await;
    assert_eq!(undone(&world, &plan).await, UndoOutcome::Undone);
    assert!(node(&world)["spec"].get("unschedulable").is_none());
    assert!(node(&world)["metadata"].get("annotations").is_none());
}

#[tokio::test(start_paused = true)]
async fn a_cordon_that_another_writer_has_taken_over_stays() {
    for take_over in [json!("sre/maintenance"), Value::Null] {
        let (world, plan) = cordoned().await;
        let mut annotations = node(&world)["metadata"]["annotations"].clone();
        annotations[CORDONED_BY] = take_over.clone();
        if take_over.is_null() {
            annotations.as_object_mut().unwrap().remove(CORDONED_BY);
        }
        write_node(&world, &annotations, true);
        let outcome = undone(&world, &plan).await;
        assert!(
            matches!(&outcome, UndoOutcome::PartlyUndone { left } if left.contains(&"spec.unschedulable".to_owned())),
            "{take_over}: {outcome:?}"
        );
        assert_eq!(node(&world)["spec"]["unschedulable"], true, "{take_over}");
        assert!(node(&world)["metadata"]["annotations"].get(CORDONED_AT).is_none());
    }
}

#[tokio::test(start_paused = true)]
async fn a_node_that_another_writer_has_uncordoned_stays_so() {
    let (world, plan) = cordoned().await;
    let annotations = node(&world)["metadata"]["annotations"].clone();
    write_node(&world, &annotations, false);
    let outcome = undone(&world, &plan).await;
    assert!(outcome.is_clean(), "{outcome:?}");
    assert_ne!(node(&world)["spec"]["unschedulable"], true);
}

const FOREIGN: &str = "{key: example.org/gpu, value: a100, effect: NoSchedule}";

/// A world with a node that has another taint, on which a plan to taint it was carried out.
async fn tainted() -> (TestWorld, Plan) {
    let world = TestWorld::new(&playbook("p", "mode: Enforce\ntarget: Node\nsteps: [{taint: {}}]"));
    write_taints(&world.cluster.inner, &[FOREIGN]);
    let plan = world.plan(&solo()).await;
    world.execute(&plan).await;
    assert_eq!(
        taints(&world),
        ["example.org/gpu=a100:NoSchedule".to_owned(), ours(&plan)]
    );
    (world, plan)
}

fn ours(plan: &Plan) -> String {
    format!("responder.dev/incident={}:NoSchedule", plan.incident)
}

/// The taints, as `kubectl describe` shows them.
fn taints(world: &TestWorld) -> Vec<String> {
    let taints = node(world)["spec"]["taints"].as_array().cloned().unwrap_or_default();
    let text = |taint: &Value, field: &str| taint[field].as_str().unwrap_or_default().to_owned();
    let shown = |taint: &Value| {
        format!(
            "{}={}:{}",
            text(taint, "key"),
            text(taint, "value"),
            text(taint, "effect")
        )
    };
    taints.iter().map(shown).collect()
}

/// Another writer replaces the node's taints (flow YAML).
fn write_taints(cluster: &responder_cluster::SimulatedCluster, taints: &[&str]) {
    let metadata = cluster.objects().remove("Node/worker-1").unwrap()["metadata"].clone();
    let node = format!(
        "{{apiVersion: v1, kind: Node, metadata: {metadata}, spec: {{taints: [{}]}}}}",
        taints.join(", ")
    );
    cluster.apply(&node).unwrap_or_else(|error| panic!("{error}"));
}

#[tokio::test(start_paused = true)]
async fn only_our_taint_is_undone() {
    let (world, plan) = tainted().await;
    assert_eq!(undone(&world, &plan).await, UndoOutcome::Undone);
    assert_eq!(taints(&world), ["example.org/gpu=a100:NoSchedule"]);
    assert!(node(&world)["metadata"].get("annotations").is_none());
}

#[tokio::test(start_paused = true)]
async fn a_taint_that_another_writer_has_added_since_stays() {
    let (world, plan) = tainted().await;
    let mine = format!(
        "{{key: responder.dev/incident, value: {}, effect: NoSchedule}}",
        plan.incident
    );
    write_taints(
        &world.cluster.inner,
        &[
            &mine,
            "{key: node.kubernetes.io/unreachable, effect: NoExecute}",
            FOREIGN,
        ],
    );
    assert_eq!(undone(&world, &plan).await, UndoOutcome::Undone);
    assert_eq!(
        taints(&world),
        [
            "node.kubernetes.io/unreachable=:NoExecute",
            "example.org/gpu=a100:NoSchedule"
        ]
    );
}

/// The other writer comes between our read and our patch, so the list is computed again.
#[tokio::test(start_paused = true)]
async fn a_taint_that_another_writer_adds_during_the_undo_stays() {
    let (world, plan) = tainted().await;
    let mine = format!(
        "{{key: responder.dev/incident, value: {}, effect: NoSchedule}}",
        plan.incident
    );
    world.cluster.before(move |cluster, before| {
        if let Before::Send(_, 0) = before {
            write_taints(cluster, &[&mine, "{key: late, effect: NoSchedule}"]);
        }
        Then::Go
    });
    assert_eq!(undone(&world, &plan).await, UndoOutcome::Undone);
    assert_eq!(taints(&world), ["late=:NoSchedule"]);
}

/// A conflict of an undo is decided anew and not only sent anew: an annotation that another writer has taken over stays.
#[tokio::test(start_paused = true)]
async fn an_annotation_that_another_writer_takes_over_during_the_undo_of_a_taint_stays() {
    let (world, plan) = tainted().await;
    let key = format!("responder.dev/tainted-for.{}", plan.incident);
    let taken_over = key.clone();
    world.cluster.before(move |cluster, before| {
        if let Before::Send(_, 0) = before {
            let mut node = cluster.objects().remove("Node/worker-1").unwrap();
            node["metadata"]["annotations"][&taken_over] = "by hand".into();
            cluster
                .apply(&node.to_string())
                .unwrap_or_else(|error| panic!("{error}"));
        }
        Then::Go
    });
    let left = vec![format!("annotation {key}")];
    assert_eq!(undone(&world, &plan).await, UndoOutcome::PartlyUndone { left });
    assert_eq!(node(&world)["metadata"]["annotations"][&key], "by hand");
    assert_eq!(taints(&world), ["example.org/gpu=a100:NoSchedule"]);
}

#[tokio::test(start_paused = true)]
async fn a_taint_that_another_writer_has_changed_stays() {
    let (world, plan) = tainted().await;
    write_taints(
        &world.cluster.inner,
        &["{key: responder.dev/incident, value: by-hand, effect: NoSchedule}"],
    );
    let outcome = undone(&world, &plan).await;
    let left = vec!["taint responder.dev/incident:NoSchedule".to_owned()];
    assert_eq!(outcome, UndoOutcome::PartlyUndone { left });
    assert_eq!(taints(&world), ["responder.dev/incident=by-hand:NoSchedule"]);
}

// --- owners --------------------------------------------------------------------------------------

#[tokio::test(start_paused = true)]
async fn a_controller_gets_its_annotations_back() {
    let steps = "[{annotate: {annotations: {seen: \"yes\"}}}]";
    let world = TestWorld::new(&playbook("p", &format!("mode: Enforce\ntarget: Owner\nsteps: {steps}")));
    let before = world.objects();
    let plan = world.plan(&crate::testing::shell("p", "web-1", 1, 0)).await;
    world.execute(&plan).await;
    assert_ne!(world.objects(), before);
    assert_eq!(undone(&world, &plan).await, UndoOutcome::Undone);
    assert_eq!(world.changes_since(&before), [""; 0]);
}
