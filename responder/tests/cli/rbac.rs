//! `responder rbac`, and the files of the Helm chart that come from it and from the library.

use std::fs;
use std::path::PathBuf;

use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding};
use rstest::rstest;
use serde_json::Value;

use crate::harness::{here, responder, root};

fn chart(file: &str) -> PathBuf {
    root().join("charts/responder").join(file)
}

#[test]
fn the_roles_of_a_set_of_playbooks_name_the_reason_of_each() {
    let demo = [
        "--playbooks",
        "playbooks/demo/playbooks",
        "--guard",
        "playbooks/demo/guard.yaml",
    ];
    let ran = responder(&[&["rbac"], &demo[..]].concat());
    insta::assert_snapshot!(ran.all());
}

#[test]
fn the_library_needs_no_right_to_change_anything_until_a_mode_is_raised() {
    let ran = responder(&["rbac", "--playbooks", "charts/responder/library", "--mode", "Enforce"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
    let verbs = ran
        .stdout
        .lines()
        .filter_map(|line| line.trim().strip_prefix("verbs: "));
    assert!(verbs.clone().count() > 3);
    assert!(
        verbs
            .clone()
            .all(|verbs| ["[get]", "[list]", "[get, list]"].contains(&verbs)),
        "{}",
        ran.stdout
    );
}

#[test]
fn the_controllers_of_a_named_custom_kind_may_be_read() {
    let library = ["rbac", "--playbooks", "charts/responder/library"];
    let named = responder(&[&library[..], &["--owner-kinds", "argoproj.io/rollouts"]].concat());
    assert_eq!((named.code, named.stderr.as_str()), (0, ""));
    let rule = "- apiGroups: [argoproj.io]\n  resources: [rollouts, rollouts/scale]\n  verbs: [get]\n";
    assert_eq!(named.stdout.replacen(rule, "", 1), responder(&library).stdout);
    assert!(named.stdout.contains(rule), "{}", named.stdout);
    let ran = responder(&[&library[..], &["--owner-kinds", "rollouts"]].concat());
    assert_eq!(ran.code, 2);
    assert!(ran.stderr.contains("argoproj.io/rollouts"), "{}", ran.stderr);
}

#[rstest]
#[case("Observe", 0)]
#[case("Rehearse", 3)]
#[case("Enforce", 3)]
fn the_output_is_manifests_that_bind_the_rights_to_the_account(#[case] mode: &str, #[case] writes: usize) {
    let playbooks = "playbooks/demo/playbooks";
    let ran = responder(&[
        "rbac",
        "--playbooks",
        playbooks,
        "--mode",
        mode,
        "--namespace",
        "security",
        "--service-account",
        "it",
    ]);
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
    let documents: Vec<Value> = serde_saphyr::from_multiple(&ran.stdout).unwrap();
    let [role, binding] = &documents[..] else {
        panic!("{}", ran.stdout)
    };
    let role: ClusterRole = serde_json::from_value(role.clone()).unwrap();
    let is_write = |verb: &String| !["get", "list"].contains(&verb.as_str());
    let rules = role.rules.unwrap();
    assert_eq!(
        rules.iter().filter(|rule| rule.verbs.iter().any(is_write)).count(),
        writes,
        "{}",
        ran.stdout
    );
    let binding: ClusterRoleBinding = serde_json::from_value(binding.clone()).unwrap();
    let subject = &binding.subjects.unwrap()[0];
    assert_eq!(
        (subject.name.as_str(), subject.namespace.as_deref()),
        ("it", Some("security"))
    );
    assert_eq!(Some(binding.role_ref.name), role.metadata.name);
}

#[test]
fn playbooks_with_errors_get_no_roles() {
    let ran = responder(&["rbac", "--playbooks", &here("playbooks/not-yaml.yaml")]);
    assert_eq!((ran.code, ran.stdout.as_str()), (2, ""));
}

#[test]
fn the_chart_has_the_rights_that_rbac_prints() {
    let ran = responder(&["rbac", "--chart"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
    let file = chart("files/rbac.yaml");
    if fs::read_to_string(&file).ok().as_deref() == Some(&*ran.stdout) {
        return;
    }
    panic!(
        "charts/responder/files/rbac.yaml is of another version: write it with `cargo run -- rbac --chart > {}`",
        file.display()
    );
}

#[test]
fn the_charts_admission_policy_has_the_floor_of_the_program() {
    use std::fmt::Write as _;

    use responder_core::{guard::floor_namespaces, node};

    let mut expected =
        "# The built-in floor. A test compares it with that of the program, and writes it with FLOOR=write.\n"
            .to_owned();
    expected += "namespaces:\n";
    for entry in floor_namespaces() {
        writeln!(expected, "  - {}", entry.name).unwrap();
    }
    let (role, roles) = node::CONTROL_PLANE_ROLES;
    expected +=
        "# The labels of nodes of the control plane, and a label with the values that mean it.\ncontrolPlaneLabels:\n";
    for label in node::CONTROL_PLANE_LABELS {
        writeln!(expected, "  - {label}").unwrap();
    }
    writeln!(expected, "controlPlaneRoles:\n  {role}: [{}]", roles.join(", ")).unwrap();
    let file = chart("files/floor.yaml");
    if std::env::var("FLOOR").is_ok_and(|wish| wish == "write") {
        fs::write(&file, &expected).unwrap();
    }
    assert_eq!(fs::read_to_string(file).unwrap(), expected);
}

/// A chart can't refer to files outside of itself, so it has copies, without the first line, which is for editors.
#[test]
fn the_chart_has_the_playbooks_of_the_library_and_lists_them() {
    let mut names = Vec::new();
    for entry in fs::read_dir(root().join("playbooks")).unwrap() {
        let file = entry.unwrap().path().join("playbook.yaml");
        let Ok(text) = fs::read_to_string(&file) else { continue };
        let name = file.parent().unwrap().file_name().unwrap().to_str().unwrap().to_owned();
        let copy = chart(&format!("library/{name}.yaml"));
        let (first, rest) = text.split_once('\n').unwrap();
        assert!(first.starts_with("# yaml-language-server"), "{}", file.display());
        assert!(
            fs::read_to_string(&copy).ok().as_deref() == Some(rest),
            "it is of another version: write it with `tail -n +2 {} > {}`",
            file.display(),
            copy.display()
        );
        names.push(name);
    }
    names.sort();
    assert_eq!(fs::read_dir(chart("library")).unwrap().count(), names.len());
    let values: Value = serde_saphyr::from_str(&fs::read_to_string(chart("values.yaml")).unwrap()).unwrap();
    assert_eq!(values["library"], serde_json::json!(names));
}

#[test]
fn the_chart_is_of_the_version_of_the_program() {
    let chart: Value = serde_saphyr::from_str(&fs::read_to_string(chart("Chart.yaml")).unwrap()).unwrap();
    assert_eq!(chart["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(chart["appVersion"], env!("CARGO_PKG_VERSION"));
}

/// Users find a key in the default values or not at all; Helm refuses a value that the schema lacks.
#[test]
fn every_value_has_a_default_and_a_place_in_the_schema() {
    let values: Value = serde_saphyr::from_str(&fs::read_to_string(chart("values.yaml")).unwrap()).unwrap();
    let schema: Value = serde_json::from_str(&fs::read_to_string(chart("values.schema.json")).unwrap()).unwrap();
    let keys = |of: &Value| {
        of.as_object()
            .unwrap()
            .keys()
            .cloned()
            .collect::<std::collections::BTreeSet<_>>()
    };
    let mut known = keys(&schema["properties"]);
    // Helm's own key for subcharts.
    known.remove("global");
    assert_eq!(known, keys(&values));
    for (key, part) in schema["properties"].as_object().unwrap() {
        if part["additionalProperties"] == false && key != "resources" {
            assert_eq!(keys(&part["properties"]), keys(&values[key]), "{key}");
        }
    }
}
