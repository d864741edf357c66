//! The audit log: every request to the API server, with its user and in order.
//!
//! The API server writes it in blocking mode, so a request is in the log before its answer is sent. Reads by the
//! control plane's own components are left out, and their writes are logged without bodies (`audit-policy.yaml`).

use std::{fs, io, path::Path};

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

/// The audit log could not be read.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// The file can't be read.
    #[error("cannot read the audit log")]
    Read(#[from] io::Error),
    /// A line is not an audit event in the expected format.
    #[error("line {line} of the audit log is not an audit event: {text}")]
    Parse {
        /// The number of the line, from 1.
        line: usize,
        /// The line.
        text: String,
        /// The error of the parser.
        source: serde_json::Error,
    },
}

/// One finished request (stage `ResponseComplete` or `Panic`). A watch is finished when it ends.
#[derive(Debug, Clone, PartialEq)]
pub struct AuditEvent {
    /// When the API server received the request.
    pub received: Timestamp,
    /// The user: the common name of the client certificate, or a service account.
    pub user: String,
    /// `User-Agent` of the request, or empty.
    pub user_agent: String,
    /// `get`, `list`, `watch`, `create`, `update`, `patch`, `delete` or `deletecollection`.
    pub verb: String,
    /// Path and query of the request.
    pub uri: String,
    /// The API group; empty for the core group and for non-resource paths.
    pub api_group: String,
    /// The plural resource, such as `pods`; empty for non-resource paths such as `/version`.
    pub resource: String,
    /// The subresource, such as `eviction`, `status` or `scale`; empty for the object itself.
    pub subresource: String,
    /// The namespace; empty for cluster-scoped resources.
    pub namespace: String,
    /// The object's name; empty for lists and for generated names.
    pub name: String,
    /// The body of a write, except for writes of the control plane's own components. The body of a DELETE is its
    /// `DeleteOptions`.
    pub request_object: Option<Value>,
    /// The HTTP status of the response.
    pub code: u16,
}

impl AuditEvent {
    /// Whether the verb is a writing one.
    pub fn is_write(&self) -> bool {
        !matches!(self.verb.as_str(), "get" | "list" | "watch")
    }

    /// Whether the query has `dryRun=All`.
    pub fn dry_run_in_query(&self) -> bool {
        let query = self.uri.split_once('?').map_or("", |(_, query)| query);
        query.split('&').any(|pair| pair == "dryRun=All")
    }

    /// Whether the body has `dryRun: ["All"]`, in the `DeleteOptions` of a deletion or of an eviction.
    pub fn dry_run_in_body(&self) -> bool {
        let Some(body) = &self.request_object else { return false };
        let options = if self.is_eviction() {
            &body["deleteOptions"]
        } else {
            body
        };
        options["dryRun"]
            .as_array()
            .is_some_and(|all| all.iter().any(|value| value == "All"))
    }

    /// Whether the API server treats the request as a dry run. For a deletion with a body, only the body counts: the
    /// server then ignores the query (observed with 1.37.2, checked by this crate's scenarios).
    pub fn is_dry_run(&self) -> bool {
        match self.verb.as_str() {
            "delete" | "deletecollection" if self.request_object.is_some() => self.dry_run_in_body(),
            _ if self.is_eviction() => self.dry_run_in_query() || self.dry_run_in_body(),
            _ => self.dry_run_in_query(),
        }
    }

    /// Whether the request may have changed something: a successful write that is not a dry run.
    pub fn is_mutation(&self) -> bool {
        self.is_write() && (200..300).contains(&self.code) && !self.is_dry_run()
    }

    /// Whether the request is a POST to `pods/eviction`.
    pub fn is_eviction(&self) -> bool {
        self.resource == "pods" && self.subresource == "eviction" && self.verb == "create"
    }

    /// The uid precondition of a deletion or an eviction.
    pub fn uid_precondition(&self) -> Option<&str> {
        let body = self.request_object.as_ref()?;
        let options = if self.is_eviction() {
            &body["deleteOptions"]
        } else {
            body
        };
        options["preconditions"]["uid"].as_str()
    }
}

