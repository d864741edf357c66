//! `responder schema` and `responder completions`.

use std::fs;

use rstest::rstest;

use crate::harness::{responder, root};

#[test]
fn the_schema_beside_the_library_is_the_one_that_is_printed() {
    let ran = responder(&["schema"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
    let file = root().join("playbooks/playbook.schema.json");
    if fs::read_to_string(&file).ok().as_deref() == Some(&*ran.stdout) {
        return;
    }
    panic!(
        "playbooks/playbook.schema.json is of another version: write it with `cargo run -- schema > {}`",
        file.display()
    );
}

#[rstest]
#[case("bash")]
#[case("zsh")]
#[case("fish")]
fn a_shell_completes_every_command(#[case] shell: &str) {
    let ran = responder(&["completions", shell]);
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
    for command in ["run", "check", "explain", "replay", "rbac", "schema", "completions"] {
        assert!(ran.stdout.contains(command), "{shell} knows no {command}");
    }
}

#[rstest]
#[case("run")]
#[case("check")]
#[case("explain")]
#[case("replay")]
#[case("rbac")]
#[case("schema")]
#[case("completions")]
fn the_help_of_every_command_has_examples(#[case] command: &str) {
    let ran = responder(&[command, "--help"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
    assert!(ran.stdout.contains("Examples:"), "{}", ran.stdout);
    assert!(ran.stdout.contains(&format!("  responder {command}")), "{}", ran.stdout);
}

#[test]
fn an_unknown_option_is_a_usage_error() {
    let ran = responder(&["check", "--strickt", "playbooks/demo/guard.yaml"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (2, ""));
    assert!(ran.stderr.contains("--strict"), "{}", ran.stderr);
}
