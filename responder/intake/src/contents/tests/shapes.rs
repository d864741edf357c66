//! Arrays, lines and CloudEvents.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;
use rstest::rstest;
use serde_json::json;

use super::super::{BodyContents, MOST_ALERTS};
use super::{ALERT, bare, read, told};

const RULE: &str = "Terminal shell in container";

/// A CloudEvent with these keys beside those that each has.
fn event(keys: &str) -> String {
    format!(
        r#"{{"specversion":"1.0","id":"1","type":"falco.rule.output.v1","source":"https://falco.org","datacontenttype":"application/json"{keys}}}"#
    )
}

/// With the attributes of falcosidekick's CloudEvents, which are those of an alert by their names.
fn sidekick(keys: &str) -> String {
    event(&format!(
        r#","time":"2026-03-04T10:00:00Z","priority":"Notice","rule":"{RULE}","eventsource":"syscall","hostname":"node-a"{keys}"#
    ))
}

#[rstest]
#[case::bare(ALERT.to_owned())]
#[case::over_lines(ALERT.replace(", ", ",\n"))]
#[case::event(event(&format!(r#","data":{ALERT}"#)))]
#[case::event_of_falcosidekick(sidekick(&format!(r#","data":{ALERT}"#)))]
#[case::event_over_lines(event(&format!(r#","data":{ALERT}"#)).replace(',', ",\n"))]
#[case::event_of_text(event(&format!(r#","data":{}"#, json!(ALERT))))]
#[case::event_of_base64(event(&format!(r#","data_base64":"{}""#, STANDARD.encode(ALERT))))]
#[case::event_with_null(event(&format!(r#","data_base64":null,"data":{ALERT}"#)))]
fn one_alert_is_the_same_in_every_envelope(#[case] body: String) {
    let BodyContents::One(Ok(alert)) = read(&body) else {
        panic!("{:?}", told(&body));
    };
    assert_eq!(alert, bare(ALERT));
}

#[rstest]
#[case::array(format!("[{ALERT},{ALERT}]"), &[1, 1])]
#[case::array_over_lines(format!("\n[\n{ALERT},\n{ALERT}\n]\n"), &[3, 4])]
#[case::array_of_one(format!("[{ALERT}]"), &[1])]
#[case::lines(format!("{ALERT}\n{ALERT}"), &[1, 2])]
#[case::blank_lines(format!("\r\n{ALERT}\r\n  \r\n{ALERT}\r\n\r\n"), &[2, 4])]
#[case::events(format!("[{},{}]", event(&format!(r#","data":{ALERT}"#)), sidekick(&format!(r#","data":{ALERT}"#))), &[1, 1])]
#[case::events_on_lines(format!("{}\n{ALERT}\n", sidekick(&format!(r#","data":{ALERT}"#))), &[1, 2])]
fn several_alerts_are_each_taken(#[case] body: String, #[case] lines: &[usize]) {
    let BodyContents::Many(batch) = read(&body) else {
        panic!("{:?}", told(&body));
    };
    assert_eq!(batch.parts.iter().map(|part| part.line).collect::<Vec<_>>(), lines);
    assert!(
        batch.parts.iter().all(|part| part.read == Ok(bare(ALERT))),
        "{:?}",
        told(&body)
    );
    assert_eq!(batch.unread, 0);
}

