//! The command line: the commands, options, defaults and exit codes that operators and manifests rely on.

use clap::{Parser, Subcommand};

use crate::arguments::LogArgs;
use crate::command::{check, completions, explain, rbac, replay, run, schema};

/// Responds to Falco alerts on Kubernetes: by playbook, within limits, and always with a reason.
#[derive(Debug, Parser)]
#[command(name = "responder", version, max_term_width = 100, arg_required_else_help = true, after_help = EXIT_CODES)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) log: LogArgs,
    #[command(subcommand)]
    pub(crate) command: Command,
}

const EXIT_CODES: &str = "\
Exit codes:
  0  success
  1  failure: an address in use, a cluster that does not answer, an alert that can't be read
  2  a mistake in the input: an unknown option, a playbook or a guard with errors

Data goes to standard output, everything else to standard error. NO_COLOR is honoured.";

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Takes alerts over HTTP and NATS and responds to them
    Run(run::RunArgs),
    /// Checks playbooks and guards for mistakes, without a cluster
    Check(check::CheckArgs),
    /// Shows every decision about one alert with the checks behind it; changes nothing
    Explain(explain::ExplainArgs),
    /// Shows the decisions about recorded alerts, each at the time of its alert; changes nothing
    Replay(replay::ReplayArgs),
    /// Prints the roles that playbooks need
    Rbac(rbac::RbacArgs),
    /// Prints the JSON schema of playbooks and guards, or of the configuration, for editors
    Schema(schema::SchemaArgs),
    /// Prints completions for a shell
    Completions(completions::CompletionsArgs),
}
