//! What is never acted on, what needs no read to be refused, and whether a claim is real.

use super::*;

const BY_LABELS: &str = "apiVersion: responder.dev/v1alpha1\nkind: Guard\nmetadata: {name: default}\nspec:\n  mode: Enforce\n  protect: {namespaces: [{matchLabels: {tier: infra}}]}\n";

#[test]
fn the_controllers_own_pod_is_never_acted_on() {
    let mut world = World::new();
    let pod = world.pod.as_mut().unwrap();
    edit(pod, "/metadata/name", json!("responder-0"));
    edit(&mut world.alert, "/output_fields/k8s.pod.name", json!("responder-0"));
    world.own.namespace = Namespace::new("web");
    // The namespace of the controller is protected by its name; the pod is, even where that is not known.
    assert_eq!(world.refusal(&delete()), Some(RefusalReason::Protected));
    let pod = crate::object::Locator::pod(Namespace::new("web").unwrap(), Name::new("responder-0").unwrap());
    let refused = world.with_context(&delete(), NOW, |context, _| {
        let target = Target::Pod {
            pod: crate::object::ObjectRef {
                at: pod,
                uid: Uid::new("pod-uid").unwrap(),
            },
        };
        protection::of_target(context, &world.snapshot(), &target, &mut Trace::default())
    });
    assert_eq!(refused.unwrap_err().reason, RefusalReason::OwnPod);
}

#[rstest]
#[case::another_pod("web-1", "responder")]
#[case::another_namespace("web-0", "other")]
fn a_pod_that_shares_only_its_name_or_namespace_with_the_controller_is_not_its_own(
    #[case] own_pod: &str,
    #[case] own_namespace: &str,
) {
    let mut world = World::new();
    world.own = OwnIdentity {
        namespace: Namespace::new(own_namespace),
        pod: Name::new(own_pod),
    };
    assert_eq!(world.refusal(&delete()), None);
}

#[test]
fn a_namespace_with_labels_that_the_guard_protects_is_not_acted_in() {
    let mut world = World::new();
    world.guard = BY_LABELS;
    assert_eq!(world.refusal(&delete()), None);
    world.namespace_labels = json!({"tier": "infra"});
    assert_eq!(world.refusal(&delete()), Some(RefusalReason::Protected));
    world.namespace_labels = Value::Null;
    assert_eq!(world.refusal(&delete()), Some(RefusalReason::Unreadable));
}

/// The name of its namespace is not known before the cluster is read.
#[rstest]
#[case::of_the_floor("kube-system")]
#[case::of_the_controller("responder")]
fn a_pod_that_was_found_by_its_container_is_protected_by_the_name_of_its_namespace(#[case] namespace: &str) {
    let mut world = World::new();
    edit(
        &mut world.alert,
        "/output_fields",
        json!({"container.id": "aaaaaaaaaaaa"}),
    );
    assert_eq!(world.refusal(&delete()), None);
    edit(world.pod.as_mut().unwrap(), "/metadata/namespace", json!(namespace));
    assert_eq!(world.refusal(&delete()), Some(RefusalReason::Protected));
}

#[rstest]
#[case::nothing_wrong("/priority", json!("Notice"), None)]
#[case::no_pod("/output_fields", json!({}), Some(RefusalReason::NoTarget))]
#[case::half_a_name("/output_fields/k8s.pod.name", Value::Null, Some(RefusalReason::NoTarget))]
#[case::a_name_of_another_type("/output_fields/k8s.pod.name", json!(["web-0"]), Some(RefusalReason::NoTarget))]
#[case::a_container_to_look_up("/output_fields", json!({"container.id": "aaaaaaaaaaaa"}), None)]
#[case::host("/output_fields/container.id", json!("host"), Some(RefusalReason::HostProcess))]
#[case::protected("/output_fields/k8s.ns.name", json!("kube-system"), Some(RefusalReason::Protected))]
#[case::own_namespace("/output_fields/k8s.ns.name", json!("responder"), Some(RefusalReason::Protected))]
#[case::stale("/time", json!("2026-11-24T02:50:00Z"), Some(RefusalReason::Stale))]
#[case::future("/time", json!("2026-11-24T03:10:00Z"), Some(RefusalReason::Future))]
fn what_the_alert_alone_refuses_is_refused_without_a_read(
    #[case] pointer: &str,
    #[case] value: Value,
    #[case] expected: Option<RefusalReason>,
) {
    let mut world = World::new();
    edit(&mut world.alert, pointer, value);
    assert_eq!(world.screened(&delete()), expected);
}

