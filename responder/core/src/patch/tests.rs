//! The uses of a list of changes.

use rstest::rstest;
use serde_json::json;

use super::*;
use crate::object::{Locator, Name, Namespace, Uid};

const UNSCHEDULABLE: SpecField = SpecField {
    name: "unschedulable",
    absent: Scalar::Bool(false),
};

fn target() -> ObjectRef {
    let (namespace, name) = (Namespace::new("web").unwrap(), Name::new("web-0").unwrap());
    ObjectRef {
        at: Locator::pod(namespace, name),
        uid: Uid::new("1d3a").unwrap(),
    }
}

fn owned(text: &str) -> String {
    text.to_owned()
}

/// A replaced label, a removed label, a new annotation and a cordon.
fn everything_plain() -> Patch {
    Patch::new(vec![
        Entry::label("app", Some(owned("caught")), Some(owned("web"))).into(),
        Entry::label("example.org/team", None, Some(owned("shop"))).into(),
        Entry::annotation("responder.dev/by", Some(owned("p/abc")), None).into(),
        UNSCHEDULABLE.change(Scalar::Bool(true), Scalar::Bool(false)).into(),
    ])
}

fn as_before() -> Value {
    json!({"metadata": {"labels": {"app": "web", "example.org/team": "shop"}}, "spec": {}})
}

fn as_left() -> Value {
    json!({
        "metadata": {"labels": {"app": "caught"}, "annotations": {"responder.dev/by": "p/abc"}},
        "spec": {"unschedulable": true},
    })
}

fn taint(value: &str) -> TaintChange {
    TaintChange::added(Taint {
        key: "responder.dev/incident".to_owned(),
        value: value.to_owned(),
        effect: TaintEffect::NoSchedule,
    })
}

fn tainted(taints: &Value) -> Value {
    json!({"metadata": {"resourceVersion": "7"}, "spec": {"taints": taints}})
}

fn ours(value: &str) -> Value {
    json!({"key": "responder.dev/incident", "value": value, "effect": "NoSchedule"})
}

fn foreign() -> Value {
    json!({"key": "example.org/gpu", "effect": "NoSchedule", "timeAdded": "2026-11-24T03:00:00Z"})
}

#[test]
fn every_patch_carries_the_uid_of_its_target() {
    let patch = Patch::new(vec![Entry::label("app", None, Some(owned("web"))).into()]);
    assert_eq!(
        patch.body(&target()),
        json!({"metadata": {"uid": "1d3a", "labels": {"app": null}}})
    );
}

#[test]
fn the_body_has_every_change_at_its_path() {
    assert_eq!(
        everything_plain().body(&target()),
        json!({
            "metadata": {
                "uid": "1d3a",
                "labels": {"app": "caught", "example.org/team": null},
                "annotations": {"responder.dev/by": "p/abc"},
            },
            "spec": {"unschedulable": true},
        })
    );
}

#[test]
fn a_patch_and_its_undo_are_readable() {
    insta::assert_snapshot!(everything_plain(), @"[label app=caught, label example.org/team removed, annotation responder.dev/by=p/abc, spec.unschedulable=true]");
    insta::assert_snapshot!(everything_plain().reversed(), @"[label app=web, label example.org/team=shop, annotation responder.dev/by removed, spec.unschedulable=false]");
}

#[test]
fn a_patch_is_serialized_with_the_values_from_before() {
    let patch = Patch::against(
        vec![
            Entry::label("app", Some(owned("caught")), Some(owned("web"))).into(),
            taint("abc").into(),
        ],
        &tainted(&json!([foreign()])),
    );
    insta::assert_yaml_snapshot!(patch.unwrap());
}

#[test]
fn an_object_as_patched_has_no_differences() {
    assert_eq!(everything_plain().differences(&as_left()), [""; 0]);
    assert_eq!(
        everything_plain().differences(&as_before()),
        [
            "label app",
            "label example.org/team",
            "annotation responder.dev/by",
            "spec.unschedulable"
        ]
    );
}

#[test]
fn an_object_as_patched_is_restored_completely() {
    let restorable = everything_plain().restorable(&as_left());
    assert_eq!(restorable.changes, everything_plain().reversed().changes());
    assert_eq!(restorable.others, [""; 0]);
}

#[test]
fn an_object_as_before_needs_no_restore() {
    let restorable = everything_plain().restorable(&as_before());
    assert_eq!((restorable.changes, restorable.others), (vec![], vec![]));
}

