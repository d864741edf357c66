//! A row for each refusal that an alert, a pod or a playbook causes.

use super::*;

#[rstest]
#[case::internal("/source", json!("internal"), RefusalReason::NoTarget)]
#[case::cloud("/source", json!("aws_cloudtrail"), RefusalReason::NoTarget)]
#[case::no_pod("/output_fields", json!({"k8s.ns.name": "web", "k8s.pod.name": null}), RefusalReason::NoTarget)]
#[case::na("/output_fields", json!({"k8s.ns.name": "web", "k8s.pod.name": "<NA>"}), RefusalReason::NoTarget)]
#[case::an_empty_container("/output_fields", json!({"container.id": ""}), RefusalReason::NoTarget)]
#[case::a_container_of_no_pod("/output_fields", json!({"container.id": "cccccccccccc"}), RefusalReason::UnknownContainer)]
#[case::a_path_in_a_name("/output_fields/k8s.pod.name", json!("../../nodes/worker-1"), RefusalReason::NoTarget)]
#[case::host_process("/output_fields/container.id", json!("host"), RefusalReason::HostProcess)]
#[case::kube_system("/output_fields/k8s.ns.name", json!("kube-system"), RefusalReason::Protected)]
#[case::falco("/output_fields/k8s.ns.name", json!("falco"), RefusalReason::Protected)]
#[case::own_namespace("/output_fields/k8s.ns.name", json!("responder"), RefusalReason::Protected)]
#[case::stale("/time", json!("2026-11-24T02:50:00Z"), RefusalReason::Stale)]
#[case::future("/time", json!("2026-11-24T03:10:00Z"), RefusalReason::Future)]
#[case::forged_container("/output_fields/container.id", json!("cccccccccccc"), RefusalReason::Contradicted)]
fn an_alert_with_one_wrong_field_is_refused(
    #[case] pointer: &str,
    #[case] value: Value,
    #[case] expected: RefusalReason,
) {
    let mut world = World::new();
    edit(&mut world.alert, pointer, value);
    assert_eq!(world.refusal(&delete()), Some(expected));
}

#[rstest]
#[case::terminating("/metadata/deletionTimestamp", json!("2026-11-24T03:00:30Z"), RefusalReason::Terminating)]
#[case::completed("/status/phase", json!("Succeeded"), RefusalReason::Completed)]
#[case::mirror("/metadata/annotations", json!({"kubernetes.io/config.mirror": "x"}), RefusalReason::MirrorPod)]
fn a_pod_that_deleting_does_not_help_is_refused(
    #[case] pointer: &str,
    #[case] value: Value,
    #[case] expected: RefusalReason,
) {
    let mut world = World::new();
    edit(world.pod.as_mut().unwrap(), pointer, value);
    assert_eq!(world.refusal(&delete()), Some(expected));
}

#[test]
fn a_pod_that_is_not_there_is_gone() {
    let world = World {
        pod: None,
        ..World::new()
    };
    assert_eq!(world.refusal(&delete()), Some(RefusalReason::TargetGone));
}

#[test]
fn a_part_that_could_not_be_read_is_refused() {
    let world = World::new();
    let sources = [SourceFile {
        file: "p.yaml".into(),
        text: delete(),
    }];
    let loaded = load(&sources, NOW.parse().unwrap()).unwrap();
    let alert = Alert::decode(world.alert.to_string().as_bytes(), &Bounds::default()).unwrap();
    let guard = Guard::built_in();
    let context = Context {
        alert: &alert,
        alert_id: alert.id(),
        sender: None,
        playbook: &loaded.playbooks[0],
        guard: &guard,
        process_mode: Mode::Enforce,
        own: &world.own,
        now: NOW.parse().unwrap(),
    };
    let error = ReadError {
        what: "pod/web/web-0".to_owned(),
        kind: ReadErrorKind::Timeout,
        detail: "10 s".to_owned(),
    };
    assert_eq!(
        reason(&decide(&context, Err(&error), &LedgerView::empty())),
        Some(RefusalReason::Unreadable)
    );
    // A snapshot without any part read refuses too.
    let empty = Snapshot::empty(NOW.parse().unwrap());
    assert_eq!(
        reason(&decide(&context, Ok(&empty), &LedgerView::empty())),
        Some(RefusalReason::Unreadable)
    );
}

#[test]
fn an_exception_refuses_with_its_reason_until_it_expires() {
    let spec = playbook(
        "mode: Enforce\nexcept: [{fields: [{field: proc.name, in: [bash]}], reason: SEC-12, expiresAt: \"2026-11-24T03:00:06Z\"}]\nsteps: [{delete: {}}]",
    );
    let world = World::new();
    assert_eq!(
        reason(&world.decide_at(&spec, "2026-11-24T03:00:05.9Z")),
        Some(RefusalReason::Excepted)
    );
    assert_eq!(reason(&world.decide_at(&spec, NOW)), None);
}

#[test]
fn a_live_match_reads_the_live_object_and_not_the_alerts_claim() {
    let spec = "apiVersion: responder.dev/v1alpha1\nkind: ClusterPlaybook\nmetadata: {name: p}\nspec:\n  description: A test.\n  mode: Enforce\n  match: {rules: [\"*\"], pod: {matchLabels: {team: bank}}}\n  steps: [{delete: {}}]\n";
    assert_eq!(World::new().refusal(spec), Some(RefusalReason::NotSelected));
}

#[test]
fn an_alert_of_another_cluster_is_refused() {
    let mut world = World::new();
    world.guard = "apiVersion: responder.dev/v1alpha1\nkind: Guard\nmetadata: {name: default}\nspec:\n  mode: Enforce\n  cluster: {name: prod-eu-1, field: cluster}\n";
    world.alert["output_fields"]["cluster"] = json!("prod-us-1");
    assert_eq!(world.refusal(&delete()), Some(RefusalReason::ForeignCluster));
    world.alert["output_fields"]["cluster"] = json!("prod-eu-1");
    assert_eq!(world.refusal(&delete()), None);
}
