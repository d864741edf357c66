//! The end of an engine: each accepted alert is finished within a deadline, or handed back by name.

use std::fmt;

use responder_core::alert::AlertId;
use serde::Serialize;

/// The accepted alerts at the end of an engine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ShutdownReport {
    /// How many were finished after the stop began.
    pub finished: usize,
    /// The alerts that were not, the oldest first.
    pub handed_back: Vec<HandedBackAlert>,
}

/// An accepted alert that was not finished. It can be sent again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct HandedBackAlert {
    /// The alert.
    pub alert: AlertId,
    /// Its rule.
    pub rule: String,
    /// The subject that it claims to be about; absent where it names none.
    pub target: Option<String>,
    /// The playbooks that have not answered it.
    pub playbooks: Vec<String>,
    /// How many alerts had been joined to it, to be decided with it.
    #[serde(skip_serializing_if = "is_zero")]
    pub repeats: usize,
    /// How far it had come.
    pub progress: Progress,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
pub(crate) const fn is_zero(count: &usize) -> bool {
    *count == 0
}

/// The progress of an alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Progress {
    /// It waits.
    Waiting,
    /// A playbook decides about it; nothing was sent.
    Deciding,
    /// Requests of the first of its playbooks are on their way; perhaps some were carried out. The plan is in the audit
    /// trail.
    Acting,
}

impl fmt::Display for HandedBackAlert {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let target = self.target.as_deref().unwrap_or("nothing");
        let progress = match self.progress {
            Progress::Waiting => "was waiting",
            Progress::Deciding => "was being decided",
            Progress::Acting => "was being acted on",
        };
        let playbooks = self.playbooks.join(", ");
        let repeats = match self.repeats {
            0 => String::new(),
            repeats => format!(" and {repeats} repeats"),
        };
        write!(
            f,
            "\"{}\" about {target} ({playbooks}; alert {}{repeats}) {progress}",
            self.rule.escape_debug(),
            self.alert
        )
    }
}
