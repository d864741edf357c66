//! The library of playbooks: the folders beside `playbooks/README.md`.

use std::fs;
use std::path::{Path, PathBuf};

use responder_core::alert::{Alert, Bounds, shipped_rule, shipped_rules};
use responder_core::document::SourceFile;
use responder_core::mode::Mode;
use responder_core::playbook::{Playbook, load};

use crate::harness::{responder, root};

/// The folders of the library.
fn situations() -> Vec<PathBuf> {
    let mut folders: Vec<_> = fs::read_dir(root().join("playbooks"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.join("playbook.yaml").is_file())
        .collect();
    folders.sort();
    folders
}

fn alerts(folder: &Path) -> Vec<(PathBuf, Alert)> {
    let mut files: Vec<_> = fs::read_dir(folder.join("alerts"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    let alert = |file: PathBuf| {
        let alert = Alert::decode(&fs::read(&file).unwrap(), &Bounds::default()).unwrap();
        (file, alert)
    };
    files.into_iter().map(alert).collect()
}

fn playbooks(folder: &Path) -> Vec<std::sync::Arc<Playbook>> {
    let file = folder.join("playbook.yaml");
    let text = fs::read_to_string(&file).unwrap();
    load(&[SourceFile { file, text }], jiff::Timestamp::UNIX_EPOCH)
        .unwrap()
        .playbooks
}

/// The names and globs under `rules` in a file of the library.
fn rules(folder: &Path) -> Vec<String> {
    let text = fs::read_to_string(folder.join("playbook.yaml")).unwrap();
    let mut names = Vec::new();
    let mut in_list = false;
    for line in text.lines() {
        let line = line.split(" #").next().unwrap().trim();
        if let Some(inline) = line.strip_prefix("rules: [") {
            names.extend(
                inline
                    .trim_end_matches(']')
                    .split(", ")
                    .map(|name| name.trim_matches('"').to_owned()),
            );
        } else if line == "rules:" {
            in_list = true;
        } else if let Some(name) = line.strip_prefix("- ").filter(|_| in_list) {
            names.push(name.trim_matches('"').to_owned());
        } else {
            in_list = false;
        }
    }
    names
}

#[test]
fn the_whole_library_passes_the_strict_check_as_one_set() {
    let files: Vec<String> = situations()
        .iter()
        .map(|folder| folder.join("playbook.yaml").display().to_string())
        .collect();
    let args: Vec<&str> = ["check", "--strict"]
        .into_iter()
        .chain(files.iter().map(String::as_str))
        .collect();
    let ran = responder(&args);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(situations().len() >= 6);
}

#[test]
fn every_rule_that_a_playbook_names_is_one_that_falco_ships() {
    for folder in situations() {
        let rules = rules(&folder);
        assert!(!rules.is_empty(), "{}", folder.display());
        for name in rules {
            let (before, after) = name.split_once('*').unwrap_or((&name, ""));
            let is_glob = name.contains('*');
            let known = shipped_rule(&name).is_some()
                || is_glob
                    && shipped_rules().any(|shipped| {
                        shipped.rule.as_str().starts_with(before) && shipped.rule.as_str().ends_with(after)
                    });
            assert!(known, "{}: Falco ships no rule `{name}`", folder.display());
        }
    }
}

#[test]
fn every_playbook_starts_in_observe_with_limits_a_description_and_notifications() {
    for playbook in situations().iter().flat_map(|folder| playbooks(folder)) {
        assert_eq!(playbook.mode, Mode::Observe, "{}", playbook.name);
        assert!(playbook.description.len() > 60, "{}", playbook.name);
        assert!(
            playbook.limits.max_alert_age.is_some() && playbook.limits.cooldown.is_some(),
            "{}",
            playbook.name
        );
        assert!(!playbook.notify.is_empty(), "{}", playbook.name);
    }
}

#[test]
fn every_file_names_its_schema_for_editors() {
    let mut files: Vec<PathBuf> = situations().iter().map(|folder| folder.join("playbook.yaml")).collect();
    files.push(root().join("playbooks/demo/guard.yaml"));
    files.extend(
        fs::read_dir(root().join("playbooks/demo/playbooks"))
            .unwrap()
            .map(|entry| entry.unwrap().path()),
    );
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        let schema = text
            .lines()
            .next()
            .unwrap()
            .strip_prefix("# yaml-language-server: $schema=")
            .unwrap();
        assert!(
            file.parent().unwrap().join(schema).is_file(),
            "{}: {schema}",
            file.display()
        );
    }
}

#[test]
fn every_example_is_an_alert_as_its_rule_writes_it() {
    for (file, alert) in situations().iter().flat_map(|folder| alerts(folder)) {
        let rule = shipped_rule(alert.rule().as_str()).unwrap_or_else(|| panic!("{}: no such rule", file.display()));
        assert_eq!(
            (alert.priority(), alert.source()),
            (rule.priority, &rule.source),
            "{}",
            file.display()
        );
        for (field, _) in alert.fields() {
            assert!(
                rule.carries(field),
                "{}: the rule does not write {field}",
                file.display()
            );
        }
        for field in &rule.output_fields {
            assert!(alert.field(field).is_some(), "{}: {field} is missing", file.display());
        }
    }
}

#[test]
fn every_playbook_acts_on_every_example_beside_it() {
    for folder in situations() {
        let examples = alerts(&folder);
        assert!(!examples.is_empty(), "{}", folder.display());
        for (file, _) in examples {
            let (file, folder) = (file.display().to_string(), folder.display().to_string());
            let ran = responder(&[
                "explain",
                &file,
                "--playbooks",
                &folder,
                "--assume-targets",
                "-o",
                "json",
            ]);
            assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{file}");
            for playbook in ran.json()["playbooks"].as_array().unwrap() {
                let plan = playbook.pointer("/decision/outcome/act/plan");
                assert!(
                    plan.is_some(),
                    "{file}: {} does not act: {:#}",
                    playbook["playbook"],
                    playbook["decision"]
                );
                assert_eq!(plan.unwrap()["mode"]["mode"], "Observe", "{file}");
            }
        }
    }
}
