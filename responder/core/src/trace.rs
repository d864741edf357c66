//! Traces: the checks behind a decision, in the order in which they ran.

use std::fmt;

use serde::Serialize;

use crate::refusal::{Refusal, RefusalReason};

mod check_name;

pub use check_name::{AlertCondition, CheckName, LiveCondition};

/// The result of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
pub enum Verdict {
    /// The check holds.
    Passed,
    /// The check does not hold, and ended the decision.
    Failed,
    /// The check does not apply.
    Skipped,
}

/// One check of a decision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// The name of the check: `age`, `match.fields[0]`, `budget Cluster/Destroy`.
    pub name: CheckName,
    /// The result.
    pub verdict: Verdict,
    /// The compared values, in one sentence. Alert text in it is escaped.
    pub detail: String,
}

/// The checks of a decision.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Trace {
    /// In the order in which they ran.
    pub checks: Vec<Check>,
}

impl Trace {
    /// Notes that a check holds.
    pub fn passed(&mut self, name: CheckName, detail: impl Into<String>) {
        self.push(name, Verdict::Passed, detail);
    }

    /// Notes that a check does not hold.
    pub fn failed(&mut self, name: CheckName, detail: impl Into<String>) {
        self.push(name, Verdict::Failed, detail);
    }

    /// Records that a check does not hold, and returns the refusal for it.
    pub fn refused(&mut self, name: CheckName, reason: RefusalReason, detail: impl Into<String>) -> Refusal {
        let refusal = Refusal::new(reason, detail);
        self.failed(name, refusal.detail.clone());
        refusal
    }

    /// Notes that a check does not apply.
    pub fn skipped(&mut self, name: CheckName, detail: impl Into<String>) {
        self.push(name, Verdict::Skipped, detail);
    }

    fn push(&mut self, name: CheckName, verdict: Verdict, detail: impl Into<String>) {
        self.checks.push(Check {
            name,
            verdict,
            detail: detail.into(),
        });
    }
}

impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Check { name, verdict, detail } in &self.checks {
            let mark = match verdict {
                Verdict::Passed => "ok  ",
                Verdict::Failed => "no  ",
                Verdict::Skipped => "-   ",
            };
            writeln!(f, "  {mark}{name}: {detail}")?;
        }
        Ok(())
    }
}
