//! Quarantines that deny where the engine can.

use crate::network::PolicyKind;
use crate::obstacle::ObstacleKind;
use crate::own::{OwnObject, QuarantineRecord};
use crate::plan::{Expectation, PlannedStep};
use crate::request::Request;

use super::*;

fn through(parameters: &str) -> String {
    playbook(&format!("mode: Enforce\nsteps: [{{quarantine: {{{parameters}}}}}]"))
}

fn under(engine: PolicyEngine) -> World {
    let open = json!({
        "metadata": {"name": "open", "namespace": "web"},
        "spec": {"podSelector": {}, "policyTypes": ["Ingress", "Egress"], "ingress": [{}], "egress": [{}]},
    });
    World {
        engine: Some(engine),
        policies: vec![open],
        ..World::new()
    }
}

fn step(world: &World, parameters: &str) -> PlannedStep {
    plan(&world.decide(&through(parameters))).steps[0].clone()
}

fn places(step: &PlannedStep) -> Vec<String> {
    let requests = step.plan.requests.iter();
    requests.map(|planned| planned.request.at().to_string()).collect()
}

fn record(step: &PlannedStep) -> QuarantineRecord {
    let Request::Create { object } = &step.plan.requests[0].request else {
        panic!("{step:?}")
    };
    let OwnObject::NetworkPolicy(policy) = &**object else {
        panic!("{step:?}")
    };
    QuarantineRecord::of(&policy.manifest).unwrap().unwrap()
}

fn notes(step: &PlannedStep) -> String {
    step.plan.notes.join("\n")
}

#[test]
fn the_plan_of_a_quarantine_that_denies() {
    let world = under(PolicyEngine::Cilium);
    insta::assert_snapshot!(plan(&world.decide(&through("through: Auto, ttl: 2h"))));
}

#[rstest]
#[case(PolicyEngine::Cilium, DenyingKind::Cilium)]
#[case(PolicyEngine::Calico, DenyingKind::Calico)]
fn the_denial_is_created_before_the_pod_is_selected_and_is_recorded(
    #[case] engine: PolicyEngine,
    #[case] kind: DenyingKind,
) {
    let step = step(&under(engine), "through: Auto");
    let incident = record(&step).incident;
    let at = places(&step);
    assert_eq!(at[0], format!("networkpolicy/web/responder-quarantine-{incident}"));
    assert!(at[1].ends_with(&format!("responder-quarantine-{incident}")), "{at:?}");
    assert_eq!(at[2], "pod/web/web-0");
    assert_eq!(step.plan.requests[1].request.at().kind(), kind.kind());
    assert_eq!(record(&step).denied_by, Some(kind));
    assert!(
        matches!(&step.plan.expects[0], Expectation::Isolated { denied_by: Some(place), .. } if place.to_string() == at[1])
    );
    assert_eq!(step.plan.isolation.unwrap().to_string(), "Isolated");
}

#[test]
fn a_network_policy_alone_is_the_default_and_would_isolate_nothing_here() {
    for engine in [PolicyEngine::Cilium, PolicyEngine::Calico] {
        let step = step(&under(engine), "");
        assert_eq!(
            step.obstacle.map(|obstacle| obstacle.kind),
            Some(ObstacleKind::WouldNotIsolate)
        );
    }
}

#[rstest]
#[case::no_engine(None, "through: Auto", "no policy engine was recognised")]
#[case::an_engine_without_denials(Some(PolicyEngine::Plain("kube-router")), "through: Auto", "kube-router")]
#[case::dns_under_cilium(
    Some(PolicyEngine::Cilium),
    "through: Auto, allow: {dns: true}",
    "would deny DNS too"
)]
fn where_the_engine_can_not_deny_it_is_a_network_policy_alone_and_a_note_says_why(
    #[case] engine: Option<PolicyEngine>,
    #[case] parameters: &str,
    #[case] why: &str,
) {
    let world = World { engine, ..World::new() };
    let step = step(&world, parameters);
    assert_eq!(places(&step).len(), 2);
    assert_eq!(record(&step).denied_by, None);
    assert!(
        notes(&step).contains("through a NetworkPolicy alone: "),
        "{}",
        notes(&step)
    );
    assert!(notes(&step).contains(why), "{}", notes(&step));
}

#[test]
fn dns_stays_allowed_under_calico() {
    let step = step(&under(PolicyEngine::Calico), "through: Auto, allow: {dns: true}");
    let Request::Create { object } = &step.plan.requests[1].request else {
        panic!("{step:?}")
    };
    let egress = object.manifest()["spec"]["egress"].clone();
    assert_eq!(egress[0]["action"], "Allow");
    assert_eq!(egress[2], json!({"action": "Deny"}));
    assert_eq!(step.plan.isolation.unwrap().to_string(), "Isolated");
}

#[test]
fn a_tier_before_the_denial_is_a_leak_that_an_isolation_that_is_required_fails_on() {
    let mut world = under(PolicyEngine::Calico);
    let of = |kind, name: &str, spec| EnginePolicy {
        kind,
        name: name.to_owned(),
        spec,
    };
    world.engine_policies = vec![
        of(PolicyKind::CalicoTier, "security", json!({"order": 1})),
        of(
            PolicyKind::CalicoGlobalNetworkPolicy,
            "security.scan",
            json!({"tier": "security", "selector": "all()", "types": ["Egress"], "egress": [{"action": "Allow", "destination": {"nets": ["10.0.0.0/8"]}}]}),
        ),
    ];
    let leaks = step(&world, "through: Auto").plan.isolation.unwrap();
    assert_eq!(
        leaks.to_string(),
        "IsolatedExcept [egress to 10.0.0.0/8 on all ports (GlobalNetworkPolicy security.scan)]"
    );
    let required = step(&world, "through: Auto, require: {egress: Isolated}");
    assert_eq!(
        required.obstacle.map(|obstacle| obstacle.kind),
        Some(ObstacleKind::WouldNotIsolate)
    );
    assert_eq!(
        step(&world, "through: Auto, require: {ingress: Isolated}").obstacle,
        None
    );
}

#[test]
fn a_pod_whose_probes_cilium_may_deny_is_told() {
    let mut world = under(PolicyEngine::Cilium);
    let told = |world: &World| notes(&step(world, "through: Auto")).contains("probes");
    assert!(!told(&world));
    edit(
        world.pod.as_mut().unwrap(),
        "/spec/containers/0/livenessProbe",
        json!({"exec": {"command": ["true"]}}),
    );
    assert!(!told(&world));
    edit(
        world.pod.as_mut().unwrap(),
        "/spec/containers/0/livenessProbe",
        json!({"httpGet": {"port": 80}}),
    );
    assert!(told(&world));
    world.engine = Some(PolicyEngine::Calico);
    assert!(!told(&world));
}
