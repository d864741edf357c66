//! Bodies of every shape, and what is told of their parts.

mod alertmanager;
mod shapes;

use responder_core::alert::{Alert, Bounds};

use super::BodyContents;

/// `alert.json` of the field case 18-batch-gzip-cloudevents.
const ALERT: &str = r#"{"hostname": "node-a", "output": "x", "output_fields": {"container.id": "1111aaaa2222", "k8s.ns.name": "web", "k8s.pod.name": "api-5f7d9c6b8d-k2x4p", "proc.name": "sh"}, "priority": "Notice", "rule": "Terminal shell in container", "source": "syscall", "tags": ["container", "shell"], "time": "2026-03-04T10:00:00.000000000Z"}"#;

fn read(body: impl AsRef<[u8]>) -> BodyContents {
    BodyContents::read(body.as_ref(), &Bounds::default())
}

fn bare(text: &str) -> Alert {
    Alert::decode(text.as_bytes(), &Bounds::default()).unwrap()
}

/// What a body holds, in a line for each alert.
fn told(body: impl AsRef<[u8]>) -> Vec<String> {
    match read(body) {
        BodyContents::One(Ok(alert)) => vec![format!("one: {}", alert.rule().as_str())],
        BodyContents::One(Err(error)) => vec![format!("one: {}: {error}", error.kind())],
        BodyContents::Many(batch) => {
            let mut told: Vec<String> = batch
                .parts
                .iter()
                .map(|part| match &part.read {
                    Ok(alert) => format!("line {}: {}", part.line, alert.rule().as_str()),
                    Err(error) => format!("line {}: {}: {error}", part.line, error.kind()),
                })
                .collect();
            if batch.unread > 0 {
                told.push(format!("{} unread", batch.unread));
            }
            told
        }
    }
}
