//! The decoded form of real alerts.

use std::collections::BTreeMap;

use rstest::rstest;
use serde_json::value::RawValue;

use super::{decode, recorded_http, recorded_nats, sample, samples};
use crate::alert::{Alert, Integer, Priority, Value};

/// JSON, ignoring the order of keys. Numbers are compared by their text: a parsed float could hide a loss.
#[derive(Debug, PartialEq)]
pub(super) enum Exact {
    Map(BTreeMap<String, Exact>),
    List(Vec<Exact>),
    Text(String),
    Other(String),
}

pub(super) fn exact(json: &str) -> Exact {
    let json = json.trim();
    match json.as_bytes()[0] {
        b'{' => {
            let map: BTreeMap<String, &RawValue> = serde_json::from_str(json).unwrap();
            Exact::Map(map.into_iter().map(|(key, value)| (key, exact(value.get()))).collect())
        }
        b'[' => {
            let list: Vec<&RawValue> = serde_json::from_str(json).unwrap();
            Exact::List(list.into_iter().map(|value| exact(value.get())).collect())
        }
        b'"' => Exact::Text(serde_json::from_str(json).unwrap()),
        _ => Exact::Other(json.to_owned()),
    }
}

#[test]
fn every_sample_and_every_recording_comes_out_as_it_went_in() {
    let bodies: Vec<String> = samples()
        .into_iter()
        .map(|(_, body)| body)
        .chain(recorded_http())
        .chain(recorded_nats())
        .collect();
    assert_eq!(bodies.len(), 12 + 24 + 12);
    for body in bodies {
        let alert = decode(&body);
        let written = serde_json::to_string(&alert).unwrap();
        assert_eq!(exact(&written), exact(&body));
        assert_eq!(decode(&written), alert);
        assert_eq!(serde_json::from_str::<Alert>(&written).unwrap(), alert);
    }
}

#[test]
fn a_shell_in_a_pod_reads_as_falco_meant_it() {
    let alert = decode(&sample("01"));
    assert_eq!(alert.rule().as_str(), "Terminal shell in container");
    assert_eq!(alert.priority(), Priority::Critical);
    assert!(alert.source().is_syscall());
    assert_eq!(alert.time().as_nanosecond(), 1_685_022_245_478_445_995);
    assert_eq!(alert.hostname(), Some("falco-xczjd"));
    assert_eq!(
        alert.tags(),
        ["container".into(), "mitre_execution".into(), "shell".into()]
    );
    assert!(
        alert
            .output()
            .unwrap()
            .starts_with("13:44:05.478445995: Critical A shell")
    );
    assert_eq!(alert.uuid(), None);
    assert_eq!(alert.text("container.id"), Some("ee97d9c4186f"));
    assert_eq!(
        alert.field("evt.time"),
        Some(&Value::from(1_685_022_245_478_445_995_u64))
    );
    assert_eq!(alert.field("user.loginuid"), Some(&Value::from(-1_i64)));
    assert_eq!(alert.field("fd.name"), None);
    assert_eq!(alert.fields().len(), 11);
}

#[test]
fn null_is_a_value_and_absence_is_none() {
    let alert = decode(&sample("02"));
    assert_eq!(alert.field("proc.pname"), Some(&Value::Null));
    assert_eq!(alert.field("proc.aname[2]"), None);
    assert_eq!((alert.hostname(), alert.tags()), (None, [].as_slice()));
    assert!(alert.source().is_syscall(), "no source is how old Falco wrote syscall");
}

#[rstest]
#[case("05", "proc.aname[2]", Value::from("sudo"))]
#[case("06", "ka.uri.param[command]", Value::from("sh"))]
#[case("10", "jevt.time.iso8601", Value::from("2022-02-15T14:03:12.123639040+0000"))]
#[case("11", "ct.request.name", Value::Null)]
#[case("14", "n_drops", Value::from(815_508_u64))]
#[case("15", "falco.evts_rate_sec", Value::from(1846.4))]
#[case("15", "scap.n_drops_perc", Value::from(0.0))]
#[case("16", "evt.time", Value::from(1_711_701_391_233_598_643_u64))]
fn values_keep_their_types_and_keys_their_brackets(#[case] number: &str, #[case] field: &str, #[case] value: Value) {
    assert_eq!(decode(&sample(number)).field(field), Some(&value));
}

