//! Verdicts: on a whole response, and on each of its expectations.

use std::fmt;

use responder_core::port::ReadError;
use serde::Serialize;

/// The effect of a response, or of one step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Effectiveness {
    /// The object is as it should be.
    Effective,
    /// No reading could tell, or none came in time.
    Inconclusive,
    /// The object is not as it should be.
    Ineffective,
}

impl Effectiveness {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Effective, Self::Inconclusive, Self::Ineffective];

    /// A bounded name for metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Effective => "effective",
            Self::Inconclusive => "inconclusive",
            Self::Ineffective => "ineffective",
        }
    }
}

/// The verdict on a whole response: the worst of its findings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Verification {
    /// The worst.
    pub verdict: Effectiveness,
    /// One for each expectation.
    pub findings: Vec<Finding>,
}

/// The verdict on one expectation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// The verdict.
    pub verdict: Effectiveness,
    /// What was seen.
    pub detail: String,
}

impl Finding {
    pub(super) fn new(verdict: Effectiveness, detail: impl Into<String>) -> Self {
        Self {
            verdict,
            detail: detail.into(),
        }
    }

    pub(super) fn unread(error: &ReadError) -> Self {
        Self::new(Effectiveness::Inconclusive, error.to_string())
    }
}

impl Verification {
    pub(crate) fn of(findings: Vec<Finding>) -> Self {
        let verdict = findings
            .iter()
            .map(|finding| finding.verdict)
            .max()
            .unwrap_or(Effectiveness::Effective);
        Self { verdict, findings }
    }
}

impl fmt::Display for Verification {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.verdict.as_str())?;
        let details: Vec<&str> = self.findings.iter().map(|finding| finding.detail.as_str()).collect();
        if details.is_empty() {
            Ok(())
        } else {
            write!(f, ": {}", details.join("; "))
        }
    }
}
