//! Whose turn it is, and who gives way, while a flood runs. Promise 8.

use proptest::prelude::*;

use super::*;

fn in_namespace(namespace: &str, name: &str) -> TargetKey {
    TargetKey::Pod(Namespace::new(namespace).unwrap(), Name::new(name).unwrap())
}

/// Two slots of one lane, one of which is for the other lane.
fn one_slot() -> WorkQueue<String> {
    WorkQueue::new(limits(2, 1))
}

fn put(queue: &mut WorkQueue<String>, priority: Priority, subject: &TargetKey, job: &str) {
    offer(queue, priority, subject.clone(), 1, job.to_owned()).unwrap();
}

/// Answers one after the other, until nothing waits.
fn answered(queue: &mut WorkQueue<String>) -> Vec<String> {
    let mut order = Vec::new();
    while let Some(turn) = queue.next() {
        let Turn::Start(ticket) = turn else {
            panic!("no response pauses")
        };
        order.push((*ticket.job).clone());
        queue.finish(ticket, true);
    }
    order
}

#[test]
fn namespaces_take_turns_and_in_each_its_subjects_do() {
    let mut queue = one_slot();
    for (namespace, pod) in [("a", "x"), ("a", "y"), ("b", "z")] {
        put(&mut queue, Priority::Notice, &in_namespace(namespace, pod), "before");
    }
    answered(&mut queue);
    for nth in 1..=3 {
        for (namespace, pod) in [("a", "x"), ("a", "y"), ("b", "z")] {
            let subject = in_namespace(namespace, pod);
            put(&mut queue, Priority::Notice, &subject, &format!("{pod}{nth}"));
        }
    }
    assert_eq!(
        answered(&mut queue),
        ["x1", "z1", "y1", "z2", "x2", "z3", "y2", "x3", "y3"]
    );
}

#[test]
fn the_higher_priority_is_first_and_a_lower_one_gets_its_turns() {
    let mut queue = one_slot();
    for nth in 0..10 {
        put(
            &mut queue,
            Priority::Error,
            &in_namespace("a", &format!("p{nth}")),
            "error",
        );
    }
    put(&mut queue, Priority::Notice, &in_namespace("b", "q"), "notice");
    put(&mut queue, Priority::Warning, &in_namespace("c", "r"), "warning");
    let order = answered(&mut queue);
    let place = |job: &str| order.iter().position(|answered| answered == job).unwrap();
    assert_eq!(
        (place("error"), place("warning"), place("notice")),
        (0, 1, 3),
        "{order:?}"
    );
}

#[test]
fn the_first_alert_of_a_pod_passes_those_that_have_had_their_answer() {
    let mut queue = one_slot();
    let pods: Vec<_> = (0..20)
        .map(|pod| in_namespace(&format!("n{}", pod % 10), &format!("p{pod}")))
        .collect();
    for pod in &pods {
        put(&mut queue, Priority::Error, pod, "flood");
    }
    answered(&mut queue);
    for pod in pods.iter().chain(&pods) {
        put(&mut queue, Priority::Error, pod, "flood");
    }
    put(&mut queue, Priority::Error, &in_namespace("n1", "outside"), "outside");
    let order = answered(&mut queue);
    assert!(order[..2].contains(&"outside".to_owned()), "{order:?}");
}

/// A pod that has one alert at a time in the queue is not new with each.
#[test]
fn a_subject_is_new_again_only_after_the_turns_of_those_that_wait() {
    let mut queue = one_slot();
    let greedy = in_namespace("a", "greedy");
    for nth in 0..4 {
        for pod in 0..4 {
            put(
                &mut queue,
                Priority::Notice,
                &in_namespace("b", &format!("p{pod}")),
                &format!("other {nth}"),
            );
        }
    }
    put(&mut queue, Priority::Notice, &greedy, "greedy");
    let mut order = Vec::new();
    while let Some(Turn::Start(ticket)) = queue.next() {
        let job = (*ticket.job).clone();
        queue.finish(ticket, true);
        if job == "greedy" && order.len() < 20 {
            put(&mut queue, Priority::Notice, &greedy, "greedy");
        }
        order.push(job);
    }
    let first: Vec<_> = order[..12].iter().filter(|job| **job == "greedy").collect();
    assert!(first.len() <= 7, "{order:?}");
}

#[test]
fn a_ticket_gives_its_slot_up_after_each_answer_and_keeps_its_key() {
    let mut queue = one_slot();
    let pod = in_namespace("a", "x");
    put(&mut queue, Priority::Notice, &pod, "first");
    put(&mut queue, Priority::Notice, &pod, "second");
    put(&mut queue, Priority::Notice, &in_namespace("b", "y"), "other");
    let Some(Turn::Start(ticket)) = queue.next() else {
        panic!()
    };
    queue.give_way(ticket, true);
    // The second turn is one of those outside the strict order.
    let Some(Turn::Start(ticket)) = queue.next() else {
        panic!()
    };
    queue.give_way(ticket, true);
    assert_eq!(answered(&mut queue), ["other", "first", "second"]);
}

