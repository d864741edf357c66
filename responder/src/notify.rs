//! Notifications, as log lines: the one kind of receiver in this version. Step of the flow: settle.

use responder_core::notify::NotifyMoment;
use responder_core::port::{Notification, Notifier};

use crate::report::printable;

/// Puts the name of the cluster at the head of every message of another notifier.
#[derive(Debug)]
pub(crate) struct FromCluster<N> {
    /// The notifier that delivers the message.
    pub(crate) notifier: N,
    /// The name of the cluster, if it has one.
    pub(crate) cluster: Option<String>,
}

impl<N: Notifier> Notifier for FromCluster<N> {
    fn notify(&self, notification: &Notification) {
        match &self.cluster {
            None => self.notifier.notify(notification),
            Some(cluster) => self.notifier.notify(&Notification {
                message: format!("{cluster}: {}", notification.message),
                ..notification.clone()
            }),
        }
    }
}

/// Writes one log line for each notification, with the receivers that the playbook names.
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
        let playbook = playbook.as_deref().unwrap_or("none");
        if moment == &NotifyMoment::Failed {
            tracing::warn!(%to, ?moment, %playbook, %target, "tell {to}: {message}");
        } else {
            tracing::info!(%to, ?moment, %playbook, %target, "tell {to}: {message}");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[derive(Default)]
    struct Messages(Mutex<Vec<String>>);

    impl Notifier for Messages {
        fn notify(&self, notification: &Notification) {
            self.0.lock().unwrap().push(notification.message.clone());
        }
    }

    #[test]
    fn a_message_begins_with_the_name_of_its_cluster() {
        let notification = Notification {
            to: vec!["oncall".to_owned()],
            moment: NotifyMoment::Acted,
            playbook: Some("shell".to_owned()),
            target: None,
            message: "delete pod/a/b".to_owned(),
        };
        for (cluster, message) in [(Some("prod-eu"), "prod-eu: delete pod/a/b"), (None, "delete pod/a/b")] {
            let from = FromCluster {
                notifier: Messages::default(),
                cluster: cluster.map(str::to_owned),
            };
            from.notify(&notification);
            assert_eq!(*from.notifier.0.lock().unwrap(), [message]);
        }
    }
}
