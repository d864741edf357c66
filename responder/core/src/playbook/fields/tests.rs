use proptest::prelude::*;
use rstest::rstest;
use serde_json::{Value, json};

use super::Number;
use crate::playbook::testing::{alert, field, playbook};

/// Whether a predicate over the field `x`, which has no known type, holds for this value.
fn holds(predicate: &str, value: Value) -> bool {
    playbook(&format!("{{fields: [{{field: x, {predicate}}}]}}"))
        .alert_match
        .matches(&field("x", value))
}

/// A text as falcosidekick cuts it: 507 bytes and the mark.
fn cut(beginning: &str) -> Value {
    Value::String(format!("{beginning:a<507}[...]"))
}

const POSITIVE: &[&str] = &[
    "equals: bash",
    "in: [bash]",
    "startsWith: b",
    "endsWith: h",
    "contains: as",
    "glob: '*'",
    "matches: '.'",
    "inCidr: 0.0.0.0/0",
    "lt: 9",
    "le: 9",
    "gt: -9",
    "ge: -9",
    "exists: true",
];
const NEGATIVE: &[&str] = &[
    "notEquals: zsh",
    "notIn: [zsh]",
    "notGlob: 'z*'",
    "notInCidr: 10.0.0.0/8",
];

#[test]
fn a_missing_or_null_field_satisfies_nothing_but_its_absence() {
    for predicate in POSITIVE.iter().chain(NEGATIVE) {
        assert!(!holds(predicate, Value::Null), "{predicate} of null");
        let asked = playbook(&format!("{{fields: [{{field: x, {predicate}}}]}}"));
        assert!(!asked.alert_match.matches(&alert(json!({}))), "{predicate} of nothing");
    }
    assert!(holds("exists: false", Value::Null));
    assert!(
        playbook("{fields: [{field: x, exists: false}]}")
            .alert_match
            .matches(&alert(json!({})))
    );
    assert!(!holds("exists: false", json!("")));
}

#[rstest]
#[case("equals: bash", json!("bash"), true)]
#[case("equals: bash", json!("Bash"), false)]
#[case("equals: 0", json!(0), true)]
#[case("equals: 0", json!(0.0), true)]
#[case("equals: 18446744073709551615", json!(u64::MAX), true)]
#[case("equals: 18446744073709551615", json!(u64::MAX - 1), false)]
#[case("equals: 9007199254740993", json!(9_007_199_254_740_992_u64), false)]
#[case("equals: true", json!(true), true)]
#[case("notEquals: true", json!(false), true)]
#[case("in: [bash, sh]", json!("sh"), true)]
#[case("notIn: [bash, sh]", json!("sh"), false)]
#[case("notIn: [bash, sh]", json!("zsh"), true)]
#[case("in: [1, a]", json!("a"), true)]
#[case("notIn: [1, a]", json!("b"), true)]
#[case("startsWith: [/tmp/, /dev/shm/]", json!("/dev/shm/x"), true)]
#[case("endsWith: .so", json!("/lib/x.so"), true)]
#[case("contains: curl", json!("sh -c curl x"), true)]
#[case("glob: /etc/*", json!("/etc/ssl/x"), true)]
#[case("glob: /etc/?", json!("/etc/xy"), false)]
#[case("glob: '{curl,wget} *'", json!("wget x"), true)]
#[case("notGlob: [/usr/*, /bin/*]", json!("/tmp/x"), true)]
#[case("notGlob: [/usr/*, /bin/*]", json!("/bin/x"), false)]
#[case("matches: '^sh -c (curl|wget) '", json!("sh -c wget x"), true)]
#[case("matches: '^sh -c (curl|wget) '", json!("bash -c wget x"), false)]
#[case("inCidr: [10.0.0.0/8, \"fd00::/8\"]", json!("10.1.2.3"), true)]
#[case("inCidr: [10.0.0.0/8, \"fd00::/8\"]", json!("fd12::1"), true)]
#[case("inCidr: 10.0.0.0/8", json!("::ffff:10.1.2.3"), true)]
#[case("notInCidr: 10.0.0.0/8", json!("8.8.8.8"), true)]
#[case("notInCidr: 10.0.0.0/8", json!("10.0.0.1"), false)]
#[case("notInCidr: 10.0.0.0/8", json!("not an address"), false)]
#[case("lt: 1.5", json!(1), true)]
#[case("ge: 1024, lt: 65535", json!(1024), true)]
#[case("ge: 1024, lt: 65535", json!(65535), false)]
#[case("le: -1", json!(-1), true)]
#[case("gt: 0", json!(0.5), true)]
fn an_operator_means_what_it_says(#[case] predicate: &str, #[case] value: Value, #[case] expected: bool) {
    assert_eq!(holds(predicate, value), expected);
}

#[rstest]
#[case("equals: 5", json!("5"))]
#[case("notEquals: 5", json!("5"))]
#[case("notEquals: a", json!(5))]
#[case("notIn: [a]", json!(true))]
#[case("gt: 1", json!("5"))]
#[case("startsWith: a", json!(5))]
#[case("notGlob: a", json!(5))]
fn a_value_of_another_type_satisfies_neither_an_operator_nor_its_opposite(
    #[case] predicate: &str,
    #[case] value: Value,
) {
    assert!(!holds(predicate, value));
}

