//! The demo in `playbooks/demo`: its simulated cluster and an alert.

use std::path::Path;

use integration::responder::{ResponderOptions, alert};
use jiff::Timestamp;
use serde_json::Value;

/// Options of a responder on the demo's cluster.
pub(crate) fn options(playbooks: String) -> ResponderOptions {
    ResponderOptions {
        playbooks,
        simulate: Some(Path::new(env!("CARGO_MANIFEST_DIR")).join("../playbooks/demo/cluster")),
        ..ResponderOptions::default()
    }
}

/// "Terminal shell in container" in a pod of the demo, dated now. Each call makes a new alert and no duplicate.
pub(crate) fn shell() -> Value {
    let text = include_str!("../../../playbooks/demo/alerts/terminal-shell.json");
    let mut shell: Value = serde_json::from_str(text).unwrap();
    alert::set_time(&mut shell, Timestamp::now());
    shell
}