#[test]
fn what_an_emergency_waits_for_at_its_own_pod_goes_on_in_its_lane() {
    let mut queue = one_slot();
    let pod = in_namespace("a", "x");
    put(&mut queue, Priority::Notice, &pod, "notice");
    let Some(Turn::Start(ticket)) = queue.next() else {
        panic!()
    };
    queue.give_way(ticket, true);
    for nth in 0..10 {
        put(
            &mut queue,
            Priority::Error,
            &in_namespace("b", &format!("p{nth}")),
            "flood",
        );
    }
    put(&mut queue, Priority::Emergency, &pod, "emergency");
    let Some(Turn::Start(ticket)) = queue.next() else {
        panic!()
    };
    assert_eq!((ticket.job.as_str(), ticket.lane()), ("notice", QueueClass::Critical));
    queue.finish(ticket, true);
    let Some(Turn::Start(ticket)) = queue.next() else {
        panic!()
    };
    assert_eq!(*ticket.job, "emergency");
}

// --- room ---------------------------------------------------------------------------------------------

fn bounded(alerts: usize) -> WorkQueue<String> {
    let bound = QueueBound { alerts, bytes: 1 << 20 };
    WorkQueue::new(QueueLimits {
        critical: bound,
        ordinary: bound,
        ..limits(2, 1)
    })
}

/// Offers a job, and says what gave way: the job and the bound.
fn displaced(
    queue: &mut WorkQueue<String>,
    priority: Priority,
    subject: &TargetKey,
    job: &str,
) -> Vec<(String, ShedCause)> {
    let arrival = NewJob {
        priority,
        subject: subject.clone(),
        bytes: 1,
        job: Arc::new(job.to_owned()),
    };
    let (admission, displaced) = queue.accept(arrival, Instant::now(), |_| false);
    let shed = match admission {
        QueueAnswer::Shed(cause) => Some((job.to_owned(), cause)),
        _ => None,
    };
    let displaced = displaced
        .into_iter()
        .map(|displaced| ((*displaced.job).clone(), displaced.cause));
    displaced.chain(shed).collect()
}

#[test]
fn the_newest_of_the_lowest_priority_of_the_largest_line_gives_way() {
    let mut queue = bounded(6);
    let (large, small) = (in_namespace("a", "large"), in_namespace("a", "small"));
    put(&mut queue, Priority::Emergency, &large, "emergency");
    put(&mut queue, Priority::Critical, &large, "older");
    put(&mut queue, Priority::Critical, &small, "small");
    // The namespace has its half.
    let newer = displaced(&mut queue, Priority::Critical, &large, "newer");
    assert_eq!(newer, [("newer".to_owned(), ShedCause::NamespaceFull)]);
    let more_urgent = displaced(&mut queue, Priority::Emergency, &small, "more urgent");
    assert_eq!(more_urgent, [("small".to_owned(), ShedCause::NamespaceFull)]);
}

#[test]
fn an_overflow_takes_from_the_largest_namespace_and_never_from_the_newcomer_of_a_small_one() {
    let mut queue = bounded(8);
    for nth in 0..4 {
        put(
            &mut queue,
            Priority::Critical,
            &in_namespace("a", &format!("p{nth}")),
            &format!("a{nth}"),
        );
        put(
            &mut queue,
            Priority::Emergency,
            &in_namespace("b", "q"),
            &format!("b{nth}"),
        );
    }
    let of = |queue: &mut WorkQueue<String>, namespace: &str| {
        displaced(queue, Priority::Critical, &in_namespace(namespace, "c"), namespace)
    };
    let full = ShedCause::QueueFull;
    // Two namespaces of the same size: of those, the lower priority gives way.
    // Of two namespaces of the same size, the larger line; then of its subjects, the newest.
    assert_eq!(of(&mut queue, "c"), [("b3".to_owned(), full)]);
    assert_eq!(of(&mut queue, "d"), [("a3".to_owned(), full)]);
    for nth in 0..3 {
        let gone = of(&mut queue, &format!("e{nth}"));
        assert!(gone[0].0.starts_with(['a', 'b']), "{gone:?}");
    }
}

#[test]
fn what_is_at_work_never_gives_way() {
    let mut queue = bounded(2);
    put(&mut queue, Priority::Notice, &in_namespace("a", "p"), "at work");
    let at_work = queue.next();
    put(&mut queue, Priority::Notice, &in_namespace("b", "p"), "waits");
    let emergency = displaced(&mut queue, Priority::Error, &in_namespace("c", "p"), "error");
    assert_eq!(emergency, [("waits".to_owned(), ShedCause::QueueFull)]);
    assert!(matches!(at_work, Some(Turn::Start(ticket)) if *ticket.job == "at work"));
}

