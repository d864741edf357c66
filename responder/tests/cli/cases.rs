//! Situations from public reports of Falco's and Falco Talon's users, each with its right decision.

use rstest::rstest;
use serde_json::Value;

use crate::harness::{here, responder};

/// Explains an alert of a case.
fn explained(case: &str, alert: &str, playbooks: &str) -> Value {
    let place = |part: &str| here(&format!("cases/{case}/{part}"));
    let ran = responder(&[
        "explain",
        &place(alert),
        "--simulate",
        &place("cluster"),
        "--playbooks",
        &place(playbooks),
        "--guard",
        &place("guard.yaml"),
        "-o",
        "json",
    ]);
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
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
