use std::path::Path as FilePath;

use serde_json::{Value, json};

use super::schema;
use crate::action::ActionDocs;

fn documents(directory: &str) -> Vec<(String, Value)> {
    let root = FilePath::new(env!("CARGO_MANIFEST_DIR"))
        .join("testdata/playbooks")
        .join(directory);
    let mut documents = Vec::new();
    for entry in std::fs::read_dir(root).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        // An independent YAML reader: ours is under test as well.
        for (place, document) in text.split("\n---").enumerate() {
            let parsed: Result<Option<Value>, _> = serde_saphyr::from_str(document.trim_start_matches("---"));
            if let Ok(Some(value)) = parsed {
                documents.push((format!("{}#{place}", path.display()), value));
            }
        }
    }
    assert!(!documents.is_empty());
    documents
}

fn validator() -> jsonschema::Validator {
    jsonschema::draft202012::new(&schema()).unwrap()
}

#[test]
fn the_schema_is_one_and_valid() {
    jsonschema::meta::validate(&schema()).unwrap();
    for kind in ["ClusterPlaybook", "Guard"] {
        assert!(schema()["$defs"][kind].is_object(), "{kind}");
    }
}

#[test]
fn every_good_file_validates() {
    for (name, document) in documents("good").into_iter().chain(documents("warned")) {
        let errors: Vec<String> = validator()
            .iter_errors(&document)
            .map(|error| format!("{} {error}", error.instance_path()))
            .collect();
        assert_eq!(errors, Vec::<String>::new(), "{name}");
    }
}

#[test]
fn no_structurally_bad_file_validates() {
    for (name, document) in documents("bad/structure").into_iter().chain(documents("bad/later")) {
        assert!(!validator().is_valid(&document), "{name}");
    }
}

#[test]
fn a_step_has_exactly_one_action() {
    let step = |step: Value| {
        let spec = json!({"match": {"minPriority": "Notice"}, "steps": [step]});
        validator().is_valid(&json!({"apiVersion": "responder.dev/v1alpha1", "kind": "ClusterPlaybook", "metadata": {"name": "a"}, "spec": spec}))
    };
    assert!(step(json!({"delete": {}, "timeout": "30s"})));
    assert!(!step(json!({"delete": {}, "evict": {}})));
    assert!(!step(json!({"timeout": "30s"})));
    assert!(!step(json!({"delete": null})));
    assert!(!step(json!({"delete": {}, "unknown": {}})));
}

#[test]
fn the_schema_knows_every_action_and_every_description() {
    let schema = schema();
    let step = &schema["$defs"]["Step"]["properties"];
    for action in ActionDocs::NAMES {
        assert!(step[action].is_object(), "{action}");
    }
    let mut bare = Vec::new();
    for (name, definition) in schema["$defs"].as_object().unwrap() {
        for (key, property) in definition["properties"].as_object().into_iter().flatten() {
            if property.get("description").is_none() {
                bare.push(format!("{name}.{key}"));
            }
        }
    }
    assert_eq!(bare, Vec::<String>::new());
}
