use proptest::prelude::*;
use rstest::rstest;
use serde_json::json;

use super::shown;
use crate::playbook::testing::{alert, playbook};
use crate::trace::{Trace, Verdict};

#[rstest]
#[case("{rules: [Terminal shell in container]}", true)]
#[case("{rules: [terminal shell in container]}", false)]
#[case("{rules: [other, 'Terminal * container']}", true)]
#[case("{rules: ['{A,Terminal shell} in [a-d]ontainer']}", true)]
#[case("{sources: [syscalls]}", true)]
#[case("{sources: [k8s_audit]}", false)]
#[case("{minPriority: Notice}", true)]
#[case("{minPriority: info}", true)]
#[case("{minPriority: Warning}", false)]
#[case("{tags: {all: [container, shell]}}", true)]
#[case("{tags: {all: [container, T1059]}}", false)]
#[case("{tags: {any: [T1059, shell]}}", true)]
#[case("{tags: {any: [T1059]}}", false)]
#[case("{tags: {none: [test]}}", true)]
#[case("{tags: {none: [test, shell]}}", false)]
#[case("{fields: [{field: proc.name, equals: bash}, {field: user.uid, equals: 0}]}", true)]
#[case("{fields: [{field: proc.name, equals: bash}, {field: user.uid, equals: 1}]}", false)]
#[case("{rules: [Terminal shell in container], minPriority: Critical}", false)]
fn every_part_that_is_written_must_hold(#[case] asked: &str, #[case] matches: bool) {
    let alert = alert(json!({"output_fields": {"proc.name": "bash", "user.uid": 0}}));
    assert_eq!(playbook(asked).alert_match.matches(&alert), matches);
}

#[test]
fn a_rule_with_a_slash_is_named_by_a_glob() {
    let alert = alert(json!({"rule": "Redirect STDOUT/STDIN to Network Connection in Container"}));
    assert!(
        playbook("{rules: ['Redirect * in Container']}")
            .alert_match
            .matches(&alert)
    );
}

#[test]
fn an_alert_without_tags_has_none_of_them() {
    let alert = alert(json!({"tags": null}));
    assert!(playbook("{tags: {none: [test]}}").alert_match.matches(&alert));
    assert!(!playbook("{tags: {any: [test]}}").alert_match.matches(&alert));
}

#[test]
fn a_trace_says_what_was_compared_with_what() {
    let asked = "{rules: [Terminal shell in container, 'Netcat *'], sources: [syscall], minPriority: Warning, tags: {any: [T1059], none: [test]},
        fields: [{field: proc.name, in: [bash, zsh]}, {field: fd.rport, ge: 1024, lt: 2048}, {field: proc.cmdline, exists: true}, {field: user.uid, notEquals: 0}]}";
    let alert =
        alert(json!({"output_fields": {"proc.name": "sh\u{1b}[2J\u{202e}", "fd.rport": 4444, "user.uid": null}}));
    let mut trace = Trace::default();
    playbook(asked).alert_match.trace(&alert, &mut trace);
    insta::assert_snapshot!(trace, @r#"
    ok  match.rules: the rule is "Terminal shell in container"; asked "Terminal shell in container" or "Netcat *"
    ok  match.sources: the source is "syscall"; asked syscall
    no  match.minPriority: the priority is Notice; asked Warning or more
    no  match.tags: the tags are "container", "shell", "mitre_execution"; asked any of [T1059] none of [test]
    no  match.fields[0]: proc.name is "sh\u{1b}[2J\u{202e}"; asked in [bash, zsh]
    no  match.fields[1]: fd.rport is 4444; asked lt 2048
    ok  match.fields[1]: fd.rport is 4444; asked ge 1024
    no  match.fields[2]: proc.cmdline is not in the alert; asked exists true
    no  match.fields[3]: user.uid is null; asked notEquals 0
    "#);
}

#[test]
fn text_of_an_alert_is_shortened_and_escaped() {
    assert_eq!(shown(&"a".repeat(80)), format!("\"{}\"", "a".repeat(80)));
    assert_eq!(shown(&"a".repeat(81)), format!("\"{}…\"", "a".repeat(80)));
    assert!(!shown("\u{1b}[2J\n\u{202e}").contains(char::is_control));
}

proptest! {
    #[test]
    fn the_trace_agrees_with_the_match(
        rules in prop::sample::select(vec!["", "rules: [a]", "rules: ['a*', b]", "rules: [b]"]),
        sources in prop::sample::select(vec!["", "sources: [syscall]", "sources: [k8s_audit, syscalls]"]),
        priority in prop::sample::select(vec!["", "minPriority: Debug", "minPriority: Error"]),
        tags in prop::sample::select(vec!["", "tags: {all: [x]}", "tags: {any: [x, y], none: [z]}"]),
        fields in prop::sample::select(vec!["", "fields: [{field: f, equals: a}]", "fields: [{field: f, notIn: [a]}, {field: g, gt: 1, le: 5}]"]),
        rule in "[ab]{1,2}", source in prop::sample::select(vec!["syscall", "k8s_audit", "syscalls"]),
        of in prop::sample::select(vec!["Debug", "Error", "Emergency"]),
        has in prop::collection::vec("[xyz]", 0..3), f in prop::option::of("[ab]"), g in prop::option::of(0_u8..8),
    ) {
        let parts: Vec<&str> = [rules, sources, priority, tags, fields].into_iter().filter(|part| !part.is_empty()).collect();
        prop_assume!(!parts.is_empty());
        let asked = playbook(&format!("{{{}}}", parts.join(", ")));
        let alert = alert(json!({"rule": rule, "source": source, "priority": of, "tags": has, "output_fields": {"f": f, "g": g}}));
        let mut trace = Trace::default();
        asked.alert_match.trace(&alert, &mut trace);
        let failed = trace.checks.iter().any(|check| check.verdict == Verdict::Failed);
        prop_assert_eq!(asked.alert_match.matches(&alert), !failed, "{}", trace);
    }
}
