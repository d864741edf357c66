//! Quarantines: the order of the writes, the owners that release the pod, the remaining leaks, and the end.

use std::collections::BTreeMap;

use futures_util::future::join_all;
use integration::{
    control_plane::ControlPlane,
    fixtures::{
        PodExt as _, PolicyExt as _, create, deployment, network_policy, service, stateful_set, wait_ready_pods,
    },
    responder::{
        Responder, TrailRecord,
        playbooks::{on_shell, playbook},
    },
};
use k8s_openapi::{
    api::{apps::v1::DaemonSet, core::v1::Pod, discovery::v1::EndpointSlice, networking::v1::NetworkPolicy},
    apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition,
};
use kube::{
    Api, Client, ResourceExt as _,
    api::{ApiResource, DynamicObject, GroupVersionKind, ListParams, PostParams},
};
use serde_json::json;

use crate::scenario::{Scenario, eventually, in_words, post_shells, start, uid};

const LABEL: &str = "responder.dev/quarantine";

/// A Deployment of three pods behind a Service, and one of its pods.
async fn shop(scenario: &Scenario<'_>) -> Pod {
    create(&scenario.client, &service(&scenario.name, "web", &[("app", "web")]))
        .await
        .unwrap();
    create(
        &scenario.client,
        &deployment(&scenario.name, "web", 3).on_node(&scenario.name),
    )
    .await
    .unwrap();
    let pods = wait_ready_pods(&scenario.client, &scenario.name, &[("app", "web")], 3)
        .await
        .unwrap();
    eventually("the Service lists three pods", async || {
        (served(scenario).await.len() == 3).then_some(())
    })
    .await;
    pods[0].clone()
}

/// The uids of the pods that the Service routes to.
async fn served(scenario: &Scenario<'_>) -> Vec<String> {
    let slices: Api<EndpointSlice> = Api::namespaced(scenario.client.clone(), &scenario.name);
    let found = slices
        .list(&ListParams::default().labels("kubernetes.io/service-name=web"))
        .await
        .unwrap();
    let endpoints = found.items.into_iter().flat_map(|slice| slice.endpoints);
    endpoints.filter_map(|endpoint| endpoint.target_ref?.uid).collect()
}

async fn policies(scenario: &Scenario<'_>) -> Vec<NetworkPolicy> {
    let api: Api<NetworkPolicy> = Api::namespaced(scenario.client.clone(), &scenario.name);
    api.list(&ListParams::default().labels(LABEL)).await.unwrap().items
}

/// The isolation that the plan of the nth decision predicts.
fn predicted(responder: &Responder, decision: usize) -> String {
    let trail = responder.trail();
    let decided = trail.iter().filter(|record| record.event() == "decided").nth(decision);
    let plan = decided
        .and_then(TrailRecord::plan)
        .unwrap_or_else(|| panic!("no plan in {trail:#?}"));
    plan["steps"][0]["isolation"].to_string()
}

/// The verdict of the first verification.
async fn verdict(responder: &mut Responder) -> String {
    let is_meant = |record: &TrailRecord| record.event() == "verified";
    let verified = responder.wait_for("verification", 1, is_meant).await.unwrap();
    let verdict = verified[0].value()["verification"]["verdict"].as_str();
    verdict.unwrap_or_else(|| panic!("{verified:#?}")).to_owned()
}

