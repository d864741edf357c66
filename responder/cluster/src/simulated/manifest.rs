//! Reads manifests as people and `kubectl` write them: YAML with several documents, JSON, lists.

use std::fmt;
use std::path::{Path, PathBuf};
use std::{fs, io};

use k8s_openapi::api::apps::v1::{DaemonSet, Deployment, ReplicaSet, StatefulSet};
use k8s_openapi::api::batch::v1::{CronJob, Job};
use k8s_openapi::api::core::v1::{Namespace, Node, Pod, ReplicationController, Service};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use responder_core::object::Name;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::object::{ObjectKey, kind_name, text};

/// How deep directories are searched: `kubectl cluster-info dump` nests two.
const MAX_DEPTH: usize = 8;

/// Cluster-scoped kinds. A namespace in the manifest of one is ignored.
const CLUSTER_SCOPED: [&str; 6] = [
    "Node",
    "Namespace",
    "CustomResourceDefinition.apiextensions.k8s.io",
    "ValidatingWebhookConfiguration.admissionregistration.k8s.io",
    "MutatingWebhookConfiguration.admissionregistration.k8s.io",
    "APIService.apiregistration.k8s.io",
];

/// The manifests don't make a cluster.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// A file or directory can't be read.
    #[error("{} can't be read: name a directory of Kubernetes manifests, or one file", path.display())]
    Unreadable {
        /// Its path.
        path: PathBuf,
        /// The error of the system.
        #[source]
        source: io::Error,
    },
    /// There are no manifests. An empty cluster would answer every alert with "not found".
    #[error("no manifests in {}: put the cluster's objects there as .yaml, .yml or .json", path.display())]
    Empty {
        /// The path that was searched.
        path: PathBuf,
    },
    /// All faults of all manifests.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Faulty(Vec<ManifestFault>),
}

/// A fault in one manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManifestFault {
    /// The file, relative to the given directory.
    pub file: String,
    /// The number of the document in the file, from 1, without empty ones. `None` if the file itself can't be read.
    pub document: Option<usize>,
    /// The fault and its remedy.
    pub what: String,
}

impl fmt::Display for ManifestFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.document {
            Some(document) => write!(f, "{}, document {document}: {}", self.file, self.what),
            None => write!(f, "{}: {}", self.file, self.what),
        }
    }
}

/// One object and where it is written.
#[derive(Debug)]
pub(super) struct Manifest {
    pub(super) key: ObjectKey,
    pub(super) object: Value,
    pub(super) file: String,
    pub(super) document: usize,
}

/// All manifest files under a path, sorted, each with its relative name and its text.
pub(super) fn files(path: &Path) -> Result<Vec<(String, String)>, ManifestError> {
    let unreadable = |path: &Path| {
        let path = path.to_owned();
        move |source| ManifestError::Unreadable { path, source }
    };
    let mut found = Vec::new();
    if fs::metadata(path).map_err(unreadable(path))?.is_dir() {
        walk(path, MAX_DEPTH, &mut found)?;
    } else {
        found.push(path.to_owned());
    }
    found.sort();
    let mut texts = Vec::new();
    for file in &found {
        let name = file
            .strip_prefix(path)
            .ok()
            .filter(|name| !name.as_os_str().is_empty())
            .unwrap_or(file);
        texts.push((
            name.display().to_string(),
            fs::read_to_string(file).map_err(unreadable(file))?,
        ));
    }
    if texts.is_empty() {
        Err(ManifestError::Empty { path: path.to_owned() })
    } else {
        Ok(texts)
    }
}

fn walk(directory: &Path, depth: usize, found: &mut Vec<PathBuf>) -> Result<(), ManifestError> {
    let unreadable = |source| ManifestError::Unreadable {
        path: directory.to_owned(),
        source,
    };
    for entry in fs::read_dir(directory).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        // A mounted ConfigMap keeps its versions in `..data`, and hidden files are not manifests.
        if entry.file_name().to_string_lossy().starts_with('.') {
            continue;
        }
        let path = entry.path();
        if entry.file_type().map_err(unreadable)?.is_dir() {
            if depth > 0 {
                walk(&path, depth - 1, found)?;
            }
        } else if matches!(
            path.extension().and_then(|extension| extension.to_str()),
            Some("yaml" | "yml" | "json")
        ) {
            found.push(path);
        }
    }
    Ok(())
}

/// The manifests of one file. Faults are appended to the list, and the valid manifests are returned.
pub(super) fn read(file: &str, text: &str, faults: &mut Vec<ManifestFault>) -> Vec<Manifest> {
    let documents = if is_json(file, text) { json(text) } else { yaml(text) };
    let mut manifests = Vec::new();
    for (number, document) in (1..).zip(documents) {
        let mut fault = |what| {
            faults.push(ManifestFault {
                file: file.to_owned(),
                document: Some(number),
                what,
            });
        };
        match document {
            Err(what) => fault(what),
            Ok(document) => items(document, &mut |item| match manifest(item) {
                Ok((key, object)) => manifests.push(Manifest {
                    key,
                    object,
                    file: file.to_owned(),
                    document: number,
                }),
                Err(what) => fault(what),
            }),
        }
    }
    manifests
}

/// JSON is also YAML, but a large dump parses much faster as JSON. `{kind: Pod}` is YAML only.
fn is_json(file: &str, text: &str) -> bool {
    let begins_as_json = || {
        text.trim_start()
            .strip_prefix('{')
            .is_some_and(|rest| rest.trim_start().starts_with('"'))
    };
    Path::new(file).extension().is_some_and(|extension| extension == "json") || begins_as_json()
}

