//! Turns, step by step; the properties over random steps are in `properties`.

mod fairness;
mod properties;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use responder_core::alert::Priority;
use responder_core::object::{Name, Namespace};
use tokio::time::Instant;

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

/// A pod of a namespace of its own, each time another.
fn somewhere() -> TargetKey {
    static LAST: AtomicUsize = AtomicUsize::new(0);
    let number = LAST.fetch_add(1, Ordering::Relaxed);
    TargetKey::Pod(
        Namespace::new(&format!("ns-{number}")).unwrap(),
        Name::new("a").unwrap(),
    )
}

const fn priority_of(class: QueueClass) -> Priority {
    match class {
        QueueClass::Critical => Priority::Critical,
        QueueClass::Ordinary => Priority::Notice,
    }
}

/// Offers a job that is no repeat; what gives way to it is forgotten.
fn offer<J>(
    queue: &mut WorkQueue<J>,
    priority: Priority,
    subject: TargetKey,
    bytes: usize,
    job: J,
) -> Result<(), ShedCause> {
    let arrival = NewJob {
        priority,
        subject,
        bytes,
        job: Arc::new(job),
    };
    match queue.accept(arrival, Instant::now(), |_| false).0 {
        QueueAnswer::Queued => Ok(()),
        QueueAnswer::Shed(cause) => Err(cause),
        QueueAnswer::Joined(_) => panic!("there are no repeats"),
    }
}

fn accept(queue: &mut WorkQueue<&'static str>, class: QueueClass, subject: Option<TargetKey>, job: &'static str) {
    let subject = subject.unwrap_or_else(somewhere);
    offer(queue, priority_of(class), subject, 1, job).unwrap();
}

