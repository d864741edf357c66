//! The command line: every command, option, default and exit code that a person or a manifest can rely on.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::command::{check, completions, explain, rbac, replay, run, schema};
use crate::config::LogFormat;

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

/// What is logged, and how. Goes to standard error.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Logging")]
pub(crate) struct LogArgs {
    /// How log lines look; text by default
    #[arg(
        long,
        global = true,
        value_enum,
        value_name = "FORMAT",
        env = "RESPONDER_LOG_FORMAT",
        hide_env = true
    )]
    pub(crate) log_format: Option<LogFormat>,
    /// Which lines are logged: error, warn, info, debug, trace, or per target as in `info,responder_engine=debug`
    ///
    /// RUST_LOG is read where this is not given. The default is info, and warn for commands other than run.
    #[arg(long, global = true, value_name = "FILTER", env = "RESPONDER_LOG", hide_env = true)]
    pub(crate) log: Option<String>,
}

/// Which playbooks, and which guard.
#[derive(Debug, Clone, Args)]
pub(crate) struct PlaybookArgs {
    /// Files, or directories with *.yaml and *.yml files, with playbooks; a guard may be among them
    #[arg(long, required = true, num_args = 1.., value_name = "PATH", env = "RESPONDER_PLAYBOOKS", value_delimiter = ':', hide_env = true)]
    pub(crate) playbooks: Vec<PathBuf>,
    /// A file with `kind: Guard`: ceilings, protections, budgets. Without one the built-in floor holds
    #[arg(long, value_name = "FILE", env = "RESPONDER_GUARD", hide_env = true)]
    pub(crate) guard: Option<PathBuf>,
}

/// Which cluster. Without an option: the one of the kubeconfig, or the one that this runs in.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Cluster")]
pub(crate) struct ClusterArgs {
    /// A simulated cluster in memory, made from the manifests in this directory
    #[arg(long, value_name = "DIR", env = "RESPONDER_SIMULATE", hide_env = true, conflicts_with_all = ["kubeconfig", "context"])]
    pub(crate) simulate: Option<PathBuf>,
    /// A kubeconfig file; otherwise KUBECONFIG, ~/.kube/config or the service account of the pod
    #[arg(long, value_name = "FILE", env = "RESPONDER_KUBECONFIG", hide_env = true)]
    pub(crate) kubeconfig: Option<PathBuf>,
    /// A context of the kubeconfig; otherwise its current one
    #[arg(long, value_name = "NAME", env = "RESPONDER_CONTEXT", hide_env = true)]
    pub(crate) context: Option<String>,
}
