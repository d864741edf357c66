//! Quarantines: what is written in which order, who lets go of the pod, what still leaks, and how they end.

use std::collections::BTreeMap;

use futures_util::future::join_all;
use integration::{
    control_plane::ControlPlane,
    fixtures::{
        PlacedOn as _, PolicyExt as _, create, deployment, network_policy, service, stateful_set, wait_ready_pods,
    },
    responder::{Record, Responder},
};
use k8s_openapi::{
    api::{core::v1::Pod, discovery::v1::EndpointSlice, networking::v1::NetworkPolicy},
    apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition,
};
use kube::{
    Api, ResourceExt as _,
    api::{ListParams, PostParams},
};
use serde_json::json;

use crate::stage::{Stage, eventually, in_words, on_shell, playbook, post_shells, start, uid};

const LABEL: &str = "responder.dev/quarantine";

/// A Deployment of three behind a Service, and one of its pods.
async fn shop(stage: &Stage<'_>) -> Pod {
    create(&stage.client, &service(&stage.name, "web", &[("app", "web")]))
        .await
        .unwrap();
    create(&stage.client, &deployment(&stage.name, "web", 3).on_node(&stage.name))
        .await
        .unwrap();
    let pods = wait_ready_pods(&stage.client, &stage.name, &[("app", "web")], 3)
        .await
        .unwrap();
    eventually("the Service lists three pods", async || {
        (served(stage).await.len() == 3).then_some(())
    })
    .await;
    pods[0].clone()
}

/// The uids of the pods that the Service sends traffic to.
async fn served(stage: &Stage<'_>) -> Vec<String> {
    let slices: Api<EndpointSlice> = Api::namespaced(stage.client.clone(), &stage.name);
    let found = slices
        .list(&ListParams::default().labels("kubernetes.io/service-name=web"))
        .await
        .unwrap();
    let endpoints = found.items.into_iter().flat_map(|slice| slice.endpoints);
    endpoints.filter_map(|endpoint| endpoint.target_ref?.uid).collect()
}

async fn policies(stage: &Stage<'_>) -> Vec<NetworkPolicy> {
    let api: Api<NetworkPolicy> = Api::namespaced(stage.client.clone(), &stage.name);
    api.list(&ListParams::default().labels(LABEL)).await.unwrap().items
}

/// What the plan of the nth decision says of the isolation.
fn predicted(responder: &Responder, decision: usize) -> String {
    let trail = responder.trail();
    let decided = trail.iter().filter(|record| record.event() == "decided").nth(decision);
    let plan = decided
        .and_then(Record::plan)
        .unwrap_or_else(|| panic!("no plan in {trail:#?}"));
    plan["steps"][0]["isolation"].to_string()
}

#[tokio::test]
async fn a_quarantined_pod_is_cut_off_by_one_patch_after_its_policy_and_is_replaced() {
    let stage = Stage::new("quarantine").await;
    let pod = shop(&stage).await;
    let mut responder = stage.responder(&on_shell("Enforce", &["quarantine: {ttl: 2h}"])).await;

    post_shells(&responder, std::slice::from_ref(&pod)).await;
    responder.wait_until_at_rest(1).await.unwrap();

    let writes: Vec<_> = stage.writes().iter().map(in_words).collect();
    assert_eq!(writes, ["create networkpolicies", "patch pods"]);
    let live = stage.get(&pod).await.expect("the pod is kept as evidence");
    let incident = &live.labels()[LABEL];
    assert!(!live.labels().contains_key("app"));
    let [policy] = &policies(&stage).await[..] else {
        panic!("expected one policy")
    };
    let spec = policy.spec.clone().unwrap();
    let selector = spec.pod_selector.unwrap().match_labels.unwrap();
    assert_eq!(selector, [(LABEL.to_owned(), incident.clone())].into());
    assert_eq!(spec.policy_types.unwrap(), ["Ingress", "Egress"]);
    assert_eq!((spec.ingress, spec.egress), (None, None));

    // The real controllers let go of it: the Service sends nothing more, the ReplicaSet has another.
    let three = wait_ready_pods(&stage.client, &stage.name, &[("app", "web")], 3)
        .await
        .unwrap();
    assert!(three.iter().all(|other| other.uid() != pod.uid()));
    eventually("the Service has let go of it", async || {
        let served = served(&stage).await;
        (served.len() == 3 && !served.contains(&uid(&pod))).then_some(())
    })
    .await;
    let freed = stage.still_there(&pod).await;
    assert!(
        freed
            .owner_references()
            .iter()
            .all(|owner| owner.controller != Some(true)),
        "{:?}",
        freed.owner_references()
    );
}