#[test]
fn an_alert_that_was_answered_in_every_mode_is_refused_without_a_read() {
    let mut world = World::new();
    world.commit(&delete());
    // Which kind of claim counts is known only with the snapshot.
    assert_eq!(world.screened(&delete()), None);
    assert_eq!(world.refusal(&delete()), Some(RefusalReason::Duplicate));
    world.process_mode = Mode::Rehearse;
    world.commit(&delete());
    assert_eq!(world.screened(&delete()), Some(RefusalReason::Duplicate));
}

#[rstest]
#[case(Mode::Enforce, crate::guard::ClaimKind::Real)]
#[case(Mode::Rehearse, crate::guard::ClaimKind::Rehearsed)]
#[case(Mode::Observe, crate::guard::ClaimKind::Rehearsed)]
fn only_enforce_claims_for_real(#[case] mode: Mode, #[case] expected: crate::guard::ClaimKind) {
    let world = World {
        process_mode: mode,
        ..World::new()
    };
    let Outcome::Act { claim, .. } = world.decide(&delete()).outcome else {
        panic!("it acts");
    };
    assert_eq!(claim.claim_kind, expected);
}

/// A rehearsal has answered nothing, and takes no slot.
#[test]
fn a_rehearsal_neither_answers_an_alert_for_real_nor_takes_a_slot() {
    const ONE: &str = "apiVersion: responder.dev/v1alpha1\nkind: Guard\nmetadata: {name: default}\nspec:\n  mode: Enforce\n  budgets: [{scope: Cluster, class: Destroy, max: 1, per: 10m, perNamespace: unlimited}]\n";
    let mut world = World {
        guard: ONE,
        process_mode: Mode::Rehearse,
        ..World::new()
    };
    world.commit(&delete());
    assert_eq!(world.refusal(&delete()), Some(RefusalReason::Duplicate));
    world.process_mode = Mode::Enforce;
    assert_eq!(world.refusal(&delete()), None);
}

// --- sensors -------------------------------------------------------------------------------------

const SENSORS: &str = "apiVersion: responder.dev/v1alpha1\nkind: Guard\nmetadata: {name: default}\nspec:\n  mode: Enforce\n  sensors: {namespaces: [web]}\n";

#[test]
fn nothing_is_done_in_a_namespace_of_sensors() {
    let mut world = World::new();
    assert_eq!(world.screened(&delete()), None);
    world.guard = SENSORS;
    assert_eq!(world.screened(&delete()), Some(RefusalReason::Protected));
}

/// `web-0` as a Falco pod under a DaemonSet.
fn with_falco() -> World {
    let mut world = World::new();
    world.owners = vec![(Kind::DaemonSet, "falco", "ds-uid")];
    world.runs_falco = true;
    let pod = world.pod.as_mut().unwrap();
    edit(
        pod,
        "/metadata/ownerReferences",
        json!([{"apiVersion": "apps/v1", "kind": "DaemonSet", "name": "falco", "uid": "ds-uid", "controller": true}]),
    );
    edit(
        pod,
        "/spec/containers/0/image",
        json!("docker.io/falcosecurity/falco:0.44.0"),
    );
    edit(pod, "/spec/containers/0/securityContext", json!({"privileged": true}));
    world
}

#[test]
fn falco_under_its_daemon_set_is_protected_in_every_namespace() {
    let decision = with_falco().decide(&delete());
    assert_eq!(reason(&decision), Some(RefusalReason::Protected));
    let refused = decision.trace.to_string();
    assert!(refused.contains("`sensors: {namespaces: [web]}`"), "{refused}");
    let owner = playbook("mode: Enforce\ntarget: Owner\nsteps: [{label: {labels: {incident: open}}}]");
    assert_eq!(with_falco().refusal(&owner), Some(RefusalReason::Protected));
    assert_eq!(with_falco().refusal(&cordon()), None, "its node is not Falco");
}

