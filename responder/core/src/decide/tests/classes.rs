//! A class is what a step can come to: worked out here from the requests alone, and compared with what the step says.

use crate::class::ActionClass;
use crate::own::OnExpiry;
use crate::own::{OwnObject, QuarantineRecord};
use crate::patch::Change;
use crate::plan::PlannedStep;
use crate::request::Request;

use super::*;

/// The keys by which the Service, the controllers and the policies of the world select pods.
const SELECTED: &[&str] = &["app", "pod-template-hash", "tier"];

/// The class of a request, by what it does to the cluster.
fn class_of(request: &Request) -> ActionClass {
    match request {
        Request::Create { .. } => ActionClass::Contain,
        Request::Delete { .. } | Request::Evict { .. } => ActionClass::Destroy,
        Request::Patch { target, patch } => patch
            .changes()
            .iter()
            .map(|change| match change {
                Change::Entry(entry) => {
                    // `label KEY=VALUE`, `label KEY removed`, `annotation …`.
                    let text = entry.to_string();
                    let Some(label) = text.strip_prefix("label ") else {
                        return ActionClass::Annotate;
                    };
                    let key = label.split(['=', ' ']).next().unwrap_or_default();
                    let is_selected = target.at.kind() == Kind::Pod && SELECTED.contains(&key);
                    if label.ends_with(" removed") || target.at.kind() == Kind::Node || is_selected {
                        ActionClass::Contain
                    } else {
                        ActionClass::Annotate
                    }
                }
                Change::Spec(_) | Change::Taint(_) => ActionClass::Contain,
            })
            .max()
            .unwrap_or(ActionClass::Notify),
    }
}

/// Whether the object that a step creates has its pod deleted later.
fn ends_in_a_deletion(step: &PlannedStep) -> bool {
    step.plan.requests.iter().any(|planned| match &planned.request {
        Request::Create { object } => {
            let OwnObject::NetworkPolicy(policy) = &**object else {
                return false;
            };
            matches!(
                QuarantineRecord::of(&policy.manifest),
                Some(Ok(record)) if record.on_expiry == OnExpiry::Delete
            )
        }
        _ => false,
    })
}

fn entries() -> impl Strategy<Value = Value> {
    let key = prop::sample::select(vec!["app", "tier", "example.org/a", "suspect", "pod-template-hash"]);
    let value = prop_oneof![Just(Value::Null), Just(json!("x")), Just(json!({"field": "proc.name"}))];
    proptest::collection::btree_map(key, value, 1..4).prop_map(|map| json!(map))
}

/// A step on a pod with any parameters, perhaps with a way on.
fn pod_step() -> impl Strategy<Value = Value> {
    let expiry = prop::sample::select(vec!["Hold", "Release", "Delete"]);
    let detach = prop::sample::select(vec!["Never", "IfSafe", "Always"]);
    let through = prop::sample::select(vec!["NetworkPolicy", "Auto"]);
    let plain = prop_oneof![
        entries().prop_map(|labels| json!({"label": {"labels": labels}})),
        entries().prop_map(|annotations| json!({"annotate": {"annotations": annotations}})),
        (expiry, detach, through).prop_map(|(expiry, detach, through)| {
            json!({"quarantine": {"ttl": "1s", "onExpiry": expiry, "detach": detach, "through": through}})
        }),
        Just(json!({"delete": {"gracePeriodSeconds": 0}})),
        Just(json!({"evict": {"blockedFor": "5s"}})),
    ];
    (plain.clone(), proptest::option::of(plain)).prop_map(|(mut step, otherwise)| {
        if let Some(otherwise) = otherwise {
            step["otherwise"] = otherwise;
        }
        step
    })
}

fn node_step() -> impl Strategy<Value = Value> {
    prop_oneof![
        entries().prop_map(|labels| json!({"label": {"labels": labels}})),
        entries().prop_map(|annotations| json!({"annotate": {"annotations": annotations}})),
        Just(json!({"cordon": {}})),
        Just(json!({"taint": {}})),
    ]
}

