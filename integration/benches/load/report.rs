//! The table of results and its figures.

use std::{fmt, time::Duration};

use crate::process::Cost;

/// One row: responder's figure, the limit's figure, and their ratio.
#[derive(Debug)]
pub(crate) struct Row {
    /// Rows are sorted by this number.
    pub(crate) place: u8,
    pub(crate) what: String,
    pub(crate) responder: String,
    pub(crate) limit: String,
    pub(crate) ratio: String,
    /// The goal, and whether it is met.
    pub(crate) goal: Option<(String, bool)>,
}

/// What an unmatched alert may cost, compared with a bare process.
#[derive(Debug)]
pub(crate) struct CostGoal {
    /// The least part of the bare process' rate.
    pub(crate) rate: f64,
    /// The most of the bare process' CPU time, as a multiple.
    pub(crate) cpu: Option<f64>,
}

/// The rows and notes of a report.
#[derive(Debug, Default)]
pub(crate) struct Table {
    rows: Vec<Row>,
    notes: Vec<(u8, String)>,
}

impl Table {
    pub(crate) fn row(&mut self, row: Row) {
        self.rows.push(row);
    }

    /// Adds a sentence below the table.
    pub(crate) fn note(&mut self, place: u8, text: impl Into<String>) {
        self.notes.push((place, text.into()));
    }

    /// Adds two rows with the cost of an unmatched alert over a transport, compared with a bare process.
    pub(crate) fn costs(&mut self, place: u8, transport: &str, goal: &CostGoal, [ours, theirs]: [&[Cost]; 2]) {
        let rates = |costs: &[Cost]| Figures::new(costs.iter().map(|cost| cost.rate));
        let cpus = |costs: &[Cost]| Figures::new(costs.iter().map(|cost| cost.cpu));
        let ratio = rates(ours).median() / rates(theirs).median();
        self.row(Row {
            place,
            what: format!("unmatched alerts a second, {transport}"),
            responder: format!("{}/s", rates(ours).spread(0)),
            limit: format!("{}/s", rates(theirs).spread(0)),
            ratio: format!("{:.0} %", ratio * 100.0),
            goal: Some((format!(">= {:.0} %", goal.rate * 100.0), ratio >= goal.rate)),
        });
        let ratio = cpus(ours).median() / cpus(theirs).median();
        self.row(Row {
            place: place + 1,
            what: format!("CPU of an unmatched alert, {transport}"),
            responder: format!("{} us", cpus(ours).spread(1)),
            limit: format!("{} us", cpus(theirs).spread(1)),
            ratio: format!("{ratio:.2} x"),
            goal: goal.cpu.map(|times| (format!("<= {times:.1} x"), ratio <= times)),
        });
        self.note(
            place,
            format!(
                "{transport}, alerts a second of each round: responder {}; bare {}.",
                rates(ours).list(0),
                rates(theirs).list(0)
            ),
        );
    }

    /// Judges nothing: the figures are of a program that is not shipped.
    pub(crate) fn withhold_goals(&mut self) {
        for row in &mut self.rows {
            row.goal = None;
        }
    }

    pub(crate) fn sort(&mut self) {
        self.rows.sort_by_key(|row| row.place);
        self.notes.sort_by_key(|(place, _)| *place);
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let head = ["", "responder", "limit", "ratio", "goal"].map(str::to_owned);
        let cells = self.rows.iter().map(|row| {
            let goal = match &row.goal {
                Some((goal, true)) => format!("{goal}  met"),
                Some((goal, false)) => format!("{goal}  MISSED"),
                None => String::new(),
            };
            [&row.what, &row.responder, &row.limit, &row.ratio, &goal].map(Clone::clone)
        });
        let lines: Vec<_> = std::iter::once(head).chain(cells).collect();
        let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0);
        let widths = [0, 1, 2, 3].map(width);
        writeln!(f)?;
        for [what, responder, limit, ratio, goal] in &lines {
            let line = format!(
                "{what:<0$}   {responder:>1$}   {limit:>2$}   {ratio:>3$}   {goal}",
                widths[0], widths[1], widths[2], widths[3]
            );
            writeln!(f, "{}", line.trim_end())?;
        }
        writeln!(f)?;
        for (_, note) in &self.notes {
            writeln!(f, "{note}")?;
        }
        Ok(())
    }
}

/// Sorted figures.
#[derive(Debug, Clone)]
pub(crate) struct Figures(Vec<f64>);

impl Figures {
    pub(crate) fn new(figures: impl IntoIterator<Item = f64>) -> Self {
        let mut figures: Vec<_> = figures.into_iter().collect();
        figures.sort_by(f64::total_cmp);
        Self(figures)
    }

    pub(crate) fn milliseconds(durations: &[Duration]) -> Self {
        Self::new(durations.iter().map(|duration| duration.as_secs_f64() * 1e3))
    }

    /// The smallest figure that `percent` of the figures do not exceed; NaN without figures.
    pub(crate) fn percentile(&self, percent: usize) -> f64 {
        let rank = (self.0.len() * percent).div_ceil(100).saturating_sub(1);
        self.0.get(rank).copied().unwrap_or(f64::NAN)
    }

    pub(crate) fn median(&self) -> f64 {
        self.percentile(50)
    }

    /// The median, with the least and the most.
    pub(crate) fn spread(&self, digits: usize) -> String {
        let [least, most] = [self.0.first(), self.0.last()].map(|figure| figure.copied().unwrap_or(f64::NAN));
        format!("{:.digits$} ({least:.digits$} to {most:.digits$})", self.median())
    }

    /// All figures in ascending order.
    pub(crate) fn list(&self, digits: usize) -> String {
        let figures: Vec<_> = self.0.iter().map(|figure| format!("{figure:.digits$}")).collect();
        figures.join(" ")
    }
}
