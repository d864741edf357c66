//! No request is sent too late, too often or uncounted.

use super::*;
use crate::accounting::RequestLabels;
use crate::testing::playbook;

#[tokio::test(start_paused = true)]
async fn tries_have_a_bound_whatever_time_there_is() {
    let (world, plan) = planned(LABEL).await;
    world.cluster.script(vec![refused(SendErrorKind::Busy); 100]);
    let request = &plan.requests().next().unwrap().request;
    let report = world
        .sender()
        .send(request, &plan.permit(), options(&world, HOUR))
        .await;
    assert_eq!(report.tries, MOST_TRIES);
    assert!(matches!(
        report.outcome,
        RequestOutcome::Failed { is_certain: true, .. }
    ));
    let retries = world.sinks.accounting.snapshot().retries[&Verb::Patch];
    assert_eq!(retries, u64::from(MOST_TRIES) - 1);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_sent_when_the_step_has_no_time_left() {
    let (world, plan) = planned(LABEL).await;
    let request = &plan.requests().next().unwrap().request;
    let report = world
        .sender()
        .send(request, &plan.permit(), options(&world, Duration::ZERO))
        .await;
    assert!(
        matches!(
            report.outcome,
            RequestOutcome::Failed {
                because: FailureReason::StepTimeout,
                is_certain: true,
                ..
            }
        ),
        "{:?}",
        report.outcome
    );
    assert_eq!((report.tries, world.cluster.mutations().len()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn nothing_is_sent_for_an_alert_that_is_too_old() {
    let (world, plan) = planned(LABEL).await;
    let request = &plan.requests().next().unwrap().request;
    let valid_until = Some(world.clock.now());
    tokio::time::sleep(Duration::from_millis(1)).await;
    let options = SendOptions {
        valid_until,
        ..options(&world, HOUR)
    };
    let report = world.sender().send(request, &plan.permit(), options).await;
    let expired = RequestOutcome::NotSent {
        because: NotSentReason::Expired,
    };
    assert_eq!((report.outcome, report.tries), (expired, 0));
    assert!(world.cluster.mutations().is_empty());
}

#[rstest]
#[case::busy(SendErrorKind::Busy, true)]
#[case::unknown(SendErrorKind::Unknown, false)]
#[tokio::test(start_paused = true)]
async fn an_alert_that_becomes_too_old_between_two_tries_ends_them(
    #[case] kind: SendErrorKind,
    #[case] is_certain: bool,
) {
    let (world, plan) = planned(LABEL).await;
    world.cluster.script(vec![refused(kind); 100]);
    let request = &plan.requests().next().unwrap().request;
    let options = SendOptions {
        valid_until: world.clock.now().checked_add(Duration::from_secs(2)).ok(),
        ..options(&world, HOUR)
    };
    let report = world.sender().send(request, &plan.permit(), options).await;
    assert_eq!(report.outcome, RequestOutcome::Expired { is_certain });
    assert!(report.tries > 1);
}

#[tokio::test(start_paused = true)]
async fn an_undo_is_never_too_late() {
    let (world, plan) = planned(LABEL).await;
    tokio::time::sleep(HOUR).await;
    let request = &plan.requests().next().unwrap().request;
    let report = world.sender().send(request, &plan.permit(), SendOptions::undo()).await;
    assert!(matches!(report.outcome, RequestOutcome::Done { .. }));
}

#[tokio::test(start_paused = true)]
async fn every_try_is_counted_by_verb_and_answer() {
    let rules = playbook("p", &format!("mode: Rehearse\nsteps: [{LABEL}]"));
    let world = TestWorld::new(&rules);
    let plan = world.plan(&solo()).await;
    world
        .cluster
        .script([refused(SendErrorKind::Busy), refused(SendErrorKind::Busy)]);
    let report = send(&world, &plan).await;
    assert_eq!(report.outcome, RequestOutcome::Rehearsed);
    let labels = |result| RequestLabels {
        verb: Verb::Patch,
        dry_run: true,
        result,
    };
    let counts = world.sinks.accounting.snapshot();
    assert_eq!(
        counts.requests,
        [(labels("done"), 1), (labels(SendErrorKind::Busy.as_str()), 2)].into()
    );
    assert_eq!(counts.retries, [(Verb::Patch, 2)].into());
}
