//! One decision as a part of a report.

use std::fmt::{self, Write as _};

use responder_core::decide::Decision;
use responder_core::plan::Plan;
use responder_core::trace::{Check, Trace, Verdict};

use super::paint::Paint;
use super::text::printable;

/// The target of a decision, else the subject that the alert claims.
pub(super) fn about(decision: &Decision) -> String {
    match (&decision.target, &decision.subject) {
        (Some(target), _) => target.to_string(),
        (None, Some(subject)) => printable(&subject.to_string()).into_owned(),
        (None, None) => "nothing".to_owned(),
    }
}

/// The steps of a plan on one line, with the isolation of a quarantine.
pub(super) fn steps(plan: &Plan) -> String {
    let steps = plan.steps.iter().map(|step| {
        let isolation = step
            .plan
            .isolation
            .as_ref()
            .map(|isolation| format!(" ({isolation})"))
            .unwrap_or_default();
        let idle = if step.plan.requests.is_empty() {
            " (nothing to do)"
        } else {
            ""
        };
        format!("{}{idle}{isolation}", step.name)
    });
    let steps: Vec<String> = steps.collect();
    printable(&steps.join(", ")).into_owned()
}

/// Writes the checks of a trace, one a line.
pub(super) fn write_trace(out: &mut String, trace: &Trace, indent: usize, paint: Paint) -> fmt::Result {
    for Check { name, verdict, detail } in &trace.checks {
        let text = format!("{}: {}", printable(&name.to_string()), printable(detail));
        match verdict {
            Verdict::Passed => writeln!(out, "{:indent$}{}  {text}", "", paint.good("ok"))?,
            Verdict::Failed => writeln!(out, "{:indent$}{}  {text}", "", paint.bad("no"))?,
            Verdict::Skipped => writeln!(out, "{:indent$}{}", "", paint.quiet(format_args!("-   {text}")))?,
        }
    }
    Ok(())
}

/// Writes the requests of a plan and their undos.
pub(super) fn write_plan(out: &mut String, plan: &Plan, indent: usize) -> fmt::Result {
    for line in plan.to_string().lines().skip(1) {
        // The display of a plan indents by two below its first line.
        writeln!(
            out,
            "{:indent$}{}",
            "",
            printable(line.strip_prefix("  ").unwrap_or(line))
        )?;
    }
    writeln!(out, "{:indent$}valid until {}", "", plan.valid_until)
}
