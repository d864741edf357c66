//! The report of `explain`: one alert, every playbook, and the checks behind each decision.

use std::fmt::{self, Write as _};
use std::path::PathBuf;

use jiff::Timestamp;
use responder_core::alert::{Alert, AlertId};
use responder_core::decide::{Decision, Outcome};
use responder_core::playbook_name::PlaybookName;
use responder_core::target::Subject;
use responder_core::trace::{Trace, Verdict};
use serde::Serialize;

use super::decision::{about, write_plan, write_trace};
use super::paint::Paint;
use super::table::TextTable;
use super::text::{printable, shortened};

/// Columns of an alert's output that are shown, enough to recognise it. Rules with many fields write a kilobyte.
const OUTPUT_COLUMNS: usize = 200;

/// One alert and its decisions. Its JSON is the output of `explain -o json`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ExplanationReport<'a> {
    /// The identity of the alert.
    pub(crate) alert_id: AlertId,
    /// The alert as received.
    pub(crate) alert: &'a Alert,
    /// The subject that the alert claims; `None` if no action is possible on it.
    pub(crate) subject: Option<Subject>,
    /// The time of the decision.
    pub(crate) now: Timestamp,
    /// The source of that time.
    pub(crate) clock: String,
    /// The cluster that was read.
    pub(crate) cluster: String,
    /// The guard in force.
    pub(crate) guard: String,
    /// The ceiling of the process, and the setting that decided it.
    pub(crate) ceiling: String,
    /// Every playbook, in the order in which they decide.
    pub(crate) playbooks: Vec<PlaybookReport>,
}

/// One playbook with its match and its decision.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PlaybookReport {
    /// The playbook.
    pub(crate) playbook: PlaybookName,
    /// The file of the playbook.
    pub(crate) file: Option<PathBuf>,
    /// Whether the alert matches it.
    pub(crate) matched: bool,
    /// The checks of its match that read the alert.
    #[serde(rename = "match")]
    pub(crate) matching: Trace,
    /// The decision, if the alert matches.
    pub(crate) decision: Option<Decision>,
}

impl ExplanationReport<'_> {
    /// The report as text.
    pub(crate) fn render(&self, paint: Paint) -> String {
        let mut out = String::new();
        // Writing to a string does not fail.
        let _ = self.write(&mut out, paint);
        out
    }

    fn write(&self, out: &mut String, paint: Paint) -> fmt::Result {
        self.write_alert(out, paint)?;
        let (matched, others): (Vec<_>, Vec<_>) = self.playbooks.iter().partition(|playbook| playbook.matched);
        for playbook in &matched {
            playbook.write(out, paint)?;
        }
        if !others.is_empty() {
            writeln!(out, "\n{}", paint.title("Not matched"))?;
            let mut table = TextTable::new(&["PLAYBOOK", "BECAUSE"]);
            for playbook in others {
                table.row([playbook.playbook.as_str(), &playbook.because()]);
            }
            write_indented(out, &table)?;
        }
        self.write_summary(out)
    }

    fn write_alert(&self, out: &mut String, paint: Paint) -> fmt::Result {
        let alert = self.alert;
        let rule = printable(alert.rule().as_str());
        writeln!(
            out,
            "{}  {}",
            paint.title(rule),
            paint.quiet(format_args!(
                "({}, {})",
                alert.priority(),
                printable(alert.source().as_str())
            ))
        )?;
        let about = match Subject::of(alert) {
            Ok(Subject::Pod(claim)) => {
                let container = claim
                    .container
                    .map(|id| format!(", container {id}"))
                    .unwrap_or_default();
                format!("pod/{}/{}{container}", claim.namespace, claim.name)
            }
            Ok(host) => host.to_string(),
            Err(none) => format!("nothing that can be acted on: {none}"),
        };
        let rows = [
            ("about", about),
            ("time", alert.time().to_string()),
            ("from", alert.hostname().unwrap_or("an unnamed host").to_owned()),
            (
                "says",
                alert.output().map_or_else(
                    || "nothing".to_owned(),
                    |output| shortened(output, OUTPUT_COLUMNS).into_owned(),
                ),
            ),
            ("alert", self.alert_id.short()),
            ("clock", format!("{} ({})", self.now, self.clock)),
            ("cluster", self.cluster.clone()),
            ("guard", self.guard.clone()),
            ("ceiling", self.ceiling.clone()),
        ];
        for (name, value) in rows {
            writeln!(out, "  {name:<8} {}", printable(&value))?;
        }
        Ok(())
    }

    fn write_summary(&self, out: &mut String) -> fmt::Result {
        let decisions = || self.playbooks.iter().filter_map(|playbook| playbook.decision.as_ref());
        let matched = self.playbooks.iter().filter(|playbook| playbook.matched).count();
        let acting = decisions()
            .filter(|decision| matches!(decision.outcome, Outcome::Act { .. }))
            .count();
        let refusing = decisions().count() - acting;
        let playbooks = super::counted(self.playbooks.len(), "playbook");
        writeln!(
            out,
            "\n{matched} of {playbooks} matched: {acting} would act, {refusing} would refuse. Nothing was sent to the cluster."
        )
    }
}

impl PlaybookReport {
    /// Why the playbook does not match: the first check that failed, and how many more did.
    fn because(&self) -> String {
        let failed = || {
            self.matching
                .checks
                .iter()
                .filter(|check| check.verdict == Verdict::Failed)
        };
        let more = match failed().count() {
            0 | 1 => String::new(),
            count => format!(" (and {} more)", count - 1),
        };
        failed()
            .next()
            .map(|check| format!("{}: {}{more}", check.name, check.detail))
            .unwrap_or_default()
    }

    fn write(&self, out: &mut String, paint: Paint) -> fmt::Result {
        write!(out, "\n{}  ", paint.title(&self.playbook))?;
        if let Some(file) = &self.file {
            write!(
                out,
                "{}",
                paint.quiet(format_args!("({})", printable(&file.to_string_lossy())))
            )?;
        }
        writeln!(out)?;
        if let Some(decision) = &self.decision {
            match &decision.outcome {
                Outcome::Act { plan, .. } => {
                    let mode = &plan.mode;
                    writeln!(
                        out,
                        "  {} on {}, in {} (set by {})",
                        paint.good("acts"),
                        plan.target,
                        mode.mode(),
                        mode.set_by()
                    )?;
                }
                Outcome::Refuse(refusal) => {
                    writeln!(
                        out,
                        "  {} {}: {}",
                        paint.bad("refuses"),
                        about(decision),
                        paint.bad(refusal.reason)
                    )?;
                    writeln!(out, "    {}", printable(&refusal.detail))?;
                    writeln!(out, "    what to do: {}", refusal.reason.advice())?;
                }
            }
        }
        writeln!(out, "  match")?;
        write_trace(out, &self.matching, 4, paint)?;
        if let Some(decision) = &self.decision {
            writeln!(out, "  decision")?;
            write_trace(out, &decision.trace, 4, paint)?;
            if let Outcome::Act { plan, .. } = &decision.outcome {
                writeln!(out, "  plan {}", plan.incident)?;
                write_plan(out, plan, 4)?;
            }
        }
        Ok(())
    }
}

fn write_indented(out: &mut String, table: &TextTable) -> fmt::Result {
    table.to_string().lines().try_for_each(|line| writeln!(out, "  {line}"))
}
