//! `responder replay`.

use std::fs;

use insta::assert_snapshot;
use serde_json::Value;

use crate::harness::{assert_harmless, demo, responder, responder_reading, root};

const LAST_WEEK: &str = "playbooks/demo/last-week.jsonl";

fn last_week() -> String {
    fs::read_to_string(root().join(LAST_WEEK)).unwrap()
}

#[test]
fn last_week_is_a_table_with_a_summary() {
    let ran = responder(&demo(&["replay", LAST_WEEK]));
    assert_snapshot!(ran.all());
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
}

#[test]
fn the_same_input_gives_the_same_bytes() {
    for output in ["text", "json"] {
        let run = || responder(&demo(&["replay", LAST_WEEK, "-o", output])).stdout;
        assert_eq!(run(), run());
    }
}

#[test]
fn the_order_of_the_lines_does_not_matter() {
    let mut lines: Vec<_> = last_week().lines().map(str::to_owned).collect();
    lines.reverse();
    // Two lines of one time are the same event; which of them is the duplicate is the same in either order.
    let reversed = responder_reading(&(lines.join("\n") + "\n"), &demo(&["replay", "-"]));
    let ordered = responder(&demo(&["replay", LAST_WEEK]));
    assert_eq!(reversed.stdout, ordered.stdout);
}

#[test]
fn the_json_has_one_object_for_each_alert() {
    let ran = responder(&demo(&["replay", LAST_WEEK, "-o", "json"]));
    let entries: Vec<Value> = ran
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(entries.len(), last_week().lines().count());
    assert!(entries.is_sorted_by_key(|entry| entry["time"].as_str().unwrap().to_owned()));
    let decisions = entries.iter().flat_map(|entry| entry["decisions"].as_array().unwrap());
    assert!(
        decisions
            .clone()
            .any(|decision| decision["outcome"]["act"]["plan"]["mode"]["mode"] == "Enforce")
    );
    assert!(
        decisions
            .clone()
            .any(|decision| decision["outcome"]["refuse"]["reason"] == "BudgetExhausted")
    );
}

#[test]
fn lines_that_are_not_alerts_are_named_and_the_others_are_replayed() {
    let lines: Vec<_> = last_week().lines().map(str::to_owned).collect();
    let input = format!("{}\nnot an alert\n\n{{\"rule\": \"cut\n{}\n", lines[2], lines[3]);
    let ran = responder_reading(&input, &demo(&["replay", "-"]));
    assert_snapshot!(ran.all());
    assert_eq!(ran.code, 3);
}

#[test]
fn targets_that_are_gone_are_assumed_on_request() {
    let all = [
        "remote-shell",
        "terminal-shell",
        "cryptominer",
        "sensitive-file-host",
        "exec-into-pod",
    ]
    .map(|name| format!("playbooks/{name}"));
    let mut args = vec!["replay", LAST_WEEK, "--assume-targets", "--unmatched", "--playbooks"];
    args.extend(all.iter().map(String::as_str));
    let ran = responder(&args);
    assert_snapshot!(ran.all());
    assert!(!ran.stdout.contains("TargetGone"), "{}", ran.stdout);
}

#[test]
fn text_of_alerts_cannot_act_on_the_terminal() {
    let hostile = "\\u001b[2J\\u009b31m\\u202e\\r\\n";
    let input = last_week().replace("Contact K8S", &format!("Contact {hostile}")) + "{\"rule\u{1b}[2J\u{202e}\": 1}\n";
    for output in ["text", "json"] {
        let ran = responder_reading(&input, &demo(&["replay", "-", "--unmatched", "-o", output]));
        assert_eq!(ran.code, 3);
        assert_harmless(&ran.stdout);
        assert_harmless(&ran.stderr);
    }
}

#[test]
fn an_empty_recording_is_no_mistake() {
    let ran = responder_reading("", &demo(&["replay", "-"]));
    assert_eq!(
        (ran.code, ran.stdout.as_str()),
        (
            0,
            "0 alerts: 0 answered by no playbook; 0 decisions: 0 would act, 0 would refuse.\n"
        )
    );
}
