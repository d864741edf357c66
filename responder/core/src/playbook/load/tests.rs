use std::path::{Path as FilePath, PathBuf};

use jiff::Timestamp;
use proptest::prelude::*;
use rstest::rstest;

use super::{Loaded, SourceFile, load};
use crate::class::ActionClass;
use crate::corroboration::Corroboration;
use crate::document::Diagnostics;
use crate::mode::Mode;
use crate::playbook_name::PlaybookName;
use crate::span::Span;
use crate::target::TargetKind;

fn now() -> Timestamp {
    "2026-06-01T00:00:00Z".parse().unwrap()
}

fn corpus(directory: &str) -> Vec<SourceFile> {
    let root = FilePath::new(env!("CARGO_MANIFEST_DIR"))
        .join("testdata/playbooks")
        .join(directory);
    let mut files: Vec<PathBuf> = std::fs::read_dir(root)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    assert!(!files.is_empty());
    files
        .iter()
        .map(|file| {
            source(
                file.file_name().unwrap().to_str().unwrap(),
                &std::fs::read_to_string(file).unwrap(),
            )
        })
        .collect()
}

fn source(file: &str, text: &str) -> SourceFile {
    SourceFile {
        file: file.into(),
        text: text.to_owned(),
    }
}

fn one(text: &str) -> Result<Loaded, Diagnostics> {
    load(&[source("playbook.yaml", text)], now())
}

/// A valid playbook with additional lines under `spec`.
fn with(spec: &str) -> Result<Loaded, Diagnostics> {
    let head = "apiVersion: responder.dev/v1alpha1\nkind: ClusterPlaybook\nmetadata: {name: test}\nspec:\n";
    let body = [
        ("match:", "  match: {minPriority: Notice}\n"),
        ("steps:", "  steps: [{label: {labels: {a: b}}}]\n"),
    ];
    let rest: String = body
        .iter()
        .filter(|(key, _)| !spec.contains(key))
        .map(|(_, text)| *text)
        .collect();
    one(&format!("{head}{rest}{spec}"))
}

fn said(result: Result<Loaded, Diagnostics>) -> Vec<String> {
    let found = match result {
        Ok(loaded) => loaded.warnings,
        Err(found) => found,
    };
    found
        .iter()
        .map(|found| format!("{}: {}", found.path, found.message))
        .collect()
}

#[test]
fn the_good_corpus_loads_without_a_word() {
    let loaded = load(&corpus("good"), now()).unwrap_or_else(|found| panic!("{found}"));
    assert_eq!(loaded.warnings.render(false), "");
    let names: Vec<&str> = loaded.playbooks.iter().map(|playbook| playbook.name.as_str()).collect();
    assert_eq!(names, ["remote-shell", "smallest", "exec-into-pod", "host-process"]);
    let guard = loaded.guard.unwrap();
    assert_eq!(
        (
            guard.mode,
            guard.budgets.len(),
            guard.protect.namespaces.len(),
            guard.protect.selectors.len()
        ),
        (Mode::Rehearse, 4, 1, 1)
    );
    assert_eq!(guard.max_alert_age, Span::minutes::<5>());
}

#[test]
fn the_example_of_the_reference_means_what_it_says() {
    let loaded = load(&corpus("good")[..1], now()).unwrap();
    let playbook = &loaded.playbooks[0];
    assert_eq!(playbook.name, PlaybookName::new("remote-shell").unwrap());
    assert_eq!(
        (playbook.mode, playbook.rollout[0].mode),
        (Mode::Observe, Mode::Enforce)
    );
    assert_eq!(
        (playbook.target, playbook.corroboration, playbook.order),
        (TargetKind::Pod, Corroboration::Container, 0)
    );
    assert_eq!(playbook.class(), ActionClass::Contain);
    assert_eq!(
        playbook.except[0].expires_at,
        Some("2027-01-01T00:00:00Z".parse().unwrap())
    );
    let targets = playbook.limits.targets.unwrap();
    assert_eq!(
        (targets.max, targets.percent_of_owner, targets.at_least),
        (Some(5), Some(50), 1)
    );
    assert_eq!(
        playbook.steps.iter().map(|step| step.name.as_str()).collect::<Vec<_>>(),
        ["isolate", "label"]
    );
    let needs = playbook.live_match.needs();
    assert!(needs.node && needs.namespace && !needs.owners);
}

#[rstest]
#[case::structure("bad/structure")]
#[case::meaning("bad/meaning")]
#[case::later("bad/later")]
fn the_bad_corpus_is_refused_with_places_and_suggestions(#[case] directory: &str) {
    for source in corpus(directory) {
        let found = load(std::slice::from_ref(&source), now()).map(|_| ()).unwrap_err();
        let name = format!(
            "{}_{}",
            directory.replace('/', "_"),
            source.file.file_stem().unwrap().to_str().unwrap()
        );
        insta::with_settings!({snapshot_path => "../../../testdata/playbooks/snapshots", prepend_module_to_snapshot => false, omit_expression => true}, {
            insta::assert_snapshot!(name, found.render(false));
        });
    }
}

