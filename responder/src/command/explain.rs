//! `explain`: shows every decision about one alert, with the checks behind it. Reads and decides; sends nothing.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::process::ExitCode;
use std::str::FromStr;
use std::sync::Arc;

use clap::Args;
use jiff::Timestamp;
use responder_core::alert::Alert;
use responder_core::playbook::Playbook;
use responder_core::target::Subject;
use responder_core::trace::Trace;
use responder_engine::Explanation;

use super::consult::{ConsultArgs, Consultation};
use super::recording::read_alert;
use crate::report::{ExplanationReport, Format, Paint, PlaybookReport, print_data, to_json_pretty};

/// The options of `explain`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ExplainArgs {
    /// A file with one alert, as Falco or falcosidekick sends it; - for standard input
    #[arg(value_name = "ALERT")]
    alert: PathBuf,
    /// The time of the decision: `alert` for that of the alert, so that an old alert is not simply stale; `now`; or a time
    /// such as 2026-07-14T03:13:20Z
    #[arg(long, value_name = "alert|now|TIME", default_value = "alert")]
    at: At,
    /// The form of the output
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t)]
    output: Format,
    #[command(flatten)]
    consult: ConsultArgs,
}

const EXAMPLES: &str = "\
Examples:
  responder explain alert.json --playbooks playbooks/remote-shell --simulate manifests
  responder explain alert.json --playbooks playbooks/remote-shell --assume-targets
  kubectl logs -n falco falco-xczjd | grep '^{' | tail -1 | responder explain - --playbooks mine
  responder explain alert.json --playbooks mine -o json | jq '.playbooks[].decision.outcome'

Limits and budgets start unused: what the running controller has spent is not known here.

Exit codes:
  0  explained; the decisions do not count
  1  the alert can't be read, or the cluster does not answer
  2  an unknown option, or a playbook or guard with errors";

/// The source of the time of the decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
    Alert,
    Now,
    Time(Timestamp),
}

impl FromStr for At {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "alert" => Ok(Self::Alert),
            "now" => Ok(Self::Now),
            time => time
                .parse()
                .map(Self::Time)
                .map_err(|_| "write `alert`, `now`, or a time such as 2026-07-14T03:13:20Z".to_owned()),
        }
    }
}

impl At {
    fn time(self, alert: &Alert) -> (Timestamp, &'static str) {
        match self {
            Self::Alert => (alert.time(), "the alert's own; --at now takes the wall clock"),
            Self::Now => (Timestamp::now(), "the wall clock"),
            Self::Time(time) => (time, "--at"),
        }
    }
}

pub(crate) async fn run(args: &ExplainArgs) -> anyhow::Result<ExitCode> {
    let alert = read_alert(&args.alert)?;
    let (now, clock) = args.at.time(&alert);
    let consultation = match Consultation::open(&args.consult, std::slice::from_ref(&alert), now).await? {
        Ok(consultation) => consultation,
        Err(code) => return Ok(code),
    };
    let Explanation {
        matched, mut unmatched, ..
    } = consultation.explain(&alert, now).await;
    let mut decisions: BTreeMap<_, _> = matched
        .into_iter()
        .map(|decision| (decision.playbook.clone(), decision))
        .collect();
    let report = |playbook: &Arc<Playbook>| {
        let decision = decisions.remove(&playbook.name);
        let matching = match unmatched.iter().position(|other| other.playbook == playbook.name) {
            Some(at) => unmatched.swap_remove(at).trace,
            None => trace_of_match(playbook, &alert),
        };
        PlaybookReport {
            playbook: playbook.name.clone(),
            file: playbook.file.clone(),
            matched: decision.is_some(),
            matching,
            decision,
        }
    };
    let playbooks = consultation.playbooks().iter().map(report).collect();
    let explanation = ExplanationReport {
        alert_id: alert.id(),
        alert: &alert,
        subject: Subject::of(&alert).ok(),
        now,
        clock: clock.to_owned(),
        cluster: consultation.cluster().to_owned(),
        guard: consultation.guard(),
        ceiling: consultation.ceiling(),
        playbooks,
    };
    match args.output {
        Format::Json => print_data(&to_json_pretty(&explanation)?)?,
        Format::Text => print_data(&explanation.render(Paint::of(&io::stdout())))?,
    }
    Ok(ExitCode::SUCCESS)
}

fn trace_of_match(playbook: &Playbook, alert: &Alert) -> Trace {
    let mut trace = Trace::default();
    playbook.alert_match.trace(alert, &mut trace);
    trace
}