#[test]
fn what_is_wrong_is_told_with_its_place_in_the_body() {
    let broken = ALERT.replace("\"Notice\"", "oops");
    let nameless = ALERT.replace("\"rule\"", "\"ruel\"");
    let bodies = [
        format!("[{ALERT},\n {broken},{ALERT}]"),
        format!("[{ALERT},\n {nameless}, 7, [{ALERT}], null, {ALERT}]"),
        format!("[{ALERT},\n{ALERT}"),
        format!("[{ALERT}] {ALERT}"),
        format!("{ALERT}\n{broken}\n{nameless}\n\noops\n{ALERT}"),
        format!("{nameless}\n{ALERT}\n"),
        format!("{ALERT} {ALERT}"),
        "[]".to_owned(),
        "[oops]".to_owned(),
        "[".to_owned(),
        event(""),
        event(&format!(r#","data":{ALERT},"data_base64":"x""#)),
        event(r#","data":7"#),
        event(r#","data":"13:44:05.478445995: Critical A shell""#),
        event(&format!(r#",{}"data":{nameless}"#, "\n")),
        event(r#","data":{"rule":7}"#),
        event(r#","data_base64":"!""#),
        event(r#","data_base64":"e30=""#),
        event(&format!(r#","data":{ALERT}"#)).replace("1.0", "0.3"),
        event(&format!(r#","data":{ALERT}"#)).replace("\"1.0\"", "[1]"),
        sidekick(""),
        format!("[{ALERT},\n{}]", event(&format!(r#","data":{broken}"#))),
    ];
    let told: Vec<String> = bodies.iter().map(|body| told(body).join("\n")).collect();
    insta::assert_snapshot!(told.join("\n\n"));
}

#[test]
fn a_line_that_is_no_utf8_spoils_no_other() {
    let body = [ALERT.as_bytes(), b"\n{\"rule\":\"\xff\"}\n", ALERT.as_bytes()].concat();
    let told = told(&body);
    let offset = ALERT.len() + 10;
    assert_eq!(told[0], format!("line 1: {RULE}"));
    assert_eq!(
        told[1],
        format!("line 2: not_utf8: the body is not UTF-8 from byte {offset} on; send JSON as UTF-8")
    );
    assert_eq!(told[2], format!("line 3: {RULE}"));
}

#[rstest]
#[case::text_output("13:44:05.478445995: Notice x")]
#[case::own_text_output("a shell was spawned in x")]
fn an_alert_behind_a_line_end_in_falcos_text_output_is_text(#[case] before: &str) {
    // A process chooses its command line, and the rule prints it.
    let body = format!("{before}\n{ALERT}\n{ALERT}");
    assert!(matches!(read(&body), BodyContents::One(Err(_))), "{:?}", told(&body));
}

#[test]
fn a_broken_alert_over_lines_is_one_alert() {
    let body = ALERT.replace(", ", ",\n").replace("\"Notice\"", "oops");
    assert!(matches!(read(&body), BodyContents::One(Err(_))), "{:?}", told(&body));
}

#[rstest]
#[case::array("[", ",", "]")]
#[case::lines("", "\n", "")]
fn alerts_past_the_bound_are_counted_and_not_read(#[case] open: &str, #[case] between: &str, #[case] close: &str) {
    let small = r#"{"rule":"r","priority":"Debug","time":"2023-05-10T14:09:24Z"}"#;
    let body = format!("{open}{}{close}", vec![small; MOST_ALERTS + 3].join(between));
    let BodyContents::Many(batch) = read(&body) else {
        panic!("{:?}", told(&body));
    };
    assert_eq!((batch.parts.len(), batch.unread), (MOST_ALERTS, 3));
    assert!(batch.parts.iter().all(|part| part.read.is_ok()));
}

proptest! {
    #[test]
    fn each_element_of_an_array_is_judged_by_itself(elements in prop::collection::vec(any::<bool>(), 1..20)) {
        let texts: Vec<&str> = elements.iter().map(|good| if *good { ALERT } else { "{\"rule\":[]}" }).collect();
        for body in [format!("[{}]", texts.join(" ,\n")), texts.join("\n")] {
            match read(&body) {
                BodyContents::One(read) => prop_assert!(elements.len() == 1 && read.is_ok() == elements[0]),
                BodyContents::Many(batch) => {
                    let read: Vec<bool> = batch.parts.iter().map(|part| part.read.is_ok()).collect();
                    prop_assert_eq!(&read, &elements);
                    let lines: Vec<usize> = batch.parts.iter().map(|part| part.line).collect();
                    prop_assert_eq!(lines, (1..=elements.len()).collect::<Vec<_>>());
                }
            }
        }
    }

    #[test]
    fn no_body_is_read_as_more_alerts_than_it_has_and_none_panics(
        pieces in prop::collection::vec(prop::sample::select(vec![
            "[", "]", "{", "}", ",", "\n", ":", "\"", ALERT, "\"data\":", "\"specversion\":\"1.0\"", "\"labels\":{}",
            "\"alerts\":", "null", "7", "\u{e9}",
        ]), 0..24)
    ) {
        let body = pieces.concat();
        let most = pieces.iter().filter(|piece| **piece == ALERT).count();
        let taken = match read(&body) {
            BodyContents::One(read) => usize::from(read.is_ok()),
            BodyContents::Many(batch) => batch.parts.iter().filter(|part| part.read.is_ok()).count(),
        };
        prop_assert!(taken <= most);
    }
}
