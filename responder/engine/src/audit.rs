//! The audit trail: each decision before anything is sent, each request with its answer, and the outcome of it all. Steps
//! of the flow: record, act, settle.

mod record;

use std::sync::Arc;

use jiff::Timestamp;

pub use self::record::AuditRecord;
use crate::event::Event;

/// The destination of the audit trail. It must not block.
pub trait AuditTrail: Send + Sync + 'static {
    /// Writes one record.
    fn write(&self, record: &AuditRecord);
}

/// Writes the record of an event, if it has one.
pub(crate) fn write(trail: &dyn AuditTrail, at: Timestamp, event: &Event<'_>) {
    let record = match *event {
        Event::Decided {
            accepted,
            about,
            decision,
            claim,
            guard_hash,
            ..
        } => AuditRecord::Decided {
            at,
            about: about.clone(),
            rule: accepted.alert.rule().to_string(),
            sender: accepted.sender.clone(),
            guard_hash: guard_hash.map(|hash| hash.to_string()),
            repeats: accepted.repeats().len(),
            claim,
            decision: Arc::clone(decision),
        },
        Event::Requested { about, request } => AuditRecord::Requested {
            at,
            about: about.clone(),
            request: request.clone(),
        },
        Event::Settled {
            about,
            response,
            refunded,
            ..
        } => AuditRecord::Settled {
            at,
            about: about.clone(),
            refunded,
            response: Arc::clone(response),
        },
        Event::Verified {
            about, verification, ..
        } => AuditRecord::Verified {
            at,
            about: about.clone(),
            verification: verification.clone(),
        },
        Event::Expired { about, record, end, .. } => AuditRecord::Expired {
            at,
            about: about.clone(),
            pod: record.pod.at.to_string(),
            end: end.clone(),
        },
        Event::HandedBack {
            author,
            accepted,
            alert,
            ..
        } => AuditRecord::HandedBack {
            at,
            actor: Arc::clone(&author.actor),
            cluster: author.cluster.clone(),
            alert: alert.clone(),
            playbook_hashes: accepted
                .unanswered()
                .map(|playbook| playbook.hash.to_string())
                .collect(),
        },
        Event::LedgerFills { .. } | Event::Panicked { .. } => return,
    };
    trail.write(&record);
}

/// The target of the audit trail's log lines.
pub const TRAIL: &str = "audit";

/// The audit trail as log lines of the target [`TRAIL`]: a sentence as message, the whole record as JSON in the field
/// `record`.
#[derive(Debug, Clone, Copy, Default)]
pub struct TracingAudit;

impl AuditTrail for TracingAudit {
    fn write(&self, record: &AuditRecord) {
        // Where no subscriber takes it, neither the JSON nor the sentence is made.
        if !tracing::enabled!(target: TRAIL, tracing::Level::INFO) {
            return;
        }
        let json = serde_json::to_string(record).unwrap_or_else(|error| format!("\"not serialisable: {error}\""));
        tracing::info!(target: TRAIL, record = %json, "{}", record.summary());
    }
}