/// Each is what a tenant can write in a namespace with the baseline of Pod Security.
#[rstest]
#[case::an_image_alone("/spec/containers/0/securityContext", Value::Null)]
#[case::rights_alone("/spec/containers/0/image", json!("evil.example/falco:1"))]
#[case::no_daemon_set("/metadata/ownerReferences", json!([]))]
fn a_pod_that_only_looks_like_falco_is_acted_on(#[case] pointer: &str, #[case] value: Value) {
    let mut world = with_falco();
    assert_eq!(world.refusal(&delete()), Some(RefusalReason::Protected));
    edit(world.pod.as_mut().unwrap(), pointer, value);
    assert_eq!(world.refusal(&delete()), None);
}

#[test]
fn a_daemon_set_that_is_not_believed_or_runs_something_else_makes_no_falco() {
    let mut world = with_falco();
    world.runs_falco = false;
    assert_eq!(world.refusal(&delete()), None);
    let mut world = with_falco();
    world.broken = Some("the DaemonSet falco does not select it".to_owned());
    assert_eq!(world.refusal(&delete()), None);
}

#[test]
fn the_protection_of_falco_is_not_decided_without_its_controllers() {
    let refused = with_falco().with_context(&delete(), NOW, |context, ledger| {
        let mut snapshot = with_falco().snapshot();
        snapshot.owners = Part::NotAsked;
        decide(context, Ok(&snapshot), ledger)
    });
    assert_eq!(reason(&refused), Some(RefusalReason::Unreadable));
}

/// The image is a tenant's word: it is noted, and the pod is acted on.
#[test]
fn a_companion_of_falco_is_acted_on_and_the_line_that_would_protect_it_is_named() {
    let mut world = World::new();
    let noted = |world: &World| {
        let decision = world.decide(&delete());
        assert_eq!(reason(&decision), None);
        decision.trace.to_string().contains("`sensors: {namespaces: [web]}`")
    };
    assert!(!noted(&world));
    edit(
        world.pod.as_mut().unwrap(),
        "/spec/containers/0/image",
        json!("falcosecurity/falcosidekick:2.31.1"),
    );
    assert!(noted(&world));
}

#[test]
fn a_pod_beside_falco_is_noted() {
    let world = World::new();
    let decision = world.with_context(&delete(), NOW, |context, ledger| {
        let mut snapshot = world.snapshot();
        snapshot.has_sensor = true;
        decide(context, Ok(&snapshot), ledger)
    });
    assert_eq!(reason(&decision), None);
    assert!(
        decision.trace.to_string().contains("Falco runs in web"),
        "{}",
        decision.trace
    );
}

// --- what the API server calls -------------------------------------------------------------------

#[rstest]
#[case(ServingKind::ValidatingWebhook, "kyverno-resource-validating-webhook-cfg")]
#[case(ServingKind::MutatingWebhook, "cert-manager-webhook")]
#[case(ServingKind::ApiService, "v1beta1.metrics.k8s.io")]
fn a_namespace_that_the_api_server_calls_is_protected_whatever_its_name(
    #[case] kind: ServingKind,
    #[case] object: &str,
) {
    let mut world = World::new();
    world.serving.add(Namespace::new("pki").unwrap(), kind, object);
    assert_eq!(world.refusal(&delete()), None);
    world.serving.add(Namespace::new("web").unwrap(), kind, object);
    let decision = world.decide(&delete());
    assert_eq!(reason(&decision), Some(RefusalReason::Protected));
    assert!(decision.trace.to_string().contains(object), "{}", decision.trace);
    let owner = playbook("mode: Enforce\ntarget: Owner\nsteps: [{label: {labels: {incident: open}}}]");
    assert_eq!(world.refusal(&owner), Some(RefusalReason::Protected));
    assert_eq!(world.refusal(&cordon()), None, "a node is in no namespace");
}

#[test]
fn nothing_is_done_in_a_namespace_while_it_is_not_known_whether_the_api_server_calls_it() {
    let world = World::new();
    let refused = |playbook: &str| {
        let decision = world.with_context(playbook, NOW, |context, ledger| {
            let mut snapshot = world.snapshot();
            snapshot.serving = Part::NotAsked;
            decide(context, Ok(&snapshot), ledger)
        });
        reason(&decision)
    };
    assert_eq!(refused(&delete()), Some(RefusalReason::Unreadable));
    assert_eq!(refused(&cordon()), None);
}
