//! Who is next, step by step; the properties over random steps are in `properties`.

mod properties;

use std::time::Duration;

use super::*;

fn pod(name: &str) -> TargetKey {
    TargetKey::Pod(Namespace::new("web").unwrap(), Name::new(name).unwrap())
}

fn node(name: &str) -> TargetKey {
    TargetKey::Node(Name::new(name).unwrap())
}

fn limits(concurrency: usize, critical_share: usize) -> QueueLimits {
    QueueLimits {
        concurrency,
        critical_share,
        ..QueueLimits::default()
    }
}

fn accept(lanes: &mut WorkQueue<&'static str>, lane: QueueClass, subject: Option<TargetKey>, job: &'static str) {
    lanes.accept(lane, subject, 1, Arc::new(job), Instant::now()).unwrap();
}

fn start(lanes: &mut WorkQueue<&'static str>) -> Option<Ticket<&'static str>> {
    match lanes.next()? {
        Turn::Start(ticket) => Some(ticket),
        Turn::Resume(..) => panic!("nobody rests"),
    }
}

/// Everybody whose turn it is, by job.
fn started(lanes: &mut WorkQueue<&'static str>) -> Vec<Ticket<&'static str>> {
    std::iter::from_fn(|| start(lanes)).collect()
}

fn jobs(tickets: &[Ticket<&'static str>]) -> Vec<&'static str> {
    tickets.iter().map(|ticket| *ticket.job).collect()
}

#[test]
fn an_ordinary_flood_never_takes_the_critical_share() {
    let mut lanes = WorkQueue::new(limits(8, 2));
    for _ in 0..100 {
        accept(&mut lanes, QueueClass::Ordinary, None, "ordinary");
    }
    assert_eq!(started(&mut lanes).len(), 6);
    accept(&mut lanes, QueueClass::Critical, None, "critical");
    accept(&mut lanes, QueueClass::Critical, None, "critical");
    assert_eq!(jobs(&started(&mut lanes)), ["critical", "critical"]);
}

#[test]
fn a_critical_alert_is_next_while_a_hundred_ordinary_ones_wait() {
    let mut lanes = WorkQueue::new(limits(2, 1));
    for _ in 0..100 {
        accept(&mut lanes, QueueClass::Ordinary, None, "ordinary");
    }
    let at_work = start(&mut lanes).unwrap();
    assert!(start(&mut lanes).is_none());
    accept(&mut lanes, QueueClass::Critical, None, "critical");
    assert_eq!(jobs(&started(&mut lanes)), ["critical"]);
    assert_eq!(*at_work.job, "ordinary");
}

#[test]
fn critical_alerts_use_what_the_ordinary_lane_leaves_and_give_it_back() {
    let mut lanes = WorkQueue::new(limits(8, 2));
    for _ in 0..20 {
        accept(&mut lanes, QueueClass::Critical, None, "critical");
    }
    let mut at_work = started(&mut lanes);
    assert_eq!(at_work.len(), 8);
    for _ in 0..20 {
        accept(&mut lanes, QueueClass::Ordinary, None, "ordinary");
    }
    for finished in 0..6 {
        lanes.finish(at_work.remove(0), true);
        assert_eq!(jobs(&started(&mut lanes)), ["ordinary"], "after {finished}");
    }
    // Both have their share now: whoever finishes is followed by one of the same lane.
    lanes.finish(at_work.remove(0), true);
    assert_eq!(jobs(&started(&mut lanes)), ["critical"]);
}

#[test]
fn shares_that_leave_one_lane_nothing_are_corrected() {
    for (concurrency, share) in [(0, 0), (1, 1), (2, 9), (4, 0)] {
        let mut lanes = WorkQueue::new(limits(concurrency, share));
        for _ in 0..20 {
            accept(&mut lanes, QueueClass::Ordinary, None, "ordinary");
        }
        let at_work = started(&mut lanes);
        assert!(!at_work.is_empty(), "{concurrency} {share}");
        accept(&mut lanes, QueueClass::Critical, None, "critical");
        assert_eq!(jobs(&started(&mut lanes)), ["critical"], "{concurrency} {share}");
    }
}

#[test]
fn one_at_a_time_answers_for_a_subject_and_others_go_past() {
    let mut lanes = WorkQueue::new(limits(8, 2));
    for job in ["first", "second", "third"] {
        accept(&mut lanes, QueueClass::Ordinary, Some(pod("hot")), job);
    }
    accept(&mut lanes, QueueClass::Ordinary, Some(pod("other")), "other");
    let mut at_work = started(&mut lanes);
    assert_eq!(jobs(&at_work), ["first", "other"]);
    lanes.finish(at_work.remove(0), true);
    let mut next = started(&mut lanes);
    assert_eq!(jobs(&next), ["second"]);
    lanes.finish(next.remove(0), true);
    assert_eq!(jobs(&started(&mut lanes)), ["third"]);
}

#[test]
fn a_critical_alert_about_a_busy_subject_goes_before_the_ordinary_ones_that_wait() {
    let mut lanes = WorkQueue::new(limits(8, 2));
    for job in ["first", "second"] {
        accept(&mut lanes, QueueClass::Ordinary, Some(pod("hot")), job);
    }
    accept(&mut lanes, QueueClass::Critical, Some(pod("hot")), "critical one");
    accept(&mut lanes, QueueClass::Critical, Some(pod("hot")), "critical two");
    // The critical lane has the first turn; its second alert and the ordinary ones wait for the key.
    for expected in ["critical one", "critical two", "first", "second"] {
        let mut at_work = started(&mut lanes);
        assert_eq!(jobs(&at_work), [expected]);
        lanes.finish(at_work.remove(0), true);
    }
    assert!(lanes.is_idle());
}

#[test]
fn a_parked_ticket_keeps_its_subject_gives_up_its_slot_and_goes_on_once_the_key_is_free() {
    let mut lanes = WorkQueue::new(limits(2, 1));
    accept(&mut lanes, QueueClass::Ordinary, Some(pod("a")), "holder");
    let mut holder = start(&mut lanes).unwrap();
    assert!(lanes.try_hold(&mut holder, &node("worker-1")));
    accept(&mut lanes, QueueClass::Critical, Some(pod("b")), "waiter");
    let mut waiter = start(&mut lanes).unwrap();
    assert!(!lanes.try_hold(&mut waiter, &node("worker-1")));
    lanes.park(waiter, node("worker-1"));
    // The slot is free for others, but not for those about the same subject.
    accept(&mut lanes, QueueClass::Critical, Some(pod("b")), "behind the waiter");
    accept(&mut lanes, QueueClass::Critical, Some(pod("c")), "other");
    let mut other = started(&mut lanes);
    assert_eq!(jobs(&other), ["other"]);
    lanes.finish(other.remove(0), true);
    assert!(start(&mut lanes).is_none());

    lanes.finish(holder, true);
    let mut waiter = start(&mut lanes).unwrap();
    assert_eq!((*waiter.job, waiter.parked), ("waiter", 1));
    assert_eq!(waiter.object(), Some(&node("worker-1")));
    assert!(lanes.try_hold(&mut waiter, &node("worker-1")));
    lanes.finish(waiter, true);
    assert_eq!(jobs(&started(&mut lanes)), ["behind the waiter"]);
}

#[test]
fn a_key_that_became_free_before_parking_is_not_waited_for() {
    let mut lanes = WorkQueue::new(limits(2, 1));
    accept(&mut lanes, QueueClass::Ordinary, Some(pod("a")), "a");
    let ticket = start(&mut lanes).unwrap();
    lanes.park(ticket, node("worker-1"));
    assert_eq!(start(&mut lanes).unwrap().object(), Some(&node("worker-1")));
}

#[test]
fn a_ticket_whose_target_became_another_gives_up_the_first_key() {
    let mut lanes = WorkQueue::new(limits(4, 1));
    accept(&mut lanes, QueueClass::Ordinary, Some(pod("a")), "a");
    accept(&mut lanes, QueueClass::Ordinary, Some(pod("b")), "b");
    let mut first = start(&mut lanes).unwrap();
    let mut second = start(&mut lanes).unwrap();
    assert!(lanes.try_hold(&mut first, &node("worker-1")));
    assert!(lanes.try_hold(&mut first, &node("worker-2")));
    assert!(lanes.try_hold(&mut second, &node("worker-1")));
    assert!(!lanes.try_hold(&mut second, &node("worker-2")));
    // Whoever asked in vain holds nothing of a target any more.
    assert_eq!(second.object(), None);
}

#[test]
fn alerts_about_one_subject_have_a_bound_in_both_lanes_together() {
    let mut lanes = WorkQueue::new(QueueLimits {
        per_subject: 3,
        ..limits(2, 1)
    });
    accept(&mut lanes, QueueClass::Ordinary, Some(pod("hot")), "1");
    accept(&mut lanes, QueueClass::Critical, Some(pod("hot")), "2");
    accept(&mut lanes, QueueClass::Ordinary, Some(pod("hot")), "3");
    for lane in QueueClass::ALL {
        let shed = lanes.accept(lane, Some(pod("hot")), 1, Arc::new("4"), Instant::now());
        assert_eq!(shed, Err(ShedCause::SubjectFull));
    }
    accept(&mut lanes, QueueClass::Ordinary, Some(pod("other")), "other");
    let finished = start(&mut lanes).unwrap();
    lanes.finish(finished, true);
    accept(&mut lanes, QueueClass::Ordinary, Some(pod("hot")), "4");
}

#[test]
fn a_lane_has_a_bound_in_alerts_and_the_other_lane_has_room() {
    let bound = QueueBound { alerts: 2, bytes: 100 };
    let mut lanes = WorkQueue::new(QueueLimits {
        ordinary: bound,
        critical: bound,
        ..limits(2, 1)
    });
    accept(&mut lanes, QueueClass::Ordinary, Some(pod("a")), "1");
    accept(&mut lanes, QueueClass::Ordinary, Some(pod("b")), "2");
    let shed = lanes.accept(QueueClass::Ordinary, Some(pod("c")), 1, Arc::new("3"), Instant::now());
    assert_eq!(shed, Err(ShedCause::QueueFull));
    accept(&mut lanes, QueueClass::Critical, Some(pod("c")), "critical");
    // What works counts like what waits; only what is finished makes room.
    let mut at_work = started(&mut lanes);
    assert_eq!(jobs(&at_work), ["critical", "1"]);
    assert!(
        lanes
            .accept(QueueClass::Ordinary, None, 1, Arc::new("3"), Instant::now())
            .is_err()
    );
    lanes.finish(at_work.remove(1), true);
    accept(&mut lanes, QueueClass::Ordinary, None, "3");
}

#[test]
fn a_lane_has_a_bound_in_bytes() {
    let mut lanes = WorkQueue::new(QueueLimits {
        ordinary: QueueBound {
            alerts: 100,
            bytes: 1000,
        },
        ..limits(2, 1)
    });
    let mut offer = |bytes| lanes.accept(QueueClass::Ordinary, None, bytes, Arc::new("a"), Instant::now());
    assert_eq!(offer(600), Ok(()));
    assert_eq!(offer(401), Err(ShedCause::QueueFull));
    assert_eq!(offer(usize::MAX), Err(ShedCause::QueueFull));
    assert_eq!(offer(400), Ok(()));
    assert_eq!(offer(1), Err(ShedCause::QueueFull));
    let finished = start(&mut lanes).unwrap();
    lanes.finish(finished, true);
    assert_eq!(
        lanes.accept(QueueClass::Ordinary, None, 600, Arc::new("a"), Instant::now()),
        Ok(())
    );
}

#[test]
fn what_was_shed_leaves_no_trace() {
    let mut lanes = WorkQueue::new(QueueLimits {
        per_subject: 1,
        ..limits(2, 1)
    });
    accept(&mut lanes, QueueClass::Ordinary, Some(pod("a")), "1");
    for _ in 0..10 {
        let shed = lanes.accept(QueueClass::Ordinary, Some(pod("a")), 1, Arc::new("2"), Instant::now());
        assert_eq!(shed, Err(ShedCause::SubjectFull));
    }
    let ticket = start(&mut lanes).unwrap();
    lanes.finish(ticket, true);
    assert!(lanes.is_idle() && lanes.held.is_empty() && lanes.per_subject.is_empty());
    assert_eq!(lanes.depth(QueueClass::Ordinary, Instant::now()), QueueDepth::default());
}

#[test]
fn whoever_rests_leaves_the_slot_and_goes_on_before_those_who_have_not_begun() {
    let mut lanes = WorkQueue::new(limits(2, 1));
    accept(&mut lanes, QueueClass::Ordinary, Some(pod("a")), "rests");
    let resting = start(&mut lanes).unwrap();
    lanes.release_slot(resting.lane());
    accept(&mut lanes, QueueClass::Ordinary, Some(pod("b")), "second");
    accept(&mut lanes, QueueClass::Ordinary, Some(pod("c")), "third");
    let second = start(&mut lanes).unwrap();
    assert_eq!(*second.job, "second");
    let mut woken = lanes.resume(resting.lane());
    assert!(lanes.next().is_none() && woken.try_recv().is_err());
    lanes.finish(second, true);
    match lanes.next() {
        Some(Turn::Resume(QueueClass::Ordinary, wake)) => wake.send(()).unwrap(),
        other => panic!("{other:?}"),
    }
    woken.try_recv().unwrap();
    assert!(lanes.next().is_none(), "the slot is taken again");
    lanes.finish(resting, true);
    assert_eq!(*start(&mut lanes).unwrap().job, "third");
}

#[test]
fn the_end_of_a_quarantine_waits_for_the_response_at_work_and_goes_before_the_ordinary_ones() {
    let mut lanes = WorkQueue::new(limits(8, 2));
    accept(&mut lanes, QueueClass::Ordinary, Some(pod("a")), "at work");
    accept(&mut lanes, QueueClass::Ordinary, Some(pod("a")), "waits");
    let at_work = started(&mut lanes).remove(0);
    let mut woken = lanes.hold(&pod("a")).unwrap();
    assert!(woken.try_recv().is_err());
    lanes.finish(at_work, true);
    woken.try_recv().unwrap();
    assert!(start(&mut lanes).is_none(), "the key is held");
    lanes.release(&pod("a"));
    assert_eq!(*start(&mut lanes).unwrap().job, "waits");
    assert!(lanes.hold(&pod("b")).is_none(), "a free key is held at once");
}

#[test]
fn whoever_stopped_waiting_for_a_key_is_passed_over() {
    let mut lanes = WorkQueue::new(limits(8, 2));
    accept(&mut lanes, QueueClass::Ordinary, Some(pod("a")), "at work");
    accept(&mut lanes, QueueClass::Ordinary, Some(pod("a")), "waits");
    let at_work = started(&mut lanes).remove(0);
    drop(lanes.hold(&pod("a")));
    lanes.finish(at_work, true);
    let waits = start(&mut lanes).unwrap();
    assert_eq!(*waits.job, "waits");
    lanes.finish(waits, true);
    assert!(lanes.held.is_empty());
}

#[test]
fn the_depth_of_a_lane_tells_how_long_the_oldest_has_been_there() {
    let mut lanes = WorkQueue::new(limits(2, 1));
    let begin = Instant::now();
    for (lane, seconds) in [
        (QueueClass::Critical, 0),
        (QueueClass::Ordinary, 1),
        (QueueClass::Ordinary, 2),
    ] {
        let at = begin + Duration::from_secs(seconds);
        lanes.accept(lane, None, 1, Arc::new("a"), at).unwrap();
    }
    let at_work = started(&mut lanes);
    assert_eq!(at_work.len(), 2);
    let depth = lanes.depth(QueueClass::Ordinary, begin + Duration::from_secs(4));
    let expected = QueueDepth {
        accepted: 2,
        running: 1,
        oldest_ms: 3000,
    };
    assert_eq!(depth, expected);
}

#[test]
fn the_lane_of_a_priority_is_critical_from_critical_on() {
    let critical = Priority::ALL
        .into_iter()
        .filter(|&priority| QueueClass::of(priority) == QueueClass::Critical);
    assert_eq!(
        critical.collect::<std::collections::BTreeSet<_>>(),
        [Priority::Critical, Priority::Alert, Priority::Emergency].into()
    );
}
