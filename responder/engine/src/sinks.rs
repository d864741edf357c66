//! The sinks: every place that is told what happens. A new sink is a field, a line in [`Sinks::tell`], and one `match`
//! over [`Event`] in a file of its own.

use std::sync::Arc;

use responder_core::port::{Clock, Notifier};

use crate::accounting::Accounting;
use crate::audit::{self, AuditTrail};
use crate::event::Event;
use crate::{notify, spans};

/// The sinks of one engine.
pub(crate) struct Sinks {
    pub(crate) accounting: Arc<Accounting>,
    pub(crate) audit: Arc<dyn AuditTrail>,
    pub(crate) notifier: Arc<dyn Notifier>,
    pub(crate) clock: Arc<dyn Clock>,
}

impl Sinks {
    /// Tells every sink. When it returns, all of them have been told: a plan is in the audit trail before its first
    /// request is sent. None of them blocks.
    pub(crate) fn tell(&self, event: &Event<'_>) {
        self.accounting.count(event);
        spans::record(event);
        let _settling = spans::settling(event).entered();
        audit::write(&*self.audit, self.clock.now(), event);
        notify::tell(&*self.notifier, event);
    }
}
