//! Situations from public reports of Falco's and Falco Talon's users, each with its right decision.

use rstest::rstest;
use serde_json::Value;

use crate::harness::{here, responder};

/// Explains an alert of a case.
fn explained(case: &str, alert: &str, playbooks: &str) -> Value {
    let playbooks = here(&format!("cases/{case}/{playbooks}"));
    explained_under("guard.yaml", case, alert, &playbooks)
}

/// Explains an alert of a case under this guard of it, with the playbooks at this path.
fn explained_under(guard: &str, case: &str, alert: &str, playbooks: &str) -> Value {
    explained_on("cluster", guard, case, alert, playbooks)
}

/// The first step of the plan for the alert of a case on this cluster of it.
fn step_on(cluster: &str, case: &str, playbooks: &str) -> Value {
    let playbooks = here(&format!("cases/{case}/{playbooks}"));
    let explained = explained_on(cluster, "guard.yaml", case, "alert.json", &playbooks);
    explained["playbooks"][0]["decision"]["outcome"]["act"]["plan"]["steps"][0].clone()
}

fn explained_on(cluster: &str, guard: &str, case: &str, alert: &str, playbooks: &str) -> Value {
    let place = |part: &str| here(&format!("cases/{case}/{part}"));
    let ran = responder(&[
        "explain",
        &place(alert),
        "--simulate",
        &place(cluster),
        "--playbooks",
        playbooks,
        "--guard",
        &place(guard),
        "-o",
        "json",
    ]);
    // Warnings about playbooks and guard go to standard error.
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    ran.json()
}

/// The outcome of the only playbook: `act`, or the reason of the refusal.
fn outcome(explained: &Value) -> String {
    let outcome = &explained["playbooks"][0]["decision"]["outcome"];
    if outcome["act"].is_object() {
        return "act".to_owned();
    }
    let reason = &outcome["refuse"]["reason"];
    reason.as_str().map_or_else(|| explained.to_string(), str::to_owned)
}

/// Source: falcosecurity/plugins #851, falcosecurity/falco #3257. The pod's spec names `nginx:1.27`, its status
/// `docker.io/library/nginx:1.27`.
#[rstest]
#[case::of_an_exception("playbooks", "Excepted")]
#[case::of_the_match("pb-not", "NotSelected")]
fn an_image_is_spared_by_its_full_name(#[case] playbooks: &str, #[case] expected: &str) {
    assert_eq!(
        outcome(&explained("short-image-names", "alert.json", playbooks)),
        expected
    );
}

/// Source: falcosecurity/falco #629, falcosecurity/falco-exporter #44, falcosecurity/plugins #514,
/// falcosecurity/falco-website #1259.
#[rstest]
#[case::by_name_alone("name-only.json", "Uncorroborated")]
#[case::by_uid("uid-only.json", "act")]
#[case::by_uid_after_two_restarts("old-run.json", "act")]
#[case::by_the_name_that_dockershim_gives("shim.json", "act")]
#[case::by_the_fields_of_k8smeta("smeta.json", "act")]
fn a_pod_is_deleted_by_its_uid_or_its_container_and_never_by_its_name(#[case] alert: &str, #[case] expected: &str) {
    assert_eq!(outcome(&explained("weak-identities", alert, "playbooks")), expected);
}

/// Source: falcosecurity/falco #2315, #2530, #1726; falcosecurity/falcosidekick #469.
#[rstest]
#[case::the_label_of_a_node_with_a_longer_name("alert.json", "act")]
#[case::in_capitals("upper.json", "act")]
#[case::the_id_of_falcos_container("docker.json", "UnknownHost")]
#[case::none("nohost.json", "NoTarget")]
fn a_host_is_found_by_the_hostname_that_falco_reports(#[case] alert: &str, #[case] expected: &str) {
    assert_eq!(outcome(&explained("hostname-forms", alert, "playbooks")), expected);
}

/// Source: falcosecurity/falco #3256, #3243, #2973, #1911, #3533; kubernetes/kubernetes #106238.
#[rstest]
#[case::of_a_pod_on_the_alerts_node("alert.json", "act")]
#[case::empty("empty-id.json", "NoTarget")]
fn a_pod_is_found_by_the_id_of_its_container_alone(#[case] alert: &str, #[case] expected: &str) {
    assert_eq!(outcome(&explained("container-id-alone", alert, "playbooks")), expected);
}

