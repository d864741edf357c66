//! The documents of a test: playbooks, guards and alerts.

use responder_core::alert::{Alert, Bounds};
use responder_core::object::{Locator, Name, Namespace};
use serde_json::{Value, json};

/// A playbook that matches the alerts of its own rule, `<name>`, and has this after `match` in its `spec` (flow YAML).
pub(crate) fn playbook(name: &str, spec: &str) -> String {
    playbook_for(name, name, spec)
}

/// The same for the alerts of another rule.
pub(crate) fn playbook_for(rule: &str, name: &str, spec: &str) -> String {
    let indented = spec.replace('\n', "\n  ");
    format!(
        "---\napiVersion: responder.dev/v1alpha1\nkind: ClusterPlaybook\nmetadata: {{name: {name}}}\nspec:\n  \
         description: A test.\n  match: {{rules: [\"*{rule}*\"]}}\n  {indented}\n"
    )
}

/// The same in Enforce, with these steps (flow YAML).
pub(crate) fn enforced(name: &str, steps: &str) -> String {
    playbook(name, &format!("mode: Enforce\nsteps: {steps}"))
}

/// A guard that permits everything and has this in its `spec`.
pub(crate) fn guard(spec: &str) -> String {
    format!(
        "---\napiVersion: responder.dev/v1alpha1\nkind: Guard\nmetadata: {{name: default}}\nspec:\n  mode: Enforce\n  {}\n",
        spec.replace('\n', "\n  ")
    )
}

/// The uid of the pod of this number.
pub(crate) fn uid_of(number: u32) -> String {
    format!("{number:08x}-0000-4000-8000-000000000000")
}

/// The place of a pod of the namespace `web`.
pub(crate) fn pod_at(name: &str) -> Locator {
    // A test that misspells a name fails.
    Locator::pod(Namespace::new("web").unwrap(), Name::new(name).unwrap())
}

/// An alert with these keys over those of a shell in `solo-1`, which the rule `rule` has raised.
pub(crate) fn alert(rule: &str, over: Value) -> Alert {
    let mut alert = json!({
        "rule": rule, "priority": "Notice", "source": "syscall", "hostname": "worker-1", "time": "2026-11-24T03:00:00.5Z",
        "output_fields": {"container.id": "000000110000", "k8s.ns.name": "web", "k8s.pod.name": "solo-1", "proc.name": "bash"},
    });
    merge(&mut alert, over);
    // A test that makes no alert fails.
    Alert::decode(alert.to_string().as_bytes(), &Bounds::default()).unwrap()
}

/// An alert of this rule about a pod of the namespace `web` by its number, the `nth` of its kind, by a Falco pod that no node knows.
pub(crate) fn shell(rule: &str, pod: &str, number: u32, nth: u32) -> Alert {
    let over = json!({
        "time": format!("2026-11-24T03:00:00.5{nth:06}Z"), "hostname": "falco-qqqqq",
        "output_fields": {"container.id": &uid_of(number).replace('-', "")[..12], "k8s.pod.name": pod},
    });
    alert(rule, over)
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
