//! Options that several commands share.

use std::path::PathBuf;

use clap::Args;

use crate::config::LogFormat;

/// The form and the filter of log lines, which go to standard error.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Logging")]
pub(crate) struct LogArgs {
    /// The form of log lines; text by default
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
    /// Without this option RUST_LOG counts. The default is info for run, and warn for the other commands.
    #[arg(long, global = true, value_name = "FILTER", env = "RESPONDER_LOG", hide_env = true)]
    pub(crate) log: Option<String>,
}

/// The playbooks and the guard.
#[derive(Debug, Clone, Args)]
pub(crate) struct PlaybookArgs {
    /// Files, or directories with *.yaml and *.yml files, with playbooks; a guard may be among them
    #[arg(long, required = true, num_args = 1.., value_name = "PATH", env = "RESPONDER_PLAYBOOKS", value_delimiter = ':', hide_env = true)]
    pub(crate) playbooks: Vec<PathBuf>,
    /// A file with `kind: Guard`: ceilings, protections, budgets. Without one the built-in floor applies
    #[arg(long, value_name = "FILE", env = "RESPONDER_GUARD", hide_env = true)]
    pub(crate) guard: Option<PathBuf>,
}

/// The cluster. Without an option: the one of the kubeconfig, or the one that responder runs in.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Cluster")]
pub(crate) struct ClusterArgs {
    /// A simulated cluster in memory, made from the manifests in this directory
    #[arg(long, value_name = "DIR", env = "RESPONDER_SIMULATE", hide_env = true, conflicts_with_all = ["kubeconfig", "context"])]
    pub(crate) simulate: Option<PathBuf>,
    /// A kubeconfig file. By default KUBECONFIG, ~/.kube/config or the service account of the pod
    #[arg(long, value_name = "FILE", env = "RESPONDER_KUBECONFIG", hide_env = true)]
    pub(crate) kubeconfig: Option<PathBuf>,
    /// A context of the kubeconfig. By default its current one
    #[arg(long, value_name = "NAME", env = "RESPONDER_CONTEXT", hide_env = true)]
    pub(crate) context: Option<String>,
}
