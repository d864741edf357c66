//! The budgets of what a response comes to later: a step that runs instead of another, and the end of a quarantine.

use super::*;
use crate::quarantine_end::QuarantineEnd;
use crate::testing::{guard, uid_of};

const ONE_DELETION: &str = "budgets: [{scope: Cluster, class: Destroy, max: 1, per: 1h, perNamespace: unlimited}]";

/// An alert about `solo-1` or `solo-2`.
fn about(pod: u32) -> Alert {
    let fields = json!({
        "k8s.pod.name": format!("solo-{pod}"),
        "container.id": &uid_of(16 + pod).replace('-', "")[..12],
    });
    alert("p", json!({"output_fields": fields}))
}

fn world(steps: &str) -> TestWorld {
    TestWorld::new(&(enforced("p", steps) + &guard(ONE_DELETION)))
}

fn left(world: &TestWorld) -> [bool; 2] {
    ["solo-1", "solo-2"].map(|name| world.pod(name).is_some())
}

#[tokio::test(start_paused = true)]
async fn branches_that_delete_take_slots_of_the_budget_for_deletions() {
    let world = world("[{quarantine: {}, otherwise: {delete: {gracePeriodSeconds: 0}}}]");
    for name in ["solo-1", "solo-2"] {
        let mut pod = world.pod(name).unwrap();
        pod["spec"]["hostNetwork"] = json!(true);
        world.apply(&pod.to_string());
    }
    let engine = world.engine();
    for pod in [1, 2] {
        engine.submit(about(pod));
        at_rest(&engine).await;
    }
    assert_eq!(left(&world), [false, true]);
    let outcomes: Vec<String> = world
        .witness
        .responses()
        .iter()
        .map(|response| response.outcome.to_string())
        .collect();
    assert_eq!(outcomes[0], "Done");
    assert!(
        outcomes[1].contains("HostNetwork") && outcomes[1].contains("held: BudgetExhausted"),
        "{outcomes:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn ends_that_delete_take_slots_of_the_budget_for_deletions() {
    let world = world("[{quarantine: {ttl: 1m, onExpiry: Delete}}]");
    let engine = world.engine();
    for pod in [1, 2] {
        engine.submit(about(pod));
        at_rest(&engine).await;
    }
    assert_eq!(world.quarantines().len(), 2);
    tokio::time::sleep(Duration::from_mins(3)).await;
    assert_eq!(left(&world).iter().filter(|is_left| **is_left).count(), 1);
    let held = world
        .witness
        .ends()
        .into_iter()
        .find_map(|end| match end {
            QuarantineEnd::Held { because } => Some(because),
            _ => None,
        })
        .unwrap();
    assert!(held.contains("BudgetExhausted"), "{held}");
    // The slot is free again after an hour, and the end comes then.
    tokio::time::sleep(Duration::from_hours(1)).await;
    assert_eq!(left(&world), [false, false]);
}

#[tokio::test(start_paused = true)]
async fn a_pod_that_lets_its_end_wait_for_years_ends_with_its_quarantine() {
    let world = world("[{quarantine: {ttl: 1m, onExpiry: Delete}}]");
    let engine = world.engine();
    engine.submit(about(1));
    at_rest(&engine).await;
    // Its tenant deletes it with a grace of three years.
    let mut pod = world.pod("solo-1").unwrap();
    pod["metadata"]["deletionTimestamp"] = json!("2030-01-24T12:46:40Z");
    pod["metadata"]["deletionGracePeriodSeconds"] = json!(100_000_000);
    pod["spec"]["terminationGracePeriodSeconds"] = json!(100_000_000);
    world.apply(&pod.to_string());
    // A minute of quarantine, and the guard's five minutes.
    tokio::time::sleep(Duration::from_mins(5)).await;
    assert!(world.pod("solo-1").is_some());
    tokio::time::sleep(Duration::from_mins(2)).await;
    assert!(world.pod("solo-1").is_none());
    assert_eq!(world.quarantines(), [""; 0]);
}
