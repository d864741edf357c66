//! What expressions cost, with the objects that a tenant makes.

use std::fmt::Write;
use std::sync::Arc;

use k8s_openapi::api::core::v1::Pod;
use proptest::prelude::*;
use rstest::rstest;
use serde_json::json;

use super::super::Expression;
use super::{evaluate, snapshot};
use crate::document::Problem;
use crate::playbook::testing::alert;
use crate::snapshot::{Part, Snapshot};

fn problem(source: &str) -> Option<Problem> {
    match Expression::compile(source) {
        Ok(_) => None,
        Err(mut problems) => Some(problems.remove(0)),
    }
}

fn on(pod: serde_json::Value, source: &str) -> Result<bool, String> {
    let expression = Expression::compile(source).unwrap_or_else(|problems| panic!("{problems:?}"));
    expression.evaluate(&alert(json!({})), &world(pod))
}

fn world(pod: serde_json::Value) -> Snapshot {
    let pod: Pod = serde_json::from_value(pod).unwrap();
    Snapshot {
        pod: Part::Found(Arc::new(pod)),
        ..snapshot()
    }
}

/// A pod with as many annotations as its 256 KiB hold.
fn annotated() -> serde_json::Value {
    let annotations: serde_json::Map<_, _> = (0..20_000).map(|n| (format!("a{n}"), json!("abcdef"))).collect();
    json!({
        "metadata": {"name": "web-0", "annotations": annotations},
        "spec": {"containers": [{"name": "a", "image": "i"}]},
    })
}

/// A pod as large as an operator of a database makes it.
fn large() -> serde_json::Value {
    let containers: Vec<_> = (0..20)
        .map(|n| {
            let env: Vec<_> = (0..50).map(|n| json!({"name": format!("KEY_{n}"), "value": "x".repeat(60)})).collect();
            let mounts: Vec<_> = (0..20).map(|n| json!({"name": format!("v{n}"), "mountPath": format!("/data/{n}")})).collect();
            json!({"name": format!("c{n}"), "image": "registry.example.org/team/app:1.0", "env": env, "volumeMounts": mounts})
        })
        .collect();
    json!({"metadata": {"name": "web-0"}, "spec": {"containers": containers}})
}

#[rstest]
#[case::one_after_the_other(
    "pod.spec.containers.filter(c, true).filter(c, true).filter(c, true).filter(c, true).exists(c, true)",
    "an expression has at most 4 loops, at `"
)]
#[case::side_by_side(
    "[1].all(a, true) && [2].all(a, true) && [3].all(a, true) && [4].all(a, true) && [5].all(a, true)",
    "an expression has at most 4 loops, at `"
)]
#[case::nested(
    "pod.spec.containers.all(a, a.ports.all(b, [1].all(c, true)))",
    "loops are nested more than 2 deep, at `"
)]
#[case::a_text_that_grows("pod.spec.containers.exists(c, c.name + c.name == 'aa')", "`+` in a loop can make")]
#[case::a_list_that_grows("pod.spec.containers.map(c, [c] + [c]) == []", "`+` in a loop can make")]
fn an_expression_that_costs_too_much_for_any_object_is_an_error_with_its_place(
    #[case] source: &str,
    #[case] message: &str,
) {
    let problem = problem(source).expect("an error");
    assert!(problem.message.contains(message), "{problem:?}");
    assert!(
        problem.message.contains(", at `") && problem.help.is_some(),
        "{problem:?}"
    );
}

#[rstest]
#[case("pod.spec.containers.filter(c, true).map(c, c.name).filter(n, n == 'a').exists(n, n == 'a')")]
#[case("pod.spec.containers.exists_one(c, c.name == 'a')")]
#[case("size(pod.spec.containers.map(c, c.name) + ['b']) == 2 && 'a' + 'b' == 'ab'")]
#[case("pod.metadata.?name.optMap(n, n + '-1').orValue('') == 'web-0-1'")]
#[case("pod.spec.containers.map(c, c.name == 'a', c.image) == ['i']")]
#[case("{'a': pod.spec.containers}['a'][0].name == 'a' && [?pod.?x, 1] == [1]")]
fn a_cheap_expression_has_its_value(#[case] source: &str) {
    assert_eq!(evaluate(source), Ok(true));
}

#[rstest]
#[case::each_with_each("pod.metadata.annotations.all(a, pod.metadata.annotations.all(b, a != b || a == b))")]
#[case::forgiven_by_or("pod.metadata.annotations.all(a, pod.metadata.annotations.all(b, a != b)) || true")]
#[case::forgiven_by_a_loop("[1, 2].exists(n, n == 2 || pod.metadata.annotations.all(b, pod.metadata != b))")]
#[case::copies_of_the_pod("size(pod.metadata.annotations.map(a, pod)) > 0")]
#[case::a_long_text("pod.metadata.annotations.all(a, !string(alert).matches('(a|b|c|d|e|f)*x') || true)")]
#[case::one_list_searched_by_each("pod.metadata.annotations.all(a, !(a in pod.metadata.annotations.map(b, b)))")]
fn an_expression_that_costs_too_much_for_an_object_is_not_selected_with_the_reason(#[case] source: &str) {
    assert_eq!(
        on(annotated(), source),
        Err("it takes more than 100000 steps for these objects".to_owned())
    );
}

