//! The audit trail in the log: whole records in JSON, and their sentences alone in text.

use std::sync::Arc;

use responder_engine::{AuditRecord, AuditTrail, TRAIL, TracingAudit};

use crate::config::LogFormat;

/// The audit trail for this form of log lines.
pub(crate) fn audit_trail(format: LogFormat) -> Arc<dyn AuditTrail> {
    match format {
        LogFormat::Text => Arc::new(Sentences),
        LogFormat::Json => Arc::new(TracingAudit),
    }
}

#[derive(Debug)]
struct Sentences;

impl AuditTrail for Sentences {
    fn write(&self, record: &AuditRecord) {
        // The record of the settled response has the result of its requests.
        if matches!(record, AuditRecord::Requested { .. }) {
            tracing::debug!(target: TRAIL, "{}", record.summary());
        } else {
            tracing::info!(target: TRAIL, "{}", record.summary());
        }
    }
}
