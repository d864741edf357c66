use proptest::prelude::*;
use rstest::rstest;
use serde_json::json;

use super::super::object::ObjectKey;
use super::*;

fn pod_key(name: &str) -> ObjectKey {
    ObjectKey::pod("web", name)
}

/// A Deployment's pods in the namespace `web`, the first `ready` of them ready, under one budget.
fn cluster(replicas: i64, pods: usize, ready: usize, budget: Value) -> Store {
    let mut store = Store::default();
    store.load(
        ObjectKey::new("Deployment.apps".into(), "web", "web"),
        json!({"metadata": {"uid": "d"}, "spec": {"replicas": replicas}}),
    );
    store.load(
        ObjectKey::new("ReplicaSet.apps".into(), "web", "web-1"),
        json!({
            "metadata": {"uid": "r", "ownerReferences": [
                {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web", "uid": "d", "controller": true},
            ]},
            "spec": {"replicas": replicas},
        }),
    );
    for number in 0..pods {
        let condition = if number < ready { "True" } else { "False" };
        store.load(
            pod_key(&format!("web-{number}")),
            json!({
                "metadata": {"uid": format!("p{number}"), "labels": {"app": "web"}, "ownerReferences": [
                    {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web-1", "uid": "r", "controller": true},
                ]},
                "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": condition}]},
            }),
        );
    }
    let mut spec = budget;
    spec["selector"] = json!({"matchLabels": {"app": "web"}});
    store.load(
        ObjectKey::new(BUDGET, "web", "web"),
        json!({"metadata": {"name": "web"}, "spec": spec}),
    );
    store
}

fn allows(store: &Store, pod: &str) -> bool {
    let pod = store.get(&pod_key(pod)).unwrap();
    verdict(store, "web", pod) == EvictionVerdict::Allowed
}

#[rstest]
#[case::one_to_spare(json!({"minAvailable": 2}), 3, 3, true)]
#[case::none_to_spare(json!({"minAvailable": 3}), 3, 3, false)]
#[case::all_of_them(json!({"minAvailable": "100%"}), 3, 3, false)]
#[case::half_rounded_up(json!({"minAvailable": "50%"}), 3, 3, true)]
#[case::two_thirds_is_three(json!({"minAvailable": "67%"}), 3, 3, false)]
#[case::one_may_be_down(json!({"maxUnavailable": 1}), 3, 3, true)]
#[case::one_is_down_already(json!({"maxUnavailable": 1}), 3, 2, false)]
#[case::none_may_be_down(json!({"maxUnavailable": 0}), 3, 3, false)]
#[case::a_percent_is_rounded_up_to_one(json!({"maxUnavailable": "1%"}), 3, 3, true)]
#[case::neither_is_given(json!({}), 3, 3, false)]
fn a_budget_counts_as_the_disruption_controller_does(
    #[case] budget: Value,
    #[case] pods: usize,
    #[case] ready: usize,
    #[case] allowed: bool,
) {
    assert_eq!(allows(&cluster(3, pods, ready, budget), "web-0"), allowed);
}

#[rstest]
#[case::the_rest_is_healthy(json!({"minAvailable": 2}), true)]
#[case::the_rest_is_not(json!({"minAvailable": 3}), false)]
#[case::nothing_is_asked_of_the_rest(json!({"minAvailable": 0}), true)]
#[case::always(json!({"minAvailable": 3, "unhealthyPodEvictionPolicy": "AlwaysAllow"}), true)]
fn an_unready_pod_goes_where_the_budget_is_met_without_it(#[case] budget: Value, #[case] allowed: bool) {
    assert_eq!(allows(&cluster(3, 3, 2, budget), "web-2"), allowed);
}

#[test]
fn a_percentage_is_of_what_the_deployment_wants_and_not_of_what_is_there() {
    let store = cluster(6, 3, 3, json!({"minAvailable": "50%"}));
    assert_eq!(
        verdict(&store, "web", store.get(&pod_key("web-0")).unwrap()),
        EvictionVerdict::Blocked {
            budget: "web".to_owned(),
            needed: 3,
            healthy: 3
        }
    );
}

#[test]
fn a_pod_that_is_ending_or_pending_needs_no_budget() {
    let mut store = cluster(1, 1, 1, json!({"minAvailable": 1}));
    assert!(!allows(&store, "web-0"));
    let mut pod = (**store.get(&pod_key("web-0")).unwrap()).clone();
    pod["status"]["phase"] = "Pending".into();
    store.put(pod_key("web-0"), pod);
    assert!(allows(&store, "web-0"));
}

#[test]
fn two_budgets_are_more_than_the_endpoint_supports() {
    let mut store = cluster(3, 3, 3, json!({"minAvailable": 0}));
    store.load(
        ObjectKey::new(BUDGET, "web", "all"),
        json!({"metadata": {"name": "all"}, "spec": {"selector": {}}}),
    );
    assert_eq!(
        verdict(&store, "web", store.get(&pod_key("web-0")).unwrap()),
        EvictionVerdict::Several
    );
}

#[test]
fn a_budget_without_a_selector_selects_nothing() {
    let mut store = cluster(1, 1, 1, json!({"minAvailable": 1}));
    store.put(
        ObjectKey::new(BUDGET, "web", "web"),
        json!({"metadata": {"name": "web"}, "spec": {"minAvailable": 1}}),
    );
    assert!(allows(&store, "web-0"));
}

proptest! {
    #[test]
    fn evicting_one_after_another_never_goes_below_what_is_asked(pods in 1_usize..12, percent in 0_i64..=100, as_minimum: bool) {
        let field = if as_minimum { "minAvailable" } else { "maxUnavailable" };
        let wanted = i64::try_from(pods).unwrap();
        let mut store = cluster(wanted, pods, pods, json!({field: format!("{percent}%")}));
        let mut left = wanted;
        for number in 0..pods {
            let key = pod_key(&format!("web-{number}"));
            if allows(&store, &key.name) {
                store.remove(&key);
                left -= 1;
            }
        }
        // Both the minimum and the maximum are rounded up, as in the disruption controller.
        let rounded = (wanted * percent + 99) / 100;
        let floor = if as_minimum { rounded } else { wanted - rounded };
        prop_assert_eq!(left, floor);
    }

    #[test]
    fn a_number_means_itself(minimum in 0_i64..12, pods in 1_usize..12) {
        let store = cluster(i64::try_from(pods).unwrap(), pods, pods, json!({"minAvailable": minimum}));
        prop_assert_eq!(allows(&store, "web-0"), i64::try_from(pods).unwrap() > minimum);
    }
}
