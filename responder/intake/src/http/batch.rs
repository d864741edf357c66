//! The answer to a body that may hold several alerts: one for each of them, and a status for all.

use http::StatusCode;
use responder_core::alert::AlertId;
use responder_core::playbook_name::PlaybookName;
use serde::Serialize;

use super::answer::{self, HttpAnswer};
use crate::Receipt;
use crate::contents::Unreadable;

/// The answer to one alert of several.
#[derive(Debug, Serialize)]
#[serde(tag = "outcome", rename_all = "camelCase")]
pub(super) enum AlertAnswer {
    Unmatched,
    Duplicate,
    Accepted {
        alert: AlertId,
        playbooks: Vec<PlaybookName>,
    },
    Rejected {
        kind: &'static str,
        error: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        line: Option<usize>,
        #[serde(skip_serializing_if = "Option::is_none")]
        column: Option<usize>,
        /// Whether the alert may be taken when it is sent again.
        #[serde(skip)]
        retriable: bool,
    },
}

impl AlertAnswer {
    /// The answer to a readable alert.
    pub(super) fn of(receipt: Receipt) -> Self {
        match receipt {
            Receipt::Unmatched => Self::Unmatched,
            Receipt::Duplicate => Self::Duplicate,
            Receipt::Accepted { alert, playbooks } => Self::Accepted { alert, playbooks },
            Receipt::Shed | Receipt::Stopping => {
                let (kind, error) = answer::dropped(&receipt);
                Self::Rejected {
                    kind,
                    error: error.to_owned(),
                    line: None,
                    column: None,
                    retriable: true,
                }
            }
        }
    }

    /// The answer to a part that begins in this line and is no alert.
    pub(super) fn unreadable(error: &Unreadable, line: usize) -> Self {
        let at = error.position();
        Self::Rejected {
            kind: error.kind(),
            error: error.to_string(),
            line: Some(at.map_or(line, |at| at.line)),
            column: at.map(|at| at.column),
            retriable: false,
        }
    }

    /// The answer to all alerts that were not read.
    pub(super) fn left_out(error: &Unreadable) -> Self {
        Self::Rejected {
            kind: error.kind(),
            error: error.to_string(),
            line: None,
            column: None,
            retriable: false,
        }
    }

    const fn is_taken(&self) -> bool {
        !matches!(self, Self::Rejected { .. })
    }
}

#[derive(Serialize)]
struct BatchAnswer<'a> {
    outcome: &'static str,
    taken: usize,
    rejected: usize,
    alerts: Vec<Indexed<'a>>,
}

#[derive(Serialize)]
struct Indexed<'a> {
    index: usize,
    #[serde(flatten)]
    answer: &'a AlertAnswer,
}

/// The answers to all alerts, in the order of the body. The last one stands for all that were left out, `unread` in number.
pub(super) fn answer(answers: &[AlertAnswer], unread: usize) -> HttpAnswer {
    let taken = answers.iter().filter(|answer| answer.is_taken()).count();
    let body = answer::line(&BatchAnswer {
        outcome: "batch",
        taken,
        rejected: answers.len() - taken + unread.saturating_sub(1),
        alerts: (0..)
            .zip(answers)
            .map(|(index, answer)| Indexed { index, answer })
            .collect(),
    });
    let status = status(answers);
    let answer = answer::json(status, body);
    if status == StatusCode::SERVICE_UNAVAILABLE {
        answer::retriable(answer)
    } else {
        answer
    }
}

/// The status of a batch. A sender that sends again after 5xx loses nothing by it: what was accepted is a duplicate then.
fn status(answers: &[AlertAnswer]) -> StatusCode {
    let is_retriable = |answer: &AlertAnswer| matches!(answer, AlertAnswer::Rejected { retriable: true, .. });
    let is_accepted = |answer: &AlertAnswer| matches!(answer, AlertAnswer::Accepted { .. });
    if answers.iter().any(is_retriable) {
        StatusCode::SERVICE_UNAVAILABLE
    } else if !answers.iter().any(AlertAnswer::is_taken) {
        StatusCode::BAD_REQUEST
    } else if !answers.iter().all(AlertAnswer::is_taken) {
        StatusCode::MULTI_STATUS
    } else if answers.iter().any(is_accepted) {
        StatusCode::ACCEPTED
    } else {
        StatusCode::OK
    }
}
