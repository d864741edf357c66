//! Bodies that are not alerts: each ends in an error that a reader can act on.

use std::collections::BTreeSet;

use insta::assert_snapshot;
use rstest::rstest;

use crate::alert::{Alert, Bounds, DecodeError, Position};

fn refused(body: impl AsRef<[u8]>) -> DecodeError {
    Alert::decode(body.as_ref(), &Bounds::default()).unwrap_err()
}

/// An alert with these output fields (their JSON, without the braces).
fn fields(fields: &str) -> String {
    format!(r#"{{"rule":"r","priority":"Debug","time":"2023-05-10T14:09:24Z","output_fields":{{{fields}}}}}"#)
}

/// An alert with one more top-level key.
fn with(more: &str) -> String {
    format!(r#"{{"rule":"r","priority":"Debug","time":"2023-05-10T14:09:24Z",{more}}}"#)
}

#[rstest]
#[case::empty("", "empty")]
#[case::blank(" \r\n\t ", "empty")]
#[case::array("[]", "not_an_object")]
#[case::null("null", "not_an_object")]
#[case::string("\"x\"", "not_an_object")]
#[case::number("-1", "not_an_object")]
#[case::boolean("true", "not_an_object")]
#[case::word("hello", "syntax")]
#[case::brace("{", "truncated")]
#[case::cut_key(r#"{"rule"#, "truncated")]
#[case::cut_value(r#"{"rule":"#, "truncated")]
#[case::unquoted("{rule:1}", "syntax")]
#[case::no_keys("{}", "missing_key")]
#[case::two_alerts(
    "{\"rule\":\"r\",\"priority\":\"Debug\",\"time\":\"2023-05-10T14:09:24Z\"}\n{}",
    "trailing_data"
)]
#[case::null_rule(r#"{"rule":null}"#, "wrong_type")]
#[case::empty_rule(r#"{"rule":""}"#, "empty_rule")]
#[case::number_priority(r#"{"priority":4}"#, "wrong_type")]
#[case::unknown_priority(r#"{"priority":"High"}"#, "priority")]
#[case::number_time(r#"{"time":1683727764046826000}"#, "wrong_type")]
#[case::zero_time(r#"{"time":"0001-01-01T00:00:00Z"}"#, "time")]
#[case::no_time(r#"{"time":"yesterday"}"#, "time")]
#[case::object_rule(r#"{"rule":{"a":1}}"#, "wrong_type")]
#[case::twice(r#"{"rule":"a","rule":"a"}"#, "duplicate_key")]
#[case::twice_by_case(r#"{"rule":"a","Rule":"b"}"#, "duplicate_key")]
#[case::twice_null(r#"{"tags":null,"tags":null}"#, "duplicate_key")]
#[case::twice_by_escape(r#"{"rule":"a","\u0072ule":"b"}"#, "duplicate_key")]
#[case::twice_unknown(r#"{"x":1,"x":1}"#, "duplicate_key")]
#[case::not_a_number(r#"{"rule":NaN}"#, "syntax")]
#[case::lone_surrogate(r#"{"rule":"\ud800"}"#, "syntax")]
#[case::raw_control("{\"rule\":\"a\nb\"}", "syntax")]
#[case::bom("\u{feff}{}", "syntax")]
fn a_body_that_is_no_alert_is_refused_by_its_kind(#[case] body: &str, #[case] kind: &str) {
    assert_eq!(refused(body).kind(), kind);
}

#[rstest]
#[case::twice_sorted(r#""a":1,"a":1"#, "duplicate_key")]
#[case::twice_apart(r#""b":1,"a":2,"b":3"#, "duplicate_key")]
#[case::twice_by_escape(r#""a":1,"\u0061":2"#, "duplicate_key")]
#[case::object(r#""a":{}"#, "nested")]
#[case::list_in_list(r#""a":[[]]"#, "nested")]
#[case::object_in_list(r#""a":[1,{}]"#, "nested")]
#[case::not_a_number(r#""a":NaN"#, "syntax")]
#[case::infinity(r#""a":-Infinity"#, "syntax")]
#[case::past_u64(r#""a":18446744073709551616"#, "number_range")]
#[case::below_i64(r#""a":-9223372036854775809"#, "number_range")]
#[case::past_f64(r#""a":1e400"#, "number_range")]
#[case::huge_in_list(r#""a":[123456789012345678901234567890]"#, "number_range")]
#[case::leading_zero(r#""a":01"#, "syntax")]
#[case::trailing_comma(r#""a":1,"#, "syntax")]
fn an_output_field_that_falco_never_writes_is_refused_by_its_kind(#[case] json: &str, #[case] kind: &str) {
    assert_eq!(refused(fields(json)).kind(), kind);
}