fn json(text: &str) -> Vec<Result<Value, String>> {
    serde_json::Deserializer::from_str(text)
        .into_iter()
        .map(|document| document.map_err(|error| error.to_string()))
        .collect()
}

fn yaml(text: &str) -> Vec<Result<Value, String>> {
    // The operator's own files. A dump of a large cluster has millions of nodes, so only depth and aliases stay
    // limited: aliases can turn a small file into a large value.
    let budget = serde_saphyr::budget! {
        max_events: 200_000_000,
        max_nodes: 100_000_000,
        max_documents: 1_000_000,
        max_total_scalar_bytes: 2 << 30,
    };
    let options = serde_saphyr::options! { budget: budget, strict_booleans: true, with_snippet: false };
    let mut bytes = io::Cursor::new(text.as_bytes());
    serde_saphyr::read_with_options::<_, Value>(&mut bytes, options)
        .map(|document| document.map_err(|error| error.to_string()))
        .collect()
}

/// Calls `each` with the object, or with every object of a list.
fn items(document: Value, each: &mut dyn FnMut(Value)) {
    let kind = text(&document, "/kind");
    let Some(item_kind) = kind
        .strip_suffix("List")
        .map(str::to_owned)
        .filter(|_| document.get("items").is_some())
    else {
        return each(document);
    };
    let api_version = text(&document, "/apiVersion").to_owned();
    let Value::Object(mut list) = document else { return };
    // An empty list is written as `items: null`, or without `items`.
    let Some(Value::Array(items)) = list.remove("items") else {
        return;
    };
    for mut item in items {
        // The items of a `PodList` omit `kind` and `apiVersion`.
        if let Some(fields) = item.as_object_mut().filter(|_| !item_kind.is_empty()) {
            fields.entry("kind").or_insert_with(|| item_kind.as_str().into());
            fields
                .entry("apiVersion")
                .or_insert_with(|| api_version.as_str().into());
        }
        each(item);
    }
}

fn manifest(mut object: Value) -> Result<(ObjectKey, Value), String> {
    if !object.is_object() {
        return Err("this is not an object: a manifest has apiVersion, kind and metadata".to_owned());
    }
    for field in ["apiVersion", "kind"] {
        if text(&object, &format!("/{field}")).is_empty() {
            return Err(format!(
                "`{field}` is missing: a manifest begins with apiVersion and kind"
            ));
        }
    }
    let kind = kind_name(text(&object, "/apiVersion"), text(&object, "/kind"));
    let name = text(&object, "/metadata/name").to_owned();
    if name.is_empty() {
        return Err(format!(
            "a {kind} without `metadata.name`: add one (`generateName` is not filled in here)"
        ));
    }
    // Names of Roles may contain colons, but a target needs a valid Kubernetes name.
    if is_known(&kind) && Name::new(&name).is_none() {
        return Err(format!("`{}` can't be the name of a {kind}", name.escape_debug()));
    }
    let namespace =
        if CLUSTER_SCOPED.contains(&&*kind) || (!is_known(&kind) && text(&object, "/metadata/namespace").is_empty()) {
            String::new()
        } else {
            let written = text(&object, "/metadata/namespace");
            let namespace = if written.is_empty() { "default" } else { written }.to_owned();
            if Name::new(&namespace).is_none() {
                return Err(format!("`{}` can't be a namespace", namespace.escape_debug()));
            }
            object["metadata"]["namespace"] = namespace.as_str().into();
            namespace
        };
    let key = ObjectKey::new(kind, &namespace, &name);
    check(&key, &object).map_err(|what| format!("{key}: {what}"))?;
    Ok((key, object))
}

/// Checks the schema of the known kinds, so that a typo is reported on loading and not during a decision.
fn check(key: &ObjectKey, object: &Value) -> Result<(), String> {
    match &*key.kind {
        "Pod" => decodes::<Pod>(object),
        "Node" => decodes::<Node>(object),
        "Namespace" => decodes::<Namespace>(object),
        "Service" => decodes::<Service>(object),
        "ReplicationController" => decodes::<ReplicationController>(object),
        "ReplicaSet.apps" => decodes::<ReplicaSet>(object),
        "Deployment.apps" => decodes::<Deployment>(object),
        "StatefulSet.apps" => decodes::<StatefulSet>(object),
        "DaemonSet.apps" => decodes::<DaemonSet>(object),
        "Job.batch" => decodes::<Job>(object),
        "CronJob.batch" => decodes::<CronJob>(object),
        "NetworkPolicy.networking.k8s.io" => decodes::<NetworkPolicy>(object),
        "PodDisruptionBudget.policy" => decodes::<PodDisruptionBudget>(object),
        _ => Ok(()),
    }
}

/// Whether the simulated cluster acts on this kind. Other kinds are stored and listed without effect.
pub(super) fn is_known(kind: &str) -> bool {
    matches!(
        kind,
        "Pod"
            | "Node"
            | "Namespace"
            | "Service"
            | "ReplicationController"
            | "ReplicaSet.apps"
            | "Deployment.apps"
            | "StatefulSet.apps"
            | "DaemonSet.apps"
            | "Job.batch"
            | "CronJob.batch"
            | "NetworkPolicy.networking.k8s.io"
            | "PodDisruptionBudget.policy"
            | "CustomResourceDefinition.apiextensions.k8s.io"
    )
}

fn decodes<T: DeserializeOwned>(object: &Value) -> Result<(), String> {
    serde_path_to_error::deserialize::<_, T>(object)
        .map(drop)
        .map_err(|error| error.to_string())
}
