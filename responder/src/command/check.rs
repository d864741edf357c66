//! `check`: reports every mistake in playbooks and guards at once, each with its place. Reads files only.

use std::fmt::Write as _;
use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use jiff::Timestamp;
use responder_core::document::Diagnostics;
use responder_core::playbook::load;
use serde::Serialize;

use crate::report::{Format, Paint, counted, print_data, print_message, to_json_pretty};
use crate::sources::{Sources, UnreadableFile};

/// The options of `check`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct CheckArgs {
    /// Files, or directories with *.yaml and *.yml files (without their subdirectories)
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Treats warnings as errors
    #[arg(long)]
    strict: bool,
    /// The form of the output: text for a person, on standard error, or json on standard output
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t)]
    output: Format,
}

const EXAMPLES: &str = "\
Examples:
  responder check playbooks/remote-shell
  responder check --strict playbooks/*/playbook.yaml guard.yaml
  responder check -o json mine | jq '.diagnostics[] | \"\\(.file):\\(.line): \\(.message)\"'

All paths together are one set, as for run: two playbooks of the same name in it are an error.

Exit codes:
  0  no errors (with --strict: no warnings either)
  2  errors; nothing would be loaded";

/// The output for a machine.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Answer<'a> {
    ok: bool,
    playbooks: usize,
    guards: usize,
    errors: usize,
    warnings: usize,
    unreadable: &'a [UnreadableFile],
    diagnostics: &'a Diagnostics,
}

pub(crate) fn run(args: &CheckArgs) -> anyhow::Result<ExitCode> {
    let sources = Sources::read(args.paths.iter().map(PathBuf::as_path));
    let (playbooks, guards, diagnostics) = match load(&sources.read, Timestamp::now()) {
        Ok(loaded) => (
            loaded.playbooks.len(),
            usize::from(loaded.guard.is_some()),
            loaded.warnings,
        ),
        Err(diagnostics) => (0, 0, diagnostics),
    };
    let errors = diagnostics.errors() + sources.unreadable.len();
    let answer = Answer {
        ok: errors == 0 && !(args.strict && diagnostics.warnings() > 0),
        playbooks,
        guards,
        errors,
        warnings: diagnostics.warnings(),
        unreadable: &sources.unreadable,
        diagnostics: &diagnostics,
    };
    match args.output {
        Format::Json => print_data(&to_json_pretty(&answer)?)?,
        Format::Text => print_message(&answer.render(args.strict, Paint::of(&io::stderr())))?,
    }
    Ok(if answer.ok {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(2)
    })
}

impl Answer<'_> {
    fn render(&self, strict: bool, paint: Paint) -> String {
        let mut text = String::new();
        for file in self.unreadable {
            // Writing to a string does not fail.
            let _ = write!(text, "{}: {file}\n\n", paint.bad("error"));
        }
        if !self.diagnostics.is_empty() {
            text += &self.diagnostics.render(paint.color());
            text.push('\n');
        }
        text + &self.summary(strict, paint)
    }

    fn summary(&self, strict: bool, paint: Paint) -> String {
        let warnings = match self.warnings {
            0 => String::new(),
            count => format!(", {}", counted(count, "warning")),
        };
        if self.errors > 0 {
            return format!(
                "{}{warnings}: nothing would be loaded\n",
                paint.bad(counted(self.errors, "error"))
            );
        }
        let set = format!(
            "{}, {}",
            counted(self.playbooks, "playbook"),
            counted(self.guards, "guard")
        );
        match (strict, self.warnings) {
            (true, 1..) => format!("{set}: {}{warnings} (--strict)\n", paint.bad("not ok")),
            _ => format!("{set}: {}{warnings}\n", paint.good("ok")),
        }
    }
}
