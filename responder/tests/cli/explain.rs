//! `responder explain`.

use std::fs;

use insta::assert_snapshot;

use crate::harness::{assert_harmless, demo, responder, responder_reading, root};

fn alert(name: &str) -> String {
    format!("playbooks/demo/alerts/{name}.json")
}

#[test]
fn a_shell_in_the_shop_is_explained_from_the_alert_to_the_plan() {
    let ran = responder(&demo(&["explain", &alert("terminal-shell")]));
    assert_snapshot!(ran.all());
}

#[test]
fn a_quarantine_names_the_leak_and_every_undo() {
    let ran = responder(&demo(&["explain", &alert("remote-shell")]));
    assert_snapshot!(ran.all());
}

#[test]
fn an_exec_is_identified_by_name_only() {
    let ran = responder(&demo(&["explain", &alert("exec-into-pod")]));
    assert_snapshot!(ran.all());
}

#[test]
fn a_host_alert_ends_at_the_node() {
    let ran = responder(&demo(&["explain", &alert("sensitive-file-host")]));
    assert_snapshot!(ran.all());
}

#[test]
fn a_refusal_has_its_reason_and_a_remedy() {
    let ran = responder(&demo(&["explain", &alert("kube-system")]));
    assert_snapshot!(ran.all());
}

#[test]
fn the_json_has_the_alert_the_traces_and_the_requests() {
    let ran = responder(&demo(&["explain", &alert("terminal-shell"), "-o", "json"]));
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
    let answer = ran.json();
    assert_eq!(answer["now"], "2023-05-25T13:44:05.478445995Z");
    assert_eq!(answer["alert"]["output_fields"]["proc.tty"], 34816);
    let of = |name: &str| {
        answer["playbooks"]
            .as_array()
            .unwrap()
            .iter()
            .find(|one| one["playbook"] == name)
            .unwrap()
            .clone()
    };
    let plan = &of("terminal-shell")["decision"]["outcome"]["act"]["plan"];
    let request = &plan["steps"][0]["requests"][0]["request"];
    assert_eq!(request["verb"], "delete");
    assert_eq!(request["target"]["uid"], "9e2f7a31-5b64-4c0d-8f1e-6a7b8c9d0e01");
    let other = of("remote-shell");
    assert_eq!(
        (&other["matched"], &other["decision"]),
        (&false.into(), &serde_json::Value::Null)
    );
    assert_eq!(other["match"][0]["verdict"], "Failed");
}

#[test]
fn the_wall_clock_makes_an_old_alert_stale_and_the_report_names_the_clock() {
    let ran = responder(&demo(&["explain", &alert("terminal-shell"), "--at", "now"]));
    assert_eq!(ran.code, 0);
    assert!(ran.stdout.contains("(the wall clock)"), "{}", ran.stdout);
    assert!(ran.stdout.contains("Stale"), "{}", ran.stdout);
    let ran = responder(&demo(&[
        "explain",
        &alert("terminal-shell"),
        "--at",
        "2023-05-25T13:44:10Z",
    ]));
    assert!(ran.stdout.contains("2023-05-25T13:44:10Z (--at)"), "{}", ran.stdout);
    assert!(ran.stdout.contains("1 would act"), "{}", ran.stdout);
}

#[test]
fn the_ceiling_of_the_command_line_lowers_the_mode_and_is_named() {
    let ran = responder(&demo(&["explain", &alert("terminal-shell"), "--mode", "Rehearse"]));
    assert!(
        ran.stdout.contains("in Rehearse (set by the --mode of the controller)"),
        "{}",
        ran.stdout
    );
}

#[test]
fn an_alert_comes_from_standard_input_as_well() {
    let text = fs::read_to_string(root().join(alert("terminal-shell"))).unwrap();
    let piped = responder_reading(&text, &demo(&["explain", "-"]));
    let read = responder(&demo(&["explain", &alert("terminal-shell")]));
    assert_eq!((piped.code, piped.stdout), (0, read.stdout));
}

#[test]
fn text_of_an_alert_cannot_act_on_the_terminal() {
    let text = fs::read_to_string(root().join(alert("terminal-shell"))).unwrap();
    let hostile = "\\u001b[2J\\u001b]0;title\\u0007\\u009b31m\\u202e\\u2066\\r\\n  ok  forged: line";
    let text = text
        .replace("falco-xczjd", &format!("falco{hostile}"))
        .replace("(user=root", &format!("({hostile}"))
        .replace("sh -c clear; (bash || ash || sh)", &format!("sh {hostile}"))
        .replace("\"user.name\":\"root\"", &format!("\"user.name\":\"{hostile}\""));
    for output in ["text", "json"] {
        let ran = responder_reading(&text, &demo(&["explain", "-", "-o", output]));
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        assert_harmless(&ran.stdout);
        assert!(!ran.stdout.contains("\n  ok  forged"), "{}", ran.stdout);
    }
}

#[test]
fn text_that_is_not_an_alert_is_an_error_with_its_place() {
    let ran = responder_reading("{\"rule\": \"x\"", &demo(&["explain", "-"]));
    assert_eq!((ran.code, ran.stdout.as_str()), (1, ""));
    assert!(
        ran.stderr.contains("standard input") && ran.stderr.contains("line 1, column 12"),
        "{}",
        ran.stderr
    );
}

#[test]
fn a_recording_is_for_replay() {
    let ran = responder(&demo(&["explain", "playbooks/demo/last-week.jsonl"]));
    assert_eq!((ran.code, ran.stdout.as_str()), (1, ""));
    assert!(
        ran.stderr.contains("explain takes one, replay takes many"),
        "{}",
        ran.stderr
    );
}

#[test]
fn playbooks_with_mistakes_explain_nothing() {
    let ran = responder(&[
        "explain",
        &alert("terminal-shell"),
        "--playbooks",
        "responder/tests/cli/playbooks/second.yaml",
        "--assume-targets",
    ]);
    assert_eq!((ran.code, ran.stdout.as_str()), (2, ""));
    assert!(ran.stderr.contains("second.yaml:7:3"), "{}", ran.stderr);
}

#[test]
fn a_target_that_is_gone_is_assumed_when_asked() {
    let gone = |extra: &[&str]| {
        let library = "playbooks/cryptominer/alerts/stratum.json";
        let args = [
            "explain",
            library,
            "--playbooks",
            "playbooks/cryptominer",
            "--simulate",
            "playbooks/demo/cluster",
        ];
        let args: Vec<&str> = args.iter().chain(extra).copied().collect();
        responder(&args).stdout
    };
    assert!(gone(&[]).contains("TargetGone"));
    let assumed = gone(&["--assume-targets"]);
    assert!(
        assumed.contains("acts on pod/web/storefront-6d4cf56db6-x7k2p, in Observe"),
        "{assumed}"
    );
    assert!(
        assumed.contains(
            "playbooks/demo/cluster and what the alerts name (1 pod, 1 ReplicaSet guessed from their names, 1 node)"
        ),
        "{assumed}"
    );
}
