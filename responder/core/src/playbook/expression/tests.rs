use std::collections::BTreeMap;
use std::sync::Arc;

use k8s_openapi::api::core::v1::{Node, Pod};
use proptest::prelude::*;
use rstest::rstest;
use serde_json::json;

use super::inspect::FUNCTIONS;
use super::{Expression, MAX_LENGTH, Variable};
use crate::custom_kind::CustomKind;
use crate::object::{Kind, Locator, Name, Namespace, ObjectRef, Uid};
use crate::owner::{Controller, CustomOwner, Owner, OwnerChain};
use crate::playbook::testing::alert;
use crate::snapshot::{Part, Snapshot};

fn snapshot() -> Snapshot {
    let mut snapshot = Snapshot::empty("2026-05-01T10:00:01Z".parse().unwrap());
    let pod: Pod = serde_json::from_value(json!({
        "metadata": {"name": "web-0", "annotations": {"note": "x"}},
        "spec": {"containers": [{"name": "a", "image": "i", "ports": [{"containerPort": 80}]}], "priority": 7},
    }))
    .unwrap();
    snapshot.pod = Part::Found(Arc::new(pod));
    snapshot.node = Part::Found(Arc::new(Node {
        spec: Some(k8s_openapi::api::core::v1::NodeSpec::default()),
        ..Node::default()
    }));
    let at = Locator::namespaced(
        Kind::Deployment,
        Namespace::new("web").unwrap(),
        Name::new("web").unwrap(),
    )
    .unwrap();
    let owner = Owner {
        object: ObjectRef {
            at,
            uid: Uid::new("u").unwrap(),
        },
        replicas: Some(3),
        selector: None,
        runs_falco: false,
        labels: BTreeMap::from([("app".to_owned(), "web".to_owned())]),
        annotations: BTreeMap::new(),
    };
    snapshot.owners = Part::Found(OwnerChain {
        owners: vec![Controller::Known(owner)],
        broken: None,
        claimed: Uid::new("u"),
    });
    snapshot
}

fn evaluate(source: &str) -> Result<bool, String> {
    let expression = Expression::compile(source).unwrap_or_else(|problems| panic!("{problems:?}"));
    let alert = alert(
        json!({"output_fields": {"user.uid": 0, "evt.time": 1_700_000_000_123_456_789_i64, "big": u64::MAX, "proc.name": null}}),
    );
    expression.evaluate(&alert, &snapshot())
}

#[rstest]
#[case("pod.metadata.name == 'web-0'")]
#[case("pod.spec.hostNetwork == false && pod.spec.hostPID == false")]
#[case("node.spec.unschedulable == false")]
#[case("'note' in pod.metadata.annotations && !('x' in pod.metadata.labels)")]
#[case("pod.spec.priority > 5 && pod.spec.priority == 7")]
#[case("pod.spec.containers.all(c, c.ports.exists(p, p.containerPort == 80))")]
#[case("owner.kind == 'Deployment' && owner.name == 'web' && owner.replicas == 3 && owner.labels.app == 'web'")]
#[case("alert.rule.startsWith('Terminal') && alert.output_fields['user.uid'] == 0")]
#[case("alert.output_fields['evt.time'] == 1700000000123456789")]
#[case("alert.output_fields['big'] == 18446744073709551615u")]
#[case("alert.output_fields['proc.name'] == null")]
#[case("!has(pod.spec.nodeName) && pod.spec.?nodeName.orValue('none') == 'none'")]
#[case("pod.metadata.name.matches('^web-[0-9]+$') && matches(alert.rule, 'shell')")]
#[case("size(pod.spec.containers) == 1 && type(pod.spec.priority) == int")]
fn an_expression_reads_the_live_objects_and_the_alert(#[case] source: &str) {
    assert_eq!(evaluate(source), Ok(true));
}

#[rstest]
#[case("pod.spec.nodeName == 'x'")]
#[case("pod.spec.priority > 'x'")]
#[case("pod.metadata.name")]
#[case("1 / 0 == 1")]
#[case("pod.spec.containers[5].name == 'a'")]
#[case("namespaceObject.metadata.name == 'web'")]
fn an_expression_that_fails_at_run_time_is_an_error_and_never_true(#[case] source: &str) {
    let error = evaluate(source).unwrap_err();
    assert!(!error.is_empty() && error.len() < 1000, "{error}");
}

