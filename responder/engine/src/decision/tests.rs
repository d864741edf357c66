//! Promise 3: alerts that race for a budget, step by step in every order that a seed gives.

use std::collections::BTreeSet;
use std::future::Future;
use std::pin::{Pin, pin};
use std::task::{Context as TaskContext, Poll, Waker};

use responder_core::guard::{Claim, ClaimKind, LedgerUsage, LedgerVersion, PodHold};
use responder_core::object::Uid;
use responder_core::port::{LedgerError, ReadErrorKind};
use serde_json::json;

use super::*;
use crate::ledger::MemoryLedger;
use crate::testing::{Before, TestWorld, Then, alert, enforced, guard, pod_at, reason, uid_of};

fn deletes(max: u32) -> String {
    let budget =
        format!("budgets: [{{scope: Cluster, class: Destroy, max: {max}, per: 10m, perNamespace: unlimited}}]");
    enforced("p", "[{delete: {gracePeriodSeconds: 0}}]") + &guard(&budget)
}

/// A ledger whose every answer takes a moment in which others go on, before and after it is worked out.
struct Yielding<'a>(&'a MemoryLedger);

impl Ledger for Yielding<'static> {
    async fn view(&self) -> Result<LedgerView, LedgerError> {
        pause().await;
        let view = self.0.view().await;
        pause().await;
        view
    }

    async fn commit(&self, claim: Claim, seen: LedgerVersion) -> Result<ClaimId, CommitError> {
        pause().await;
        let committed = self.0.commit(claim, seen).await;
        pause().await;
        committed
    }

    async fn refund(&self, claim: ClaimId) -> Result<(), LedgerError> {
        self.0.refund(claim).await
    }

    async fn hold(&self, hold: PodHold) -> Result<(), LedgerError> {
        self.0.hold(hold).await
    }

    async fn let_go(&self, pod: &Uid) -> Result<(), LedgerError> {
        self.0.let_go(pod).await
    }

    fn usage(&self, kind: ClaimKind) -> LedgerUsage {
        self.0.usage(kind)
    }
}

/// Ready when it is asked for the second time.
async fn pause() {
    let mut is_second = false;
    std::future::poll_fn(|_| {
        if std::mem::replace(&mut is_second, true) {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    })
    .await;
}

/// A sequence of numbers from a seed. Source: splitmix64.
struct Seeded(u64);

impl Seeded {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % bound as u64).unwrap()
    }
}

/// Lets all of them go on one step at a time, whichever the seed names, and gives back the order as well.
async fn interleaved(seed: u64, tasks: Vec<Pin<Box<dyn Future<Output = ()> + '_>>>) -> Vec<usize> {
    let mut seeded = Seeded(seed);
    let mut tasks: Vec<_> = tasks.into_iter().enumerate().collect();
    let mut order = Vec::new();
    while !tasks.is_empty() {
        let place = seeded.below(tasks.len());
        order.push(tasks[place].0);
        let poll = tasks[place]
            .1
            .as_mut()
            .poll(&mut TaskContext::from_waker(Waker::noop()));
        if poll.is_ready() {
            drop(tasks.remove(place));
        }
        // So that the runtime's budget of steps is never used up.
        tokio::task::yield_now().await;
    }
    order
}

/// Runs alerts in one order: each is decided, committed on a new ledger and carried out. Gives back how many requests
/// were sent, the order of the steps, and how often a commit came too late.
async fn race(world: &TestWorld, alerts: &[Alert], seed: u64) -> (u64, Vec<usize>, u64) {
    let counted = || {
        let counts = world.sinks.accounting.snapshot();
        (counts.requests.values().sum::<u64>(), counts.ledger_conflicts)
    };
    let before = counted();
    // A small loan for the test's life: the port asks for ledgers that live as long as the program.
    let ledger = Yielding(Box::leak(Box::default()));
    let tasks = alerts.iter().map(|alert| -> Pin<Box<dyn Future<Output = ()> + '_>> {
        let ledger = &ledger;
        Box::pin(async move {
            let request = world.request(alert);
            let decider = world.decider(ledger);
            assert!(decider.screen(request).await.is_none());
            let committed = decider.decide_and_commit(request).await;
            match committed.decision.outcome {
                Outcome::Act { plan, .. } => {
                    assert!(committed.claim.is_some());
                    world.execute(&plan).await;
                }
                Outcome::Refuse(refusal) => assert_eq!(refusal.reason, RefusalReason::BudgetExhausted, "{refusal}"),
            }
        })
    });
    let order = interleaved(seed, tasks.collect()).await;
    let after = counted();
    (after.0 - before.0, order, after.1 - before.1)
}

