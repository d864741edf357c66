//! What stands against the end that a policy asks for: the guard of today, a pod that says something else, and a policy
//! that a tenant has forged.

use rstest::rstest;

use super::*;
use crate::testing::uid_of;

#[rstest]
#[case::by_name("protect: {namespaces: [web]}")]
#[case::by_labels("protect: {namespaces: [{matchLabels: {team: shop}}]}")]
#[case::by_a_ceiling("namespaces: [{selector: {matchLabels: {team: shop}}, mode: Observe}]")]
#[case::by_a_rehearsal("namespaces: [{selector: {matchLabels: {team: shop}}, mode: Rehearse}]")]
#[tokio::test(start_paused = true)]
async fn a_deletion_that_the_guard_of_today_forbids_is_held(#[case] bound: &str) {
    let (world, engine) = quarantined("Delete").await;
    engine.shutdown(Duration::ZERO).await;
    let world = world.restarted_with(&(rules("Delete") + &guard(bound)));
    let before = world.objects();
    let _engine = world.engine();
    tokio::time::sleep(5 * MINUTE).await;
    assert_held(&world);
    assert_eq!(world.changes_since(&before), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_release_is_no_new_action_and_the_guard_does_not_hold_it() {
    let (world, engine) = quarantined("Release").await;
    engine.shutdown(Duration::ZERO).await;
    let world = world.restarted_with(&guard("protect: {namespaces: [web]}"));
    let _engine = world.engine();
    tokio::time::sleep(2 * MINUTE).await;
    assert_eq!(world.witness.ends(), [released()]);
}

#[rstest]
#[case::another_incident("labels", QUARANTINE_LABEL, json!("zzzzzzzzzz"))]
#[case::other_labels("annotations", "responder.dev/detached-labels", json!("{\"app\":\"bank\"}"))]
#[case::no_record("annotations", "responder.dev/detached-labels", Value::Null)]
#[tokio::test(start_paused = true)]
async fn a_pod_that_contradicts_its_policy_is_left_alone(
    #[case] map: &str,
    #[case] key: &str,
    #[case] value: Value,
    #[values("Release", "Delete")] on_expiry: &str,
) {
    let (world, engine) = quarantined(on_expiry).await;
    let mut edited = world.pod("solo-1").unwrap();
    if value.is_null() {
        edited["metadata"][map].as_object_mut().unwrap().remove(key);
    } else {
        edited["metadata"][map][key] = value;
    }
    world.apply(&edited.to_string());
    let before = world.objects();
    tokio::time::sleep(10 * MINUTE).await;
    assert_held(&world);
    assert_eq!(world.changes_since(&before), [""; 0]);
    assert_eq!(expiries(&engine), [("held", 1)]);
}

/// A policy as ours would be, for `solo-2`, which was never in quarantine; its time is over.
fn forged(name: &str, incident: &str, on_expiry: &str, detached: &str) -> Value {
    json!({
        "apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
        "metadata": {
            "name": name, "namespace": "web",
            "labels": {QUARANTINE_LABEL: incident, "app.kubernetes.io/managed-by": "responder"},
            "annotations": {
                "responder.dev/pod": "solo-2", "responder.dev/pod-uid": uid_of(18), "responder.dev/playbook": "p",
                "responder.dev/expires-at": "2026-11-24T02:00:00Z", "responder.dev/on-expiry": on_expiry,
                "responder.dev/detached-labels": detached,
            },
        },
        "spec": {"podSelector": {"matchLabels": {QUARANTINE_LABEL: incident}}, "policyTypes": ["Ingress", "Egress"]},
    })
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn a_forged_policy_moves_nothing_on_a_pod(
    #[values("Hold", "Release", "Delete")] on_expiry: &str,
    #[values("{}", "{\"app\":\"bank\"}")] detached: &str,
) {
    let world = TestWorld::new(&rules("Hold"));
    let engine = world.engine();
    let before = world.pod("solo-2");
    world.apply(&forged("responder-quarantine-forged", "forged", on_expiry, detached).to_string());
    tokio::time::sleep(5 * MINUTE).await;
    assert_eq!(world.pod("solo-2"), before);
    // A policy of that form selects no pod; where it asks for a release, it is removed.
    let is_left = world.quarantines().len() == 1;
    assert_eq!(is_left, on_expiry != "Release");
    assert_eq!(engine.accounts().expiries.values().sum::<u64>(), 1);
}

#[rstest]
#[case::all_pods(json!({"podSelector": {}}))]
#[case::another_label(json!({"podSelector": {"matchLabels": {"app": "solo"}}}))]
#[case::one_more_condition(json!({"podSelector": {
    "matchLabels": {QUARANTINE_LABEL: "forged"}, "matchExpressions": [{"key": "app", "operator": "Exists"}],
}}))]
#[tokio::test(start_paused = true)]
async fn a_policy_that_selects_others_is_not_removed(#[case] spec: Value) {
    let world = TestWorld::new(&rules("Hold"));
    let _engine = world.engine();
    let mut policy = forged("responder-quarantine-forged", "forged", "Release", "{}");
    policy["spec"] = spec;
    world.apply(&policy.to_string());
    let before = world.objects();
    tokio::time::sleep(5 * MINUTE).await;
    assert_held(&world);
    assert_eq!(world.changes_since(&before), [""; 0]);
}

/// The pod is really in quarantine, on hold; a tenant adds a second policy for it that asks for more.
#[tokio::test(start_paused = true)]
async fn a_second_policy_for_a_pod_in_quarantine_does_not_end_it() {
    for on_expiry in ["Release", "Delete"] {
        let (world, _engine) = quarantined("Hold").await;
        let incident = incident(&world);
        let detached = "{\"app\":\"solo\"}";
        let mut second = forged("responder-quarantine-second", &incident, on_expiry, detached);
        second["metadata"]["annotations"]["responder.dev/pod"] = "solo-1".into();
        second["metadata"]["annotations"]["responder.dev/pod-uid"] = uid_of(17).into();
        world.apply(&second.to_string());
        let before = world.objects();
        tokio::time::sleep(Duration::from_secs(30)).await;
        assert!(
            matches!(&world.witness.ends()[..], [QuarantineEnd::Held { because }] if because.contains("name")),
            "{:?}",
            world.witness.ends()
        );
        assert_eq!(world.changes_since(&before), [""; 0]);
    }
}

#[rstest]
#[case("responder.dev/pod-uid", json!("../x"))]
#[case("responder.dev/expires-at", json!("yesterday"))]
#[case("responder.dev/on-expiry", json!("Explode"))]
#[tokio::test(start_paused = true)]
async fn a_policy_that_can_not_be_read_is_left_alone(#[case] annotation: &str, #[case] value: Value) {
    let world = TestWorld::new(&rules("Hold"));
    let engine = world.engine();
    let mut policy = forged("responder-quarantine-forged", "forged", "Delete", "{}");
    policy["metadata"]["annotations"][annotation] = value;
    world.apply(&policy.to_string());
    let before = world.objects();
    tokio::time::sleep(5 * MINUTE).await;
    assert_eq!(world.changes_since(&before), [""; 0]);
    assert_eq!(expiries(&engine), []);
}
