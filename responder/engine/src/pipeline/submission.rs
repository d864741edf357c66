//! The answer to an alert on the way in.

use responder_core::alert::AlertId;
use responder_core::playbook_name::PlaybookName;

use crate::queue::{QueueClass, ShedCause};

/// What became of an alert on the way in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Submission {
    /// No playbook matches it.
    Unmatched,
    /// It was accepted before.
    Duplicate {
        /// Its identity.
        id: AlertId,
    },
    /// There is no room; it can be sent again.
    Shed {
        /// Its queue class.
        class: QueueClass,
        /// The bound that it met.
        cause: ShedCause,
    },
    /// Each of these playbooks decides about it.
    Accepted {
        /// Its identity.
        id: AlertId,
        /// The playbooks that match, in the order in which they answer.
        playbooks: Vec<PlaybookName>,
    },
}
