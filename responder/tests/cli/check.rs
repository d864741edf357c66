//! `responder check`.

use std::fs;

use insta::assert_snapshot;

use crate::harness::{here, responder};

#[test]
fn every_mistake_of_every_file_is_shown_at_once_with_its_place() {
    let files = ["everything.yaml", "second.yaml", "not-yaml.yaml"].map(|file| here(&format!("playbooks/{file}")));
    let ran = responder(&["check".to_owned(), files[0].clone(), files[1].clone(), files[2].clone()]);
    assert_snapshot!(ran.all());
    assert_eq!((ran.code, ran.stdout.as_str()), (2, ""));
}

#[test]
fn a_set_without_mistakes_is_ok_with_its_size() {
    let ran = responder(&["check", "playbooks/demo/playbooks", "playbooks/demo/guard.yaml"]);
    assert_snapshot!(ran.all(), @r"
    exit code 0
    --- stdout
    --- stderr
    4 playbooks, 1 guard: ok
    ");
}

#[test]
fn warnings_are_shown_and_are_no_errors() {
    let ran = responder(&["check", &here("playbooks/suspicious.yaml")]);
    assert_snapshot!(ran.all());
    assert_eq!(ran.code, 0);
}

#[test]
fn warnings_are_errors_with_strict() {
    let ran = responder(&["check", "--strict", &here("playbooks/suspicious.yaml")]);
    assert_eq!(ran.code, 2);
    assert!(
        ran.stderr
            .ends_with("1 playbook, 0 guards: not ok, 7 warnings (--strict)\n"),
        "{}",
        ran.stderr
    );
}

#[test]
fn the_same_goes_to_standard_output_as_json() {
    let ran = responder(&["check", "-o", "json", &here("playbooks/second.yaml")]);
    assert_eq!((ran.code, ran.stderr.as_str()), (2, ""));
    let answer = ran.json();
    assert_eq!((&answer["ok"], &answer["playbooks"]), (&false.into(), &0.into()));
    let diagnostics = answer["diagnostics"].as_array().unwrap();
    assert_eq!(answer["errors"], diagnostics.len());
    let first = &diagnostics[0];
    assert_eq!(first["file"], here("playbooks/second.yaml"));
    assert_eq!((&first["line"], &first["column"]), (&7.into(), &3.into()));
    assert_eq!(first["message"], "the key `steps` is here twice");
    assert_eq!(first["severity"], "error");
}

#[test]
fn a_file_that_cannot_be_read_is_an_error_and_the_others_are_checked() {
    let directory = tempfile::tempdir().unwrap();
    let empty = directory.path().to_str().unwrap();
    let ran = responder(&["check", "no-such-file.yaml", empty, "playbooks/demo/guard.yaml"]);
    assert_snapshot!(ran.all().replace(empty, "EMPTY"), @r"
    exit code 2
    --- stdout
    --- stderr
    error: cannot read no-such-file.yaml: No such file or directory (os error 2)

    error: cannot read EMPTY: this directory has no *.yaml or *.yml file; name a file, or the directory that has them (those below it are not entered)

    2 errors: nothing would be loaded
    ");
}

#[test]
fn two_playbooks_of_the_same_name_are_an_error_that_names_both_files() {
    let ran = responder(&[
        "check",
        "playbooks/remote-shell",
        "playbooks/demo/playbooks/remote-shell.yaml",
    ]);
    assert_snapshot!(ran.all(), @r"
    exit code 2
    --- stdout
    --- stderr
    error: there are two playbooks `remote-shell`
     --> playbooks/demo/playbooks/remote-shell.yaml:5:9
      |
    5 |   name: remote-shell
      |         ^^^^^^^^^^^^ metadata.name
      |
      = help: the first is in playbooks/remote-shell/playbook.yaml:5

    1 error: nothing would be loaded
    ");
}

#[test]
fn a_directory_as_a_config_map_mounts_it_is_read_once() {
    let mounted = tempfile::tempdir().unwrap();
    let at = |name: &str| mounted.path().join(name);
    fs::create_dir(at("..2026_11_24")).unwrap();
    fs::copy(
        crate::harness::root().join("playbooks/remote-shell/playbook.yaml"),
        at("..2026_11_24/remote-shell.yaml"),
    )
    .unwrap();
    std::os::unix::fs::symlink("..2026_11_24", at("..data")).unwrap();
    std::os::unix::fs::symlink("..data/remote-shell.yaml", at("remote-shell.yaml")).unwrap();
    let ran = responder(&["check", mounted.path().to_str().unwrap()]);
    assert_eq!((ran.code, ran.stderr.as_str()), (0, "1 playbook, 0 guards: ok\n"));
}

#[test]
fn output_to_a_pipe_is_not_coloured() {
    for args in [
        ["check", "playbooks/demo/playbooks"],
        ["check", "responder/tests/cli/playbooks"],
    ] {
        assert!(!responder(&args).stderr.contains('\u{1b}'));
    }
}