/// No policy engine can be recognised here, and the plan says so.
#[tokio::test]
async fn without_a_known_policy_engine_isolation_is_unverified() {
    let stage = Stage::new("unverified").await;
    let pod = stage.running("web").await;
    let leak = network_policy(&stage.name, "to-database", &[("app", "web")]).allowing_egress_to(&[("app", "db")]);
    create(&stage.client, &leak).await.unwrap();
    let mut responder = stage.responder(&on_shell("Enforce", &["quarantine: {}"])).await;

    post_shells(&responder, std::slice::from_ref(&pod)).await;
    responder.wait_until_at_rest(1).await.unwrap();

    let predicted = predicted(&responder, 0);
    assert!(
        predicted.contains("unverified") && predicted.contains("to-database"),
        "{predicted}"
    );
    let verified = responder
        .wait_for("verification", 1, |record| record.event() == "verified")
        .await
        .unwrap();
    assert_eq!(
        verified[0].value()["verification"]["verdict"],
        "inconclusive",
        "{verified:#?}"
    );
}

#[tokio::test]
async fn a_quarantine_under_a_policy_that_allows_everything_is_refused() {
    let stage = Stage::new("allow-all").await;
    let pod = stage.running("web").await;
    create(
        &stage.client,
        &network_policy(&stage.name, "open", &[]).allowing_everything(),
    )
    .await
    .unwrap();
    let mut responder = stage.responder(&on_shell("Enforce", &["quarantine: {}"])).await;

    post_shells(&responder, std::slice::from_ref(&pod)).await;
    let accounts = responder.wait_until_at_rest(1).await.unwrap();

    assert_eq!(accounts.refused, [("WouldNotIsolate".to_owned(), 1)].into());
    assert_eq!(stage.writes(), []);
}

/// A cluster of its own: the API group of an engine is there for all who ask.
#[tokio::test]
async fn with_an_engine_each_leaking_policy_is_named_and_a_detached_pod_escapes_those_of_its_app() {
    let control_plane = ControlPlane::start().await.unwrap();
    let stage = Stage::on(&control_plane, "leaks").await;
    install_engine(&stage).await;
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
        create(&stage.client, policy).await.unwrap();
    }
    let web = deployment("leaks", "web", 2)
        .on_node("leaks")
        .pods_labelled(&[("tier", "front")]);
    create(&stage.client, &web).await.unwrap();
    let pods = wait_ready_pods(&stage.client, "leaks", &[("app", "web")], 2)
        .await
        .unwrap();
    let bare = stage.running("web").await;
    let mut responder = stage.responder(&on_shell("Enforce", &["quarantine: {}"])).await;

    post_shells(&responder, &pods[..1]).await;
    responder.wait_until_at_rest(1).await.unwrap();
    let detached = predicted(&responder, 0);
    // `app` was taken away with the ReplicaSet's hold on the pod; `tier` is no selector of anybody's but a policy's.
    assert!(detached.contains("isolatedExcept"), "{detached}");
    assert!(
        detached.contains("by-tier") && detached.contains("internet"),
        "{detached}"
    );
    assert!(
        !detached.contains("by-label") && !detached.contains("of-others") && !detached.contains("deny-all"),
        "{detached}"
    );
    let verified = responder
        .wait_for("verification", 1, |record| record.event() == "verified")
        .await
        .unwrap();
    assert_eq!(
        verified[0].value()["verification"]["verdict"],
        "effective",
        "{verified:#?}"
    );

    post_shells(&responder, std::slice::from_ref(&bare)).await;
    responder.wait_until_at_rest(2).await.unwrap();
    let attached = predicted(&responder, 1);
    assert!(
        attached.contains("by-label") && attached.contains("internet") && !attached.contains("by-tier"),
        "{attached}"
    );
    control_plane.stop().await.unwrap();
}

