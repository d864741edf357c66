//! Properties that hold for every input.

use std::collections::BTreeMap;

use proptest::{collection, prelude::*, sample::Index};
use serde_json::{Value as Json, json};

use super::{
    samples as real_samples,
    samples::{Exact, exact},
};
use crate::alert::{Alert, Bounds, DecodeError};

/// Decodes a body: an accepted alert must come out as it went in, and a refusal must be short and printable.
fn settle(body: &[u8]) -> Result<(), TestCaseError> {
    match Alert::decode(body, &Bounds::default()) {
        Ok(alert) => {
            let written = serde_json::to_vec(&alert).unwrap();
            let again = Alert::decode(&written, &Bounds::NONE);
            prop_assert_eq!(again.as_ref(), Ok(&alert));
            prop_assert_eq!(again.unwrap().id(), alert.id());
        }
        Err(error) => {
            prop_assert!(DecodeError::KINDS.contains(&error.kind()));
            let message = error.to_string();
            prop_assert!(
                message.len() < 1024 && !message.contains(char::is_control),
                "{}",
                message
            );
        }
    }
    Ok(())
}

#[derive(Debug, Clone)]
enum Mutation {
    Replace(Index, u8),
    Insert(Index, Vec<u8>),
    Remove(Index, usize),
    Repeat(Index, usize, usize),
    Truncate(Index),
}

fn mutation() -> impl Strategy<Value = Mutation> {
    let token = prop_oneof![
        collection::vec(any::<u8>(), 1..8),
        prop::sample::select(vec![
            "{", "}", "[", "]", "\"", ",", ":", "null", "1e999", "-", "\\u0000", "\\ud800", "[[[["
        ])
        .prop_map(|token| token.as_bytes().to_vec()),
    ];
    prop_oneof![
        (any::<Index>(), any::<u8>()).prop_map(|(at, byte)| Mutation::Replace(at, byte)),
        (any::<Index>(), token).prop_map(|(at, bytes)| Mutation::Insert(at, bytes)),
        (any::<Index>(), 1..32_usize).prop_map(|(at, length)| Mutation::Remove(at, length)),
        (any::<Index>(), 1..64_usize, 2..6_usize).prop_map(|(at, length, times)| Mutation::Repeat(at, length, times)),
        any::<Index>().prop_map(Mutation::Truncate),
    ]
}

fn mutate(body: &mut Vec<u8>, mutation: &Mutation) {
    let at = |index: &Index| index.index(body.len().max(1)).min(body.len());
    match mutation {
        Mutation::Replace(index, byte) => {
            let at = at(index);
            if let Some(place) = body.get_mut(at) {
                *place = *byte;
            }
        }
        Mutation::Insert(index, bytes) => {
            let at = at(index);
            body.splice(at..at, bytes.iter().copied());
        }
        Mutation::Remove(index, length) => {
            let at = at(index);
            body.drain(at..body.len().min(at + length));
        }
        Mutation::Repeat(index, length, times) => {
            let at = at(index);
            let piece = body[at..body.len().min(at + length)].repeat(*times);
            body.splice(at..at, piece);
        }
        Mutation::Truncate(index) => body.truncate(at(index)),
    }
}

fn scalar() -> impl Strategy<Value = Json> {
    prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::from),
        any::<i64>().prop_map(Json::from),
        any::<u64>().prop_map(Json::from),
        (-1e18..1e18_f64).prop_map(Json::from),
        any::<String>().prop_map(Json::from),
        "[a-z<>/ ]{0,600}".prop_map(Json::from),
    ]
}

fn alert() -> impl Strategy<Value = Json> {
    let field = prop_oneof![4 => scalar(), 1 => collection::vec(scalar(), 0..5).prop_map(Json::from)];
    let priority = prop::sample::select(vec![
        "Emergency",
        "Alert",
        "Critical",
        "Error",
        "Warning",
        "Notice",
        "Informational",
        "Debug",
    ]);
    (
        (".+", priority, 1_i64..4_000_000_000, 0..1_000_000_000_u32),
        prop::option::of(prop::sample::select(vec![
            "syscall",
            "syscalls",
            "k8s_audit",
            "internal",
            "okta",
            "",
        ])),
        prop::option::of(".*"),
        prop::option::of(collection::vec(".*", 0..5)),
        prop::option::of(".*"),
        prop::option::of(collection::btree_map("[a-z.\\[\\]]{1,12}|.+", field, 0..20)),
    )
        .prop_map(
            |((rule, priority, second, nanosecond), source, hostname, tags, output, fields)| {
                let second = jiff::Timestamp::from_second(second).unwrap().to_string();
                let time = format!("{}.{nanosecond:09}Z", second.trim_end_matches('Z'));
                let mut alert = BTreeMap::from([
                    ("rule", json!(rule)),
                    ("priority", json!(priority)),
                    ("time", json!(time)),
                ]);
                alert.extend(source.map(|source| ("source", json!(source))));
                alert.extend(hostname.map(|hostname| ("hostname", json!(hostname))));
                alert.extend(tags.map(|tags| ("tags", json!(tags))));
                alert.extend(output.map(|output| ("output", json!(output))));
                alert.extend(fields.map(|fields| ("output_fields", json!(fields))));
                json!(alert)
            },
        )
}

proptest! {
    #[test]
    fn any_bytes_end_in_an_alert_or_in_an_error(body in collection::vec(any::<u8>(), 0..512)) {
        settle(&body)?;
    }

    #[test]
    fn any_text_in_braces_ends_in_an_alert_or_in_an_error(body in r#"\{[{}\[\]",:0-9a-z\\ .-]{0,64}\}"#) {
        settle(body.as_bytes())?;
    }

    #[test]
    fn a_damaged_alert_ends_in_an_alert_or_in_an_error(
        which in any::<Index>(),
        mutations in collection::vec(mutation(), 1..6),
    ) {
        let bodies = real_samples();
        let mut body = bodies[which.index(bodies.len())].1.clone().into_bytes();
        for mutation in &mutations {
            mutate(&mut body, mutation);
        }
        settle(&body)?;
    }

    #[test]
    fn an_alert_comes_out_as_it_went_in(json in alert()) {
        let body = json.to_string();
        let alert = Alert::decode(body.as_bytes(), &Bounds::default());
        prop_assert!(alert.is_ok(), "{:?}", alert);
        let written: Exact = exact(&serde_json::to_string(&alert.unwrap()).unwrap());
        prop_assert_eq!(written, exact(&body));
        settle(body.as_bytes())?;
    }
}
