//! Steps that run instead of one that can't be done, is blocked or fails.

use std::sync::Mutex;

use responder_core::class::ActionClass;
use responder_core::refusal::{Refusal, RefusalReason};

use super::*;

/// Budgets that note every class that a slot is asked for, and have none.
#[derive(Default)]
struct NoSlots(Mutex<Vec<ActionClass>>);

impl BranchBudget for NoSlots {
    async fn reserve(&self, class: ActionClass) -> Result<(), Refusal> {
        self.0.lock().unwrap().push(class);
        Err(Refusal::new(RefusalReason::BudgetExhausted, "no slot is free"))
    }
}

/// A world with one playbook, in which `solo-1` uses its node's network.
fn on_the_hosts_network(steps: &str) -> TestWorld {
    let world = TestWorld::new(&enforced("p", steps));
    let mut pod = world.pod("solo-1").unwrap();
    pod["spec"]["hostNetwork"] = json!(true);
    world.apply(&pod.to_string());
    world
}

/// A budget that never lets a pod of `solo` go.
const BLOCKING: &str = "apiVersion: policy/v1\nkind: PodDisruptionBudget\nmetadata: {name: solo, namespace: web}\nspec:\n  minAvailable: 100%\n  selector: {matchLabels: {app: solo}}\n";

async fn run(world: &TestWorld) -> Execution {
    let plan = world.plan(&solo()).await;
    world.execute(&plan).await
}

#[tokio::test(start_paused = true)]
async fn an_eviction_that_a_tenants_budget_blocks_becomes_a_deletion_in_its_time() {
    let world = TestWorld::new(&enforced(
        "p",
        "[{evict: {blockedFor: 20s}, otherwise: {delete: {gracePeriodSeconds: 0}}}]",
    ));
    world.apply(BLOCKING);
    let began = Instant::now();
    let execution = run(&world).await;
    assert_eq!(execution.response.outcome, ResponseOutcome::Done);
    assert!(world.pod("solo-1").is_none());
    let waited = began.elapsed();
    assert!(
        waited >= std::time::Duration::from_secs(20) && waited < std::time::Duration::from_secs(30),
        "{waited:?}"
    );
    let verbs: Vec<Verb> = world.cluster.mutations().iter().map(Request::verb).collect();
    assert_eq!(verbs.last(), Some(&Verb::Delete));
    assert!(verbs[..verbs.len() - 1].iter().all(|verb| *verb == Verb::Evict));
}

#[tokio::test(start_paused = true)]
async fn an_eviction_that_a_tenants_budget_blocks_fails_without_a_way_on() {
    let world = TestWorld::new(&enforced("p", "[{evict: {blockedFor: 5s}}]"));
    world.apply(BLOCKING);
    let execution = run(&world).await;
    assert!(
        execution.response.outcome.is_failure(),
        "{:?}",
        execution.response.outcome
    );
    assert!(execution.is_refundable);
}

#[tokio::test(start_paused = true)]
async fn a_quarantine_that_can_not_be_done_becomes_a_deletion() {
    let world = on_the_hosts_network("[{quarantine: {}, otherwise: {delete: {gracePeriodSeconds: 0}}}]");
    let execution = run(&world).await;
    assert_eq!(execution.response.outcome, ResponseOutcome::Done);
    assert!(world.pod("solo-1").is_none());
    assert_eq!(world.quarantines(), [""; 0]);
    assert!(!execution.is_refundable);
}

#[tokio::test(start_paused = true)]
async fn a_step_that_can_not_be_done_fails_by_its_name_without_a_way_on() {
    let world = on_the_hosts_network("[{quarantine: {}}]");
    let before = world.objects();
    let execution = run(&world).await;
    insta::assert_snapshot!(execution.response.outcome, @"Failed (step quarantine: HostNetwork: pod/web/solo-1 shares its node's network, where NetworkPolicies don't reach)");
    assert_eq!(world.changes_since(&before), [""; 0]);
    assert!(execution.is_refundable);
}

#[tokio::test(start_paused = true)]
async fn a_branch_without_a_slot_is_held_and_told() {
    let world = on_the_hosts_network("[{quarantine: {}, otherwise: {delete: {}}}]");
    let plan = world.plan(&solo()).await;
    let before = world.objects();
    let slots = NoSlots::default();
    let execution = world.execute_with(&plan, &slots).await;
    assert_eq!(*slots.0.lock().unwrap(), [ActionClass::Destroy]);
    let told = execution.response.outcome.to_string();
    assert!(told.contains("its otherwise was held: BudgetExhausted"), "{told}");
    assert_eq!(world.changes_since(&before), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn the_steps_after_a_branch_that_ended_the_target_are_not_sent() {
    let world = on_the_hosts_network(
        "[{quarantine: {}, otherwise: {delete: {gracePeriodSeconds: 0}}}, {label: {labels: {a: \"1\"}}}]",
    );
    let execution = run(&world).await;
    let last = execution.response.steps.last().unwrap();
    assert!(matches!(
        last.requests[0].outcome,
        RequestOutcome::NotSent {
            because: NotSentReason::TargetEnded
        }
    ));
    assert_eq!(execution.response.outcome, ResponseOutcome::Done);
}

#[tokio::test(start_paused = true)]
async fn a_branch_runs_where_the_first_step_fails_and_not_where_it_succeeds() {
    let steps = "[{label: {labels: {a: \"1\"}}, otherwise: {label: {labels: {b: \"1\"}}}}]";
    for (then, expected) in [(Then::Go, [true, false, false]), (REFUSED, [false, true, false])] {
        let world = TestWorld::new(&enforced("p", steps));
        let plan = world.plan(&solo()).await;
        world.cluster.script([then]);
        let execution = world.execute(&plan).await;
        assert_eq!(labelled(&world), expected);
        assert_eq!(execution.response.outcome, ResponseOutcome::Done);
    }
}

#[tokio::test(start_paused = true)]
async fn a_branch_of_a_branch_runs_last() {
    let world = on_the_hosts_network(
        "[{quarantine: {}, otherwise: {evict: {blockedFor: 5s}, otherwise: {delete: {gracePeriodSeconds: 0}}}}]",
    );
    world.apply(BLOCKING);
    let execution = run(&world).await;
    assert_eq!(execution.response.outcome, ResponseOutcome::Done);
    assert!(world.pod("solo-1").is_none());
}