#[test]
fn every_function_that_is_let_through_exists() {
    let samples = [
        ("size", "size('a') == 1"),
        ("contains", "'a'.contains('a')"),
        ("startsWith", "'a'.startsWith('a')"),
        ("endsWith", "'a'.endsWith('a')"),
        ("matches", "'a'.matches('a')"),
        ("string", "string(1) == '1'"),
        ("int", "int('1') == 1"),
        ("uint", "uint('1') == 1u"),
        ("double", "double('1') == 1.0"),
        ("bool", "bool('true')"),
        ("bytes", "bytes('a') == b'a'"),
        ("dyn", "dyn(1) == 1"),
        ("type", "type(1) == int"),
        ("hasValue", "!pod.?x.hasValue()"),
        ("value", "pod.?metadata.value().name == 'web-0'"),
        ("or", "pod.?x.or(pod.?metadata).hasValue()"),
        ("orValue", "pod.?x.orValue(true)"),
        ("optMap", "pod.metadata.?name.optMap(n, n == 'web-0').orValue(false)"),
        (
            "optFlatMap",
            "pod.?metadata.optFlatMap(m, m.?name).orValue('') == 'web-0'",
        ),
        ("of", "optional.of(1).hasValue()"),
        ("ofNonZeroValue", "!optional.ofNonZeroValue(0).hasValue()"),
        ("none", "!optional.none().hasValue()"),
    ];
    assert_eq!(samples.map(|(name, _)| name), *FUNCTIONS);
    for (name, sample) in samples {
        assert_eq!(evaluate(sample), Ok(true), "{name}");
    }
}

#[test]
fn the_reserved_word_namespace_is_explained() {
    let problems = Expression::compile("namespace.metadata.name == 'web'").unwrap_err();
    assert_eq!(
        problems[0].help.as_deref(),
        Some("the namespace object is `namespaceObject`")
    );
}

#[rstest]
#[case("((((((((true))))))))", true)]
#[case("(((((((((true)))))))))", false)]
#[case("0+1+2+3+4+5+6+7+8+9+10+11+12+13+14+15+16+17+18+19+20+21+22+23+24 == 300", true)]
#[case(
    "0+1+2+3+4+5+6+7+8+9+10+11+12+13+14+15+16+17+18+19+20+21+22+23+24+25+26+27+28+29+30+31+32+33 == 561",
    false
)]
fn nesting_is_bounded(#[case] source: &str, #[case] compiles: bool) {
    assert_eq!(Expression::compile(source).is_ok(), compiles);
}

#[test]
fn an_expression_needs_only_the_parts_that_it_reads() {
    let expression = Expression::compile("pod.spec.containers.all(node, node.name != '')").unwrap();
    assert!(expression.reads(Variable::Pod) && !expression.reads(Variable::Node));
}

#[test]
fn hostile_expressions_are_answered() {
    for source in [
        "a".repeat(MAX_LENGTH + 1),
        "(".repeat(MAX_LENGTH),
        "!".repeat(MAX_LENGTH),
        "[".repeat(400) + &"]".repeat(400),
        "1+".repeat(490) + "1",
        "pod.".repeat(240) + "x",
        "a?b:".repeat(200) + "c",
        "[1].map(a,".repeat(90) + "a" + &")".repeat(90),
        "f(".repeat(300) + "1" + &")".repeat(300),
        "pod".to_owned() + &"[0]".repeat(300),
        "pod.f()".to_owned() + &".f()".repeat(200),
        "{1:".repeat(100) + "1" + &"}".repeat(100),
        "true&&".repeat(160) + "true",
        "\u{0}\u{202e}\"'".to_owned(),
        "'".to_owned() + &"\\".repeat(900),
    ] {
        match Expression::compile(&source) {
            Ok(expression) => drop(expression.evaluate(&alert(json!({})), &snapshot())),
            Err(problems) => assert!(problems.iter().all(|problem| problem.message.len() < 1200)),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_an_expression_or_a_problem(source in "[a-c().,'\"\\[\\]{}?:&|=!<>+*/%0-9 -]{0,30}") {
        if let Ok(expression) = Expression::compile(&source) {
            let _ = expression.evaluate(&alert(json!({})), &snapshot());
        }
    }
}

mod cost;

#[rstest]
#[case(
    "owner.kind == 'StatefulSet.apps.kruise.io' && owner.name == 'web' && owner.replicas == 3 && owner.labels.app == 'web'",
    true
)]
#[case("owner.kind == 'StatefulSet'", false)]
fn an_owner_of_a_custom_kind_is_not_taken_for_one_of_kubernetes_own(#[case] source: &str, #[case] holds: bool) {
    let mut snapshot = snapshot();
    let owner = CustomOwner {
        kind: CustomKind::new("apps.kruise.io/v1beta1", "StatefulSet").unwrap(),
        namespace: Namespace::new("web"),
        name: Name::new("web").unwrap(),
        uid: Uid::new("u").unwrap(),
        replicas: Ok(3),
        labels: BTreeMap::from([("app".to_owned(), "web".to_owned())]),
        annotations: BTreeMap::new(),
    };
    snapshot.owners = Part::Found(OwnerChain {
        owners: vec![Controller::Custom(owner)],
        broken: None,
        claimed: Uid::new("u"),
    });
    let expression = Expression::compile(source).unwrap();
    assert_eq!(expression.evaluate(&alert(json!({})), &snapshot), Ok(holds));
}