#[rstest]
#[case("pod.spec.containers.all(c, c.env.all(e, e.name != 'TOKEN'))")]
#[case(
    "pod.spec.containers.all(c, c.volumeMounts.all(m, !m.mountPath.startsWith('/var/run'))) && size(pod.spec.containers) == 20"
)]
#[case(
    "!('x' in pod.metadata.annotations) && pod.spec.containers.exists(c, c.image.matches('^registry[.]example[.]org/'))"
)]
fn an_honest_expression_over_a_large_pod_is_evaluated(#[case] source: &str) {
    assert_eq!(on(large(), source), Ok(true));
}

#[test]
fn a_pod_with_all_annotations_that_it_may_have_is_judged_by_what_is_not_an_annotation() {
    assert_eq!(
        on(
            annotated(),
            "pod.metadata.name == 'web-0' && pod.metadata.annotations['a7'] == 'abcdef'"
        ),
        Ok(true)
    );
}

#[test]
fn an_expression_sees_the_first_kilobyte_of_an_annotation() {
    let pod = json!({"metadata": {"name": "web-0", "annotations": {"long": "é".repeat(100_000)}}});
    assert_eq!(on(pod, "size(bytes(pod.metadata.annotations.long)) == 1024"), Ok(true));
}

#[test]
fn a_list_of_optional_values_is_an_error_at_run_time() {
    let error = evaluate("[pod.?spec].exists(s, s.containers.hasValue())").unwrap_err();
    assert!(
        error.contains("use orValue()") || error.contains("with orValue()"),
        "{error}"
    );
}

fn expression() -> impl Strategy<Value = String> {
    let leaf = prop::sample::select(vec![
        "pod",
        "pod.metadata",
        "pod.metadata.annotations",
        "pod.metadata.labels",
        "pod.spec.containers",
        "pod.spec.?x",
        "owner",
        "alert",
        "alert.output_fields",
        "x",
        "1",
        "-9223372036854775808",
        "9223372036854775807",
        "1.5",
        "18446744073709551615u",
        "'a'",
        "b'\\xff'",
        "''",
        "null",
        "true",
        "[]",
        "{}",
    ])
    .prop_map(str::to_owned);
    leaf.prop_recursive(4, 24, 3, |inner| {
        let operators = prop::sample::select(vec!["==", "!=", "<", ">=", "+", "-", "*", "/", "%", "in", "&&", "||"]);
        let calls = prop::sample::select(vec![
            "size",
            "string",
            "bytes",
            "int",
            "uint",
            "double",
            "type",
            "dyn",
            "optional.of",
        ]);
        let methods = prop::sample::select(vec!["contains", "startsWith", "endsWith", "or", "orValue"]);
        let loops = prop::sample::select(vec![
            "all",
            "exists",
            "exists_one",
            "map",
            "filter",
            "optMap",
            "optFlatMap",
        ]);
        let selections = prop::sample::select(vec![
            ".name",
            ".?name",
            "[0]",
            "[?0]",
            "['a']",
            ".annotations",
            ".value()",
        ]);
        prop_oneof![
            (inner.clone(), operators, inner.clone()).prop_map(|(a, op, b)| format!("({a} {op} {b})")),
            (calls, inner.clone()).prop_map(|(call, a)| format!("{call}({a})")),
            (inner.clone(), methods, inner.clone()).prop_map(|(a, call, b)| format!("{a}.{call}({b})")),
            (inner.clone(), loops, inner.clone()).prop_map(|(a, each, b)| format!("{a}.{each}(x, {b})")),
            (inner.clone(), selections).prop_map(|(a, select)| format!("{a}{select}")),
            prop::collection::vec(inner.clone(), 0..4).prop_map(|all| format!("[{}]", all.join(", "))),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("{{'a': {a}, 'b': {b}}}")),
            (inner.clone(), inner.clone(), inner).prop_map(|(a, b, c)| format!("({a} == {b} ? {b} : {c})")),
        ]
    })
}

/// A pod with up to as many parts as the API server lets a tenant make.
fn hostile() -> impl Strategy<Value = serde_json::Value> {
    (0..6_u32, 0..6_u32, prop::sample::select(vec!["x", "\u{202e}", "é", "'", "\\"])).prop_map(|(many, long, unit)| {
        let many = 6_usize.pow(many);
        let text = unit.repeat(6_usize.pow(long));
        let mut name = String::new();
        let annotations: serde_json::Map<_, _> = (0..many)
            .map(|n| {
                name.clear();
                let _ = write!(name, "a{n}");
                (name.clone(), json!(if n == 0 { text.as_str() } else { unit }))
            })
            .collect();
        let containers: Vec<_> = (0..many.min(1_000))
            .map(|n| json!({"name": format!("c{n}"), "image": unit, "args": [if n == 0 { text.as_str() } else { unit }]}))
            .collect();
        json!({
            "metadata": {"name": "web-0", "annotations": annotations, "labels": {"a": "b"}},
            "spec": {"containers": containers},
        })
    })
}

proptest! {
    #![proptest_config(ProptestConfig { max_global_rejects: u32::MAX, ..ProptestConfig::with_cases(
        std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(64)
    ) })]

    /// Ten minutes of it: `PROPTEST_CASES=1000000 timeout 600 cargo test -p responder-core --lib a_hostile_object`.
    #[test]
    fn a_hostile_object_never_ends_an_evaluation_otherwise_than_with_an_answer(source in expression(), pod in hostile()) {
        if let Ok(expression) = Expression::compile(&source) {
            match expression.evaluate(&alert(json!({"output_fields": {"a": "b"}})), &world(pod)) {
                Ok(_) => {}
                Err(error) => prop_assert!(error.len() < 1_500, "{}", error),
            }
        }
    }
}