/// A world in which every alert leaves a mark of its own, on at most `max` targets.
fn marks(max: u32) -> TestWorld {
    let mark = "[{annotate: {annotations: {mark: {field: proc.name}}}}]";
    let budget =
        format!("budgets: [{{scope: Cluster, class: Annotate, max: {max}, per: 10m, perNamespace: unlimited}}]");
    TestWorld::new(&(enforced("p", mark) + &guard(&budget)))
}

/// An alert about each of the pods `solo-1`, `solo-2`, …
fn racers(count: u32, seed: u64) -> Vec<Alert> {
    (1..=count)
        .map(|place| {
            let fields = json!({
                "k8s.pod.name": format!("solo-{place}"), "proc.name": format!("seed-{seed}"),
                "container.id": &uid_of(16 + place).replace('-', "")[..12],
            });
            alert("p", json!({"output_fields": fields}))
        })
        .collect()
}

/// Fails when `MemoryLedger::commit` does not look at the version.
#[tokio::test]
async fn of_alerts_that_race_for_the_last_slot_exactly_one_acts_in_every_order() {
    let world = marks(1);
    let (mut orders, mut races_lost) = (BTreeSet::new(), 0);
    for seed in 0..1000 {
        let racers = racers(2 + u32::try_from(seed % 3).unwrap(), seed);
        let (mutations, order, conflicts) = race(&world, &racers, seed).await;
        assert_eq!(mutations, 1, "seed {seed}: {order:?}");
        orders.insert(order);
        races_lost += u64::from(conflicts > 0);
    }
    // Otherwise there was no race.
    assert!(orders.len() > 800, "{} orders", orders.len());
    assert!(races_lost > 300, "{races_lost} races were lost");
}

#[tokio::test]
async fn racing_alerts_use_a_budget_up_and_not_more() {
    let world = marks(3);
    for seed in 0..300 {
        let (mutations, order, _) = race(&world, &racers(4, seed), seed).await;
        assert_eq!(mutations, 3, "seed {seed}: {order:?}");
    }
}

#[tokio::test]
async fn two_deliveries_of_one_alert_that_race_act_once() {
    let world = marks(9);
    for seed in 0..300 {
        let alert = alert("p", json!({}));
        let ledger = Yielding(Box::leak(Box::default()));
        let acted = std::sync::atomic::AtomicUsize::new(0);
        let deliveries = [(), ()].map(|()| -> Pin<Box<dyn Future<Output = ()> + '_>> {
            Box::pin(async {
                let request = world.request(&alert);
                let committed = world.decider(&ledger).decide_and_commit(request).await;
                match reason(&committed.decision) {
                    None => drop(acted.fetch_add(1, std::sync::atomic::Ordering::Relaxed)),
                    Some(reason) => assert_eq!(reason, RefusalReason::Duplicate),
                }
            })
        });
        interleaved(seed, deliveries.into()).await;
        assert_eq!(acted.into_inner(), 1, "seed {seed}");
    }
}

/// A ledger in which another claim is always first.
struct Busy;

impl Ledger for Busy {
    async fn view(&self) -> Result<LedgerView, LedgerError> {
        Ok(LedgerView::empty())
    }

    async fn commit(&self, _: Claim, _: LedgerVersion) -> Result<ClaimId, CommitError> {
        Err(CommitError::Conflict)
    }

    async fn refund(&self, _: ClaimId) -> Result<(), LedgerError> {
        Ok(())
    }

    async fn hold(&self, _: PodHold) -> Result<(), LedgerError> {
        Ok(())
    }

    async fn let_go(&self, _: &Uid) -> Result<(), LedgerError> {
        Ok(())
    }

    fn usage(&self, _: ClaimKind) -> LedgerUsage {
        LedgerUsage::default()
    }
}

