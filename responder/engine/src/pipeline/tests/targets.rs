//! One target at a time, and no more targets than a budget has.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use super::*;
use crate::testing::uid_of;

/// Many alerts at once on several threads, each about a pod of its own.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn on_many_threads_no_more_targets_are_hit_than_the_budget_has() {
    const MAX: usize = 7;
    let budget =
        format!("budgets: [{{scope: Cluster, class: Destroy, max: {MAX}, per: 10m, perNamespace: unlimited}}]");
    let world = TestWorld::new(&(enforced("p", DELETE) + &guard(&budget)));
    world.flood(60);
    // Readings end in another order than they began.
    world.cluster.before(|_, before| match before {
        Before::Read(_, place) => Then::After(Duration::from_micros(u64::try_from(place * 7919 % 1000).unwrap())),
        Before::Send(..) => Then::Go,
    });
    let mut config = world.config();
    config.queue.concurrency = 16;
    let engine = world.engine_with(config);
    for place in 0..60 {
        assert!(is_accepted(&engine.submit(flood("p", place, place))));
    }
    let accounts = at_rest(&engine).await;
    let targets: BTreeSet<String> = world
        .cluster
        .mutations()
        .iter()
        .map(|request| request.at().to_string())
        .collect();
    assert_eq!((targets.len(), world.cluster.mutations().len()), (MAX, MAX));
    assert_eq!(
        accounts.decisions.refused,
        [(RefusalReason::BudgetExhausted, 53)].into()
    );
    assert!(accounts.is_balanced());
}

/// Two requests a response, both with the mark of its alert; requests take their time.
fn pairs(name: &str, target: &str) -> String {
    let mark =
        |step: &str| format!("{{name: {step}, annotate: {{annotations: {{{name}-{step}: {{field: proc.name}}}}}}}}");
    let spec = format!(
        "mode: Enforce\ntarget: {target}\nsteps: [{}, {}]",
        mark("one"),
        mark("two")
    );
    playbook_for("p", name, &spec)
}

fn marked(pod: &str, number: u32, mark: u32) -> Alert {
    let fields = json!({
        "k8s.pod.name": pod, "container.id": &uid_of(number).replace('-', "")[..12], "proc.name": format!("m{mark}"),
    });
    let priority = if mark.is_multiple_of(5) { "Critical" } else { "Notice" };
    alert(
        "p",
        json!({"time": at(mark), "hostname": "falco-qqqqq", "priority": priority, "output_fields": fields}),
    )
}

fn at(nth: u32) -> String {
    format!("2026-11-24T03:00:00.5{nth:06}Z")
}

/// The marks of the requests to each object, in the order in which they came.
fn marks(world: &TestWorld) -> BTreeMap<String, Vec<String>> {
    let mut marks: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for request in world.cluster.mutations() {
        let responder_core::request::Request::Patch { target, patch } = request else {
            panic!()
        };
        let mark = patch.changes()[0].to_string();
        let (key, value) = mark.split_once('=').unwrap();
        let playbook = key.strip_prefix("annotation ").unwrap().rsplit_once('-').unwrap().0;
        let mark = format!("{playbook} {value}");
        marks.entry(target.at.to_string()).or_default().push(mark);
    }
    marks
}

#[rstest]
#[case::pod("Pod", 4)]
#[case::owner("Owner", 1)]
#[case::node("Node", 3)]
#[tokio::test(start_paused = true)]
async fn two_responses_to_one_target_never_interleave(#[case] target: &str, #[case] targets: usize) {
    let world = TestWorld::new(&(pairs("a", target) + &pairs("b", target)));
    world.cluster.before(|_, before| match before {
        Before::Send(_, place) => Then::After(Duration::from_millis(u64::try_from(place * 7919 % 40).unwrap())),
        Before::Read(_, place) => Then::After(Duration::from_millis(u64::try_from(place * 104_729 % 7).unwrap())),
    });
    let engine = world.engine();
    let pods: &[(&str, u32)] = match target {
        // Three pods of one Deployment, on three nodes.
        "Pod" => &[("web-1", 1), ("web-2", 2), ("web-3", 3), ("solo-1", 17)],
        _ => &[("web-1", 1), ("web-2", 2), ("web-3", 3)],
    };
    for mark in 0..60 {
        let (pod, number) = pods[mark as usize % pods.len()];
        assert!(is_accepted(&engine.submit(marked(pod, number, mark))));
    }
    // Another way to the same node.
    if target == "Node" {
        for mark in 60..70 {
            let fields = json!({"container.id": "host", "proc.name": format!("m{mark}")});
            engine.submit(alert(
                "p",
                json!({"time": at(mark), "hostname": "falco-x7k2p", "output_fields": fields}),
            ));
        }
    }
    let accounts = at_rest(&engine).await;
    assert_eq!(accounts.responses.keys().collect::<Vec<_>>(), [&"Done"], "{accounts:?}");
    let marks = marks(&world);
    assert_eq!(marks.len(), targets);
    for (object, marks) in &marks {
        for pair in marks.chunks(2) {
            assert_eq!(pair[0], pair[1], "{object}: {marks:#?}");
        }
    }
    // Different targets were worked on at the same time, or the test says nothing.
    let sent: Vec<String> = world
        .cluster
        .mutations()
        .iter()
        .map(|request| request.at().to_string())
        .collect();
    let is_mixed = sent.chunks(2).any(|pair| pair[0] != pair[1]);
    assert_eq!(is_mixed, targets > 1);
}

