//! Promise 1: every alert is counted, and so is its outcome, at every moment and for any sequence of alerts.

use proptest::prelude::*;

use super::*;
use crate::queue::QueueLimits;

#[derive(Debug, Clone, Copy)]
enum Kind {
    Unmatched,
    Rejected,
    /// About a pod that is there, or was.
    Pod(u32),
    Critical(u32),
    /// More urgent than the others of its pod, which give way.
    Urgent(u32),
    Stale,
    Protected,
    Nowhere,
    Host,
    /// One that was sent before.
    Again(usize),
}

#[derive(Debug, Clone)]
enum Step {
    Alert(Kind),
    /// So many milliseconds pass.
    Wait(u64),
    /// The next read, or send, goes wrong.
    FailRead,
    FailSend(SendErrorKind),
}

fn kind() -> impl Strategy<Value = Kind> {
    prop_oneof![
        1 => Just(Kind::Unmatched),
        1 => Just(Kind::Rejected),
        6 => (0..12_u32).prop_map(Kind::Pod),
        2 => (0..12_u32).prop_map(Kind::Critical),
        2 => (0..12_u32).prop_map(Kind::Urgent),
        1 => Just(Kind::Stale),
        1 => Just(Kind::Protected),
        1 => Just(Kind::Nowhere),
        1 => Just(Kind::Host),
        3 => any::<prop::sample::Index>().prop_map(|index| Kind::Again(index.index(1 << 16))),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let send_error = prop::sample::select(vec![
        SendErrorKind::Busy,
        SendErrorKind::Forbidden,
        SendErrorKind::Unknown,
        SendErrorKind::Conflict,
    ]);
    prop_oneof![
        12 => kind().prop_map(Step::Alert),
        2 => (0..400_u64).prop_map(Step::Wait),
        1 => Just(Step::FailRead),
        1 => send_error.prop_map(Step::FailSend),
    ]
}

/// Three playbooks over the same alerts: one ends pods, one marks them, one marks nodes.
fn rules() -> String {
    let over_all = |name: &str, spec: &str| playbook_for("p", name, spec);
    let budget = "budgets: [{scope: Cluster, class: Destroy, max: 5, per: 10m, perNamespace: unlimited}]";
    over_all("end", &format!("mode: Enforce\nsteps: {DELETE}"))
        + &over_all(
            "mark",
            "mode: Rehearse\nsteps: [{annotate: {annotations: {mark: {field: proc.name}}}}]",
        )
        + &over_all(
            "node",
            "mode: Enforce\ntarget: Node\nsteps: [{annotate: {annotations: {mark: {field: proc.name}}}}]",
        )
        + &guard(budget)
}

fn of(kind: Kind, nth: u32) -> Alert {
    let mark = json!({"proc.name": format!("m{nth}")});
    let at = format!("2026-11-24T03:00:00.5{nth:06}Z");
    match kind {
        Kind::Pod(place) => flood("p", place, nth),
        Kind::Critical(place) | Kind::Urgent(place) => {
            let priority = if matches!(kind, Kind::Urgent(_)) {
                "Error"
            } else {
                "Critical"
            };
            let number = 1000 + place;
            let fields = json!({
                "k8s.pod.name": format!("flood-{place}"),
                "container.id": &crate::testing::uid_of(number).replace('-', "")[..12],
            });
            alert(
                "p",
                json!({"priority": priority, "time": at, "hostname": "falco-qqqqq", "output_fields": fields}),
            )
        }
        Kind::Stale => alert("p", json!({"time": format!("2026-11-24T02:00:00.5{nth:06}Z")})),
        Kind::Protected => alert(
            "p",
            json!({"time": at, "output_fields": {"k8s.ns.name": "kube-system"}}),
        ),
        Kind::Nowhere => alert(
            "p",
            json!({"time": at, "output_fields": {"k8s.pod.name": null, "container.id": null}}),
        ),
        Kind::Host => {
            let mut fields = mark;
            fields["container.id"] = "host".into();
            alert(
                "p",
                json!({"time": at, "hostname": "worker-3", "output_fields": fields}),
            )
        }
        Kind::Unmatched | Kind::Rejected | Kind::Again(_) => alert("another rule", json!({"time": at})),
    }
}

/// Small enough that a flood overflows it.
fn small(world: &TestWorld) -> EngineConfig {
    let bound = |alerts| crate::queue::QueueBound { alerts, bytes: 1 << 20 };
    EngineConfig {
        queue: QueueLimits {
            concurrency: 3,
            critical_share: 1,
            critical: bound(4),
            ordinary: bound(8),
            namespace_percent: 100,
            per_subject: 3,
        },
        ..world.config()
    }
}

async fn run(steps: Vec<Step>, deadline: Option<Duration>) -> Result<AccountingSnapshot, TestCaseError> {
    let world = TestWorld::new(&rules());
    world.flood(12);
    world.cluster.before(|_, _| Then::After(Duration::from_millis(10)));
    let engine = world.engine_with(small(&world));
    let mut sent: Vec<Alert> = Vec::new();
    let (mut received, mut accepted) = (0, 0);
    for (nth, step) in (0..).zip(steps) {
        match step {
            Step::Wait(length) => tokio::time::sleep(Duration::from_millis(length)).await,
            Step::FailRead => world.cluster.inner.fail_reads([ReadErrorKind::Unavailable]),
            Step::FailSend(kind) => world.cluster.inner.fail_sends([SendFault::Refused(kind)]),
            Step::Alert(Kind::Rejected) => {
                engine.accounting().rejected("not json");
                received += 1;
            }
            Step::Alert(kind) => {
                let alert = match kind {
                    Kind::Again(index) if !sent.is_empty() => sent[index % sent.len()].clone(),
                    kind => of(kind, nth),
                };
                sent.push(alert.clone());
                received += 1;
                if let Submission::Accepted { playbooks, .. } = engine.submit(alert) {
                    accepted += playbooks.len() as u64;
                }
            }
        }
        let accounts = engine.accounts();
        prop_assert!(accounts.is_balanced(), "{accounts:?}");
        prop_assert_eq!(accounts.alerts.received, received);
    }
    match deadline {
        None => drop(at_rest(&engine).await),
        Some(deadline) => drop(engine.shutdown(deadline).await),
    }
    let accounts = engine.accounts();
    prop_assert!(accounts.is_balanced(), "{accounts:?}");
    prop_assert_eq!(accounts.decisions.pending, 0);
    prop_assert_eq!(accounts.decisions.matched, accepted);
    prop_assert_eq!(accounts.panics, 0);
    if deadline.is_none() {
        let planned: u64 = accounts.decisions.planned.values().sum();
        prop_assert_eq!(
            planned,
            accounts.responses.values().sum::<u64>(),
            "every plan has its response"
        );
        prop_assert!(accounts.depths.values().all(|depth| depth.running == 0));
    }
    Ok(accounts)
}

fn paused(test: impl Future<Output = Result<AccountingSnapshot, TestCaseError>>) -> Result<(), TestCaseError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(test).map(drop)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn nothing_that_came_is_without_a_count(steps in prop::collection::vec(step(), 1..80)) {
        paused(run(steps, None))?;
    }

    #[test]
    fn nor_is_what_a_shutdown_cut_off(steps in prop::collection::vec(step(), 1..60), deadline in 0..300_u64) {
        paused(run(steps, Some(Duration::from_millis(deadline))))?;
    }
}