/// Source: mikkeloscar/pdb-controller #111, actions/actions-runner-controller #4493, kubernetes/kubernetes #139582. The scale
/// of each kind is as in its definition:
/// <https://github.com/argoproj/argo-rollouts/blob/master/manifests/crds/rollout-crd.yaml>,
/// <https://github.com/openkruise/kruise/blob/master/apis/apps/v1alpha1/cloneset_types.go>,
/// <https://github.com/cloudnative-pg/cloudnative-pg/blob/main/config/crd/bases/postgresql.cnpg.io_clusters.yaml>,
/// <https://github.com/strimzi/strimzi-kafka-operator/blob/main/install/cluster-operator/042-Crd-strimzipodset.yaml>; the
/// cluster does not serve the kind of the runner.
#[rstest]
#[case::a_rollout("alert.json", "0 of 2 targets under its owner in 5m")]
#[case::a_clone_set("clone.json", "0 of 3 targets under its owner in 5m")]
#[case::a_cluster_of_postgres("cnpg.json", "0 of 2 targets under its owner in 5m")]
#[case::a_set_without_a_scale(
    "strimzi.json",
    "0 of 1 targets under its owner in 5m; a percentage of its owner can't be counted, since a StrimziPodSet.core.strimzi.io has no scale"
)]
#[case::a_runner(
    "runner.json",
    "0 of 1 targets under its owner in 5m; a percentage of its owner can't be counted, since the EphemeralRunner runner-x is of a kind that the cluster does not serve"
)]
fn a_pod_of_a_custom_controller_is_answered_and_counted_like_others(#[case] alert: &str, #[case] counted: &str) {
    let explained = explained_under(
        "guard-half.yaml",
        CUSTOM,
        alert,
        &here(&format!("cases/{CUSTOM}/playbooks")),
    );
    assert_eq!(outcome(&explained), "act");
    let checks = explained["playbooks"][0]["decision"]["trace"].as_array();
    let mut checks = checks.unwrap().iter().filter_map(|check| check["detail"].as_str());
    assert!(checks.any(|detail| detail.starts_with(counted)), "{explained:#}");
}

const CUSTOM: &str = "custom-controllers";

#[rstest]
fn every_response_to_a_pod_of_a_custom_controller_acts(
    #[values("alert.json", "runner.json", "clone.json", "cnpg.json", "strimzi.json")] alert: &str,
    #[values("playbooks", "pb-cut", "pb-label")] playbooks: &str,
) {
    assert_eq!(outcome(&explained(CUSTOM, alert, playbooks)), "act");
}

#[rstest]
#[case::a_change_of_the_controller("pb-label", true)]
#[case::a_deletion_of_the_pod("playbooks", false)]
#[case::a_quarantine_of_the_pod("pb-cut", false)]
fn only_a_change_of_a_custom_controller_itself_is_an_obstacle(#[case] playbooks: &str, #[case] is_one: bool) {
    for alert in ["alert.json", "runner.json"] {
        let explained = explained(CUSTOM, alert, playbooks);
        let step = &explained["playbooks"][0]["decision"]["outcome"]["act"]["plan"]["steps"][0];
        assert_eq!(step["obstacle"]["kind"] == "OwnerUnknown", is_one, "{step:#}");
        assert_eq!(step["obstacle"].is_object(), is_one, "{step:#}");
    }
}

#[test]
fn the_library_acts_on_a_pod_of_a_custom_controller() {
    let explained = explained_under("guard-plain.yaml", CUSTOM, "library.json", "charts/responder/library");
    let all = explained["playbooks"].as_array().unwrap();
    let matched: Vec<&Value> = all.iter().filter(|playbook| playbook["matched"] == true).collect();
    assert!(!matched.is_empty(), "{explained:#}");
    for playbook in matched {
        assert!(playbook["decision"]["outcome"]["act"].is_object(), "{playbook:#}");
    }
}

/// The cluster has the Rollout; of the runner it has only the pod's word.
#[rstest]
#[case::believed("alert.json", "Protected")]
#[case::not_believed("runner.json", "act")]
fn a_protected_owner_protects_its_believed_pods(#[case] alert: &str, #[case] expected: &str) {
    let playbooks = here(&format!("cases/{CUSTOM}/playbooks"));
    let explained = explained_under("guard-protect.yaml", CUSTOM, alert, &playbooks);
    assert_eq!(outcome(&explained), expected);
}

/// Source: projectcalico/calico #5940 and #9292, cilium/cilium #41894. Calico's DaemonSet runs in all three clusters.
#[rstest]
#[case::of_calico("cluster-calico", "GlobalNetworkPolicy default-allow")]
#[case::of_cilium("cluster-cilium", "CiliumNetworkPolicy allow-all")]
#[case::of_the_administrator("cluster-anp", "AdminNetworkPolicy allow-all")]
fn a_policy_that_comes_before_network_policies_is_named(#[case] cluster: &str, #[case] policy: &str) {
    let step = step_on(cluster, "engine-policies", "playbooks");
    let told = [&step["obstacle"]["detail"], &step["isolation"]["leaks"]]
        .map(Value::to_string)
        .concat();
    assert!(told.contains(policy) && told.contains("gress"), "{step:#}");
}

