//! The duration of match and decide: an alert that no playbook matches, one that a playbook matches, and a whole
//! decision, with 10, 100, 500 and 1000 playbooks.
//!
//! `cargo bench --profile dist -p integration --bench decide`; the first line of the output says the profile.

#![expect(clippy::print_stdout, reason = "the profile belongs to the figures")]
#![expect(
    clippy::expect_used,
    reason = "the inputs are part of the benchmark, and a bad one must end it"
)]

use std::sync::Arc;

use divan::{Bencher, black_box};
use integration::responder::playbooks::playbook;
use responder_core::alert::{Alert, Bounds};
use responder_core::decide::{Context, OwnIdentity, decide};
use responder_core::document::SourceFile;
use responder_core::guard::{Guard, LedgerView};
use responder_core::mode::Mode;
use responder_core::playbook::{Index, Playbook, load};
use responder_core::snapshot::{Part, Snapshot};

const SIZES: [usize; 4] = [10, 100, 500, 1000];
const NOW: &str = "2026-11-24T03:00:07Z";

fn main() {
    let profile = integration::responder::profile();
    let profile = profile.as_deref().unwrap_or("unknown");
    let publication = if profile == integration::responder::SHIPPED_PROFILE {
        "as in the image"
    } else {
        "NOT FOR PUBLICATION: that takes `--profile dist`"
    };
    println!("Profile: {profile}, {publication}.");
    divan::main();
}

/// The playbooks of a large platform team: most match exact rule names, some match globs, some match by source and
/// priority, all with predicates on fields.
fn playbooks(count: usize) -> Vec<Arc<Playbook>> {
    loaded((0..count).map(numbered).collect())
}

fn loaded(text: String) -> Vec<Arc<Playbook>> {
    let source = SourceFile {
        file: "bench.yaml".into(),
        text,
    };
    let loaded = load(&[source], NOW.parse().expect("a time"));
    loaded.unwrap_or_else(|problems| panic!("{problems:?}")).playbooks
}

fn numbered(number: usize) -> String {
    let rules = match number % 10 {
        8 => format!("rules: [\"Team {number} *\"]"),
        9 => "minPriority: Alert".to_owned(),
        _ => format!("rules: [\"Rule {number}\", \"Other rule {number}\"]"),
    };
    let spec = format!(
        "mode: Enforce\n  match:\n    {rules}\n    sources: [syscall]\n    fields:\n      - {{field: proc.name, in: [bash, sh, \
         zsh]}}\n      - {{field: proc.cmdline, matches: '^sh -c (curl|wget) {number}'}}"
    );
    playbook(&format!("p{number}"), &spec, &["delete: {}"])
}

fn alert(rule: &str) -> Alert {
    let body = include_str!("../../responder/core/testdata/alerts/01_syscall_shell_k8s_falco_docs.json");
    let body = body
        .replace("Terminal shell in container", rule)
        .replace("2023-05-25T13:44:05.478445995Z", "2026-11-24T03:00:05.478445995Z");
    Alert::decode(body.as_bytes(), &Bounds::default()).expect("a sample")
}

#[divan::bench(args = SIZES)]
fn match_an_alert_that_nothing_matches(bencher: Bencher<'_, '_>, count: usize) {
    let index = Index::new(playbooks(count));
    let alert = alert("Terminal shell in container");
    assert!(index.matching(&alert).is_empty());
    bencher.bench_local(|| index.matching(black_box(&alert)).len());
}

#[divan::bench(args = SIZES)]
fn match_an_alert_whose_rule_one_playbook_names(bencher: Bencher<'_, '_>, count: usize) {
    let index = Index::new(playbooks(count));
    let alert = alert("Rule 7");
    bencher.bench_local(|| index.matching(black_box(&alert)).len());
}

#[divan::bench]
fn decode_an_alert(bencher: Bencher<'_, '_>) {
    let body = include_bytes!("../../responder/core/testdata/alerts/01_syscall_shell_k8s_falco_docs.json");
    let bounds = Bounds::default();
    bencher.bench_local(|| Alert::decode(black_box(body), &bounds).expect("a sample"));
}

#[divan::bench]
fn decide_a_delete(bencher: Bencher<'_, '_>) {
    let every = "mode: Enforce\n  match: {rules: [\"*\"]}";
    let playbooks = loaded(playbook("p", every, &["delete: {}"]));
    let (guard, own, ledger) = (Guard::built_in(), OwnIdentity::default(), LedgerView::empty());
    let alert = alert("Terminal shell in container");
    let pod = serde_json::json!({
        "metadata": {"name": "kubecon", "namespace": "default", "uid": "pod-uid", "creationTimestamp": "2026-11-24T01:00:00Z"},
        "spec": {"containers": [{"name": "app"}], "nodeName": "worker-1"},
        "status": {"phase": "Running", "containerStatuses": [{
            "name": "app", "image": "i", "imageID": "", "ready": true, "restartCount": 0,
            "containerID": "containerd://ee97d9c4186fee97", "state": {"running": {"startedAt": "2026-11-24T01:00:01Z"}},
        }]},
    });
    let now = NOW.parse().expect("a time");
    let snapshot = Snapshot {
        pod: Part::Found(Arc::new(serde_json::from_value(pod).expect("a pod"))),
        ..Snapshot::empty(now)
    };
    let context = Context {
        alert: &alert,
        alert_id: alert.id(),
        sender: None,
        playbook: &playbooks[0],
        guard: &guard,
        process_mode: Mode::Enforce,
        own: &own,
        now,
    };
    bencher.bench_local(|| decide(black_box(&context), Ok(&snapshot), &ledger));
}
