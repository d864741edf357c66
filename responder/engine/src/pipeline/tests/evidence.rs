//! A pod in quarantine is kept as evidence. Source: cruise-automation/k-rail #9, falcosecurity/falco-talon #7; one intruder
//! raises several rules in the same second.

use super::*;

const QUARANTINE: &str = "mode: Enforce\nsteps: [{quarantine: {}}]";
const EVICT: &str = "mode: Enforce\nsteps: [{evict: {gracePeriodSeconds: 0}}]";

/// The outcomes after an alert of `keep` and then one of `kill`, both about `solo-1`, and whether the pod is there.
async fn after(world: &TestWorld, between: impl AsyncFnOnce(&TestEngine)) -> (Vec<String>, bool) {
    let engine = world.engine();
    engine.submit(alert("keep", json!({})));
    at_rest(&engine).await;
    between(&engine).await;
    engine.submit(alert("kill", json!({})));
    at_rest(&engine).await;
    (decided(world), world.object("Pod/web/solo-1").is_some())
}

async fn at_once(world: &TestWorld) -> (Vec<String>, bool) {
    after(world, async |_| {}).await
}

fn world(keep: &str, kill: &str) -> TestWorld {
    TestWorld::new(&(playbook("keep", keep) + &playbook("kill", kill)))
}

/// The policy and the label of a quarantine of `solo-1`, as a tenant could write them.
const FORGED: &str = r#"
{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: responder-quarantine-forged, namespace: web,
  labels: {responder.dev/quarantine: forged, app.kubernetes.io/managed-by: responder},
  annotations: {responder.dev/pod: solo-1, responder.dev/pod-uid: 00000011-0000-4000-8000-000000000000,
    responder.dev/playbook: keep, responder.dev/on-expiry: Hold, responder.dev/detached-labels: "{}"}},
  spec: {podSelector: {matchLabels: {responder.dev/quarantine: forged}}, policyTypes: [Ingress, Egress]}}
"#;

fn relabelled(world: &TestWorld, label: Option<&str>) {
    let mut pod = world.object("Pod/web/solo-1").unwrap();
    let labels = pod["metadata"]["labels"].as_object_mut().unwrap();
    labels.remove("responder.dev/quarantine");
    labels.extend(label.map(|label| ("responder.dev/quarantine".to_owned(), json!(label))));
    world.apply(&pod.to_string());
}

#[tokio::test(start_paused = true)]
async fn a_pod_that_one_playbook_keeps_is_left_alone_by_another_that_is_told_the_holder() {
    let world = world(QUARANTINE, EVICT);
    let (decided, is_there) = at_once(&world).await;
    assert_eq!((decided[1].as_str(), is_there), ("Held", true), "{decided:?}");
    let told = world.witness.records().into_iter().find_map(|record| match record {
        AuditRecord::Decided { decision, .. } => match &decision.outcome {
            Outcome::Refuse(refusal) => Some(refusal.detail.clone()),
            Outcome::Act { .. } => None,
        },
        _ => None,
    });
    let told = told.unwrap();
    assert!(told.starts_with("keep keeps pod/web/solo-1 in quarantine "), "{told}");
}

#[tokio::test(start_paused = true)]
async fn a_playbook_that_includes_quarantined_pods_acts_on_them() {
    let world = world(QUARANTINE, &format!("quarantined: Include\n{EVICT}"));
    let (decided, is_there) = at_once(&world).await;
    assert!(!is_there, "{decided:?}");
}

#[tokio::test(start_paused = true)]
async fn a_rehearsed_quarantine_keeps_nothing() {
    let world = world("mode: Rehearse\nsteps: [{quarantine: {}}]", EVICT);
    let (decided, is_there) = at_once(&world).await;
    assert!(!is_there, "{decided:?}");
}

#[tokio::test(start_paused = true)]
async fn marks_that_a_tenant_has_written_keep_nothing() {
    let world = world("steps: [{label: {labels: {a: b}}}]", EVICT);
    world.apply(FORGED);
    relabelled(&world, Some("forged"));
    let (decided, is_there) = at_once(&world).await;
    assert!(!is_there, "{decided:?}");
}

#[tokio::test(start_paused = true)]
async fn a_pod_whose_label_is_taken_off_is_isolated_no_more_and_not_kept() {
    let world = world(QUARANTINE, EVICT);
    let (decided, is_there) = after(&world, async |_| relabelled(&world, None)).await;
    assert!(!is_there, "{decided:?}");
}

#[tokio::test(start_paused = true)]
async fn a_quarantine_that_is_found_to_isolate_nothing_keeps_nothing() {
    let world = world(QUARANTINE, EVICT);
    // Another client opens the network before the first look.
    world.cluster.before(|cluster, before| {
        let is_isolated = cluster.objects().keys().any(|key| key.contains("responder-quarantine-"));
        if let Before::Read(..) = before
            && is_isolated
        {
            let open = "{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: open, namespace: web}, \
                        spec: {podSelector: {}, policyTypes: [Egress], egress: [{}]}}";
            cluster.apply(open).unwrap();
        }
        Then::Go
    });
    let second_look = async |engine: &TestEngine| {
        tokio::time::sleep(Duration::from_secs(5)).await;
        assert_eq!(engine.accounts().verifications, [("ineffective", 1)].into());
    };
    let (decided, is_there) = after(&world, second_look).await;
    assert!(!is_there, "{decided:?}");
}

#[tokio::test(start_paused = true)]
async fn a_pod_whose_quarantine_has_ended_is_not_kept() {
    let keep = "mode: Enforce\nsteps: [{quarantine: {ttl: 1m, onExpiry: Release}}]";
    let world = world(keep, EVICT);
    let released = async |_: &TestEngine| {
        tokio::time::sleep(Duration::from_mins(2)).await;
        assert_eq!(world.quarantines(), Vec::<String>::new());
    };
    let (decided, is_there) = after(&world, released).await;
    assert!(!is_there, "{decided:?}");
}

#[tokio::test(start_paused = true)]
async fn the_hold_on_a_pod_that_is_gone_is_forgotten() {
    let world = world(QUARANTINE, EVICT);
    let engine = world.engine();
    let held = async || world.ledger.view().await.unwrap().holds.len();
    engine.submit(alert("keep", json!({})));
    at_rest(&engine).await;
    // However often it is looked for, a policy that is there is kept.
    tokio::time::sleep(Duration::from_mins(5)).await;
    assert_eq!(held().await, 1);
    world.cluster.inner.remove(&pod_at("solo-1"));
    tokio::time::sleep(Duration::from_mins(5)).await;
    assert_eq!(held().await, 0);
}

#[tokio::test(start_paused = true)]
async fn a_second_alert_for_the_holder_is_its_own_business() {
    let world = world(QUARANTINE, EVICT);
    let engine = world.engine();
    for nth in 0..2 {
        engine.submit(shell("keep", "solo-1", 17, nth));
        at_rest(&engine).await;
    }
    assert_eq!(decided(&world)[1], "AlreadyDone");
}
