//! `responder run --config` and `--print-config`.

use rstest::rstest;

use crate::harness::{here, responder, responder_in};

#[rstest]
#[case("bad")]
#[case("meant")]
fn every_mistake_of_a_configuration_is_shown_at_once_with_its_place(#[case] name: &str) {
    let ran = responder(&["run", "--config", &here(&format!("config/{name}.yaml"))]);
    assert!(!ran.stderr.contains("hunter2"), "{}", ran.stderr);
    insta::with_settings!({snapshot_suffix => name}, {
        insta::assert_snapshot!(ran.all());
    });
}

#[test]
fn the_configuration_in_force_is_shown_with_the_origin_of_each_value() {
    let config = here("config/good.yaml");
    let environment = [
        ("RESPONDER_MODE", "Rehearse"),
        ("RESPONDER_LOG_FORMAT", "json"),
        ("FALCO_PASSWORD", "s3cret"),
    ];
    let args = [
        "run",
        "--config",
        &config,
        "--print-config",
        "--listen",
        "[::1]:9",
        "--simulate",
        "x",
    ];
    let ran = responder_in(&environment, &args);
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
    assert!(!ran.stdout.contains("s3cret"), "{}", ran.stdout);
    insta::assert_snapshot!(ran.stdout);
}

/// A comma ends a URL in prose, and is part of a password here.
#[test]
fn a_password_in_the_url_of_the_receiver_is_refused_and_not_shown() {
    let url = "http://user:hunter2,more@collector:4317";
    let args = [
        "run",
        "--playbooks",
        "x",
        "--simulate",
        "x",
        "--print-config",
        "--otlp-endpoint",
        url,
    ];
    let ran = responder(&args);
    assert_eq!(ran.code, 2, "{}", ran.stderr);
    assert!(ran.stderr.contains("OTEL_EXPORTER_OTLP_HEADERS"), "{}", ran.stderr);
    assert!(!ran.all().contains("hunter2"), "{}", ran.all());
}

#[test]
fn the_printed_configuration_is_a_valid_file() {
    let config = here("config/good.yaml");
    let first = responder(&["run", "--config", &config, "--print-config"]);
    let directory = tempfile::tempdir().unwrap();
    let again = directory.path().join("again.yaml");
    std::fs::write(&again, &first.stdout).unwrap();
    let second = responder(&["run", "--config", &again.to_string_lossy(), "--print-config"]);
    let values = |text: &str| {
        text.lines()
            .map(|line| line.split("  #").next().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(values(&second.stdout), values(&first.stdout), "{}", second.stderr);
}

#[test]
fn without_a_file_the_defaults_and_the_options_are_shown() {
    let ran = responder(&["run", "--playbooks", "playbooks/demo/playbooks", "--print-config"]);
    insta::assert_snapshot!(ran.all());
}

#[rstest]
#[case::beyond_loopback(&["--playbooks", "playbooks/demo/playbooks", "--listen", "0.0.0.0:0"], "senders do not have to authenticate")]
#[case::no_playbooks(&[], "there are no playbooks")]
#[case::no_file(&["--config", "nothing.yaml"], "cannot read the configuration nothing.yaml")]
#[case::two_clusters(&["--simulate", "x", "--context", "y"], "cannot be used with")]
fn a_configuration_that_cannot_run_is_refused_at_the_start(#[case] args: &[&str], #[case] said: &str) {
    let ran = responder(&[&["run"], args].concat());
    assert_ne!(ran.code, 0);
    assert!(ran.stderr.contains(said), "{}", ran.stderr);
}

#[test]
fn listening_without_authentication_is_an_explicit_choice() {
    let args = [
        "run",
        "--playbooks",
        "x",
        "--listen",
        "0.0.0.0:2803",
        "--insecure-no-auth",
        "--print-config",
    ];
    let ran = responder(&args);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(
        ran.stdout.contains("insecureNoAuth: true  # --insecure-no-auth"),
        "{}",
        ran.stdout
    );
}

#[test]
fn for_a_guard_or_a_configuration_in_the_wrong_place_the_right_one_is_named() {
    let ran = responder(&["check", &here("config/good.yaml")]);
    assert_eq!(ran.code, 2);
    assert!(ran.stderr.contains("responder run --config"), "{}", ran.stderr);
    let ran = responder(&["run", "--config", "playbooks/demo/guard.yaml"]);
    assert_eq!(ran.code, 2);
    assert!(ran.stderr.contains("`Configuration`"), "{}", ran.stderr);
}

#[test]
fn the_schema_of_the_configuration_has_its_sections() {
    let schema = responder(&["schema", "--of", "config"]).json();
    let sections = &schema["$defs"]["Configuration"]["properties"];
    for section in ["http", "kubernetes", "log", "playbooks"] {
        assert!(sections[section]["description"].is_string(), "{section}");
    }
    assert_eq!(schema["$defs"]["Configuration"]["additionalProperties"], false);
}
