//! The section `log`: the form and the filter of log lines.

use responder_core::document::{Findings, Path, Problem};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tracing_subscriber::EnvFilter;

use super::log_format::LogFormat;
use crate::arguments::LogArgs;

/// The form and the filter of log lines, which go to standard error.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Log")]
pub(crate) struct LogDoc {
    /// The form of log lines. Default: text. `--log-format`.
    #[serde(default)]
    pub(super) format: LogFormat,
    /// The lines that are logged: error, warn, info, debug, trace, or per target as in `info,responder_engine=debug`.
    /// The audit trail does not obey it. Default: RUST_LOG, else info. `--log`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1))]
    pub(super) filter: Option<String>,
}

/// The form and the filter of log lines.
#[derive(Debug, Clone)]
pub(crate) struct Log {
    /// The form of log lines.
    pub(crate) format: LogFormat,
    /// The filter in the file, a flag or RESPONDER_LOG.
    pub(crate) filter: Option<String>,
    /// The filter if neither those nor RUST_LOG have one.
    pub(crate) default: &'static str,
    /// Whether the audit trail is written without regard to the filter.
    pub(crate) keeps_trail: bool,
}

impl Log {
    /// For the commands without a configuration. Their output is not the log, so they log warnings only.
    pub(crate) fn of_command(args: &LogArgs) -> Self {
        Self {
            format: args.log_format.unwrap_or_default(),
            filter: args.log.clone(),
            default: "warn",
            keeps_trail: false,
        }
    }
}

impl LogDoc {
    pub(super) fn compile(&self, path: &Path, findings: &mut Findings<'_>) -> Log {
        if let Some(filter) = &self.filter
            && EnvFilter::try_new(filter).is_err()
        {
            let problem = Problem::new(format!("`{}` is not a filter for log lines", filter.escape_debug()));
            findings.error(
                &path.key("filter"),
                problem.help("write `debug`, or `info,responder_engine=debug`"),
            );
        }
        Log {
            format: self.format,
            filter: self.filter.clone(),
            default: "info",
            keeps_trail: true,
        }
    }
}
