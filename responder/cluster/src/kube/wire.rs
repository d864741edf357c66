//! Encodes requests as HTTP. Part of the step *act*.
//!
//! Every path consists of names that passed [`Name`](responder_core::object::Name), so nothing in it needs escaping.

use http::header::{ACCEPT, CONTENT_TYPE};
use http::{Method, Request, request};
use responder_core::object::{Kind, Locator, Namespace, ObjectRef};
use responder_core::request::{Armed, Request as Planned};
use serde_json::{Map, Value, json};

/// The field manager in `managedFields`.
const FIELD_MANAGER: &str = "responder";

/// The path of a kind's collection, in one namespace or in all.
pub(super) fn collection(kind: Kind, namespace: Option<&Namespace>) -> String {
    let root = if kind.group().is_empty() {
        "/api/v1".to_owned()
    } else {
        format!("/apis/{}", kind.api_version())
    };
    match namespace {
        Some(namespace) => format!("{root}/namespaces/{namespace}/{}", kind.plural()),
        None => format!("{root}/{}", kind.plural()),
    }
}

/// The path of one object.
pub(super) fn path(at: &Locator) -> String {
    format!("{}/{}", collection(at.kind(), at.namespace()), at.name())
}

/// Encodes a request. The dry run goes where the API server reads it for this verb.
pub(super) fn request(armed: Armed<'_>) -> Result<Request<Vec<u8>>, http::Error> {
    let dry_run = armed.is_dry_run();
    match armed.request() {
        Planned::Create { object } => {
            let at = object.at();
            let path = collection(at.kind(), at.namespace());
            changing(Method::POST, &path, dry_run, "application/json").body(bytes(&placed(object.manifest(), at)))
        }
        Planned::Patch { target, patch } => changing(
            Method::PATCH,
            &path(&target.at),
            dry_run,
            "application/merge-patch+json",
        )
        .body(bytes(&patch.body(target))),
        // With a body, the API server ignores `?dryRun=All` of a DELETE and deletes for real, so the dry run goes into
        // the body.
        Planned::Delete { target, grace_seconds } => {
            json_to(Method::DELETE, &path(&target.at)).body(bytes(&delete_options(target, *grace_seconds, dry_run)))
        }
        Planned::Evict {
            target, grace_seconds, ..
        } => {
            // Not kube's `Request::evict`: it writes `delete_options`, which the API server silently drops together
            // with the uid and the dry run (kube-core 5.0.0, `subresource.rs`).
            let eviction = json!({
                "apiVersion": "policy/v1",
                "kind": "Eviction",
                "metadata": {"name": target.at.name(), "namespace": target.at.namespace()},
                "deleteOptions": delete_options(target, *grace_seconds, dry_run),
            });
            let path = format!("{}/eviction", path(&target.at));
            changing(Method::POST, &path, dry_run, "application/json").body(bytes(&eviction))
        }
    }
}

/// A GET.
pub(super) fn get(path: &str) -> Result<Request<Vec<u8>>, http::Error> {
    Request::get(path).header(ACCEPT, "application/json").body(Vec::new())
}

/// A GET of an object's metadata alone.
/// Source: <https://pkg.go.dev/k8s.io/client-go/metadata>
pub(super) fn get_metadata(path: &str) -> Result<Request<Vec<u8>>, http::Error> {
    let accepted = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1";
    Request::get(path).header(ACCEPT, accepted).body(Vec::new())
}

fn changing(method: Method, path: &str, dry_run: bool, content_type: &str) -> request::Builder {
    let dry_run = if dry_run { "&dryRun=All" } else { "" };
    to(
        method,
        &format!("{path}?fieldManager={FIELD_MANAGER}{dry_run}"),
        content_type,
    )
}

fn json_to(method: Method, path: &str) -> request::Builder {
    to(method, path, "application/json")
}

fn to(method: Method, path: &str, content_type: &str) -> request::Builder {
    Request::builder()
        .method(method)
        .uri(path)
        .header(ACCEPT, "application/json")
        .header(CONTENT_TYPE, content_type)
}

fn delete_options(target: &ObjectRef, grace_seconds: Option<u32>, dry_run: bool) -> Value {
    let mut options = Map::new();
    options.insert("apiVersion".to_owned(), "v1".into());
    options.insert("kind".to_owned(), "DeleteOptions".into());
    options.insert("preconditions".to_owned(), json!({"uid": target.uid}));
    if let Some(seconds) = grace_seconds {
        options.insert("gracePeriodSeconds".to_owned(), seconds.into());
    }
    if dry_run {
        options.insert("dryRun".to_owned(), json!(["All"]));
    }
    if target.at.kind() != Kind::Pod {
        // Without it, deleting a Job or a ReplicationController leaves its pods running: both default to orphaning
        // (`DefaultGarbageCollectionPolicy` in their strategies). Background is also kubectl's default.
        options.insert("propagationPolicy".to_owned(), "Background".into());
    }
    options.into()
}

/// The manifest with its kind, name and namespace set from the locator.
fn placed(mut manifest: Value, at: &Locator) -> Value {
    manifest["apiVersion"] = at.kind().api_version().into();
    manifest["kind"] = at.kind().as_str().into();
    manifest["metadata"]["name"] = at.name().as_str().into();
    if let Some(namespace) = at.namespace() {
        manifest["metadata"]["namespace"] = namespace.as_str().into();
    }
    manifest
}

fn bytes(value: &Value) -> Vec<u8> {
    value.to_string().into_bytes()
}