/// Source: ahmetb/kubernetes-network-policy-recipes #6, cloudnativelabs/kube-router #326.
#[rstest]
#[case::but_for_one_address("cluster-except", "playbooks", Some("would isolate nothing"))]
#[case::in_two_halves("cluster-halves", "playbooks", Some("would isolate nothing"))]
#[case::egress_alone("cluster-egress", "playbooks", None)]
#[case::egress_where_it_must_be_isolated("cluster-egress", "pb-require", Some("requires that egress of"))]
fn a_quarantine_that_leaves_the_way_out_open_is_an_obstacle(
    #[case] cluster: &str,
    #[case] playbooks: &str,
    #[case] obstacle: Option<&str>,
) {
    let step = step_on(cluster, "almost-everything-allowed", playbooks);
    let detail = step["obstacle"]["detail"].as_str();
    match obstacle {
        Some(part) => assert!(detail.is_some_and(|detail| detail.contains(part)), "{step:#}"),
        None => assert_eq!(detail, None, "{step:#}"),
    }
    if playbooks == "pb-require" {
        assert_eq!(step["otherwise"]["planned"]["action"], "delete", "{step:#}");
    }
}

/// Source: argoproj/argo-rollouts #908, ansible-collections/kubernetes.core #474.
#[test]
fn an_eviction_that_becomes_a_deletion_is_written_as_one_step() {
    let check = |playbooks: &str| responder(&["check", &here(&format!("cases/evict-else-delete/{playbooks}"))]);
    let in_a_row = check("playbooks");
    assert_ne!(in_a_row.code, 0);
    assert!(in_a_row.stderr.contains("otherwise"), "{}", in_a_row.stderr);
    let as_one = check("pb-otherwise");
    assert_eq!(as_one.code, 0, "{}", as_one.stderr);
    let step = step_on("cluster-pdb", "evict-else-delete", "pb-otherwise");
    let actions = [&step["action"], &step["otherwise"]["planned"]["action"]];
    assert_eq!(actions, ["evict", "delete"]);
}

/// Source: falcosecurity/falco #629 and #2590. The sensor is recognised by its DaemonSet in a namespace of any name; what runs
/// beside it is protected where the guard says so.
#[rstest]
#[case::the_sensor("guard.yaml", "alert.json", "pb-cut", "Protected")]
#[case::its_relay("guard.yaml", "sidekick.json", "pb-kill", "act")]
#[case::the_host_that_it_names("guard.yaml", "host.json", "pb-node", "act")]
#[case::a_tenants_image_of_falco("guard.yaml", "fake.json", "pb-cut", "act")]
#[case::the_host_that_a_tenants_image_names("guard.yaml", "fake-host.json", "pb-node", "UnknownHost")]
#[case::the_sensor_by_the_guard("guard-sensors.yaml", "alert.json", "pb-cut", "Protected")]
#[case::its_relay_by_the_guard("guard-sensors.yaml", "sidekick.json", "pb-kill", "Protected")]
#[case::the_host_that_it_names_by_the_guard("guard-sensors.yaml", "host.json", "pb-node", "act")]
fn falco_is_protected_and_names_its_node_in_any_namespace(
    #[case] guard: &str,
    #[case] alert: &str,
    #[case] playbooks: &str,
    #[case] expected: &str,
) {
    let playbooks = here(&format!("cases/{FALCO}/{playbooks}"));
    assert_eq!(outcome(&explained_under(guard, FALCO, alert, &playbooks)), expected);
}

const FALCO: &str = "falco-in-another-namespace";

/// The relay of the alerts is not protected by its image, which every author of pods can write.
#[test]
fn a_relay_beside_falco_is_noted_with_the_line_of_the_guard_that_protects_it() {
    let explained = explained(FALCO, "sidekick.json", "pb-kill");
    let line = "write `sensors: {namespaces: [security]}` into the guard";
    assert!(explained.to_string().contains(line), "{explained:#}");
}

/// Kyverno, cert-manager and metrics-server, each installed in a namespace of another name than usual.
#[rstest]
#[case::of_a_validating_webhook("policy-engine.json", "Protected")]
#[case::of_a_mutating_webhook("pki.json", "Protected")]
#[case::of_an_aggregated_api("measures.json", "Protected")]
#[case::of_none("shop.json", "act")]
fn a_namespace_that_the_api_server_calls_is_protected(#[case] alert: &str, #[case] expected: &str) {
    let case = "what-the-api-server-calls";
    assert_eq!(outcome(&explained(case, alert, "playbooks")), expected);
}