/// The pod moves between the look for its node and the snapshot: another response may be at work on the new one.
#[tokio::test(start_paused = true)]
async fn a_target_that_became_another_is_not_acted_on_and_its_claim_is_taken_back() {
    let world = TestWorld::new(&playbook("p", "mode: Enforce\ntarget: Node\nsteps: [{cordon: {}}]"));
    world.cluster.before(|cluster, before| {
        if let Before::Read("pod", 1) = before {
            let mut pod = cluster.objects().remove("Pod/web/solo-1").unwrap();
            pod["spec"]["nodeName"] = "worker-2".into();
            cluster.apply(&pod.to_string()).unwrap();
        }
        Then::Go
    });
    let engine = world.engine();
    engine.submit(shell("p", "solo-1", 17, 0));
    let accounts = at_rest(&engine).await;
    assert_eq!(decided(&world), ["Contended"]);
    assert!(world.cluster.mutations().is_empty());
    assert!(world.ledger.view().await.unwrap().claims.is_empty());
    assert_eq!(accounts.refunds, 1);
    // It may come again, and is right then.
    assert!(is_accepted(&engine.submit(shell("p", "solo-1", 17, 0))));
    at_rest(&engine).await;
    assert_eq!(world.cluster.mutations()[0].at().to_string(), "node/worker-2");
}

#[tokio::test(start_paused = true)]
async fn of_two_nodes_the_last_that_takes_pods_stays_in_either_order() {
    let playbook = playbook("p", "mode: Enforce\ntarget: Node\nsteps: [{cordon: {}}]");
    let world = TestWorld::new(&(playbook + &guard("budgets: []")));
    world.cluster.before(|_, before| match before {
        Before::Send(..) => Then::After(Duration::from_secs(1)),
        Before::Read(..) => Then::Go,
    });
    let engine = world.engine();
    for place in 1..=3 {
        engine.submit(shell("p", &format!("web-{place}"), place, place));
    }
    let accounts = at_rest(&engine).await;
    assert_eq!(accounts.responses, [("Done", 2)].into());
    assert_eq!(
        accounts.decisions.refused,
        [(RefusalReason::LastSchedulableNode, 1)].into()
    );
}

/// Promise 2 through the whole engine: the pod is replaced at any moment, and no request ever changes the new one.
#[tokio::test(start_paused = true)]
async fn a_pod_that_is_replaced_at_any_moment_is_never_touched() {
    let steps = "[{label: {labels: {a: \"1\"}}}, {quarantine: {detach: Always}}, {delete: {gracePeriodSeconds: 0}}]";
    let mut replaced = 0;
    for moment in 0..14 {
        let world = TestWorld::new(&enforced("p", steps));
        let new = Arc::new(Mutex::new(None));
        let (noted, mut place) = (Arc::clone(&new), 0);
        world.cluster.before(move |cluster, _| {
            if place == moment {
                let at = pod_at("solo-1");
                cluster.replace(at.namespace().unwrap(), at.name());
                *noted.lock().unwrap() = cluster.objects().remove("Pod/web/solo-1");
            }
            place += 1;
            Then::Go
        });
        let engine = world.engine();
        engine.submit(solo());
        at_rest(&engine).await;
        let new = new.lock().unwrap().take();
        replaced += u32::from(new.is_some());
        assert_eq!(
            world.cluster.inner.objects().remove("Pod/web/solo-1"),
            new,
            "moment {moment}"
        );
        assert_eq!(world.quarantines(), [""; 0], "moment {moment}");
    }
    // Before the deletion there are as many reads and sends at least.
    assert!(replaced >= 9, "{replaced}");
}
