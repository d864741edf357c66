//! Which deliveries report one event, and which do not.

use std::collections::HashSet;

use rstest::rstest;
use serde_json::{Value as Json, json};

use super::{decode, recorded_http, recorded_nats, sample, samples};
use crate::alert::{Alert, AlertId};

fn edited(number: &str, edit: impl FnOnce(&mut Json)) -> Alert {
    let mut json: Json = serde_json::from_str(&sample(number)).unwrap();
    edit(&mut json);
    decode(&json.to_string())
}

/// Falcosidekick's changes to an event (`handlers.go`, `newFalcoPayload`), its custom fields and replacer included.
fn through_falcosidekick(mut json: Json) -> Json {
    json["uuid"] = json!("d53e2a88-31c8-47ca-811f-71058047177e");
    if json["source"].is_null() {
        json["source"] = json!("syscalls");
    }
    if json["rule"] == "Test rule" {
        json["source"] = json!("internal");
    }
    let time = json["time"].as_str().unwrap().trim_end_matches('Z');
    if time.contains('.') {
        json["time"] = json!(format!("{}Z", time.trim_end_matches('0').trim_end_matches('.')));
    }
    let mut tags = json["tags"].as_array().cloned().unwrap_or_default();
    tags.push(json!("custom"));
    json["tags"] = Json::Array(tags);
    let long = json.to_string().len() > 4096;
    let fields = json["output_fields"].as_object().unwrap().clone();
    json["output_fields"] = fields
        .into_iter()
        .map(|(key, value)| {
            let value = match value.as_str() {
                Some(text) if long && text.len() > 512 => json!(go_cut(text)),
                _ => value,
            };
            (key.replace('[', "_").replace(']', ""), value)
        })
        .chain([("cluster".to_owned(), json!("prod-eu-1"))])
        .collect();
    json
}

/// Go cuts between bytes, and its JSON encoder replaces each byte of a broken character by U+FFFD.
fn go_cut(text: &str) -> String {
    let mut cut = String::new();
    for chunk in text.as_bytes()[..507].utf8_chunks() {
        cut.push_str(chunk.valid());
        cut.extend(chunk.invalid().iter().map(|_| '\u{fffd}'));
    }
    cut + "[...]"
}

#[test]
fn each_recording_has_the_identity_of_the_event_that_falco_wrote() {
    let ids: Vec<AlertId> = samples().iter().map(|(_, body)| decode(body).id()).collect();
    let nats: Vec<AlertId> = recorded_nats().iter().map(|body| decode(body).id()).collect();
    let http: Vec<AlertId> = recorded_http().iter().map(|body| decode(body).id()).collect();
    assert_eq!(nats, ids);
    assert_eq!(http, ids.iter().flat_map(|id| [*id, *id]).collect::<Vec<_>>());
    assert_eq!(
        ids.iter().collect::<HashSet<_>>().len(),
        12,
        "and no two events share one"
    );
}

#[test]
fn an_event_that_falcosidekick_changed_and_cut_keeps_its_identity() {
    for (name, body) in samples() {
        let raw: Json = serde_json::from_str(&body).unwrap();
        let id = decode(&body).id();
        assert_eq!(
            decode(&through_falcosidekick(raw.clone()).to_string()).id(),
            id,
            "{name}"
        );

        let mut long = raw;
        long["output_fields"]["proc.cmdline"] = json!("x".repeat(5000));
        let cut = decode(&through_falcosidekick(long.clone()).to_string());
        assert!(cut.field("proc.cmdline").unwrap().is_cut());
        assert_eq!(cut.id(), decode(&long.to_string()).id(), "{name}");
        assert_ne!(cut.id(), id, "{name}: and another command is another event");
    }
}

#[rstest]
#[case(0)]
#[case(1)]
#[case(2)]
#[case(3)]
fn a_target_name_that_was_cut_inside_a_character_keeps_its_identity(#[case] shift: usize) {
    let name = format!("{}{}", "a".repeat(shift), "\u{1f980}".repeat(1200));
    let mut raw: Json = serde_json::from_str(&sample("06")).unwrap();
    raw["output_fields"]["ka.target.name"] = json!(name);
    let cut = decode(&through_falcosidekick(raw.clone()).to_string());
    assert!(cut.field("ka.target.name").unwrap().is_cut());
    assert_eq!(cut.id(), decode(&raw.to_string()).id());
}

#[rstest]
#[case("01", "/uuid", json!("f673df3a-f6bd-4386-9c7a-92d931f623e3"))]
#[case("01", "/priority", json!("Debug"))]
#[case("01", "/output", json!("another format"))]
#[case("01", "/tags", json!([]))]
#[case("01", "/source", json!("syscalls"))]
#[case("01", "/source", json!(null))]
#[case("01", "/source", json!(""))]
#[case("01", "/time", json!("2023-05-25T15:44:05.478445995+02:00"))]
#[case("01", "/output_fields/cluster", json!("prod-eu-1"))]
#[case("01", "/output_fields/evt.time", json!(1.685_022_245_478_446e18))]
#[case("01", "/output_fields/templated", json!("{{ sh }}"))]
#[case("04", "/output_fields/k8s.pod.uid", json!(null))]
#[case("14", "/source", json!("internal"))]
#[case("17", "/source", json!("internal"))]
fn a_relays_changes_leave_the_identity(#[case] number: &str, #[case] at: &str, #[case] value: Json) {
    assert_eq!(
        edited(number, |json| set(json, at, value)).id(),
        decode(&sample(number)).id()
    );
}