/// Reads all finished requests, in the order in which they finished.
pub(super) fn read(log: &Path) -> Result<Vec<AuditEvent>, AuditError> {
    let text = match fs::read_to_string(log) {
        Ok(text) => text,
        // The API server creates the file with its first event.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error.into()),
    };
    // The last line may be incomplete; without its newline its request is not answered yet.
    let complete = text.rsplit_once('\n').map_or("", |(lines, _)| lines);
    let mut events = Vec::new();
    for (index, line) in complete.lines().enumerate() {
        let record: Record = serde_json::from_str(line).map_err(|source| AuditError::Parse {
            line: index + 1,
            text: line.to_owned(),
            source,
        })?;
        if matches!(record.stage.as_str(), "ResponseComplete" | "Panic") {
            events.push(record.into());
        }
    }
    Ok(events)
}

/// The fields of an audit event (audit.k8s.io/v1) that are read.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Record {
    stage: String,
    #[serde(rename = "requestURI")]
    request_uri: String,
    verb: String,
    user: User,
    #[serde(default)]
    user_agent: String,
    #[serde(default)]
    object_ref: ObjectRef,
    response_status: Option<Status>,
    request_object: Option<Value>,
    request_received_timestamp: Timestamp,
}

#[derive(Deserialize)]
struct User {
    #[serde(default)]
    username: String,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct ObjectRef {
    api_group: String,
    resource: String,
    subresource: String,
    namespace: String,
    name: String,
}

#[derive(Deserialize)]
struct Status {
    #[serde(default)]
    code: u16,
}

impl From<Record> for AuditEvent {
    fn from(record: Record) -> Self {
        Self {
            received: record.request_received_timestamp,
            user: record.user.username,
            user_agent: record.user_agent,
            verb: record.verb,
            uri: record.request_uri,
            api_group: record.object_ref.api_group,
            resource: record.object_ref.resource,
            subresource: record.object_ref.subresource,
            namespace: record.object_ref.namespace,
            name: record.object_ref.name,
            request_object: record.request_object,
            code: record.response_status.map_or(0, |status| status.code),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn deletion(uri: &str, body: Option<&Value>) -> AuditEvent {
        let record = json!({
            "stage": "ResponseComplete",
            "requestURI": uri,
            "verb": "delete",
            "user": { "username": "responder" },
            "objectRef": { "resource": "pods", "namespace": "shop", "name": "web-1", "apiVersion": "v1" },
            "responseStatus": { "metadata": {}, "code": 200 },
            "requestObject": body,
            "requestReceivedTimestamp": "2026-11-24T03:52:00.123456Z",
        });
        serde_json::from_value::<Record>(record).unwrap().into()
    }

    #[test]
    fn a_deletion_with_a_body_is_a_dry_run_by_its_body_alone() {
        let dry = json!({ "dryRun": ["All"] });
        let wet = json!({ "preconditions": { "uid": "u" } });
        assert!(!deletion("/p?dryRun=All", Some(&wet)).is_dry_run());
        assert!(deletion("/p", Some(&dry)).is_dry_run());
        assert!(deletion("/p?dryRun=All", None).is_dry_run());
        assert_eq!(deletion("/p", Some(&wet)).uid_precondition(), Some("u"));
    }

    #[test]
    fn a_line_that_is_still_being_written_is_not_read() {
        let directory = tempfile::tempdir().unwrap();
        let log = directory.path().join("audit.log");
        let line = json!({
            "stage": "ResponseComplete", "requestURI": "/version", "verb": "get", "user": {},
            "requestReceivedTimestamp": "2026-11-24T03:52:00Z",
        });
        fs::write(&log, format!("{line}\n{{\"stage\":\"Resp")).unwrap();
        assert_eq!(read(&log).unwrap().len(), 1);
    }

    #[test]
    fn a_missing_log_is_empty() {
        let directory = tempfile::tempdir().unwrap();
        assert_eq!(read(&directory.path().join("audit.log")).unwrap(), Vec::new());
    }
}
