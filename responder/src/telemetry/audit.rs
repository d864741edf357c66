//! The audit trail of a log for people: its sentences. The whole records are in the JSON log lines.

use std::sync::Arc;

use responder_engine::{AuditRecord, AuditTrail, TracingAudit};

use crate::config::LogFormat;

/// The audit trail for this kind of log.
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
        // What came of all requests together is told when the response is settled.
        if matches!(record, AuditRecord::Requested { .. }) {
            tracing::debug!(target: "audit", "{}", record.summary());
        } else {
            tracing::info!(target: "audit", "{}", record.summary());
        }
    }
}