#[test]
fn a_probable_mistake_is_a_warning() {
    let loaded = load(&corpus("warned"), now()).unwrap_or_else(|found| panic!("{found}"));
    insta::with_settings!({snapshot_path => "../../../testdata/playbooks/snapshots", prepend_module_to_snapshot => false, omit_expression => true}, {
        insta::assert_snapshot!("warned", loaded.warnings.render(false));
    });
}

#[test]
fn every_later_part_is_refused_by_its_name() {
    let found = load(&corpus("bad/later"), now()).map(|_| ()).unwrap_err();
    let all = found.iter().map(|found| found.message.as_str()).collect::<Vec<_>>();
    assert!(
        all.iter().all(|message| message.contains("is not in this version")),
        "{all:#?}"
    );
    for name in [
        "also",
        "approval",
        "Hold",
        "AwaitingApproval",
        "evidence",
        "suspend",
        "scale",
        "NoExecute",
        "drain",
        "detach",
        "lock",
        "if",
        "Namespace",
        "Resource",
        "breaker",
        "kind: Playbook",
        "kind: Override",
        "kind: PlaybookTest",
    ] {
        assert!(
            all.iter().any(|message| message.starts_with(&format!("`{name}`"))),
            "{name}"
        );
    }
}

#[test]
fn all_files_are_told_of_in_one_run_and_nothing_half_loads() {
    let good = "apiVersion: responder.dev/v1alpha1\nkind: ClusterPlaybook\nmetadata: {name: twice}\nspec: {match: {minPriority: Notice}, steps: [{cordon: {}}], target: Node}\n";
    let bad = good.replace("Notice", "Noti");
    let files = [
        source("b.yaml", good),
        source("a.yaml", &bad),
        source("c.yaml", "kind: ClusterPlaybok\n"),
    ];
    let found = load(&files, now()).map(|_| ()).unwrap_err();
    let places: Vec<String> = found
        .iter()
        .map(|found| {
            format!(
                "{}:{}:{} {}",
                found.file.display(),
                found.line,
                found.column,
                found.message
            )
        })
        .collect();
    insta::assert_snapshot!(places.join("\n"), @"
    a.yaml:3:18 there are two playbooks `twice`
    a.yaml:4:29 `Noti` is not a priority of Falco
    c.yaml:1:7 unknown kind `ClusterPlaybok`
    ");
    assert_eq!(found.errors(), places.len());
}

#[test]
fn a_diagnostic_serialises_for_machines() {
    let found = with("  mode: enforce\n").map(|_| ()).unwrap_err();
    insta::assert_json_snapshot!(found, @r#"
    [
      {
        "severity": "error",
        "file": "playbook.yaml",
        "line": 7,
        "column": 9,
        "path": "spec.mode",
        "message": "this must be `Observe`, `Rehearse` or `Enforce`, and is `enforce`",
        "help": "did you mean `Enforce`?",
        "excerpt": "  mode: enforce"
      }
    ]
    "#);
}

#[test]
fn colour_is_given_only_when_asked_for() {
    let found = with("  mode: enforce\n").map(|_| ()).unwrap_err();
    assert!(!found.render(false).contains('\u{1b}'));
    assert!(found.render(true).contains('\u{1b}'));
}

#[rstest]
#[case::syscall_destroy_by_uid("  corroboration: PodUid\n  steps: [{delete: {}}]\n", &[])]
#[case::syscall_destroy("  corroboration: Named\n  steps: [{delete: {}}]\n", &["spec.corroboration: Destroy never goes below PodUid for syscall alerts"])]
#[case::any_source_destroy("  match: {minPriority: Notice}\n  corroboration: Named\n  steps: [{delete: {}}]\n", &["spec.corroboration: Destroy never goes below PodUid for syscall alerts"])]
#[case::mixed_destroy("  match: {sources: [k8s_audit, syscalls]}\n  corroboration: Named\n  steps: [{delete: {}}]\n", &["spec.corroboration: Destroy never goes below PodUid for syscall alerts"])]
#[case::audit_destroy("  match: {sources: [k8s_audit]}\n  corroboration: Named\n  steps: [{delete: {}}]\n", &[])]
#[case::audit_default("  match: {sources: [k8s_audit]}\n", &["spec.corroboration: alerts of k8s_audit name a pod and nothing else, so the corroboration PodUid refuses all of them"])]
#[case::audit_uid("  match: {sources: [k8s_audit]}\n  corroboration: PodUid\n", &["spec.corroboration: alerts of k8s_audit name a pod and nothing else, so the corroboration PodUid refuses all of them"])]
#[case::contain_by_name("  corroboration: Named\n", &[])]
fn corroboration_fits_what_the_sources_can_say(#[case] spec: &str, #[case] expected: &[&str]) {
    assert_eq!(said(with(spec)), expected);
}

#[rstest]
#[case::less("  limits: {maxAlertAge: 1m}\n  steps: [{evict: {blockedFor: 30s}, otherwise: {delete: {}}}]\n", &[])]
#[case::as_long(
    "  limits: {maxAlertAge: 1m}\n  steps: [{evict: {blockedFor: 60s}, otherwise: {delete: {}}}]\n",
    &["spec.steps[0].evict.blockedFor: this waits for 1m, and after the 1m of `maxAlertAge` nothing is sent any more"]
)]
#[case::twice_the_end(
    "  steps: [{evict: {blockedFor: 5s}, otherwise: {delete: {}}}, {delete: {}}]\n",
    &["spec.steps[1]: `evict` ends the target, and then `delete` has nothing to end"]
)]
fn a_way_on_can_come_to_pass(#[case] spec: &str, #[case] expected: &[&str]) {
    assert_eq!(said(with(spec)), expected);
}