/// A ledger that does not answer.
struct Broken;

impl Ledger for Broken {
    async fn view(&self) -> Result<LedgerView, LedgerError> {
        Err(LedgerError::Unavailable("as the test asked for".to_owned()))
    }

    async fn commit(&self, _: Claim, _: LedgerVersion) -> Result<ClaimId, CommitError> {
        Err(LedgerError::Unavailable("as the test asked for".to_owned()).into())
    }

    async fn refund(&self, _: ClaimId) -> Result<(), LedgerError> {
        Ok(())
    }

    async fn hold(&self, _: PodHold) -> Result<(), LedgerError> {
        Ok(())
    }

    async fn let_go(&self, _: &Uid) -> Result<(), LedgerError> {
        Ok(())
    }

    fn usage(&self, _: ClaimKind) -> LedgerUsage {
        LedgerUsage::default()
    }
}

async fn decided_by<L: Ledger>(world: &TestWorld, ledger: &L, alert: &Alert) -> CommittedDecision {
    let request = world.request(alert);
    let decider = world.decider(ledger);
    match decider.screen(request).await {
        Some(refused) => refused.into(),
        None => decider.decide_and_commit(request).await,
    }
}

#[tokio::test(start_paused = true)]
async fn a_decision_that_never_gets_to_commit_is_refused_as_contended() {
    let world = TestWorld::new(&deletes(1));
    let committed = decided_by(&world, &Busy, &alert("p", json!({}))).await;
    assert_eq!(reason(&committed.decision), Some(RefusalReason::Contended));
    assert_eq!(
        world.sinks.accounting.snapshot().ledger_conflicts,
        u64::from(MOST_COMMITS)
    );
    assert!(committed.claim.is_none());
}

#[tokio::test(start_paused = true)]
async fn without_the_ledger_nothing_is_acted_on() {
    let world = TestWorld::new(&deletes(1));
    let committed = decided_by(&world, &Broken, &alert("p", json!({}))).await;
    assert_eq!(reason(&committed.decision), Some(RefusalReason::LedgerUnavailable));
    assert_eq!(world.cluster.reads(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_full_ledger_refuses() {
    let world = TestWorld::new(&deletes(9));
    let ledger = MemoryLedger::new(1, 1);
    let [first, second] = &racers(2, 0)[..] else { panic!() };
    assert!(decided_by(&world, &ledger, first).await.claim.is_some());
    let committed = decided_by(&world, &ledger, second).await;
    assert_eq!(reason(&committed.decision), Some(RefusalReason::LedgerUnavailable));
}

#[tokio::test(start_paused = true)]
async fn a_question_commits_nothing() {
    let world = TestWorld::new(&deletes(1));
    let alert = alert("p", json!({}));
    let request = world.request(&alert);
    let decider = Decider {
        commits: false,
        ..world.decider(&*world.ledger)
    };
    for _ in 0..2 {
        let committed = decider.decide_and_commit(request).await;
        assert!(reason(&committed.decision).is_none() && committed.claim.is_none());
    }
    assert!(world.ledger.view().await.unwrap().claims.is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_can_not_be_read_is_refused_as_unreadable() {
    let world = TestWorld::new(&deletes(1));
    world.cluster.inner.fail_reads([ReadErrorKind::Forbidden]);
    assert_eq!(
        reason(&world.decide(&alert("p", json!({}))).await),
        Some(RefusalReason::Unreadable)
    );
}

#[tokio::test(start_paused = true)]
async fn the_claim_is_committed_before_the_first_request() {
    let world = TestWorld::new(&deletes(1));
    let ledger = std::sync::Arc::clone(&world.ledger);
    world.cluster.before(move |_, before| {
        if let Before::Send(..) = before {
            let view = pin!(ledger.view()).poll(&mut TaskContext::from_waker(Waker::noop()));
            let Poll::Ready(Ok(view)) = view else { panic!() };
            assert_eq!(view.claims[0].target.as_str(), uid_of(17));
        }
        Then::Go
    });
    let plan = world.plan(&alert("p", json!({}))).await;
    world.execute(&plan).await;
    assert_eq!(world.cluster.mutations()[0].at(), pod_at("solo-1"));
}