#[tokio::test]
async fn a_quarantined_pod_is_cut_off_by_one_patch_after_its_policy_and_is_replaced() {
    let scenario = Scenario::new("quarantine").await;
    let pod = shop(&scenario).await;
    let mut responder = scenario
        .responder(&on_shell("Enforce", &["quarantine: {ttl: 2h}"]))
        .await;

    post_shells(&responder, std::slice::from_ref(&pod)).await;
    responder.wait_until_at_rest(1).await.unwrap();

    let writes: Vec<_> = scenario.writes().iter().map(in_words).collect();
    assert_eq!(writes, ["create networkpolicies", "patch pods"]);
    let live = scenario.get(&pod).await.expect("the pod is kept as evidence");
    let incident = &live.labels()[LABEL];
    assert!(!live.labels().contains_key("app"));
    let [policy] = &policies(&scenario).await[..] else {
        panic!("expected one policy")
    };
    let spec = policy.spec.clone().unwrap();
    let selector = spec.pod_selector.unwrap().match_labels.unwrap();
    assert_eq!(selector, [(LABEL.to_owned(), incident.clone())].into());
    assert_eq!(spec.policy_types.unwrap(), ["Ingress", "Egress"]);
    assert_eq!((spec.ingress, spec.egress), (None, None));

    // The real controllers release the pod: the Service drops it, and the ReplicaSet replaces it.
    let three = wait_ready_pods(&scenario.client, &scenario.name, &[("app", "web")], 3)
        .await
        .unwrap();
    assert!(three.iter().all(|other| other.uid() != pod.uid()));
    eventually("the Service has let go of it", async || {
        let served = served(&scenario).await;
        (served.len() == 3 && !served.contains(&uid(&pod))).then_some(())
    })
    .await;
    let freed = scenario.still_there(&pod).await;
    assert!(
        freed
            .owner_references()
            .iter()
            .all(|owner| owner.controller != Some(true)),
        "{:?}",
        freed.owner_references()
    );
}