/// The resource definition by which Cilium is recognised, without Cilium.
async fn install_engine(stage: &Stage<'_>) {
    let definition: CustomResourceDefinition = serde_json::from_value(json!({
        "metadata": { "name": "ciliumnetworkpolicies.cilium.io" },
        "spec": {
            "group": "cilium.io", "scope": "Namespaced",
            "names": { "plural": "ciliumnetworkpolicies", "singular": "ciliumnetworkpolicy", "kind": "CiliumNetworkPolicy" },
            "versions": [{
                "name": "v2", "served": true, "storage": true,
                "schema": { "openAPIV3Schema": { "type": "object", "x-kubernetes-preserve-unknown-fields": true } },
            }],
        },
    }))
    .unwrap();
    Api::all(stage.client.clone())
        .create(&PostParams::default(), &definition)
        .await
        .unwrap();
    eventually("the group is served", async || {
        let groups = stage.client.list_api_groups().await.unwrap().groups;
        groups.iter().any(|group| group.name == "cilium.io").then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_pod_of_a_stateful_set_is_isolated_and_not_detached() {
    let stage = Stage::new("stateful").await;
    create(&stage.client, &stateful_set(&stage.name, "db", 1).on_node(&stage.name))
        .await
        .unwrap();
    let pods = wait_ready_pods(&stage.client, &stage.name, &[("app", "db")], 1)
        .await
        .unwrap();
    let mut responder = stage.responder(&on_shell("Enforce", &["quarantine: {}"])).await;

    post_shells(&responder, &pods).await;
    responder.wait_until_at_rest(1).await.unwrap();

    let live = stage.get(&pods[0]).await.unwrap();
    assert!(live.labels().contains_key(LABEL));
    assert_eq!(live.labels()["app"], "db");
    let plan = responder
        .trail()
        .iter()
        .find_map(|record| record.plan().cloned())
        .unwrap();
    assert!(plan["steps"][0]["notes"].to_string().contains("StatefulSet"), "{plan}");
}

/// The deadline is on the policy: whoever is there when it passes ends the quarantine. In a cluster of its own, as every
/// responder that enforces looks after the quarantines of all.
#[tokio::test]
async fn the_end_of_a_quarantine_is_kept_over_a_kill_of_the_responder() {
    let control_plane = ControlPlane::start().await.unwrap();
    let stages = [
        Stage::on(&control_plane, "expiry-delete").await,
        Stage::on(&control_plane, "expiry-release").await,
        Stage::on(&control_plane, "expiry-hold").await,
    ];
    let playbooks =
        [("Delete", &stages[0]), ("Release", &stages[1]), ("Hold", &stages[2])].map(|(on_expiry, stage)| {
            let spec = format!(
                "mode: Enforce\n  match: {{fields: [{{field: k8s.ns.name, equals: {}}}]}}",
                stage.name
            );
            playbook(
                &stage.name,
                &spec,
                &[&format!("quarantine: {{ttl: 2s, onExpiry: {on_expiry}}}")],
            )
        });
    let pods = join_all(stages.iter().map(shop)).await;
    let options = stages[0].options(&playbooks.concat()).await;

    let mut first = start(&options).await;
    post_shells(&first, &pods).await;
    first
        .wait_for("settled", 3, |record| record.event() == "settled")
        .await
        .unwrap();
    let settled = first.trail();
    assert!(
        !settled.iter().any(|record| record.event() == "expired"),
        "it was to be killed before the end: {settled:#?}"
    );
    first.kill().unwrap();
    for stage in &stages {
        assert_eq!(policies(stage).await.len(), 1, "{}", stage.name);
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

    let [deleted, released, held] = &stages;
    integration::fixtures::wait_gone(&deleted.client, &pods[0])
        .await
        .unwrap();
    // It stays for as long as the pod ends, and goes with it.
    eventually("the policy goes with its pod", async || {
        policies(deleted).await.is_empty().then_some(())
    })
    .await;
    assert!(policies(released).await.is_empty());
    // The ReplicaSet has one pod too many now, and ends this one or another.
    if let Some(live) = released.get(&pods[1]).await {
        assert_eq!(live.labels(), pods[1].labels());
    }
    assert_eq!(policies(held).await.len(), 1);
    assert!(held.get(&pods[2]).await.unwrap().labels().contains_key(LABEL));
    control_plane.stop().await.unwrap();
}