#[rstest]
#[case::a_label("/metadata/labels/app", json!("bank"), "label app")]
#[case::an_annotation("/metadata/annotations/responder.dev~1by", json!("sre/x"), "annotation responder.dev/by")]
fn a_change_of_another_writer_stays_and_so_does_the_plain_value_beside_it(
    #[case] pointer: &str,
    #[case] value: Value,
    #[case] path: &str,
) {
    let mut live = as_left();
    *live.pointer_mut(pointer).unwrap() = value;
    let restorable = everything_plain().restorable(&live);
    assert_eq!(restorable.others, [path, "spec.unschedulable"]);
    assert_eq!(restorable.changes.len(), 2);
}

#[test]
fn a_plain_value_that_another_writer_has_restored_needs_no_restore() {
    let mut live = as_left();
    live["spec"] = json!({});
    let restorable = everything_plain().restorable(&live);
    assert_eq!((restorable.changes.len(), restorable.others), (3, vec![]));
}

#[test]
fn a_patch_without_a_list_needs_no_version() {
    let live = json!({"metadata": {"resourceVersion": "7"}});
    let patch = Patch::against(everything_plain().changes().to_vec(), &live).unwrap();
    assert_eq!(patch.resource_version(), None);
    assert_eq!(patch.at_version_of(&live).resource_version(), Some("7"));
}

#[test]
fn a_taint_is_added_to_the_others_at_the_version_that_was_read() {
    let patch = Patch::against(vec![taint("abc").into()], &tainted(&json!([foreign()]))).unwrap();
    assert_eq!(
        patch.body(&target()),
        json!({
            "metadata": {"uid": "1d3a", "resourceVersion": "7"},
            "spec": {"taints": [foreign(), ours("abc")]},
        })
    );
}

#[test]
fn a_taint_that_was_not_computed_for_a_node_writes_no_list() {
    let body = Patch::new(vec![taint("abc").into()]).body(&target());
    assert!(body.get("spec").is_none(), "{body}");
}

#[test]
fn a_list_is_not_replaced_without_a_resource_version() {
    let live = json!({"spec": {"taints": [foreign()]}});
    let patch = Patch::against(vec![taint("abc").into()], &live);
    assert_eq!(patch, Err(PatchProblem::Unversioned));
}

#[test]
fn a_taint_of_another_incident_is_not_overwritten() {
    let patch = Patch::against(vec![taint("abc").into()], &tainted(&json!([ours("other")])));
    let Err(PatchProblem::Occupied(problem)) = patch else {
        panic!("{patch:?}")
    };
    assert_eq!(problem.path, "taint responder.dev/incident:NoSchedule");
}

#[test]
fn an_existing_taint_keeps_its_position() {
    let taints = json!([ours("abc"), foreign()]);
    let patch = Patch::against(vec![taint("abc").into()], &tainted(&taints)).unwrap();
    assert_eq!(patch.body(&target())["spec"]["taints"], taints);
}

#[rstest]
#[case::alone(json!([ours("abc")]), Value::Null)]
#[case::beside_others(json!([foreign(), ours("abc")]), json!([foreign()]))]
#[case::beside_another_effect(
    json!([{"key": "responder.dev/incident", "value": "abc", "effect": "NoExecute"}, ours("abc")]),
    json!([{"key": "responder.dev/incident", "value": "abc", "effect": "NoExecute"}])
)]
fn only_our_taint_is_removed(#[case] taints: Value, #[case] left: Value) {
    let live = tainted(&taints);
    let restorable = Patch::new(vec![taint("abc").into()]).restorable(&live);
    assert_eq!(restorable.others, [""; 0]);
    let patch = Patch::against(restorable.changes, &live).unwrap();
    assert_eq!(patch.body(&target())["spec"], json!({"taints": left}));
    assert_eq!(
        patch.to_string(),
        "[taint responder.dev/incident=abc:NoSchedule removed]"
    );
}

#[rstest]
#[case::replaced(json!([ours("other")]), &["taint responder.dev/incident:NoSchedule"])]
#[case::taken_away(json!([foreign()]), &[])]
#[case::no_taints(Value::Null, &[])]
fn a_taint_of_another_writer_stays(#[case] taints: Value, #[case] others: &[&str]) {
    let restorable = Patch::new(vec![taint("abc").into()]).restorable(&tainted(&taints));
    assert_eq!(
        (restorable.changes, restorable.others),
        (vec![], others.iter().map(ToString::to_string).collect())
    );
}

#[test]
fn alert_text_in_a_value_is_escaped() {
    let patch = Patch::new(vec![Entry::annotation("a", Some(owned("\u{1b}[2J")), None).into()]);
    assert_eq!(patch.to_string(), "[annotation a=\\u{1b}[2J]");
}
