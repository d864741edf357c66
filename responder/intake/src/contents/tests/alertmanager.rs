//! Labels that falcosidekick's Alertmanager output makes of alerts, and the alerts that are made of them again.

use std::fs;

use rstest::rstest;
use serde_json::{Map, Value, json};

use super::super::BodyContents;
use super::{ALERT, bare, read, told};

/// As falcosidekick sends an event to Alertmanager (`newAlertmanagerPayload` in `outputs/alertmanager.go`), for events
/// without counters of drops.
fn labelled(event: &Value) -> Value {
    let mut labels = Map::new();
    for (name, value) in event["output_fields"].as_object().unwrap() {
        let text = match value {
            Value::String(text) => text.clone(),
            Value::Number(number) => number.to_string(),
            _ => continue,
        };
        let safe: String = name
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() { c } else { '_' })
            .collect();
        labels.insert(safe.replace("__", "_").trim_matches('_').to_owned(), text.into());
    }
    let tags: Vec<&str> = event["tags"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|tag| tag.as_str().unwrap())
        .collect();
    labels.insert("source".to_owned(), "falco".into());
    labels.insert("severity".to_owned(), "information".into());
    labels.insert("eventsource".to_owned(), event["source"].clone());
    for name in ["rule", "priority", "hostname"] {
        if !event[name].is_null() {
            labels.insert(name.to_owned(), event[name].clone());
        }
    }
    if !tags.is_empty() {
        labels.insert("tags".to_owned(), tags.join(",").into());
    }
    json!({
        "labels": labels,
        "annotations": {"info": event["output"], "description": event["output"], "summary": event["rule"]},
        "endsAt": "0001-01-01T00:00:00Z",
    })
}

fn with_time(alert: &str) -> Value {
    let mut event: Value = serde_json::from_str(alert).unwrap();
    event["output_fields"]["evt.time"] = json!(1_772_618_400_000_000_000_i64);
    event
}

/// The only alert of a batch.
fn only(body: &Value) -> Result<responder_core::alert::Alert, String> {
    match read(body.to_string()) {
        BodyContents::Many(mut batch) if batch.parts.len() == 1 => batch
            .parts
            .remove(0)
            .read
            .map_err(|error| format!("{}: {error}", error.kind())),
        _ => panic!("{:?}", told(body.to_string())),
    }
}

#[rstest]
#[case::of_falcosidekick(|alert: Value| json!([alert]))]
#[case::of_alertmanager(|alert: Value| json!({"version": "4", "status": "firing", "groupLabels": {}, "alerts": [alert]}))]
fn the_labels_of_an_alert_make_the_alert(#[case] body: fn(Value) -> Value) {
    let event = with_time(ALERT);
    assert_eq!(only(&body(labelled(&event))), Ok(bare(&event.to_string())));
}

#[test]
fn an_alert_in_labels_is_the_same_event_as_the_alert_by_itself() {
    let file = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../core/testdata/alerts/falcosidekick-2.9.3-http.jsonl"
    );
    let (mut same, mut refused) = (0, Vec::new());
    for line in fs::read_to_string(file).unwrap().lines() {
        let recorded: Value = serde_json::from_str(line).unwrap();
        let body = recorded["body"].as_str().unwrap();
        let event: Value = serde_json::from_str(body).unwrap();
        match only(&json!([labelled(&event)])) {
            Ok(alert) => {
                assert_eq!(alert.id(), bare(body).id(), "{body}\n{alert:?}");
                same += 1;
            }
            Err(error) => refused.push(error),
        }
    }
    refused.dedup();
    insta::assert_snapshot!(format!("{same} are the same\n{}", refused.join("\n")));
}

fn changed(change: impl FnOnce(&mut Value)) -> Value {
    let mut alert = labelled(&with_time(ALERT));
    change(&mut alert);
    alert
}

#[test]
fn labels_that_make_no_faithful_alert_are_refused_with_the_remedy() {
    let label = |name: &str, value: Value| changed(|alert| alert["labels"][name] = value);
    let without = |name: &str| {
        changed(|alert| {
            alert["labels"].as_object_mut().unwrap().remove(name);
        })
    };
    let alerts = [
        without("evt_time"),
        label("evt_time", json!("soon")),
        without("rule"),
        without("priority"),
        without("eventsource"),
        label("priority", json!("High")),
        label("k8smeta_pod_label_app", json!("x")),
        label("proc_pid", json!(7)),
        changed(|alert| alert["labels"] = json!([])),
        changed(|alert| alert["status"] = json!("resolved")),
        // The body of the field case 18-batch-gzip-cloudevents.
        json!({"status": "firing", "labels": {"rule": "Terminal shell in container", "k8s_pod_name": "api-5f7d9c6b8d-k2x4p"}}),
    ];
    let told: Vec<String> = alerts.iter().map(|alert| only(&json!([alert])).unwrap_err()).collect();
    insta::assert_snapshot!(told.join("\n"));
}

#[rstest]
#[case::falcos(r#""k8s_ns_name":"shop","#)]
#[case::alerts(r#""rule":"Terminal shell","#)]
fn a_label_that_is_there_twice_is_refused(#[case] again: &str) {
    let body = json!([labelled(&with_time(ALERT))]).to_string();
    let body = body.replace(r#""labels":{"#, &format!(r#""labels":{{{again}"#));
    assert!(told(&body)[0].contains("duplicate_key"), "{:?}", told(&body));
}

#[test]
fn an_alert_with_labels_of_its_own_stays_an_alert() {
    let body = ALERT.replace(r#""tags""#, r#""labels":{},"alerts":[],"tags""#);
    let BodyContents::One(Ok(alert)) = read(&body) else {
        panic!("{:?}", told(&body));
    };
    assert_eq!(alert, bare(&body));
}

#[test]
fn a_label_that_is_no_field_of_falco_is_a_custom_field() {
    let alert = only(&json!([changed(
        |alert| alert["labels"]["cluster"] = json!("prod-eu-1")
    )]))
    .unwrap();
    assert_eq!(alert.text("cluster"), Some("prod-eu-1"));
    assert_eq!(alert.field("severity"), None);
}