#[rstest]
#[case("01", "syscall")]
#[case("02", "syscall")]
#[case("08", "k8s_audit")]
#[case("11", "aws_cloudtrail")]
#[case("14", "internal")]
#[case("15", "internal")]
#[case("17", "internal")]
fn a_source_is_normalised(#[case] number: &str, #[case] source: &str) {
    assert_eq!(decode(&sample(number)).source().as_str(), source);
}

#[rstest]
#[case(r#"{"Rule":"r","PRIORITY":"info","Time":"2023-05-10T14:09:24Z","Output_Fields":{"a":1}}"#)]
#[case(r#"  {"time":"2023-05-10T14:09:24.0+0000","output_fields":{"a":1},"rule":"r","priority":"Informational"}  "#)]
#[case(
    r#"{"rule":"r","priority":"Info","time":"2023-05-10T14:09:24.000000000Z","output_fields":{"a":1},"source":null,"tags":null,"hostname":null,"output":null,"uuid":null,"message":null}"#
)]
fn spellings_of_keys_times_and_priorities_are_one(#[case] body: &str) {
    let alert = decode(body);
    assert_eq!(
        (alert.rule().as_str(), alert.priority()),
        ("r", Priority::Informational)
    );
    assert_eq!(alert.time().as_nanosecond(), 1_683_727_764_000_000_000);
    assert_eq!(alert.field("a").and_then(Value::as_integer).map(Integer::get), Some(1));
    assert!(alert.source().is_syscall());
}

#[test]
fn an_alert_without_output_fields_is_one_and_unknown_keys_are_kept() {
    let body = r#"{"rule":"r","priority":"Alert","time":"2023-05-10T14:09:24Z","cluster":{"a":[1.50, {"b":null}]},"x":18446744073709551616}"#;
    let alert = decode(body);
    assert_eq!(alert.fields().len(), 0);
    assert_eq!(alert.field("a"), None);
    let others: Vec<_> = alert.others().collect();
    assert_eq!(
        others,
        [
            ("cluster", r#"{"a":[1.50, {"b":null}]}"#),
            ("x", "18446744073709551616")
        ]
    );
    assert_eq!(exact(&serde_json::to_string(&alert).unwrap()), exact(body));
}

#[rstest]
#[case("18446744073709551615")]
#[case("-9223372036854775808")]
#[case("9007199254740993")]
#[case("0")]
#[case("0.1")]
#[case("1846.4000000000003")]
#[case("2.2250738585072014e-308")]
#[case("-0.0")]
#[case("true")]
#[case("null")]
#[case(r#"["a",null,1,0.5,false]"#)]
#[case("[]")]
#[case(r#""<NA>""#)]
fn a_value_is_written_as_it_was_read(#[case] value: &str) {
    let body =
        format!(r#"{{"output_fields":{{"f":{value}}},"priority":"Debug","rule":"r","time":"2023-05-10T14:09:24Z"}}"#);
    assert_eq!(serde_json::to_string(&decode(&body)).unwrap(), body);
}

#[test]
fn fields_are_found_whatever_their_order() {
    let alert = decode(
        r#"{"rule":"r","priority":"Debug","time":"2023-05-10T14:09:24Z","output_fields":{"z":1,"a":2,"m":3,"b":4}}"#,
    );
    for (name, value) in [("z", 1_u64), ("a", 2), ("m", 3), ("b", 4)] {
        assert_eq!(alert.field(name), Some(&Value::from(value)));
    }
    assert!(alert.fields().map(|(name, _)| name).is_sorted());
}
