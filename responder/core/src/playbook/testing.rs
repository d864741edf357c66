//! Fixtures for the tests of this module: alerts and playbooks from a few lines.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{Loaded, Playbook, load};
use crate::alert::{Alert, Bounds};
use crate::document::SourceFile;

/// An alert of a shell in a container; `over` replaces or adds top-level keys.
pub(super) fn alert(over: Value) -> Alert {
    let mut alert = json!({
        "hostname": "worker-1", "priority": "Notice", "rule": "Terminal shell in container", "source": "syscall",
        "tags": ["container", "shell", "mitre_execution"], "time": "2026-05-01T10:00:00.5Z", "output_fields": {},
    });
    if let (Some(alert), Value::Object(over)) = (alert.as_object_mut(), over) {
        alert.extend(over);
    }
    // A test that makes no alert fails.
    Alert::decode(alert.to_string().as_bytes(), &Bounds::default()).unwrap()
}

/// An alert with one output field.
#[expect(clippy::needless_pass_by_value, reason = "tests write json!(…) in the call")]
pub(super) fn field(name: &str, value: Value) -> Alert {
    alert(json!({"output_fields": {name: value}}))
}

/// Playbooks with these names and matches, written as flow YAML.
pub(super) fn playbooks(matches: &[(&str, &str)]) -> Vec<Arc<Playbook>> {
    let documents = matches.iter().map(|(name, asked)| {
        format!(
            "---\napiVersion: responder.dev/v1alpha1\nkind: ClusterPlaybook\nmetadata: {{name: {name}}}\n\
             spec:\n  match: {asked}\n  corroboration: Named\n  steps: [{{label: {{labels: {{a: b}}}}}}]\n"
        )
    });
    let source = SourceFile {
        file: "test.yaml".into(),
        text: documents.collect(),
    };
    loaded(source).playbooks
}

/// One playbook with this match.
pub(super) fn playbook(asked: &str) -> Arc<Playbook> {
    playbooks(&[("test", asked)]).remove(0)
}

/// The places of the warnings about a playbook with this spec.
pub(super) fn warned_places(spec: &str) -> Vec<String> {
    let source = SourceFile {
        file: "test.yaml".into(),
        text: format!(
            "apiVersion: responder.dev/v1alpha1\nkind: ClusterPlaybook\nmetadata: {{name: test}}\nspec:\n  {spec}\n"
        ),
    };
    loaded(source).warnings.iter().map(|found| found.path.clone()).collect()
}

fn loaded(source: SourceFile) -> Loaded {
    // A literal.
    let now = "2026-06-01T00:00:00Z".parse().unwrap();
    load(&[source], now).unwrap_or_else(|found| panic!("{found}"))
}
