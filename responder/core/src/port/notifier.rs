//! The notifier port: messages to receivers about responses. Notifications may fail open; actions fail closed.

use serde::Serialize;

use crate::notify::NotifyMoment;

/// One message, about one response or about the engine itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Notification {
    /// The receivers' names, as in the playbook.
    pub to: Vec<String>,
    /// The moment in the response's life.
    pub moment: NotifyMoment,
    /// The playbook's name; `None` for a message about the engine itself.
    pub playbook: Option<String>,
    /// The target in words; `None` when none was resolved.
    pub target: Option<String>,
    /// One line: the outcome, or the reason for not acting.
    pub message: String,
}

/// Delivers notifications. Must not block: a notification that can't be delivered is logged and dropped.
pub trait Notifier: Send + Sync + 'static {
    /// Delivers one notification, or logs why not.
    fn notify(&self, notification: &Notification);
}
