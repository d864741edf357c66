//! Traces: the checks behind a decision, in the order in which they ran.

use std::borrow::Cow;
use std::fmt;

use serde::Serialize;

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
    pub name: Cow<'static, str>,
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
    pub fn passed(&mut self, name: impl Into<Cow<'static, str>>, detail: impl Into<String>) {
        self.push(name, Verdict::Passed, detail);
    }

    /// Notes that a check does not hold.
    pub fn failed(&mut self, name: impl Into<Cow<'static, str>>, detail: impl Into<String>) {
        self.push(name, Verdict::Failed, detail);
    }

    /// Notes that a check does not apply.
    pub fn skipped(&mut self, name: impl Into<Cow<'static, str>>, detail: impl Into<String>) {
        self.push(name, Verdict::Skipped, detail);
    }

    fn push(&mut self, name: impl Into<Cow<'static, str>>, verdict: Verdict, detail: impl Into<String>) {
        self.checks.push(Check {
            name: name.into(),
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
