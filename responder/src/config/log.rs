//! The section `log`: what is logged, and how.

use responder_core::document::{Findings, Path, Problem};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tracing_subscriber::EnvFilter;

use crate::arguments::LogArgs;

/// What is logged, and how. Log lines go to standard error.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Log")]
pub(crate) struct LogDoc {
    /// How lines look; text by default. `--log-format`.
    #[serde(default)]
    pub(super) format: LogFormat,
    /// Which lines are logged: error, warn, info, debug, trace, or per target as in `info,responder_engine=debug`. By
    /// default what RUST_LOG says, else info. `--log`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1))]
    pub(super) filter: Option<String>,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema, clap::ValueEnum)]
#[serde(rename_all = "camelCase")]
pub(crate) enum LogFormat {
    /// One line for a person
    #[default]
    Text,
    /// One JSON object a line
    Json,
}

/// What is logged, and how.
#[derive(Debug, Clone)]
pub(crate) struct Log {
    /// How lines look.
    pub(crate) format: LogFormat,
    /// Which lines, where the file, a flag or RESPONDER_LOG says it.
    pub(crate) filter: Option<String>,
    /// Which lines where neither that nor RUST_LOG says it.
    pub(crate) usual: &'static str,
}

impl Log {
    /// Of the commands that read no configuration: their answer is what counts, so only warnings are logged.
    pub(crate) fn of_command(args: &LogArgs) -> Self {
        Self {
            format: args.log_format.unwrap_or_default(),
            filter: args.log.clone(),
            usual: "warn",
        }
    }
}

impl LogDoc {
    pub(super) fn compile(&self, path: &Path, findings: &mut Findings<'_>) -> Log {
        if let Some(filter) = &self.filter
            && EnvFilter::try_new(filter).is_err()
        {
            let problem = Problem::new(format!("`{}` is no filter for log lines", filter.escape_debug()));
            findings.error(
                &path.key("filter"),
                problem.help("write `debug`, or `info,responder_engine=debug`"),
            );
        }
        Log {
            format: self.format,
            filter: self.filter.clone(),
            usual: "info",
        }
    }
}
