//! A witness of the audit trail and of the notifications.

use std::sync::{Arc, Mutex, PoisonError};

use responder_core::port::{Notification, Notifier};

use crate::audit::{AuditRecord, AuditTrail};
use crate::outcome::{Response, SentRequest};
use crate::quarantine_end::QuarantineEnd;
use crate::verify::Verification;

/// Keeps every record and every notification. A clone is the same witness.
#[derive(Debug, Clone, Default)]
pub(crate) struct Witness {
    records: Arc<Mutex<Vec<AuditRecord>>>,
    notifications: Arc<Mutex<Vec<Notification>>>,
}

impl AuditTrail for Witness {
    fn write(&self, record: &AuditRecord) {
        let mut records = self.records.lock().unwrap_or_else(PoisonError::into_inner);
        records.push(record.clone());
    }
}

impl Notifier for Witness {
    fn notify(&self, notification: &Notification) {
        let mut notifications = self.notifications.lock().unwrap_or_else(PoisonError::into_inner);
        notifications.push(notification.clone());
    }
}

impl Witness {
    pub(crate) fn records(&self) -> Vec<AuditRecord> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn notifications(&self) -> Vec<Notification> {
        self.notifications
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// The responses that were settled, in order.
    pub(crate) fn responses(&self) -> Vec<Response> {
        let records = self.records().into_iter();
        records
            .filter_map(|record| match record {
                AuditRecord::Settled { response, .. } => Some((*response).clone()),
                _ => None,
            })
            .collect()
    }

    /// The requests that were sent, in order.
    pub(crate) fn requests(&self) -> Vec<SentRequest> {
        let records = self.records().into_iter();
        records
            .filter_map(|record| match record {
                AuditRecord::Requested { request, .. } => Some(request),
                _ => None,
            })
            .collect()
    }

    /// The ends of quarantines, in order.
    pub(crate) fn ends(&self) -> Vec<QuarantineEnd> {
        let records = self.records().into_iter();
        records
            .filter_map(|record| match record {
                AuditRecord::Expired { end, .. } => Some(end),
                _ => None,
            })
            .collect()
    }

    /// The verifications, in order.
    pub(crate) fn verifications(&self) -> Vec<Verification> {
        let records = self.records().into_iter();
        records
            .filter_map(|record| match record {
                AuditRecord::Verified { verification, .. } => Some(verification),
                _ => None,
            })
            .collect()
    }
}