#[rstest]
#[case("equals: b", json!(["a", "b"]), true)]
#[case("in: [x, y]", json!(["a", "b"]), false)]
#[case("glob: 'nginx:*'", json!(["redis:7", "nginx:1"]), true)]
#[case("notIn: [a]", json!(["a", "b"]), false)]
#[case("notIn: [c]", json!(["a", "b"]), true)]
#[case("notGlob: 'trusted/*'", json!(["trusted/a", "other/b"]), false)]
#[case("notIn: [c]", json!(["a", null]), false)]
#[case("in: [c]", json!([]), false)]
#[case("notIn: [c]", json!([]), false)]
#[case("exists: true", json!([]), true)]
fn of_a_list_one_element_must_satisfy_and_every_one_not_contradict(
    #[case] predicate: &str,
    #[case] value: Value,
    #[case] expected: bool,
) {
    assert_eq!(holds(predicate, value), expected);
}

#[rstest]
// The lost part can't change these.
#[case("startsWith: 'curl '", "curl ", true)]
#[case("contains: evil", "x evil ", true)]
#[case("glob: 'curl *'", "curl ", true)]
#[case("matches: '^curl (http|ftp)'", "curl http", true)]
#[case("notEquals: curl", "curl", true)]
#[case("notIn: [curl, wget]", "curl", true)]
#[case("notGlob: '/usr/*'", "/tmp/", true)]
// These depend on the lost part.
#[case("endsWith: a", "curl", false)]
#[case("endsWith: ']'", "curl", false)]
#[case("contains: '[...]'", "curl", false)]
#[case("glob: '*]'", "curl", false)]
#[case("matches: 'a$'", "curl", false)]
#[case("notGlob: '*.so'", "curl", false)]
#[case("notGlob: 'curl*'", "curl", false)]
#[case("exists: true", "", true)]
fn a_cut_text_is_judged_by_what_is_left_of_it(
    #[case] predicate: &str,
    #[case] beginning: &str,
    #[case] expected: bool,
) {
    assert_eq!(holds(predicate, cut(beginning)), expected);
}

#[test]
fn a_cut_value_never_equals_anything() {
    let Value::String(text) = cut("curl") else {
        panic!("a text")
    };
    let whole = format!("{}{}", text.trim_end_matches("[...]"), "x".repeat(100));
    for literal in [text.as_str(), text.trim_end_matches("[...]"), whole.as_str()] {
        assert!(!holds(&format!("equals: '{literal}'"), cut("curl")), "{literal}");
        assert!(!holds(&format!("in: ['{literal}']"), cut("curl")), "{literal}");
    }
    // `whole` may be the text before the cut, so the two do not certainly differ.
    assert!(!holds(&format!("notEquals: '{whole}'"), cut("curl")));
}

#[test]
fn operators_in_one_object_must_all_hold() {
    let both = "{fields: [{field: x, startsWith: a, endsWith: z}]}";
    assert!(playbook(both).alert_match.matches(&field("x", json!("a-z"))));
    assert!(!playbook(both).alert_match.matches(&field("x", json!("a-y"))));
}

proptest! {
    #[test]
    fn no_operator_holds_together_with_its_opposite(text in "[a-c.*]{0,6}|[0-9]{1,3}\\.0\\.0\\.1", number in any::<i64>(), pick in 0_u8..4) {
        let value = match pick {
            0 => json!(text),
            1 => json!(number),
            2 => json!([text, number]),
            _ => json!(f64::from(i16::try_from(number % 1000).unwrap_or_default()) / 2.0),
        };
        for (positive, negative) in [
            ("equals: a", "notEquals: a"), ("in: [a, b]", "notIn: [a, b]"), ("glob: 'a*'", "notGlob: 'a*'"),
            ("inCidr: 10.0.0.0/8", "notInCidr: 10.0.0.0/8"), ("equals: 5", "notEquals: 5"),
        ] {
            prop_assert!(!(holds(positive, value.clone()) && holds(negative, value.clone())), "{} {}", positive, value);
        }
    }

    #[test]
    fn numbers_compare_exactly_and_one_way(one in any::<i64>(), small in any::<i32>(), other in any::<f64>().prop_filter("finite", |float| float.is_finite())) {
        let fraction = Number::Fraction(other);
        for whole in [one, i64::from(small)] {
            let whole = Number::Whole(whole.into());
            prop_assert_eq!(whole.compare(fraction), fraction.compare(whole).reverse());
        }
        let near = f64::from(small) + (other / 1e300).fract() / 2.0;
        prop_assert_eq!(Number::Whole(small.into()).compare(Number::Fraction(near)), f64::from(small).partial_cmp(&near).unwrap());
        prop_assert_eq!(Number::Whole(small.into()).compare(Number::Fraction(other)), f64::from(small).partial_cmp(&other).unwrap());
    }
}