/// The cluster has no known policy engine, and the plan says so.
#[tokio::test]
async fn without_a_known_policy_engine_isolation_is_unverified() {
    let scenario = Scenario::new("unverified").await;
    let pod = scenario.running("web").await;
    let leak = network_policy(&scenario.name, "to-database", &[("app", "web")]).allowing_egress_to(&[("app", "db")]);
    create(&scenario.client, &leak).await.unwrap();
    let mut responder = scenario.responder(&on_shell("Enforce", &["quarantine: {}"])).await;

    post_shells(&responder, std::slice::from_ref(&pod)).await;
    responder.wait_until_at_rest(1).await.unwrap();

    let predicted = predicted(&responder, 0);
    assert!(
        predicted.contains(r#""is":"unverified""#) && predicted.contains("to-database"),
        "{predicted}"
    );
    assert_eq!(verdict(&mut responder).await, "inconclusive");
}

#[tokio::test]
async fn a_quarantine_under_a_policy_that_allows_everything_fails_by_name() {
    let scenario = Scenario::new("allow-all").await;
    let pod = under_a_policy_that_allows_everything(&scenario).await;
    let mut responder = scenario.responder(&on_shell("Enforce", &["quarantine: {}"])).await;
    post_shells(&responder, std::slice::from_ref(&pod)).await;
    let accounts = responder.wait_until_at_rest(1).await.unwrap();
    assert_eq!(accounts.responses, [("Failed".to_owned(), 1)].into());
    assert_eq!(scenario.writes(), []);
    assert!(responder.log().contains("WouldNotIsolate"), "{}", responder.log());
}

#[tokio::test]
async fn a_quarantine_under_a_policy_that_allows_everything_becomes_a_deletion() {
    let scenario = Scenario::new("allow-all-otherwise").await;
    let pod = under_a_policy_that_allows_everything(&scenario).await;
    let steps = ["quarantine: {}\n      otherwise: {delete: {gracePeriodSeconds: 0}}"];
    let mut responder = scenario.responder(&on_shell("Enforce", &steps)).await;
    post_shells(&responder, std::slice::from_ref(&pod)).await;
    let accounts = responder.wait_until_at_rest(1).await.unwrap();
    assert_eq!(accounts.responses, [("Done".to_owned(), 1)].into());
    assert!(scenario.get(&pod).await.is_none());
}

/// A pod beside a policy that allows everything.
async fn under_a_policy_that_allows_everything(scenario: &Scenario<'_>) -> Pod {
    let pod = scenario.running("web").await;
    let open = network_policy(&scenario.name, "open", &[]).allowing_everything();
    create(&scenario.client, &open).await.unwrap();
    pod
}

/// In its own cluster, because an engine is visible to all tests.
#[tokio::test]
async fn with_an_engine_each_leaking_policy_is_named_and_a_detached_pod_escapes_those_of_its_app() {
    let control_plane = ControlPlane::start().await.unwrap();
    let scenario = Scenario::on(&control_plane, "leaks").await;
    run_engine(&scenario, "cilium").await;
    let policies = [
        network_policy("leaks", "by-label", &[("app", "web")]).allowing_egress_to(&[("app", "db")]),
        network_policy("leaks", "by-tier", &[("tier", "front")]).allowing_ingress_from(&[("app", "proxy")]),
        network_policy("leaks", "internet", &[])
            .allowing_egress_to_block("0.0.0.0/0", &["10.0.0.0/8"])
            .egress_only(),
        network_policy("leaks", "deny-all", &[]),
        network_policy("leaks", "of-others", &[("app", "other")]).allowing_everything(),
    ];
    for policy in &policies {
        create(&scenario.client, policy).await.unwrap();
    }
    let web = deployment("leaks", "web", 2)
        .on_node("leaks")
        .pods_labelled(&[("tier", "front")]);
    create(&scenario.client, &web).await.unwrap();
    let pods = wait_ready_pods(&scenario.client, "leaks", &[("app", "web")], 2)
        .await
        .unwrap();
    let bare = scenario.running("web").await;
    let mut responder = scenario.responder(&on_shell("Enforce", &["quarantine: {}"])).await;

    post_shells(&responder, &pods[..1]).await;
    responder.wait_until_at_rest(1).await.unwrap();
    let detached = predicted(&responder, 0);
    // `app` was removed to detach the pod from its ReplicaSet. `tier` stays: only a policy selects it.
    assert!(detached.contains("isolatedExcept"), "{detached}");
    assert!(
        detached.contains("by-tier") && detached.contains("internet"),
        "{detached}"
    );
    assert!(
        !detached.contains("by-label") && !detached.contains("of-others") && !detached.contains("deny-all"),
        "{detached}"
    );
    assert_eq!(verdict(&mut responder).await, "effective");

    post_shells(&responder, std::slice::from_ref(&bare)).await;
    responder.wait_until_at_rest(2).await.unwrap();
    let attached = predicted(&responder, 1);
    assert!(
        attached.contains("by-label") && attached.contains("internet") && !attached.contains("by-tier"),
        "{attached}"
    );
    control_plane.stop().await.unwrap();
}

/// A DaemonSet by which an engine is recognised, with a pod that is ready on the scenario's node. No engine runs.
async fn run_engine(scenario: &Scenario<'_>, name: &str) {
    let containers = json!([{ "name": "agent", "image": "agent:1" }]);
    // The controller adopts it: no scheduler would place a pod that it made.
    let pod: Pod = serde_json::from_value(json!({
        "metadata": { "name": format!("{name}-1"), "namespace": "kube-system", "labels": { "app": name } },
        "spec": { "nodeName": scenario.name, "containers": containers },
    }))
    .unwrap();
    let set: DaemonSet = serde_json::from_value(json!({
        "metadata": { "name": name, "namespace": "kube-system" },
        "spec": {
            "selector": { "matchLabels": { "app": name } },
            // Otherwise the adopted pod is replaced, since it is of no revision.
            "updateStrategy": { "type": "OnDelete" },
            "template": { "metadata": { "labels": { "app": name } }, "spec": { "containers": containers } },
        },
    }))
    .unwrap();
    create(&scenario.client, &pod).await.unwrap();
    let sets: Api<DaemonSet> = Api::namespaced(scenario.client.clone(), "kube-system");
    sets.create(&PostParams::default(), &set).await.unwrap();
    eventually("a pod of the engine is ready", async || {
        let live = sets.get(name).await.unwrap();
        live.status.filter(|status| status.number_ready > 0).map(drop)
    })
    .await;
}

/// Installs a definition of another project, as it is shipped, and waits until its kind is served.
async fn install(client: &Client, definition: &str) {
    let definition: CustomResourceDefinition = serde_saphyr::from_str(definition).unwrap();
    let (group, plural) = (definition.spec.group.clone(), definition.spec.names.plural.clone());
    let version = format!("{group}/{}", definition.spec.versions[0].name);
    Api::all(client.clone())
        .create(&PostParams::default(), &definition)
        .await
        .unwrap();
    eventually("the kind is served", async || {
        let served = client.list_api_group_resources(&version).await.ok()?;
        served
            .resources
            .iter()
            .any(|resource| resource.name == plural)
            .then_some(())
    })
    .await;
}

const CILIUM: &str =
    include_str!("../../../responder/cluster/src/conformance/definitions/ciliumnetworkpolicies.cilium.io.json");
const CALICO: &str = include_str!("quarantine/crd.projectcalico.org_globalnetworkpolicies.yaml");
const CLUSTER: &str = include_str!("quarantine/policy.networking.k8s.io_clusternetworkpolicies.yaml");

/// Policies that come before or beside NetworkPolicies, as the API server stores them under their projects' definitions,
/// and what a plan says of them. In its own cluster, because an engine is visible to all tests.
#[tokio::test]
async fn policies_of_other_kinds_are_read_from_the_api_server_and_named() {
    let control_plane = ControlPlane::start().await.unwrap();
    let scenario = Scenario::on(&control_plane, "kinds").await;
    for definition in [CILIUM, CALICO, CLUSTER] {
        install(&scenario.client, definition).await;
    }
    run_engine(&scenario, "calico-node").await;
    let policies = [
        json!({
            "apiVersion": "crd.projectcalico.org/v1", "kind": "GlobalNetworkPolicy", "metadata": { "name": "scanner" },
            "spec": { "order": 10, "selector": "has(app)", "types": ["Ingress"],
                      "ingress": [{ "action": "Allow", "source": { "nets": ["10.1.0.0/16"] } }] },
        }),
        json!({
            "apiVersion": "cilium.io/v2", "kind": "CiliumNetworkPolicy",
            "metadata": { "name": "left-behind", "namespace": "kinds" },
            "spec": { "endpointSelector": {}, "egress": [{ "toEntities": ["kube-apiserver"] }] },
        }),
        json!({
            "apiVersion": "policy.networking.k8s.io/v1alpha2", "kind": "ClusterNetworkPolicy", "metadata": { "name": "metrics" },
            "spec": { "tier": "Admin", "priority": 10, "subject": { "namespaces": {} },
                      "ingress": [{ "action": "Accept", "from": [{ "namespaces": { "matchLabels": { "team": "ops" } } }] }] },
        }),
    ];
    for policy in &policies {
        let object: DynamicObject = serde_json::from_value(policy.clone()).unwrap();
        let types = object.types.clone().unwrap();
        let resource = ApiResource::from_gvk(&GroupVersionKind::try_from(&types).unwrap());
        let api: Api<DynamicObject> = match object.namespace() {
            Some(namespace) => Api::namespaced_with(scenario.client.clone(), &namespace, &resource),
            None => Api::all_with(scenario.client.clone(), &resource),
        };
        api.create(&PostParams::default(), &object).await.unwrap();
    }
    let pod = scenario.running("web").await;
    let mut responder = scenario.responder(&on_shell("Enforce", &["quarantine: {}"])).await;

    post_shells(&responder, &[pod]).await;
    responder.wait_until_at_rest(1).await.unwrap();
    let predicted = predicted(&responder, 0);
    for leak in [
        "from 10.1.0.0/16 on all ports",
        "GlobalNetworkPolicy scanner",
        "to the entity kube-apiserver on all ports",
        "CiliumNetworkPolicy left-behind",
        "from all pods of namespaces with team=ops on all ports",
        "ClusterNetworkPolicy metrics",
    ] {
        assert!(predicted.contains(leak), "{leak}: {predicted}");
    }
    assert!(predicted.contains(r#""is":"isolatedExcept""#), "{predicted}");
    assert_eq!(verdict(&mut responder).await, "effective");
    control_plane.stop().await.unwrap();
}

#[tokio::test]
async fn a_pod_of_a_stateful_set_is_isolated_and_not_detached() {
    let scenario = Scenario::new("stateful").await;
    create(
        &scenario.client,
        &stateful_set(&scenario.name, "db", 1).on_node(&scenario.name),
    )
    .await
    .unwrap();
    let pods = wait_ready_pods(&scenario.client, &scenario.name, &[("app", "db")], 1)
        .await
        .unwrap();
    let mut responder = scenario.responder(&on_shell("Enforce", &["quarantine: {}"])).await;

    post_shells(&responder, &pods).await;
    responder.wait_until_at_rest(1).await.unwrap();

    let live = scenario.get(&pods[0]).await.unwrap();
    assert!(live.labels().contains_key(LABEL));
    assert_eq!(live.labels()["app"], "db");
    let plan = responder
        .trail()
        .iter()
        .find_map(|record| record.plan().cloned())
        .unwrap();
    assert!(plan["steps"][0]["notes"].to_string().contains("StatefulSet"), "{plan}");
}

/// The deadline is on the policy, so any responder that runs at that time ends the quarantine. In its own cluster,
/// because every responder in Enforce ends all quarantines.
#[tokio::test]
async fn the_end_of_a_quarantine_is_kept_over_a_kill_of_the_responder() {
    let control_plane = ControlPlane::start().await.unwrap();
    let scenarios = [
        Scenario::on(&control_plane, "expiry-delete").await,
        Scenario::on(&control_plane, "expiry-release").await,
        Scenario::on(&control_plane, "expiry-hold").await,
    ];
    let playbooks = [
        ("Delete", &scenarios[0]),
        ("Release", &scenarios[1]),
        ("Hold", &scenarios[2]),
    ]
    .map(|(on_expiry, scenario)| {
        let spec = format!(
            "mode: Enforce\n  match: {{fields: [{{field: k8s.ns.name, equals: {}}}]}}",
            scenario.name
        );
        playbook(
            &scenario.name,
            &spec,
            &[&format!("quarantine: {{ttl: 2s, onExpiry: {on_expiry}}}")],
        )
    });
    let pods = join_all(scenarios.iter().map(shop)).await;
    let options = scenarios[0].options(&playbooks.concat()).await;

    let mut first = start(&options).await;
    post_shells(&first, &pods).await;
    first
        .wait_for("settled", 3, |record| record.event() == "settled")
        .await
        .unwrap();
    let settled = first.trail();
    assert!(
        !settled.iter().any(|record| record.event() == "expired"),
        "it must be killed before the end: {settled:#?}"
    );
    first.kill().unwrap();
    for scenario in &scenarios {
        assert_eq!(policies(scenario).await.len(), 1, "{}", scenario.name);
    }

    let mut second = start(&options).await;
    let expired = second
        .wait_for("the ends", 3, |record| record.event() == "expired")
        .await
        .unwrap();
    let ends: BTreeMap<_, _> = expired
        .iter()
        .map(|record| {
            (
                record.value()["playbook"].as_str(),
                record.value()["end"]["is"].as_str(),
            )
        })
        .collect();
    let expected = [
        ("expiry-delete", "deleted"),
        ("expiry-hold", "held"),
        ("expiry-release", "released"),
    ];
    assert_eq!(
        ends,
        expected.map(|(playbook, end)| (Some(playbook), Some(end))).into(),
        "{expired:#?}"
    );

    let [deleted, released, held] = &scenarios;
    integration::fixtures::wait_gone(&deleted.client, &pods[0])
        .await
        .unwrap();
    // The policy stays while the pod terminates, and is deleted with it.
    eventually("the policy goes with its pod", async || {
        policies(deleted).await.is_empty().then_some(())
    })
    .await;
    assert!(policies(released).await.is_empty());
    // The ReplicaSet now has a surplus pod and deletes this one or another.
    if let Some(live) = released.get(&pods[1]).await {
        assert_eq!(live.labels(), pods[1].labels());
    }
    assert_eq!(policies(held).await.len(), 1);
    assert!(held.get(&pods[2]).await.unwrap().labels().contains_key(LABEL));
    control_plane.stop().await.unwrap();
}
