//! The report of `replay`: a line for each decision, then the number of each playbook's outcomes.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};

use jiff::Timestamp;
use responder_core::alert::{Alert, AlertId};
use responder_core::decide::{Decision, Outcome};
use responder_core::target::Subject;
use responder_intake::file::Place;
use serde::Serialize;

use super::counted;
use super::decision::{about, steps};
use super::paint::Paint;
use super::table::TextTable;

/// One alert of a replay with its decisions. Its JSON is a line of `replay -o json`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ReplayEntry {
    /// The place of the alert in the input, such as `line 3`.
    pub(crate) place: String,
    /// The alert's identity.
    pub(crate) alert: AlertId,
    /// The alert's time, which is also the time of the decisions.
    pub(crate) time: Timestamp,
    /// The rule.
    pub(crate) rule: String,
    /// The subject that the alert claims.
    pub(crate) subject: Option<Subject>,
    /// One for each playbook that matched, in the order in which they decide.
    pub(crate) decisions: Vec<Decision>,
}

impl ReplayEntry {
    /// The entry of an alert.
    pub(crate) fn new(place: Place, alert: &Alert, decisions: Vec<Decision>) -> Self {
        Self {
            place: place.to_string(),
            alert: alert.id(),
            time: alert.time(),
            rule: alert.rule().as_str().to_owned(),
            subject: Subject::of(alert).ok(),
            decisions,
        }
    }
}

/// A replay, alert by alert. Only the lines of each alert stay in memory: a week of a large cluster has many alerts.
#[derive(Debug)]
pub(crate) struct Replay {
    /// Whether alerts without a matching playbook get lines.
    show_unmatched: bool,
    table: TextTable,
    /// By playbook and outcome.
    outcomes: BTreeMap<(String, String), usize>,
    /// Alerts without a matching playbook, by rule.
    unanswered: BTreeMap<String, usize>,
    alerts: usize,
    acting: usize,
    refusing: usize,
}

impl Replay {
    /// A replay without an alert.
    pub(crate) fn new(show_unmatched: bool) -> Self {
        Self {
            show_unmatched,
            table: TextTable::new(&["TIME", "RULE", "TARGET", "PLAYBOOK", "DECISION", "NOTE"]),
            outcomes: BTreeMap::new(),
            unanswered: BTreeMap::new(),
            alerts: 0,
            acting: 0,
            refusing: 0,
        }
    }

    /// Adds the next alert.
    pub(crate) fn add(&mut self, entry: &ReplayEntry) {
        self.alerts += 1;
        let time = entry.time.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string();
        for decision in &entry.decisions {
            let (outcome, note) = match &decision.outcome {
                Outcome::Act { plan, .. } => {
                    self.acting += 1;
                    (format!("act ({})", plan.mode.mode()), steps(plan))
                }
                Outcome::Refuse(refusal) => {
                    self.refusing += 1;
                    (format!("refuse {}", refusal.reason), refusal.detail.clone())
                }
            };
            let playbook = decision.playbook.as_str();
            self.table
                .row([&*time, &*entry.rule, &*about(decision), playbook, &*outcome, &*note]);
            *self.outcomes.entry((playbook.to_owned(), outcome)).or_default() += 1;
        }
        if entry.decisions.is_empty() {
            *self.unanswered.entry(entry.rule.clone()).or_default() += 1;
            if self.show_unmatched {
                let subject = entry
                    .subject
                    .as_ref()
                    .map_or_else(|| "-".to_owned(), ToString::to_string);
                self.table
                    .row([&*time, &*entry.rule, &*subject, "-", "no playbook", ""]);
            }
        }
    }

    /// The report as text. `bad_lines` is the number of lines in the input that are not alerts.
    pub(crate) fn render(&self, bad_lines: usize, paint: Paint) -> String {
        let mut out = String::new();
        // Writing to a string does not fail.
        let _ = self.write(&mut out, bad_lines, paint);
        out
    }

    fn write(&self, out: &mut String, bad_lines: usize, paint: Paint) -> fmt::Result {
        if !self.table.is_empty() {
            writeln!(out, "{}", self.table)?;
        }
        if !self.outcomes.is_empty() {
            let mut table = TextTable::new(&["PLAYBOOK", "DECISION", "COUNT"]);
            for ((playbook, outcome), count) in &self.outcomes {
                table.row([playbook, outcome, &count.to_string()]);
            }
            writeln!(out, "{}\n{table}", paint.title("By playbook"))?;
        }
        if !self.unanswered.is_empty() {
            // The most frequent first, where a playbook would help most.
            let mut counts: Vec<_> = self.unanswered.iter().collect();
            counts.sort_by(|(one, few), (other, many)| many.cmp(few).then_with(|| one.cmp(other)));
            let mut table = TextTable::new(&["RULE", "COUNT"]);
            for (rule, count) in counts {
                table.row([rule, &count.to_string()]);
            }
            writeln!(out, "{}\n{table}", paint.title("Answered by no playbook"))?;
        }
        self.write_summary(out, bad_lines)
    }

    fn write_summary(&self, out: &mut String, bad_lines: usize) -> fmt::Result {
        write!(
            out,
            "{}: {} answered by no playbook; {}: {} would act, {} would refuse.",
            counted(self.alerts, "alert"),
            self.unanswered.values().sum::<usize>(),
            counted(self.acting + self.refusing, "decision"),
            self.acting,
            self.refusing
        )?;
        match bad_lines {
            0 => writeln!(out),
            1 => writeln!(out, " 1 line is not an alert."),
            many => writeln!(out, " {many} lines are not alerts."),
        }
    }
}
