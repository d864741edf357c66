//! Five thousand alerts over a stream, and a kill of the responder in the middle.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use integration::{
    nats::NatsServer,
    responder::{alert, playbooks::on_shell},
};
use jiff::{SignedDuration, Timestamp};
use kube::api::ListParams;
use serde_json::json;

use super::{SUBJECT, connect, count, left, metrics_until, payload, stream};
use crate::scenario::{Scenario, eventually, start, uid};

const PODS: usize = 100;
const EACH: usize = 50;
/// The most requests that a responder has in flight.
const IN_FLIGHT: usize = 8;
/// Deadline for all alerts on a busy machine.
const DEADLINE: Duration = Duration::from_mins(4);

#[tokio::test]
async fn a_kill_amid_five_thousand_alerts_loses_none_and_repeats_no_action() {
    let scenario = Scenario::new("nats-killed").await;
    let pods = scenario.running_many("web", PODS).await;
    let bystander = scenario.running("bystander").await;
    let server = NatsServer::start().await.unwrap();
    let client = connect(&server).await;
    let mut options = scenario.options(&on_shell("Enforce", &["delete: {}"])).await;
    let mut settings = stream(&server);
    // The second responder soon receives what the first leaves unfinished.
    settings["jetStream"]["ackWait"] = json!("3s");
    options.nats = Some(settings.to_string());

    let first = start(&options).await;
    let now = Timestamp::now();
    for round in 0..EACH {
        for pod in &pods {
            let mut shell = alert::shell_in(pod).unwrap();
            alert::set_time(
                &mut shell,
                now + SignedDuration::from_nanos(i64::try_from(round).unwrap()),
            );
            client.publish(SUBJECT, payload(&shell).into()).await.unwrap();
        }
    }
    client.flush().await.unwrap();
    let all = PODS * EACH;

    metrics_until(&first, "some are decided, and some are not", |metrics| {
        let accounts = metrics.accounts();
        accounts.decisions - accounts.pending >= 60
    })
    .await;
    let log = first.kill().unwrap();
    let decided_by_the_first = decided(&integration::responder::records(&log));
    let (pending, unacknowledged) = left(&client).await;
    assert!(
        pending > 0 && unacknowledged > 0,
        "killed too late: {pending} wait, {unacknowledged} are in flight"
    );

    let second = start(&options).await;
    let done = async {
        while left(&client).await != (0, 0) {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(DEADLINE, done)
        .await
        .expect("each message is acknowledged");

    let metrics = second.metrics().await.unwrap();
    let decided_by_the_second = decided(&second.trail());
    let decided: BTreeSet<_> = decided_by_the_first.union(&decided_by_the_second).collect();
    eprintln!(
        "killed after {} decisions: {} waited, {unacknowledged} were in flight, {} were delivered again",
        decided_by_the_first.len(),
        pending,
        count(&metrics, "messages_redelivered_total", &[]),
    );
    assert_eq!(decided.len(), all, "every alert is decided");
    assert!(metrics.accounts().is_balanced());
    assert_eq!(count(&metrics, "dead_letters_total", &[]), 0);
    let mut deleted: BTreeMap<String, usize> = pods.iter().map(|pod| (uid(pod), 0)).collect();
    for event in scenario.mutations() {
        assert_eq!(event.verb, "delete");
        *deleted
            .get_mut(event.uid_precondition().unwrap())
            .expect("a pod that was named") += 1;
    }
    assert!(deleted.values().all(|&times| times <= 1), "acted on twice: {deleted:?}");
    // The API server carries out the last requests of the killed responder but does not log them as successes.
    let unanswered = deleted.values().filter(|&&times| times == 0).count();
    assert!(unanswered <= IN_FLIGHT, "{deleted:?}");
    // A message is acknowledged when it is decided, and the hundred alerts about a pod are joined to few decisions. So what
    // the first had decided and not begun when it was killed is lost, until decisions are kept on disk.
    let lost = unsettled(&integration::responder::records(&log));
    assert!(lost.len() <= IN_FLIGHT, "{lost:?}");
    let remaining = eventually("each pod that was named is gone", async || {
        let live = scenario.pods().list(&ListParams::default()).await.unwrap();
        let live: BTreeSet<String> = live.iter().map(uid).collect();
        live.difference(&lost)
            .all(|live| *live == uid(&bystander))
            .then_some(live)
    })
    .await;
    assert!(
        remaining.contains(&uid(&bystander)),
        "the pod that no alert names is there"
    );
}

/// The uids of the pods for which the trail has a decision to act and no end of the response.
fn unsettled(trail: &[integration::responder::TrailRecord]) -> BTreeSet<String> {
    let of = |event: &str| -> BTreeSet<String> {
        let records = trail.iter().filter(|record| record.event() == event);
        let acting = records.filter(|record| event == "settled" || record.plan().is_some());
        acting
            .filter_map(|record| record.value()["targetUid"].as_str().map(str::to_owned))
            .collect()
    };
    of("decided").difference(&of("settled")).cloned().collect()
}

fn decided(trail: &[integration::responder::TrailRecord]) -> BTreeSet<String> {
    let decided = trail.iter().filter(|record| record.event() == "decided");
    decided.map(|record| record.alert().to_owned()).collect()
}
