//! The notifier port: who is told when. Notifications may fail open; actions fail closed.

use serde::Serialize;

use crate::notify::NotifyMoment;

/// One message about one response.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Notification {
    /// The receivers, as the playbook names them.
    pub to: Vec<String>,
    /// The moment.
    pub moment: NotifyMoment,
    /// The playbook.
    pub playbook: String,
    /// The target as a person reads it, where one was resolved.
    pub target: Option<String>,
    /// One line: what was done, or why not.
    pub message: String,
}

/// Delivers notifications. It must not block: what can't be delivered is logged and dropped.
pub trait Notifier: Send + Sync + 'static {
    /// Delivers one notification.
    fn notify(&self, notification: &Notification);
}
