//! The API server's validation of labels and annotations. Alert text ends up in them, so a rehearsal on the simulated
//! cluster must refuse the same values as a real API server.
//!
//! Source: `k8s.io/apimachinery/pkg/api/validate/content` and `pkg/api/validation` (annotations).

use serde_json::{Map, Value};

const MAX_NAME_LENGTH: usize = 63;
const MAX_PREFIX_LENGTH: usize = 253;
const MAX_ANNOTATION_BYTES: usize = 256 * 1024;

/// The first fault in `metadata.labels` and `metadata.annotations`.
pub(super) fn fault(metadata: &Map<String, Value>) -> Option<String> {
    let entries = |field: &str| metadata.get(field).and_then(Value::as_object).into_iter().flatten();
    if let Some(fault) = metadata
        .get("labels")
        .and_then(|labels| map_fault("metadata.labels", labels))
    {
        return Some(fault);
    }
    let mut size = 0;
    for (key, value) in entries("annotations") {
        if !is_key(&key.to_lowercase()) {
            return Some(format!(
                "metadata.annotations: Invalid value: {key:?}: is not a qualified name"
            ));
        }
        size += key.len() + value.as_str().unwrap_or_default().len();
    }
    (size > MAX_ANNOTATION_BYTES)
        .then(|| format!("metadata.annotations: Too long: may not be more than {MAX_ANNOTATION_BYTES} bytes"))
}

/// The first fault in a `matchLabels` anywhere in a spec.
pub(super) fn selector_fault(spec: &Value) -> Option<String> {
    match spec {
        Value::Object(fields) => fields.iter().find_map(|(field, value)| match field.as_str() {
            "matchLabels" => map_fault("spec.…matchLabels", value),
            _ => selector_fault(value),
        }),
        Value::Array(values) => values.iter().find_map(selector_fault),
        _ => None,
    }
}

fn map_fault(field: &str, labels: &Value) -> Option<String> {
    labels.as_object()?.iter().find_map(|(key, value)| {
        let value = value.as_str().unwrap_or_default();
        if !is_key(key) {
            return Some(format!("{field}: Invalid value: {key:?}: is not a qualified name"));
        }
        (!value.is_empty() && !is_name(value))
            .then(|| format!("{field}: Invalid value: {value:?}: is not a label value (63 of A-Z a-z 0-9 - _ .)"))
    })
}

fn is_key(key: &str) -> bool {
    match key.split_once('/') {
        Some((prefix, name)) => is_prefix(prefix) && is_name(name),
        None => is_name(key),
    }
}

fn is_prefix(prefix: &str) -> bool {
    let part = |part: &str| {
        let bytes = part.as_bytes();
        let ends = [bytes.first(), bytes.last()];
        ends.iter().all(|end| end.is_some_and(u8::is_ascii_alphanumeric))
            && bytes
                .iter()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || *byte == b'-')
    };
    prefix.len() <= MAX_PREFIX_LENGTH && prefix.split('.').all(part)
}

fn is_name(name: &str) -> bool {
    let bytes = name.as_bytes();
    let ends = [bytes.first(), bytes.last()];
    name.len() <= MAX_NAME_LENGTH
        && ends.iter().all(|end| end.is_some_and(u8::is_ascii_alphanumeric))
        && bytes
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(byte))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    #[rstest]
    #[case(json!({"labels": {"app": "web", "responder.dev/incident": "A_b.c-9", "empty": ""}}), true)]
    #[case(json!({"labels": {"app": "two words"}}), false)]
    #[case(json!({"labels": {"app": "-web"}}), false)]
    #[case(json!({"labels": {"a/b/c": "web"}}), false)]
    #[case(json!({"labels": {"Upper.Case/app": "web"}}), false)]
    #[case(json!({"labels": {"app": "x".repeat(64)}}), false)]
    #[case(json!({"annotations": {"responder.dev/why": "any text\n at all"}}), true)]
    #[case(json!({"annotations": {"responder.dev/why": "x".repeat(300_000)}}), false)]
    #[case(json!({"annotations": {"no spaces": "x"}}), false)]
    fn labels_and_annotations_are_held_to_the_api_servers_rules(#[case] metadata: Value, #[case] valid: bool) {
        assert_eq!(fault(metadata.as_object().unwrap()).is_none(), valid);
    }
}