fn start(queue: &mut WorkQueue<&'static str>) -> Option<Ticket<&'static str>> {
    match queue.next()? {
        Turn::Start(ticket) => Some(ticket),
        Turn::Resume(..) => panic!("no response pauses"),
    }
}

/// Every ticket whose turn it is.
fn started(queue: &mut WorkQueue<&'static str>) -> Vec<Ticket<&'static str>> {
    std::iter::from_fn(|| start(queue)).collect()
}

fn jobs(tickets: &[Ticket<&'static str>]) -> Vec<&'static str> {
    tickets.iter().map(|ticket| *ticket.job).collect()
}

#[test]
fn an_ordinary_flood_never_takes_the_critical_share() {
    let mut queue = WorkQueue::new(limits(8, 2));
    for _ in 0..100 {
        accept(&mut queue, QueueClass::Ordinary, None, "ordinary");
    }
    assert_eq!(started(&mut queue).len(), 6);
    accept(&mut queue, QueueClass::Critical, None, "critical");
    accept(&mut queue, QueueClass::Critical, None, "critical");
    assert_eq!(jobs(&started(&mut queue)), ["critical", "critical"]);
}

#[test]
fn a_critical_alert_is_next_while_a_hundred_ordinary_ones_wait() {
    let mut queue = WorkQueue::new(limits(2, 1));
    for _ in 0..100 {
        accept(&mut queue, QueueClass::Ordinary, None, "ordinary");
    }
    let at_work = start(&mut queue).unwrap();
    assert!(start(&mut queue).is_none());
    accept(&mut queue, QueueClass::Critical, None, "critical");
    assert_eq!(jobs(&started(&mut queue)), ["critical"]);
    assert_eq!(*at_work.job, "ordinary");
}

#[test]
fn critical_alerts_use_the_slots_that_ordinary_ones_leave_and_give_them_back() {
    let mut queue = WorkQueue::new(limits(8, 2));
    for _ in 0..20 {
        accept(&mut queue, QueueClass::Critical, None, "critical");
    }
    let mut at_work = started(&mut queue);
    assert_eq!(at_work.len(), 8);
    for _ in 0..20 {
        accept(&mut queue, QueueClass::Ordinary, None, "ordinary");
    }
    let mut followed = Vec::new();
    for _ in 0..12 {
        queue.finish(at_work.remove(0), true);
        let next = started(&mut queue);
        followed.extend(jobs(&next));
        at_work.extend(next);
    }
    // While both want it, every second slot past the critical share goes to either.
    let ordinary = followed.iter().filter(|job| **job == "ordinary").count();
    assert_eq!(
        (ordinary, followed[0], followed.len()),
        (6, "ordinary", 12),
        "{followed:?}"
    );
}

#[test]
fn shares_that_leave_one_class_nothing_are_corrected() {
    for (concurrency, share) in [(0, 0), (1, 1), (2, 9), (4, 0)] {
        let mut queue = WorkQueue::new(limits(concurrency, share));
        for _ in 0..20 {
            accept(&mut queue, QueueClass::Ordinary, None, "ordinary");
        }
        let at_work = started(&mut queue);
        assert!(!at_work.is_empty(), "{concurrency} {share}");
        accept(&mut queue, QueueClass::Critical, None, "critical");
        assert_eq!(jobs(&started(&mut queue)), ["critical"], "{concurrency} {share}");
    }
}

#[test]
fn one_at_a_time_answers_for_a_subject_and_others_go_past() {
    let mut queue = WorkQueue::new(limits(8, 2));
    for job in ["first", "second", "third"] {
        accept(&mut queue, QueueClass::Ordinary, Some(pod("hot")), job);
    }
    accept(&mut queue, QueueClass::Ordinary, Some(pod("other")), "other");
    let mut at_work = started(&mut queue);
    assert_eq!(jobs(&at_work), ["first", "other"]);
    queue.finish(at_work.remove(0), true);
    let mut next = started(&mut queue);
    assert_eq!(jobs(&next), ["second"]);
    queue.finish(next.remove(0), true);
    assert_eq!(jobs(&started(&mut queue)), ["third"]);
}

#[test]
fn a_critical_alert_about_a_busy_subject_goes_before_the_ordinary_ones_that_wait() {
    let mut queue = WorkQueue::new(limits(8, 2));
    for job in ["first", "second"] {
        accept(&mut queue, QueueClass::Ordinary, Some(pod("hot")), job);
    }
    accept(&mut queue, QueueClass::Critical, Some(pod("hot")), "critical one");
    accept(&mut queue, QueueClass::Critical, Some(pod("hot")), "critical two");
    // A critical alert has the first turn; its second alert and the ordinary ones wait for the key.
    for expected in ["critical one", "critical two", "first", "second"] {
        let mut at_work = started(&mut queue);
        assert_eq!(jobs(&at_work), [expected]);
        queue.finish(at_work.remove(0), true);
    }
    assert!(queue.is_idle());
}

#[test]
fn a_parked_ticket_keeps_its_subject_gives_up_its_slot_and_goes_on_once_the_key_is_free() {
    let mut queue = WorkQueue::new(limits(2, 1));
    accept(&mut queue, QueueClass::Ordinary, Some(pod("a")), "holder");
    let mut holder = start(&mut queue).unwrap();
    assert!(queue.try_hold(&mut holder, &node("worker-1")));
    accept(&mut queue, QueueClass::Critical, Some(pod("b")), "waiter");
    let mut waiter = start(&mut queue).unwrap();
    assert!(!queue.try_hold(&mut waiter, &node("worker-1")));
    queue.park(waiter, node("worker-1"));
    // The slot is free for others, but not for those about the same subject.
    accept(&mut queue, QueueClass::Critical, Some(pod("b")), "behind the waiter");
    accept(&mut queue, QueueClass::Critical, Some(pod("c")), "other");
    let mut other = started(&mut queue);
    assert_eq!(jobs(&other), ["other"]);
    queue.finish(other.remove(0), true);
    assert!(start(&mut queue).is_none());

    queue.finish(holder, true);
    let mut waiter = start(&mut queue).unwrap();
    assert_eq!((*waiter.job, waiter.parked), ("waiter", 1));
    assert_eq!(waiter.object, Some(node("worker-1")));
    assert!(queue.try_hold(&mut waiter, &node("worker-1")));
    queue.finish(waiter, true);
    assert_eq!(jobs(&started(&mut queue)), ["behind the waiter"]);
}

#[test]
fn a_key_that_became_free_before_parking_is_not_waited_for() {
    let mut queue = WorkQueue::new(limits(2, 1));
    accept(&mut queue, QueueClass::Ordinary, Some(pod("a")), "a");
    let ticket = start(&mut queue).unwrap();
    queue.park(ticket, node("worker-1"));
    assert_eq!(start(&mut queue).unwrap().object, Some(node("worker-1")));
}

#[test]
fn a_ticket_whose_target_became_another_gives_up_the_first_key() {
    let mut queue = WorkQueue::new(limits(4, 1));
    accept(&mut queue, QueueClass::Ordinary, Some(pod("a")), "a");
    accept(&mut queue, QueueClass::Ordinary, Some(pod("b")), "b");
    let mut first = start(&mut queue).unwrap();
    let mut second = start(&mut queue).unwrap();
    assert!(queue.try_hold(&mut first, &node("worker-1")));
    assert!(queue.try_hold(&mut first, &node("worker-2")));
    assert!(queue.try_hold(&mut second, &node("worker-1")));
    assert!(!queue.try_hold(&mut second, &node("worker-2")));
    // A ticket that asked in vain holds no target any more.
    assert_eq!(second.object, None);
}

#[test]
fn a_ticket_holds_its_subject_without_taking_it_again() {
    let mut queue = WorkQueue::new(limits(4, 1));
    accept(&mut queue, QueueClass::Ordinary, Some(pod("a")), "a");
    accept(&mut queue, QueueClass::Ordinary, Some(pod("b")), "b");
    let mut first = start(&mut queue).unwrap();
    let mut second = start(&mut queue).unwrap();
    assert!(queue.try_hold(&mut first, &node("worker-1")));
    assert!(queue.try_hold(&mut first, &pod("a")));
    assert_eq!(first.object, None);
    // The container of another alert may be of that pod.
    assert!(!queue.try_hold(&mut second, &pod("a")));
    queue.finish(first, true);
    assert!(queue.try_hold(&mut second, &pod("a")));
}

#[test]
fn alerts_about_one_subject_have_a_bound_over_both_classes_together() {
    let mut queue = WorkQueue::new(QueueLimits {
        per_subject: 3,
        ..limits(2, 1)
    });
    accept(&mut queue, QueueClass::Ordinary, Some(pod("hot")), "1");
    accept(&mut queue, QueueClass::Critical, Some(pod("hot")), "2");
    accept(&mut queue, QueueClass::Ordinary, Some(pod("hot")), "3");
    for class in QueueClass::ALL {
        if class == QueueClass::Ordinary {
            let shed = offer(&mut queue, Priority::Notice, pod("hot"), 1, "4");
            assert_eq!(shed, Err(ShedCause::SubjectFull));
        }
    }
    accept(&mut queue, QueueClass::Ordinary, Some(pod("other")), "other");
    let finished = start(&mut queue).unwrap();
    queue.finish(finished, true);
    accept(&mut queue, QueueClass::Ordinary, Some(pod("hot")), "4");
}

#[test]
fn a_class_has_a_bound_in_alerts_and_the_other_class_has_room() {
    let bound = QueueBound { alerts: 2, bytes: 100 };
    let mut queue = WorkQueue::new(QueueLimits {
        ordinary: bound,
        critical: bound,
        namespace_percent: 100,
        ..limits(2, 1)
    });
    accept(&mut queue, QueueClass::Ordinary, None, "1");
    accept(&mut queue, QueueClass::Ordinary, None, "2");
    let shed = offer(&mut queue, Priority::Notice, somewhere(), 1, "3");
    assert_eq!(shed, Err(ShedCause::QueueFull));
    accept(&mut queue, QueueClass::Critical, Some(pod("c")), "critical");
    // A ticket at work counts like one that waits; only a finished one makes room.
    let mut at_work = started(&mut queue);
    assert_eq!(jobs(&at_work), ["critical", "1"]);
    assert!(offer(&mut queue, Priority::Notice, somewhere(), 1, "3").is_err());
    queue.finish(at_work.remove(1), true);
    accept(&mut queue, QueueClass::Ordinary, None, "3");
}

#[test]
fn a_class_has_a_bound_in_bytes() {
    let mut queue = WorkQueue::new(QueueLimits {
        ordinary: QueueBound {
            alerts: 100,
            bytes: 1000,
        },
        namespace_percent: 100,
        ..limits(2, 1)
    });
    let mut try_in = |bytes| offer(&mut queue, Priority::Notice, somewhere(), bytes, "a");
    assert_eq!(try_in(400), Ok(()));
    assert_eq!(try_in(601), Err(ShedCause::QueueFull));
    assert_eq!(try_in(usize::MAX), Err(ShedCause::QueueFull));
    assert_eq!(try_in(400), Ok(()));
    assert_eq!(try_in(200), Ok(()));
    assert_eq!(try_in(500), Err(ShedCause::QueueFull), "it would be the largest");
    let finished = start(&mut queue).unwrap();
    queue.finish(finished, true);
    assert_eq!(offer(&mut queue, Priority::Notice, somewhere(), 400, "a"), Ok(()));
}

#[test]
fn an_alert_that_was_shed_leaves_no_trace() {
    let mut queue = WorkQueue::new(QueueLimits {
        per_subject: 1,
        ..limits(2, 1)
    });
    accept(&mut queue, QueueClass::Ordinary, Some(pod("a")), "1");
    for _ in 0..10 {
        let shed = offer(&mut queue, Priority::Notice, pod("a"), 1, "2");
        assert_eq!(shed, Err(ShedCause::SubjectFull));
    }
    let ticket = start(&mut queue).unwrap();
    queue.finish(ticket, true);
    assert!(start(&mut queue).is_none());
    assert!(queue.is_idle() && queue.keys.keys().is_empty() && queue.lines.is_empty() && queue.tenants.is_empty());
    assert_eq!(queue.depth(QueueClass::Ordinary, Instant::now()), QueueDepth::default());
}

#[test]
fn a_response_that_pauses_leaves_its_slot_and_goes_on_at_the_next_turn_but_one() {
    let mut queue = WorkQueue::new(limits(2, 1));
    accept(&mut queue, QueueClass::Ordinary, Some(pod("a")), "pauses");
    let pausing = start(&mut queue).unwrap();
    queue.release_slot(pausing.lane());
    accept(&mut queue, QueueClass::Ordinary, Some(pod("b")), "second");
    for job in ["third", "fourth", "fifth"] {
        accept(&mut queue, QueueClass::Ordinary, Some(pod(job)), job);
    }
    let second = start(&mut queue).unwrap();
    assert_eq!(*second.job, "second");
    let mut woken = queue.resume(pausing.lane(), pausing.priority());
    assert!(queue.next().is_none() && woken.try_recv().is_err());
    queue.finish(second, true);
    let third = start(&mut queue).unwrap();
    assert_eq!(*third.job, "third");
    queue.finish(third, true);
    match queue.next() {
        Some(Turn::Resume(QueueClass::Ordinary, wake)) => wake.send(()).unwrap(),
        other => panic!("{other:?}"),
    }
    woken.try_recv().unwrap();
    assert!(queue.next().is_none(), "the slot is taken again");
    queue.finish(pausing, true);
    assert_eq!(*start(&mut queue).unwrap().job, "fourth");
}

#[test]
fn the_end_of_a_quarantine_waits_for_the_response_at_work_and_goes_before_the_ordinary_ones() {
    let mut queue = WorkQueue::new(limits(8, 2));
    accept(&mut queue, QueueClass::Ordinary, Some(pod("a")), "at work");
    accept(&mut queue, QueueClass::Ordinary, Some(pod("a")), "waits");
    let at_work = started(&mut queue).remove(0);
    let mut woken = queue.hold(&pod("a")).unwrap();
    assert!(woken.try_recv().is_err());
    queue.finish(at_work, true);
    woken.try_recv().unwrap();
    assert!(start(&mut queue).is_none(), "the key is held");
    queue.release(&pod("a"));
    assert_eq!(*start(&mut queue).unwrap().job, "waits");
    assert!(queue.hold(&pod("b")).is_none(), "a free key is held at once");
}

#[test]
fn a_task_that_stopped_waiting_for_a_key_is_passed_over() {
    let mut queue = WorkQueue::new(limits(8, 2));
    accept(&mut queue, QueueClass::Ordinary, Some(pod("a")), "at work");
    accept(&mut queue, QueueClass::Ordinary, Some(pod("a")), "waits");
    let at_work = started(&mut queue).remove(0);
    drop(queue.hold(&pod("a")));
    queue.finish(at_work, true);
    let waits = start(&mut queue).unwrap();
    assert_eq!(*waits.job, "waits");
    queue.finish(waits, true);
    assert!(queue.keys.keys().is_empty());
}

#[test]
fn the_depth_of_a_class_tells_the_age_of_its_oldest_alert() {
    let mut queue = WorkQueue::new(limits(2, 1));
    let begin = Instant::now();
    for (class, seconds) in [
        (QueueClass::Critical, 0),
        (QueueClass::Ordinary, 1),
        (QueueClass::Ordinary, 2),
    ] {
        let at = begin + Duration::from_secs(seconds);
        let arrival = NewJob {
            priority: priority_of(class),
            subject: somewhere(),
            bytes: 1,
            job: Arc::new("a"),
        };
        drop(queue.accept(arrival, at, |_| false));
    }
    let at_work = started(&mut queue);
    assert_eq!(at_work.len(), 2);
    let depth = queue.depth(QueueClass::Ordinary, begin + Duration::from_secs(4));
    let expected = QueueDepth {
        accepted: 2,
        running: 1,
        oldest_ms: 3000,
    };
    assert_eq!(depth, expected);
}

#[test]
fn the_class_of_a_priority_is_critical_from_critical_on() {
    let critical = Priority::ALL
        .into_iter()
        .filter(|&priority| QueueClass::of(priority) == QueueClass::Critical);
    assert_eq!(
        critical.collect::<std::collections::BTreeSet<_>>(),
        [Priority::Critical, Priority::Alert, Priority::Emergency].into()
    );
}
