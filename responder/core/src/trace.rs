//! Traces: the checks behind a decision, in the order in which they were made.

use std::fmt;

use serde::Serialize;

use crate::refusal::{Refusal, RefusalReason};

mod check_name;

pub use check_name::{AlertCondition, CheckName, LiveCondition};

/// How a check went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
pub enum Verdict {
    /// It holds.
    Passed,
    /// It does not hold, and the decision ended here.
    Failed,
    /// It did not apply.
    Skipped,
}

/// One check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What was checked, in a word or two: `age`, `match.fields[0]`, `budget Cluster/Destroy`.
    pub name: CheckName,
    /// How it went.
    pub verdict: Verdict,
    /// What was compared with what. Alert text in it is escaped.
    pub detail: String,
}

/// The checks, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Trace {
    /// In order.
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

    /// Notes that a check does not hold, and gives the refusal for it.
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