/// The property above meets each of the ends at all.
#[tokio::test(start_paused = true)]
async fn a_flood_over_the_bounds_is_shed_and_counted_by_cause() {
    let mut steps: Vec<Step> = (0..5).map(|_| Step::Alert(Kind::Pod(0))).collect();
    steps.extend((1..12).map(|place| Step::Alert(Kind::Pod(place))));
    steps.extend((1..8).map(|place| Step::Alert(Kind::Critical(place))));
    steps.extend((1..4).map(|place| Step::Alert(Kind::Urgent(place))));
    steps.extend([Kind::Unmatched, Kind::Rejected, Kind::Again(0)].map(Step::Alert));
    steps.push(Step::Wait(60_000));
    steps.extend([Kind::Stale, Kind::Protected, Kind::Nowhere, Kind::Host].map(Step::Alert));
    let accounts = run(steps, None).await.unwrap();
    let alerts = &accounts.alerts;
    assert_eq!((alerts.received, alerts.unmatched, alerts.duplicate), (33, 1, 1));
    assert_eq!(alerts.rejected, [("not json", 1)].into());
    assert_eq!(
        alerts.shed,
        [
            (QueueClass::Critical, [(ShedCause::NamespaceFull, 3)].into()),
            (QueueClass::Ordinary, [(ShedCause::NamespaceFull, 5)].into()),
        ]
        .into()
    );
    for reason in [
        RefusalReason::BudgetExhausted,
        RefusalReason::Displaced,
        RefusalReason::Joined,
        RefusalReason::Stale,
        RefusalReason::Protected,
        RefusalReason::NoTarget,
        RefusalReason::HostProcess,
    ] {
        assert!(
            accounts.decisions.refused.contains_key(&reason),
            "{reason}: {accounts:?}"
        );
    }
}
