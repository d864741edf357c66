//! `replay`: what would have been decided about recorded alerts, by their own clock. Reads, decides, sends nothing.

use std::error::Error as _;
use std::fmt::Write as _;
use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use responder_intake::file::AlertInFile;

use super::consult::{ConsultArgs, Consultation};
use super::recording::{Recording, read_recording};
use crate::report::{Format, Paint, Replay, ReplayEntry, print_data, print_message, printable, to_json_line};

/// Which alerts, and what they are decided by.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ReplayArgs {
    /// A file with one alert a line, as Falco's file_output writes them; - for standard input
    #[arg(value_name = "ALERTS")]
    alerts: PathBuf,
    /// Gives alerts that no playbook answers a line of their own
    #[arg(long)]
    unmatched: bool,
    /// How the answer looks: a table, or one JSON object for each alert
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t)]
    output: Format,
    #[command(flatten)]
    consult: ConsultArgs,
}

const EXAMPLES: &str = "\
Examples:
  responder replay week.jsonl --playbooks playbooks/*/playbook.yaml --assume-targets
  responder replay week.jsonl --playbooks mine --guard guard.yaml --simulate dump --mode Enforce
  responder replay week.jsonl --playbooks mine --assume-targets -o json | jq .decisions

Alerts are decided in the order of their times, each at its own time, so nothing is stale.
What is decided counts towards limits and budgets, and is not carried out: a pod that would have
been deleted is still there for the next alert. The same input gives the same output.

Exit codes:
  0  all lines were replayed
  1  the file can't be read, or the cluster does not answer
  2  an unknown option, or a playbook or guard with errors
  3  some lines are no alerts: they are named on standard error, and the others were replayed";

/// So many bytes are printed at once.
const BUFFERED: usize = 64 * 1024;

/// Some lines are no alerts.
const BAD_LINES: u8 = 3;

pub(crate) async fn run(args: &ReplayArgs) -> anyhow::Result<ExitCode> {
    let recording = read_recording(&args.alerts)?;
    report_bad_lines(&recording)?;
    // What is judged by a clock while files are read (has an exception expired?) is judged as of the last alert, so
    // that the same input gives the same output tomorrow.
    let last = recording
        .alerts
        .last()
        .map_or(jiff::Timestamp::UNIX_EPOCH, |placed| placed.alert.time());
    let alerts = recording.alerts.iter().map(|placed| &placed.alert);
    let consultation = match Consultation::open(&args.consult, alerts, last).await? {
        Ok(consultation) => consultation,
        Err(code) => return Ok(code),
    };
    let mut replay = Replay::new(args.unmatched);
    let mut lines = String::new();
    for AlertInFile { place, alert } in &recording.alerts {
        let explanation = consultation.explain(alert, alert.time()).await;
        let entry = ReplayEntry::new(*place, alert, explanation.matched);
        match args.output {
            Format::Json => lines += &to_json_line(&entry)?,
            Format::Text => replay.add(&entry),
        }
        if lines.len() > BUFFERED {
            print_data(&std::mem::take(&mut lines))?;
        }
    }
    match args.output {
        Format::Json => print_data(&lines)?,
        Format::Text => print_data(&replay.render(recording.bad.len(), Paint::of(&io::stdout())))?,
    }
    Ok(if recording.bad.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(BAD_LINES)
    })
}

fn report_bad_lines(recording: &Recording) -> anyhow::Result<()> {
    let mut message = String::new();
    for bad in &recording.bad {
        let why = bad.source().map(|source| format!(": {source}")).unwrap_or_default();
        // Writing to a string does not fail.
        let _ = writeln!(message, "{}", printable(&format!("{bad}{why}")));
    }
    if recording.alerts.is_empty() && !recording.bad.is_empty() {
        message += "no line is an alert; a recording has one on each line, as `jq -c .` writes it (`jq -c '.[]'` of an array)\n";
    }
    Ok(print_message(&message)?)
}
