//! Tells people: as log lines, until there are receivers of other kinds. Step of the flow: settle.

use responder_core::playbook::NotifyMoment;
use responder_core::port::{Notification, Notifier};

use crate::report::printable;

/// One log line for each notification, with the receivers that the playbook names.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct LogNotifier;

impl Notifier for LogNotifier {
    fn notify(&self, notification: &Notification) {
        let Notification {
            to,
            moment,
            playbook,
            target,
            message,
        } = notification;
        let (to, message) = (to.join(", "), printable(message));
        let target = target.as_deref().map(printable);
        let target = target.as_deref().unwrap_or("nothing");
        if moment == &NotifyMoment::Failed {
            tracing::warn!(%to, ?moment, %playbook, %target, "tell {to}: {message}");
        } else {
            tracing::info!(%to, ?moment, %playbook, %target, "tell {to}: {message}");
        }
    }
}
