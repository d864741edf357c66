//! One request as it was sent once, and its answer.

use std::fmt;

use responder_core::object::Uid;
use responder_core::request::Verb;
use serde::Serialize;

/// One request as it was sent once, and its answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SentRequest {
    /// The verb.
    pub verb: Verb,
    /// The object, as in `pod/shop/web-0`.
    pub object: String,
    /// The uid of the precondition, or that of the created object.
    pub uid: Option<Uid>,
    /// Whether it carried `dryRun`.
    pub dry_run: bool,
    /// Whether it undoes an earlier request.
    pub undoes: bool,
    /// The number of the try, from 1.
    #[serde(rename = "try")]
    pub attempt: u32,
    /// `done`, or the class of the failure.
    pub answer: &'static str,
    /// The text of the server, or of the connection's failure; absent where it succeeded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// The time until the answer, in milliseconds.
    pub took_ms: u64,
}

impl SentRequest {
    /// Whether the answer is a failure, or none came in time.
    pub const fn has_failed(&self) -> bool {
        self.detail.is_some()
    }
}

impl fmt::Display for SentRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.verb, self.object)?;
        if self.dry_run {
            f.write_str(" (dryRun)")?;
        }
        write!(f, ", try {}: {}", self.attempt, self.answer)?;
        match self.detail.as_deref() {
            Some(detail) if !detail.is_empty() => write!(f, "; {}", detail.escape_debug()),
            _ => Ok(()),
        }
    }
}