#[rstest]
#[case::tags_string(r#""tags":"a""#)]
#[case::tags_object(r#""tags":{}"#)]
#[case::tag_number(r#""tags":[1]"#)]
#[case::tag_null(r#""tags":[null]"#)]
#[case::tag_list(r#""tags":[["a"]]"#)]
#[case::fields_list(r#""output_fields":[]"#)]
#[case::fields_string(r#""output_fields":"{}""#)]
#[case::fields_number(r#""output_fields":1.5"#)]
#[case::hostname_bool(r#""hostname":true"#)]
#[case::source_list(r#""source":["syscall"]"#)]
fn a_key_of_another_type_than_falcos_is_refused(#[case] json: &str) {
    assert_eq!(refused(with(json)).kind(), "wrong_type");
}

#[rstest]
#[case::bare("")]
#[case::in_rule(r#"{"rule":"#)]
#[case::in_fields(r#"{"output_fields":"#)]
#[case::in_field(r#"{"output_fields":{"a":"#)]
#[case::in_tags(r#"{"tags":"#)]
#[case::in_unknown(r#"{"x":"#)]
fn a_hundred_thousand_levels_are_refused_without_recursion(#[case] prefix: &str) {
    for bracket in ["[", "{\"a\":"] {
        let body = format!("{prefix}{}", bracket.repeat(100_000));
        assert!(Alert::decode(body.as_bytes(), &Bounds::NONE).is_err());
        refused(body);
    }
    let closed = with(&format!(r#""x":{}{}"#, "[".repeat(100_000), "]".repeat(100_000)));
    assert_eq!(refused(closed).kind(), "bound");
}

#[test]
fn each_bound_admits_its_own_size_and_refuses_the_next() {
    let bounds = Bounds {
        body: 400,
        depth: 2,
        fields: 2,
        string: 20,
        tags: 2,
        list: 2,
    };
    let decode = |body: &str| Alert::decode(body.as_bytes(), &bounds).map_err(|error| error.kind());
    for (within, past) in [
        (with(r#""x":[[]]"#), with(r#""x":[[[]]]"#)),
        (fields(r#""a":1,"b":2"#), fields(r#""a":1,"b":2,"c":3"#)),
        (with(r#""x":1,"y":2"#), with(r#""x":1,"y":2,"z":3"#)),
        (with(r#""tags":["a","b"]"#), with(r#""tags":["a","b","c"]"#)),
        (fields(r#""a":[1,2]"#), fields(r#""a":[1,2,3]"#)),
        (
            fields(r#""a":"12345678901234567890""#),
            fields(r#""a":"123456789012345678901""#),
        ),
        (
            fields(r#""12345678901234567890":1"#),
            fields(r#""123456789012345678901":1"#),
        ),
        (
            with(r#""output":"12345678901234567890""#),
            with(r#""output":"123456789012345678901""#),
        ),
        (
            with(r#""tags":["12345678901234567890"]"#),
            with(r#""tags":["123456789012345678901"]"#),
        ),
        (with(r#""x":"[[[[""#), with(r#""123456789012345678901":1"#)),
    ] {
        assert!(decode(&within).is_ok(), "{within}");
        assert_eq!(decode(&past), Err("bound"), "{past}");
    }
    assert!(decode(&format!("{:<400}", with(r#""x":1"#))).is_ok());
    assert_eq!(decode(&format!("{:<401}", with(r#""x":1"#))), Err("too_large"));
}

#[test]
fn the_body_bound_is_checked_before_anything_is_read() {
    let error = refused(vec![0xff; 262_145]);
    assert_eq!(
        error,
        DecodeError::TooLarge {
            size: 262_145,
            bound: 262_144
        }
    );
}

#[test]
fn falcos_text_output_is_refused_with_its_cure() {
    let line = b"13:44:05.478445995: Critical A shell was spawned in a container (user=root \xff)";
    assert_eq!(refused(line), DecodeError::TextOutput);
}

/// One body of each kind, and more where the place differs.
fn one_of_each() -> Vec<DecodeError> {
    vec![
        refused(""),
        refused(vec![b' '; 300_000]),
        refused("13:44:05.478445995: Critical A shell was spawned"),
        refused(b"{\"rule\":\"\xff\"}"),
        refused("[]"),
        refused("{rule:1}"),
        refused("{\"rule\":\"r\",\n \"priority\":Notice}"),
        refused(fields(r#""a":NaN"#)),
        refused(r#"{"rule":"r","output_fields":{"proc.name":"ba"#),
        refused(format!("{}{}", fields(""), fields(""))),
        refused(fields(r#""proc.name":"a","proc.name":"b""#)),
        refused(r#"{"rule":"a","rule":"b"}"#),
        refused(r#"{"rule":"r","priority":"Notice"}"#),
        refused(r#"{"rule":{"name":"r"}}"#),
        refused(with(r#""tags":["a",null]"#)),
        refused(fields(r#""proc.env":{"PATH":"/bin"}"#)),
        refused(fields(r#""proc.env":[["PATH"]]"#)),
        refused(fields(r#""evt.time":168502224547844599500"#)),
        refused(r#"{"rule":""}"#),
        refused(r#"{"priority":"High\u001b[31m"}"#),
        refused(r#"{"time":"0001-01-01T00:00:00Z"}"#),
        refused(r#"{"time":"05/10/2023"}"#),
        refused(fields(&format!(r#""a":[{}1]"#, "1,".repeat(1024)))),
        refused(fields(&format!(r#""{}":{{}}"#, "k".repeat(9999)))),
    ]
}

#[test]
fn an_error_says_what_is_wrong_and_where_and_what_to_do() {
    let lines: Vec<String> = one_of_each()
        .iter()
        .map(|error| format!("{}: {error}", error.kind()))
        .collect();
    assert_snapshot!(lines.join("\n"), @r#"
    empty: the body is empty; send one Falco alert as JSON
    too_large: the body has 300000 bytes, more than the 262144 that are allowed; take whole objects (jevt.obj, ka.req.configmap.obj) out of the rule's output, or raise the bound
    text_output: this is Falco's text output, not JSON; set `json_output: true` in falco.yaml (the Helm chart's `falco.json_output`) and restart Falco
    not_utf8: the body is not UTF-8 from byte 9 on; send JSON as UTF-8
    not_an_object: expected an alert, a JSON object, found an array; send Falco's JSON unchanged
    syntax: the body is not valid JSON at line 1, column 2: key must be a string; send Falco's JSON unchanged
    syntax: the body is not valid JSON at line 2, column 13, in "priority": expected value; send Falco's JSON unchanged
    syntax: the body is not valid JSON at line 1, column 83, in "a": expected value; send Falco's JSON unchanged
    truncated: the body ends inside the alert at line 1, column 44, in "proc.name"; the sender or a proxy cut it
    trailing_data: something follows the alert at line 1, column 81; send one alert on a line, with nothing behind it
    duplicate_key: the key "proc.name" is there twice in `output_fields`, and readers differ in which one counts; send each key once
    duplicate_key: the key "rule" is there twice in the alert, and readers differ in which one counts; send each key once
    missing_key: the alert has no `time`; Falco always writes one, so send its JSON unchanged
    wrong_type: "rule" is an object, but Falco writes a string; send Falco's JSON unchanged
    wrong_type: "tags[]" is null, but Falco writes a string; send Falco's JSON unchanged
    nested: the output field "proc.env" holds an object as its value; Falco's fields are scalars or flat lists, so have the sender write it as a string
    nested: the output field "proc.env" holds a list inside a list; Falco's fields are scalars or flat lists, so have the sender write it as a string
    number_range: the output field "evt.time" has a number that does not fit into 64 bits; Falco writes none, so have the sender write it as a string
    empty_rule: `rule` is empty; an alert names the rule that fired
    priority: `priority` is "High\u{1b}[31m", which is no Falco priority; write one of Emergency, Alert, Critical, Error, Warning, Notice, Informational (Info), Debug
    time: `time` is "0001-01-01T00:00:00Z", which is a zero time; the sender lost the event's own, which ages and identifies the alert
    time: `time` is "05/10/2023", which is not a time like 2023-05-25T13:44:05.478445995Z; send Falco's own
    bound: "a" is past a bound: more than 1024 elements; shorten the rule's output, or raise the bound if this is a real alert
    nested: the output field "kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk…" holds an object as its value; Falco's fields are scalars or flat lists, so have the sender write it as a string
    "#);
}

#[test]
fn the_kinds_are_exactly_those_that_metrics_know() {
    let kinds: BTreeSet<&str> = one_of_each().iter().map(DecodeError::kind).collect();
    assert_eq!(kinds, BTreeSet::from(DecodeError::KINDS));
}

#[rstest]
#[case::first_line(Position { line: 3, column: 5 }, Position { line: 1, column: 2 }, Position { line: 3, column: 6 })]
#[case::later_line(Position { line: 3, column: 5 }, Position { line: 2, column: 2 }, Position { line: 4, column: 2 })]
#[case::whole(Position::START, Position { line: 2, column: 7 }, Position { line: 2, column: 7 })]
fn an_error_in_a_part_of_a_body_has_its_place_in_the_body(
    #[case] start: Position,
    #[case] at: Position,
    #[case] expected: Position,
) {
    let error = DecodeError::TrailingData { at }.in_part(start, 10);
    assert_eq!(error.position(), Some(expected));
    assert_eq!(
        DecodeError::NotUtf8 { offset: 4 }.in_part(start, 10),
        DecodeError::NotUtf8 { offset: 14 }
    );
}
