//! Quarantines with a policy that denies: it ends with its quarantine, before the policy that has the record.

use super::*;

const DENIAL: &str = "CiliumNetworkPolicy.cilium.io/web/responder-quarantine-";

fn rules(on_expiry: &str) -> String {
    let parameters = format!("ttl: 1m, onExpiry: {on_expiry}, detach: Always, through: Auto");
    playbook(
        "p",
        &format!("mode: Enforce\nsteps: [{{quarantine: {{{parameters}}}}}]"),
    )
}

fn world(on_expiry: &str) -> TestWorld {
    TestWorld::new(&rules(on_expiry)).with_cilium()
}

/// A world with an engine in which `solo-1` has gone into a quarantine that denies, for a minute.
async fn denied(on_expiry: &str) -> (TestWorld, TestEngine) {
    let world = world(on_expiry);
    let engine = world.engine();
    engine.submit(alert("p", json!({})));
    at_rest(&engine).await;
    assert_eq!(world.quarantines().len(), 2, "{:?}", world.quarantines());
    (world, engine)
}

/// The key of the only policy that denies.
fn denial(world: &TestWorld) -> String {
    let mut keys = world.quarantines().into_iter();
    keys.find(|key| key.starts_with(DENIAL)).unwrap()
}

fn remove_denial(world: &TestWorld) {
    let key = denial(world);
    let name = key.rsplit_once('/').unwrap().1;
    let at = responder_core::object::Locator::namespaced(
        responder_core::object::Kind::CiliumNetworkPolicy,
        pod_at("solo-1").namespace().unwrap().clone(),
        responder_core::object::Name::new(name).unwrap(),
    );
    assert!(world.cluster.inner.remove(&at.unwrap()));
}

#[tokio::test(start_paused = true)]
async fn both_policies_go_when_the_pod_is_released_the_record_last() {
    let before = world("Release").objects();
    let (world, _engine) = denied("Release").await;
    tokio::time::sleep(2 * MINUTE).await;
    assert_eq!(world.witness.ends(), [released()]);
    assert_eq!(world.changes_since(&before), [""; 0]);
    let deleted: Vec<String> = world
        .cluster
        .mutations()
        .into_iter()
        .filter(|request| request.verb() == Verb::Delete)
        .map(|request| request.at().to_string())
        .collect();
    assert!(
        matches!(&deleted[..], [first, last] if first.starts_with("cilium") && last.starts_with("networkpolicy/")),
        "{deleted:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn both_hold_until_the_pod_is_gone_and_while_it_is_held() {
    let (world, _engine) = denied("Delete").await;
    let mut slow = world.pod("solo-1").unwrap();
    slow["spec"]["terminationGracePeriodSeconds"] = 300.into();
    world.apply(&slow.to_string());
    tokio::time::sleep(2 * MINUTE).await;
    assert_eq!(world.witness.ends(), [QuarantineEnd::Deleted]);
    assert_eq!(world.quarantines().len(), 2, "the pod still runs");
    tokio::time::sleep(10 * MINUTE).await;
    assert_eq!(world.quarantines(), [""; 0]);

    let (world, _engine) = denied("Hold").await;
    tokio::time::sleep(10 * MINUTE).await;
    assert_held(&world);
    assert_eq!(world.quarantines().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn both_go_where_another_pod_has_the_name() {
    let (world, _engine) = denied("Hold").await;
    let at = pod_at("solo-1");
    world.cluster.inner.replace(at.namespace().unwrap(), at.name()).unwrap();
    tokio::time::sleep(2 * MINUTE).await;
    assert_eq!(world.witness.ends(), [QuarantineEnd::PodGone]);
    assert_eq!(world.quarantines(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_restarted_controller_without_the_playbook_ends_both() {
    let before = world("Release").objects();
    let (world, engine) = denied("Release").await;
    engine.shutdown(Duration::ZERO).await;
    tokio::time::sleep(2 * MINUTE).await;
    let world = world.restarted_with("");
    let _engine = world.engine();
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(world.witness.ends(), [released()]);
    assert_eq!(world.changes_since(&before), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_release_that_was_killed_in_the_middle_leaves_neither() {
    let before = world("Release").objects();
    for place in 0..3 {
        let (world, engine) = denied("Release").await;
        world.cluster.before(move |_, before| match before {
            Before::Send(_, sent) if sent == place => Then::Never,
            _ => Then::Go,
        });
        tokio::time::sleep(MINUTE + Duration::from_secs(5)).await;
        engine.shutdown(Duration::ZERO).await;
        assert!(!world.quarantines().is_empty(), "killed at request {place}");

        let world = world.restarted();
        let _engine = world.engine();
        tokio::time::sleep(MINUTE).await;
        assert_eq!(world.witness.ends(), [released()], "killed at request {place}");
        assert_eq!(world.changes_since(&before), [""; 0], "killed at request {place}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_record_stays_as_long_as_the_denial_could_not_be_removed() {
    let before = world("Release").objects();
    let (world, engine) = denied("Release").await;
    let mut refusals = 3;
    world.cluster.before(move |_, before| match before {
        Before::Send(request, _) if request.verb() == Verb::Delete && refusals > 0 => {
            refusals -= 1;
            Then::Fail(SendFault::Refused(SendErrorKind::Forbidden))
        }
        _ => Then::Go,
    });
    tokio::time::sleep(5 * MINUTE).await;
    assert_eq!(expiries(&engine), [("failed", 1), ("released", 1)]);
    assert_eq!(world.changes_since(&before), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_denial_that_is_gone_already_holds_no_end_up() {
    for on_expiry in ["Release", "Delete"] {
        let (world, _engine) = denied(on_expiry).await;
        remove_denial(&world);
        tokio::time::sleep(2 * MINUTE).await;
        assert_eq!(world.quarantines(), [""; 0], "{on_expiry}");
    }
}

/// A tenant who can write NetworkPolicies, and none of Cilium's, could write the record of a quarantine that is over.
#[tokio::test(start_paused = true)]
async fn a_record_does_not_end_the_denial_of_another_pod() {
    let (world, _engine) = denied("Release").await;
    let mut edited = world.object(&denial(&world)).unwrap();
    edited["metadata"]["annotations"]["responder.dev/pod-uid"] = json!("another");
    world.apply(&edited.to_string());
    tokio::time::sleep(2 * MINUTE).await;
    assert_eq!(world.witness.ends(), [released()]);
    assert_eq!(world.quarantines(), [denial(&world)]);
}