#[test]
fn the_same_meaning_has_the_same_hash_and_another_has_another() {
    let hash = |text: &str| with(text).unwrap().playbooks[0].hash;
    let plain = hash("");
    assert_eq!(hash("  mode: \"Observe\"   # a comment\n  order: 0\n"), plain);
    assert_ne!(hash("  order: 1\n"), plain);
    assert_ne!(hash("  steps: [{label: {labels: {a: c}}}]\n"), plain);
}

#[test]
fn a_problem_that_follows_from_another_is_not_told() {
    // `rulez` leaves the match empty, and the misspelt step has no action: both problems are reported already.
    let found = said(with("  match: {rulez: [x]}\n  steps: [{delet: {}}]\n"));
    assert_eq!(
        found,
        [
            "spec.match.rulez: unknown key `rulez`",
            "spec.steps[0].delet: there is no action `delet`"
        ]
    );
}

#[rstest]
#[case("rules: []")]
#[case("tags: {any: []}")]
#[case("fields: [{field: proc.name, glob: []}]")]
#[case("fields: [{field: proc.name, in: []}]")]
#[case("fields: []")]
fn an_empty_list_is_refused_because_it_asks_nothing(#[case] asked: &str) {
    assert!(with(&format!("  match: {{minPriority: Notice, {asked}}}\n")).is_err());
}

#[test]
fn the_rest_beside_a_mistake_is_still_checked() {
    let spec = "  match:\n    rules: [5, '[']\n    fields: [{feild: x}, {field: proc.name, matches: '('}]\n";
    let paths: Vec<String> = with(spec)
        .map(|_| ())
        .unwrap_err()
        .iter()
        .map(|found| found.path.clone())
        .collect();
    assert_eq!(
        paths,
        [
            "spec.match.rules[0]",
            "spec.match.rules[1]",
            "spec.match.fields[0]",
            "spec.match.fields[0].feild",
            "spec.match.fields[1].matches",
        ]
    );
}

#[test]
fn hostile_files_are_answered_with_a_bounded_list() {
    let many = format!(
        "apiVersion: responder.dev/v1alpha1\nkind: Guard\nspec:\n{}",
        (0..5000).map(|n| format!("  k{n}: x")).collect::<Vec<_>>().join("\n")
    );
    let found = one(&many).map(|_| ()).unwrap_err();
    assert_eq!(found.iter().count(), 101);
    let line = format!("kind: ClusterPlaybook\nspec: {{{}}}", "mode: x, ".repeat(20_000));
    let found = one(&line).map(|_| ()).unwrap_err();
    assert!(
        found
            .iter()
            .all(|found| found.excerpt.len() <= 400 && found.render(false).len() < 2000)
    );
    let rules = (0..20_000)
        .map(|n| format!("Terminal shell in containr {n}"))
        .collect::<Vec<_>>()
        .join(", ");
    assert_eq!(
        said(with(&format!("  match: {{rules: [{rules}]}}\n"))),
        ["spec.match.rules: this list has 20000 entries; at most 500 are allowed"]
    );
    let wide = "kind: ClusterPlaybook\nspec: {match: {when: '".to_owned() + &"é".repeat(100_000) + "'}}";
    assert!(one(&wide).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn any_mutation_of_a_good_file_is_answered(file in 0_usize..3, at in any::<prop::sample::Index>(), cut in 0_usize..20, put in "[-a-z:{}\\[\\]&*!|>'\"#,0-9 \n]{0,6}") {
        let SourceFile { text, .. } = &corpus("good")[file];
        let mut chars: Vec<char> = text.chars().collect();
        let start = at.index(chars.len());
        let end = (start + cut).min(chars.len());
        chars.splice(start..end, put.chars());
        let text: String = chars.into_iter().collect();
        match one(&text) {
            Ok(loaded) => drop(loaded.warnings.render(false)),
            Err(found) => {
                prop_assert!(found.errors() > 0);
                for found in &found {
                    prop_assert!(found.line <= text.split('\n').count());
                    prop_assert!(!found.render(true).is_empty());
                }
            }
        }
    }
}