#[rstest]
#[case("01", "/output_fields/container.id", json!("ee97d9c4186e"))]
#[case("01", "/output_fields/container.id", json!("host"))]
#[case("01", "/output_fields/container.id", json!(null))]
#[case("01", "/output_fields/k8s.ns.name", json!("default2"))]
#[case("01", "/output_fields/k8s.pod.name", json!("kubecon-1"))]
#[case("01", "/output_fields/k8s.pod.uid", json!("7f5c1f6e-8f2a-4c07-9b62-5c1b8f0a8d11"))]
#[case("01", "/output_fields/k8smeta.ns.name", json!("default"))]
#[case("01", "/time", json!("2023-05-25T13:44:05.478445996Z"))]
#[case("01", "/hostname", json!("falco-xczje"))]
#[case("01", "/hostname", json!(null))]
#[case("01", "/rule", json!("Terminal shell in container "))]
#[case("01", "/source", json!("k8s_audit"))]
#[case("01", "/output_fields/proc.name", json!("bash"))]
#[case("01", "/output_fields/proc.cmdline", json!("sh"))]
#[case("01", "/output_fields/proc.pname", json!("containerd-shim"))]
#[case("01", "/output_fields/proc.pid", json!(7))]
#[case("01", "/output_fields/proc.tty", json!(34817))]
#[case("01", "/output_fields/proc.aname[2]", json!("nginx"))]
#[case("01", "/output_fields/fd.name", json!("/etc/shadow"))]
#[case("01", "/output_fields/fd.rport", json!(4444))]
#[case("01", "/output_fields/user.name", json!("www-data"))]
#[case("01", "/output_fields/user.loginuid", json!(1000))]
#[case("01", "/output_fields/evt.arg.flags", json!("O_WRONLY"))]
#[case("01", "/output_fields/container.image.repository", json!("docker.io/library/busybox"))]
#[case("06", "/output_fields/ka.user.name", json!("system:serviceaccount:web:default"))]
#[case("06", "/output_fields/ka.uri.param[command]", json!("id"))]
#[case("06", "/output_fields/ka.req.pod.containers.image", json!(["a", "b"]))]
#[case("06", "/output_fields/ka.target.namespace", json!("kube-system"))]
#[case("06", "/output_fields/ka.target.namespace", json!(null))]
#[case("06", "/output_fields/ka.target.name", json!("kubecon2"))]
#[case("06", "/output_fields/ka.target.resource", json!("services"))]
#[case("06", "/output_fields/ka.target.subresource", json!("attach"))]
#[case("08", "/output_fields/ka.target.namespace", json!(""))]
#[case("11", "/output_fields/ct.id", json!("3e1a"))]
#[case("11", "/output_fields/evt.num", json!(1))]
fn another_container_process_file_user_target_or_nanosecond_is_another_event(
    #[case] number: &str,
    #[case] at: &str,
    #[case] value: Json,
) {
    assert_ne!(
        edited(number, |json| set(json, at, value)).id(),
        decode(&sample(number)).id()
    );
}

fn set(json: &mut Json, at: &str, value: Json) {
    let (parent, key) = at.rsplit_once('/').unwrap();
    json.pointer_mut(parent).unwrap()[key] = value;
}

#[test]
fn a_value_that_moves_between_fields_is_another_event() {
    let one = edited("01", |json| {
        json["output_fields"]["proc.name"] = json!("a");
        json["output_fields"]["proc.pname"] = json!("b");
    });
    let other = edited("01", |json| {
        json["output_fields"]["proc.name"] = json!("b");
        json["output_fields"]["proc.pname"] = json!("a");
    });
    assert_ne!(one.id(), other.id());
}

#[rstest]
#[case("_")]
#[case(".")]
#[case("→")]
fn a_replaced_bracket_leaves_the_identity(#[case] replacement: &str) {
    let raw = edited("06", |json| {
        json["output_fields"]["ka.req.pod.containers.image[0]"] = json!(["a"]);
    });
    let replaced = edited("06", |json| {
        let fields = json["output_fields"].as_object_mut().unwrap();
        let command = fields.remove("ka.uri.param[command]").unwrap();
        fields.insert(format!("ka.uri.param{replacement}command"), command);
        fields.insert(format!("ka.req.pod.containers.image{replacement}0"), json!(["a"]));
    });
    assert_eq!(replaced.id(), raw.id());
}

#[test]
fn neighbouring_parts_do_not_run_together() {
    let one = edited("01", |json| {
        json["output_fields"]["k8s.ns.name"] = json!("a\u{1}b");
        json["output_fields"]["k8s.pod.name"] = json!("c");
    });
    let other = edited("01", |json| {
        json["output_fields"]["k8s.ns.name"] = json!("a");
        json["output_fields"]["k8s.pod.name"] = json!("b\u{1}c");
    });
    assert_ne!(one.id(), other.id());
}

#[test]
fn the_encoding_is_the_one_that_journals_hold() {
    let id = decode(&sample("01")).id();
    assert_eq!(
        id.to_string(),
        "1651ab5502fa0f7806355280944633505d976ee8d7807af96f071ef0bfe91a2f"
    );
    assert_eq!(id.short(), id.to_string()[..12]);
    assert_eq!(id.to_string().parse(), Ok(id));
    assert_eq!(
        serde_json::from_str::<AlertId>(&serde_json::to_string(&id).unwrap()).unwrap(),
        id
    );
}

#[rstest]
#[case("")]
#[case("54a3")]
#[case("zz00000000000000000000000000000000000000000000000000000000000000")]
#[case("+100000000000000000000000000000000000000000000000000000000000000")]
fn a_text_that_is_no_id_is_refused(#[case] text: &str) {
    assert!(text.parse::<AlertId>().is_err());
}
