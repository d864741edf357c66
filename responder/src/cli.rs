//! The command line: every command, option, default and exit code that a person or a manifest can rely on.

use clap::{Parser, Subcommand};

use crate::arguments::LogArgs;
use crate::command::{check, completions, explain, rbac, replay, run, schema};

/// Answers Falco alerts on Kubernetes: by playbook, within limits, and never without saying why.
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
  0  all went well
  1  it could not be done: an address in use, a cluster that does not answer, an alert that can't be read
  2  a mistake in what was given: an unknown option, a playbook or a guard with errors

Data goes to standard output, everything else to standard error. NO_COLOR is honoured.";

/// What can be done.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Takes alerts over HTTP and answers them
    Run(run::RunArgs),
    /// Looks for mistakes in playbooks and guards, without a cluster
    Check(check::CheckArgs),
    /// Shows what would be decided about one alert, and every check behind it; changes nothing
    Explain(explain::ExplainArgs),
    /// Shows what would have been decided about recorded alerts, by their own clock; changes nothing
    Replay(replay::ReplayArgs),
    /// Prints the roles that playbooks need, and no more
    Rbac(rbac::RbacArgs),
    /// Prints the JSON schema of playbooks and guards, or of the configuration, for editors
    Schema(schema::SchemaArgs),
    /// Prints completions for a shell
    Completions(completions::CompletionsArgs),
}
