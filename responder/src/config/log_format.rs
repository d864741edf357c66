//! The form of log lines, in the configuration and on the command line.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The form of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema, clap::ValueEnum)]
#[serde(rename_all = "camelCase")]
pub(crate) enum LogFormat {
    /// One line for a person
    #[default]
    Text,
    /// One JSON object a line
    Json,
}
