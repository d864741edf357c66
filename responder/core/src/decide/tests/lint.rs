//! The lint of a plan, and promise 2 for any alert.

use super::*;

#[test]
fn the_manifest_of_a_quarantine_policy_selects_its_incident_only() {
    let decision = World::new().decide(&playbook(
        "mode: Enforce\nsteps: [{quarantine: {ttl: 2h, allow: {dns: true}}}]",
    ));
    insta::assert_yaml_snapshot!(plan(&decision).steps[0].plan.requests[0].request);
}

#[test]
fn a_plan_that_goes_to_another_object_is_found() {
    let decision = World::new().decide(&delete());
    let mut plan = plan(&decision).clone();
    if let crate::request::Request::Delete { target, .. } = &mut plan.steps[0].plan.requests[0].request {
        target.uid = Uid::new("another-pod").unwrap();
    }
    assert!(matches!(
        lint(&plan),
        Some(crate::plan::PlanFault::WrongTarget { step: 1, .. })
    ));
}

#[test]
fn a_patch_of_a_list_without_a_version_is_found() {
    let mut plan = plan(&World::new().decide(&taint(""))).clone();
    let crate::request::Request::Patch { patch, .. } = &mut plan.steps[0].plan.requests[0].request else {
        panic!("{plan}")
    };
    *patch = crate::patch::Patch::new(patch.changes().to_vec());
    assert_eq!(lint(&plan), Some(crate::plan::PlanFault::Unversioned { step: 1 }));
}

#[test]
fn an_undo_that_does_not_belong_to_its_request_is_found() {
    let mut plan = plan(&World::new().decide(&delete())).clone();
    plan.steps[0].plan.requests[0].undo = crate::plan::Undo::Restore;
    assert_eq!(lint(&plan), Some(crate::plan::PlanFault::StrayUndo { step: 1 }));
}

#[test]
fn a_step_after_the_end_of_its_target_is_found() {
    let spec = playbook("mode: Enforce\nsteps: [{delete: {}}, {label: {labels: {a: b}}}]");
    assert_eq!(World::new().refusal(&spec), Some(RefusalReason::PlanUnsound));
}

/// Parts of alerts: valid, invalid and missing ones.
fn field() -> impl Strategy<Value = Value> {
    prop::sample::select(vec![
        json!("web"),
        json!("web-0"),
        json!("aaaaaaaaaaaa"),
        json!("cccccccccccc"),
        json!("host"),
        json!("kube-system"),
        json!("pod-uid"),
        json!("other-uid"),
        Value::Null,
        json!(""),
        json!("<NA>"),
        json!("*"),
        json!(["web"]),
        json!(7),
        json!(true),
    ])
}

proptest! {
    /// Promise 2: for every alert, requests go only to the corroborated object.
    #[test]
    fn no_alert_moves_a_request_to_another_object(
        namespace in field(), name in field(), container in field(), uid in field(), created in 0..59_u32,
    ) {
        let mut world = World::new();
        world.alert["output_fields"] = json!({
            "k8s.ns.name": namespace, "k8s.pod.name": name, "container.id": container, "k8s.pod.uid": uid,
        });
        edit(world.pod.as_mut().unwrap(), "/metadata/creationTimestamp", json!(format!("2026-11-24T03:00:{created:02}Z")));
        let decision = world.decide(&delete());
        if let Outcome::Act { plan, .. } = &decision.outcome {
            for planned in plan.requests() {
                let target = planned.request.target().unwrap();
                prop_assert_eq!(target.uid.as_str(), "pod-uid");
                prop_assert_eq!(target.at.to_string(), "pod/web/web-0");
            }
            prop_assert!(container == json!("aaaaaaaaaaaa") || uid == json!("pod-uid"));
            prop_assert!(uid != json!("other-uid"));
        }
        // The same input gives the same decision.
        prop_assert_eq!(world.decide(&delete()), decision);
    }
}