fn with_steps(target: &str, step: &Value, corroboration: &str) -> String {
    playbook(&format!(
        "mode: Enforce\ntarget: {target}\ncorroboration: {corroboration}\nsteps: [{step}]"
    ))
}

fn assert_no_stronger(world: &World, spec: &str) -> Result<(), TestCaseError> {
    let decision = world.decide(spec);
    let Outcome::Act { plan, claim } = &decision.outcome else {
        return Ok(());
    };
    for step in plan.steps.iter().flat_map(PlannedStep::alternatives) {
        let requests = step.plan.requests.iter().map(|planned| class_of(&planned.request));
        let strongest = requests.max().unwrap_or(ActionClass::Notify);
        prop_assert!(strongest <= step.class, "{} > {}\n{}", strongest, step.class, plan);
    }
    let first = plan.steps.iter().map(|step| step.class).max();
    prop_assert_eq!(Some(claim.class), first);
    Ok(())
}

/// The world, with a policy that selects by `tier`.
fn selecting() -> World {
    World {
        policies: vec![json!({
            "metadata": {"name": "tiers", "namespace": "web"},
            "spec": {"podSelector": {"matchExpressions": [{"key": "tier", "operator": "In", "values": ["x"]}]}},
        })],
        ..World::new()
    }
}

proptest! {
    #[test]
    fn no_request_of_a_step_on_a_pod_is_stronger_than_its_class(step in pod_step()) {
        // A way on that repeats an end is an error of `check`; every other combination loads.
        assert_no_stronger(&selecting(), &with_steps("Pod", &step, "Container"))?;
    }

    #[test]
    fn no_request_of_a_step_on_a_controller_is_stronger_than_its_class(map in entries()) {
        for step in [json!({"label": {"labels": map}}), json!({"annotate": {"annotations": map}})] {
            assert_no_stronger(&selecting(), &with_steps("Owner", &step, "Container"))?;
        }
    }

    #[test]
    fn no_request_of_a_step_on_a_node_is_stronger_than_its_class(step in node_step()) {
        assert_no_stronger(&selecting(), &with_steps("Node", &step, "Container"))?;
    }

    /// The end of a quarantine is a branch of class Destroy, and asks for its corroboration.
    #[test]
    fn no_end_of_a_quarantine_is_a_deletion_for_an_alert_that_only_names_its_pod(step in pod_step()) {
        let is_destroying = step.get("delete").is_some() || step.get("evict").is_some();
        prop_assume!(!is_destroying);
        let mut world = selecting();
        world.alert["output_fields"].as_object_mut().unwrap().remove("container.id");
        let decision = world.decide(&with_steps("Pod", &step, "Named"));
        if let Outcome::Act { plan, .. } = &decision.outcome {
            for step in plan.steps.iter().flat_map(PlannedStep::alternatives) {
                prop_assert!(!ends_in_a_deletion(step), "{}", plan);
                prop_assert!(step.class < ActionClass::Destroy, "{}", plan);
            }
        }
    }
}

#[test]
fn an_end_that_deletes_is_the_strongest_class_of_its_playbook() {
    for (end, expected) in [
        ("Hold", ActionClass::Contain),
        ("Release", ActionClass::Contain),
        ("Delete", ActionClass::Destroy),
    ] {
        let spec = playbook(&format!(
            "mode: Enforce\nsteps: [{{quarantine: {{ttl: 1s, onExpiry: {end}}}}}]"
        ));
        let source = SourceFile {
            file: "p.yaml".into(),
            text: spec,
        };
        let loaded = load(&[source], NOW.parse().unwrap()).unwrap();
        assert_eq!(loaded.playbooks[0].strongest_class(), expected);
        assert_eq!(loaded.playbooks[0].class(), ActionClass::Contain);
    }
}
