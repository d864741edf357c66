//! Alerts of the audit log: a request that was not carried out is no reason to act.

use super::*;

/// A world whose alert reports a request to the pod.
fn world(fields: &Value) -> World {
    let mut world = World::new();
    world.alert["rule"] = json!("EphemeralContainers Created");
    world.alert["source"] = json!("k8s_audit");
    world.alert["output_fields"] = json!({
        "ka.target.resource": "pods", "ka.target.namespace": "web", "ka.target.name": "web-0", "ka.user.name": "mallory",
    });
    for (name, value) in fields.as_object().unwrap() {
        world.alert["output_fields"][name] = value.clone();
    }
    world
}

fn audit(mode_and_steps: &str) -> String {
    playbook(&format!("corroboration: Named\n{mode_and_steps}"))
        .replace("match: {rules: [\"*\"]}", "match: {sources: [k8s_audit]}")
}

const ANNOTATE: &str = "mode: Enforce\nsteps: [{annotate: {annotations: {a: b}}}]";
const QUARANTINE: &str = "mode: Enforce\nsteps: [{quarantine: {ttl: 2h}}]";
const DELETE: &str = "mode: Enforce\nsteps: [{delete: {}}]";

#[rstest]
#[case::forbidden(json!({"ka.response.code": "403"}))]
#[case::failed(json!({"ka.response.code": "422"}))]
#[case::dry_run(json!({"ka.response.code": "200", "ka.uri": "/api/v1/namespaces/web/pods/web-0?dryRun=All"}))]
fn a_denied_failed_or_dry_request_is_no_reason_to_act(
    #[case] fields: Value,
    #[values(ANNOTATE, QUARANTINE, DELETE)] steps: &str,
) {
    assert_eq!(
        world(&fields).refusal(&audit(steps)),
        Some(RefusalReason::NotCarriedOut)
    );
}

#[rstest]
#[case::created(json!({"ka.response.code": "201", "ka.uri": "/api/v1/namespaces/web/pods"}), DELETE, None)]
#[case::a_stream(json!({"ka.response.code": "101"}), DELETE, None)]
#[case::unproven_annotates(json!({}), ANNOTATE, None)]
#[case::unproven_contains(json!({}), QUARANTINE, Some(RefusalReason::OutcomeUnknown))]
#[case::unproven_destroys(json!({"ka.stage": "ResponseStarted"}), DELETE, Some(RefusalReason::OutcomeUnknown))]
fn containing_and_destroying_need_the_success_of_the_request(
    #[case] fields: Value,
    #[case] steps: &str,
    #[case] refusal: Option<RefusalReason>,
) {
    assert_eq!(world(&fields).refusal(&audit(steps)), refusal);
}

/// The first step does not wait for what only its branch needs.
#[rstest]
#[case::unproven(json!({}), true)]
#[case::proven(json!({"ka.response.code": "201", "ka.uri": "/api/v1/namespaces/web/pods"}), false)]
fn a_branch_that_contains_or_destroys_lacks_the_success_of_the_request(
    #[case] fields: Value,
    #[case] lacks: bool,
    #[values("delete: {}", "quarantine: {ttl: 2h}")] branch: &str,
) {
    let steps = format!("mode: Enforce\nsteps: [{{annotate: {{annotations: {{a: b}}}}, otherwise: {{{branch}}}}}]");
    let decision = world(&fields).decide(&audit(&steps));
    let otherwise = plan(&decision).steps[0].otherwise.as_ref().unwrap();
    let is_lacking = matches!(
        otherwise,
        crate::plan::Branch::Lacking(refusal) if refusal.reason == RefusalReason::OutcomeUnknown
    );
    assert_eq!(is_lacking, lacks, "{otherwise:?}");
}

#[test]
fn the_fields_of_an_audit_event_mean_nothing_in_an_alert_of_the_kernel() {
    let mut world = World::new();
    edit(&mut world.alert, "/output_fields/ka.response.code", json!("403"));
    assert_eq!(world.refusal(&delete()), None);
}
