//! `replay`: shows the decisions about recorded alerts, each at the time of its alert. Reads and decides; sends nothing.

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

/// The options of `replay`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ReplayArgs {
    /// A file with one alert on each line, as Falco's file_output or a container's log has it; - for standard input
    #[arg(value_name = "ALERTS")]
    alerts: PathBuf,
    /// Shows the alerts without a matching playbook too
    #[arg(long)]
    unmatched: bool,
    /// The form of the output: a table, or one JSON object for each alert
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
  cat /var/log/pods/falco_*/falco/*.log | responder replay - --playbooks mine --assume-targets

A line may be wrapped as CRI, docker's json-file driver or syslog keeps it. The pieces of a line that
the runtime has cut are joined, and the alert has the number of the first one's line.

Alerts are decided in the order of their times, each at its own time, so none is stale.
Decisions count towards limits and budgets and are not carried out: a pod that would have been
deleted is still there for the next alert. The same input gives the same output.

Exit codes:
  0  every line was replayed
  1  the file can't be read, or the cluster does not answer
  2  an unknown option, or a playbook or guard with errors
  3  some lines are not alerts: they are named on standard error, and the others were replayed";

/// Bytes that are printed at once.
const BUFFERED: usize = 64 * 1024;

/// The exit code where some lines are not alerts.
const BAD_LINES: u8 = 3;

pub(crate) async fn run(args: &ReplayArgs) -> anyhow::Result<ExitCode> {
    let recording = read_recording(&args.alerts)?;
    report_bad_lines(&recording)?;
    // Exceptions expire by the time of the last alert and not by the wall clock, so that the same input gives the same
    // output tomorrow.
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