#[test]
fn a_repeat_is_joined_to_a_ticket_that_waits_and_to_none_at_work() {
    let mut queue = one_slot();
    let pod = in_namespace("a", "x");
    let offer = |queue: &mut WorkQueue<String>| {
        let arrival = NewJob {
            priority: Priority::Notice,
            subject: pod.clone(),
            bytes: 100,
            job: Arc::new("same".to_owned()),
        };
        queue.accept(arrival, Instant::now(), |waiting| waiting == "same").0
    };
    assert!(matches!(offer(&mut queue), QueueAnswer::Queued));
    for _ in 0..300 {
        offer(&mut queue);
    }
    // 256 are joined to the first, and the others to the one after that.
    assert_eq!(queue.depth(QueueClass::Ordinary, Instant::now()).accepted, 2);
    let Some(Turn::Start(first)) = queue.next() else {
        panic!()
    };
    let Some(Turn::Start(second)) = ({
        queue.finish(first, true);
        queue.next()
    }) else {
        panic!()
    };
    assert!(matches!(offer(&mut queue), QueueAnswer::Queued), "it is at work");
    queue.finish(second, true);
    assert_eq!(answered(&mut queue), ["same"]);
    assert_eq!(queue.total, crate::queue::line::Tally::default());
}

// --- the goal -----------------------------------------------------------------------------------------

/// One alert of the flood, or some answers.
#[derive(Debug, Clone)]
enum Event {
    Raised { pod: u8, priority: Priority, bytes: usize },
    Answered(u8),
}

fn event() -> impl Strategy<Value = Event> {
    let priority = prop::sample::select(Priority::ALL.to_vec());
    prop_oneof![
        12 => (0..50_u8, priority, 500..40_000_usize).prop_map(|(pod, priority, bytes)| Event::Raised { pod, priority, bytes }),
        1 => (0..8_u8).prop_map(Event::Answered),
    ]
}

/// Eight slots, of which any may be answered next.
struct Slots {
    queue: WorkQueue<u32>,
    at_work: Vec<Ticket<u32>>,
    last: u32,
    /// Jobs in the order in which they got their slot.
    started: Vec<u32>,
}

impl Slots {
    fn fill(&mut self) {
        while let Some(Turn::Start(ticket)) = self.queue.next() {
            self.started.push(*ticket.job);
            self.at_work.push(ticket);
        }
    }

    fn answer(&mut self, place: usize) {
        if !self.at_work.is_empty() {
            let ticket = self.at_work.remove(place % self.at_work.len());
            self.queue.finish(ticket, true);
        }
        self.fill();
    }

    fn raise(&mut self, subject: TargetKey, priority: Priority, bytes: usize) -> bool {
        self.last += 1;
        let is_in = offer(&mut self.queue, priority, subject, bytes, self.last).is_ok();
        self.fill();
        is_in
    }

    fn is_within_its_bounds(&self) -> bool {
        let limits = QueueLimits::default();
        QueueClass::ALL.into_iter().all(|class| {
            let held = self.queue.total.held(class);
            held.alerts <= limits.bound(class).alerts && held.bytes <= limits.bound(class).bytes
        })
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Fifty pods, in as many namespaces as it takes to be unfair, raise alerts at every priority; whichever slot is the
    /// next to be free, an Emergency of a pod outside is among the next five to get one.
    #[test]
    fn an_emergency_outside_of_a_flood_is_decided_within_five_decisions(
        events in prop::collection::vec(event(), 600..1500),
        namespaces in 1..50_u8,
        inside in any::<bool>(),
        places in prop::collection::vec(0..8_usize, 5),
    ) {
        let pod = |number: u8| in_namespace(&format!("n{}", number % namespaces), &format!("p{number}"));
        let mut slots = Slots {
            queue: WorkQueue::new(QueueLimits::default()),
            at_work: Vec::new(),
            last: 0,
            started: Vec::new(),
        };
        // The flood has begun before: every pod has had an answer.
        for number in 0..50 {
            slots.raise(pod(number), Priority::Emergency, 500);
        }
        for place in 0..58 {
            slots.answer(place);
        }
        for event in &events {
            match *event {
                Event::Raised { pod: number, priority, bytes } => drop(slots.raise(pod(number), priority, bytes)),
                Event::Answered(place) => slots.answer(place.into()),
            }
            prop_assert!(slots.is_within_its_bounds());
        }
        // In a namespace of the flood, or outside of it too.
        let victim = in_namespace(if inside { "n0" } else { "outside" }, "victim");
        let before = slots.started.len();
        prop_assert!(slots.raise(victim, Priority::Emergency, 2000), "it was shed");
        let emergency = slots.last;
        for place in places {
            slots.answer(place);
        }
        let waited = slots.started[before..].iter().position(|job| *job == emergency);
        prop_assert!(waited.is_some_and(|waited| waited < 5), "{waited:?} of {}", slots.started.len() - before);
    }
}
