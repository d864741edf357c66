//! Repeats: alerts that differ in nothing that a decision reads, so that one decision answers them all.

use jiff::SignedDuration;
use responder_core::alert::{Alert, Value};
use responder_core::target::Subject;

use crate::accepted::AcceptedAlert;

/// The most time between an alert and a repeat of it: one that is joined is never much fresher than what is decided.
const WITHIN: SignedDuration = SignedDuration::from_secs(10);

/// The fields that number or time an event. Falco gives them new values for each.
const OF_THE_EVENT: [&str; 10] = [
    "evt.time",
    "evt.time.s",
    "evt.time.iso8601",
    "evt.datetime",
    "evt.datetime.s",
    "evt.rawtime",
    "evt.rawtime.s",
    "evt.rawtime.ns",
    "evt.reltime",
    "evt.num",
];

/// Whether the decision about an alert that waits is that about a new one, too: the same rule of the same sender about
/// the same container, with the same fields but for the time and the number of the event, for the same playbooks.
///
/// An attacker must not hide an alert behind another one: a text that an exception reads makes it another alert, an
/// expression over the whole alert rules repeats out, and so does a pod that is known by its name alone, which may have
/// been replaced in between.
pub(crate) fn is_repeat(waiting: &AcceptedAlert, new: &AcceptedAlert) -> bool {
    let (first, second) = (&waiting.alert, &new.alert);
    let apart = second.time().duration_since(first.time()).abs();
    apart <= WITHIN
        && first.rule() == second.rule()
        && first.priority() == second.priority()
        && first.source() == second.source()
        && first.hostname() == second.hostname()
        && first.tags() == second.tags()
        && waiting.sender == new.sender
        && has_same_fields(first, second)
        && first.others().eq(second.others())
        && is_of_one_instance(second)
        && has_same_playbooks(waiting, new)
}

fn has_same_fields(first: &Alert, second: &Alert) -> bool {
    fn lasting(alert: &Alert) -> impl Iterator<Item = (&str, &Value)> {
        alert.fields().filter(|(name, _)| !OF_THE_EVENT.contains(name))
    }
    lasting(first).eq(lasting(second))
}

/// Whether the alert tells which instance of its subject it is about.
fn is_of_one_instance(alert: &Alert) -> bool {
    match Subject::of(alert) {
        Ok(Subject::Pod(claim)) => claim.container.is_some() || claim.uid.is_some(),
        Ok(Subject::Container { .. } | Subject::Host { .. }) => true,
        Err(_) => false,
    }
}

fn has_same_playbooks(waiting: &AcceptedAlert, new: &AcceptedAlert) -> bool {
    let hashes = |alert: &AcceptedAlert| alert.playbooks.iter().map(|playbook| playbook.hash).collect::<Vec<_>>();
    hashes(waiting) == hashes(new) && !new.playbooks.iter().any(|playbook| playbook.has_expression_on_alert())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use responder_core::alert::Sender;
    use rstest::rstest;
    use serde_json::{Value, json};
    use tokio::time::Instant;

    use super::*;
    use crate::queue::QueueClass;
    use crate::testing::{TestWorld, alert, enforced, playbook};

    fn accepted(world: &TestWorld, over: Value) -> AcceptedAlert {
        let alert = alert("p", over);
        let playbooks = world.rules.index.matching(&alert).into_iter().map(Arc::clone).collect();
        let id = alert.id();
        AcceptedAlert::new(
            alert,
            id,
            Sender::Anonymous,
            playbooks,
            QueueClass::Ordinary,
            Instant::now(),
        )
    }

    #[rstest]
    #[case::another_time(json!({"time": "2026-11-24T03:00:10Z"}), true)]
    #[case::another_number(json!({"output_fields": {"evt.num": 7}, "uuid": "another"}), true)]
    #[case::another_text(json!({"output": "at another time"}), true)]
    #[case::much_later(json!({"time": "2026-11-24T03:00:11Z"}), false)]
    #[case::much_earlier(json!({"time": "2026-11-24T02:59:50Z"}), false)]
    #[case::another_process(json!({"output_fields": {"proc.name": "healthcheck"}}), false)]
    #[case::another_container(json!({"output_fields": {"container.id": "000000120000"}}), false)]
    #[case::another_host(json!({"hostname": "worker-2"}), false)]
    #[case::another_priority(json!({"priority": "Error"}), false)]
    #[case::another_key(json!({"cluster": "b"}), false)]
    #[case::without_a_container(json!({"output_fields": {"container.id": null}}), false)]
    #[tokio::test(start_paused = true)]
    async fn a_repeat_differs_in_nothing_that_a_decision_reads(#[case] over: Value, #[case] repeats: bool) {
        let world = TestWorld::new(&enforced("p", "[{delete: {}}]"));
        let first = accepted(&world, json!({"output_fields": {"evt.num": 1}}));
        let mut fields = json!({"output_fields": {"evt.num": 1}});
        merge(&mut fields, over);
        assert_eq!(is_repeat(&first, &accepted(&world, fields)), repeats);
    }

    fn merge(target: &mut Value, over: Value) {
        match (target, over) {
            (Value::Object(target), Value::Object(over)) => {
                for (key, value) in over {
                    merge(target.entry(key).or_insert(Value::Null), value);
                }
            }
            (target, over) => *target = over,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_alert_that_names_its_pod_only_has_no_repeat() {
        let world = TestWorld::new(&enforced("p", "[{delete: {}}]"));
        let only_named = || accepted(&world, json!({"output_fields": {"container.id": null}}));
        assert!(!is_repeat(&only_named(), &only_named()));
    }

    #[tokio::test(start_paused = true)]
    async fn an_expression_on_the_alert_rules_repeats_out() {
        let expression =
            "mode: Enforce\nexcept: [{when: \"alert.rule == 'q'\", reason: a test}]\nsteps: [{delete: {}}]";
        for (spec, repeats) in [(expression, false), ("mode: Enforce\nsteps: [{delete: {}}]", true)] {
            let world = TestWorld::new(&playbook("p", spec));
            let alert = || accepted(&world, json!({}));
            assert_eq!(is_repeat(&alert(), &alert()), repeats, "{spec}");
        }
    }
}
