//! The audit log as the ground truth of what was asked of the API server, by whom, in which order.
//!
//! The log is written in blocking mode: a request's line is there before its answer. Reads by the control plane's own
//! components are left out, and their writes come without bodies (`audit-policy.yaml`).

use std::{fs, io, path::Path};

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

/// Why the audit log could not be read.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// The file is not there or not readable.
    #[error("cannot read the audit log")]
    Read(#[from] io::Error),
    /// A line is not an audit event as this module knows it.
    #[error("line {line} of the audit log is not an audit event: {text}")]
    Parse {
        /// Counted from 1.
        line: usize,
        /// The line itself.
        text: String,
        /// What was wrong with it.
        source: serde_json::Error,
    },
}

/// One finished request (stage `ResponseComplete`, or `Panic`). A watch is finished when it ends.
#[derive(Debug, Clone, PartialEq)]
pub struct AuditEvent {
    /// When the API server received the request.
    pub received: Timestamp,
    /// Who asked: the client certificate's common name, or a service account.
    pub user: String,
    /// `User-Agent` of the request, empty if it had none.
    pub user_agent: String,
    /// `get`, `list`, `watch`, `create`, `update`, `patch`, `delete`, `deletecollection`.
    pub verb: String,
    /// Path and query as they were asked for.
    pub uri: String,
    /// API group, empty for the core group and for paths that are no resource.
    pub api_group: String,
    /// Plural resource, such as `pods`; empty for paths that are no resource, such as `/version`.
    pub resource: String,
    /// Such as `eviction`, `status`, `scale`; empty for the object itself.
    pub subresource: String,
    /// Empty for what is not in a namespace.
    pub namespace: String,
    /// Empty for lists and for objects whose name the server was to generate.
    pub name: String,
    /// The body, for writes of anyone but the control plane. A DELETE's body is its `DeleteOptions`.
    pub request_object: Option<Value>,
    /// HTTP status of the answer.
    pub code: u16,
}

impl AuditEvent {
    /// Whether the verb is one that can change something.
    pub fn is_write(&self) -> bool {
        !matches!(self.verb.as_str(), "get" | "list" | "watch")
    }

    /// `?dryRun=All` in the query.
    pub fn dry_run_in_query(&self) -> bool {
        let query = self.uri.split_once('?').map_or("", |(_, query)| query);
        query.split('&').any(|pair| pair == "dryRun=All")
    }

    /// `dryRun: ["All"]` in the body: of the `DeleteOptions` of a deletion, or of those inside an eviction.
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

    /// Whether the API server took it for a dry run. A deletion that has a body is one by its body alone: the server does
    /// not look at the query then (seen with 1.37.2; proved in this crate's scenarios).
    pub fn is_dry_run(&self) -> bool {
        match self.verb.as_str() {
            "delete" | "deletecollection" if self.request_object.is_some() => self.dry_run_in_body(),
            _ if self.is_eviction() => self.dry_run_in_query() || self.dry_run_in_body(),
            _ => self.dry_run_in_query(),
        }
    }

    /// Whether it may have changed something: a write that was answered with success and was no dry run.
    pub fn is_mutation(&self) -> bool {
        self.is_write() && (200..300).contains(&self.code) && !self.is_dry_run()
    }

    /// A POST to `pods/eviction`.
    pub fn is_eviction(&self) -> bool {
        self.resource == "pods" && self.subresource == "eviction" && self.verb == "create"
    }

    /// The uid that a deletion or an eviction was conditioned on.
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

/// Reads all finished requests, in the order in which they were finished.
pub(super) fn read(log: &Path) -> Result<Vec<AuditEvent>, AuditError> {
    let text = match fs::read_to_string(log) {
        Ok(text) => text,
        // The API server makes it at its first event.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error.into()),
    };
    // Another request's line may be half written; one without its newline was not answered yet.
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

/// A line as the API server writes it (audit.k8s.io/v1 Event): what is read of it.
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
    fn a_log_that_is_not_there_yet_is_empty() {
        let directory = tempfile::tempdir().unwrap();
        assert_eq!(read(&directory.path().join("audit.log")).unwrap(), Vec::new());
    }
}
