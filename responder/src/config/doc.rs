//! `kind: Configuration` as written. The types are the one definition: the JSON schema, the check of the file, its
//! defaults and `--print-config` come from them, and their comments are what an editor shows.

use std::path::PathBuf;

use responder_core::document::{Findings, Path};
use responder_core::manifest::ApiVersion;
use responder_core::mode::Mode;
use responder_core::span::Span;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Configuration;
use super::http::HttpDoc;
use super::kubernetes::KubernetesDoc;
use super::log::LogDoc;
use super::nats::NatsDoc;
use super::telemetry::TelemetryDoc;

/// `kind: Configuration`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) enum ConfigurationKind {
    /// What `responder run` runs by.
    Configuration,
}

/// What `responder run` runs by. A flag is stronger than an environment variable (RESPONDER_…), and that is stronger than
/// this file. Paths are as on the command line: relative to the directory that responder is started in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Configuration")]
pub(crate) struct ConfigurationDoc {
    /// `responder.dev/v1alpha1`.
    pub(super) api_version: ApiVersion,
    /// `Configuration`.
    pub(super) kind: ConfigurationKind,
    /// Files, or directories with *.yaml and *.yml files, with playbooks; a guard may be among them. `--playbooks`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(inner(length(min = 1)))]
    pub(super) playbooks: Vec<PathBuf>,
    /// A file with `kind: Guard`: ceilings, protections, budgets. Without one the built-in floor holds. `--guard`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1))]
    pub(super) guard: Option<PathBuf>,
    /// The most that is done. By default Enforce with a guard, and Observe without. `--mode`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) mode: Option<Mode>,
    /// Where and from whom alerts are taken over HTTP.
    #[serde(default)]
    pub(super) http: HttpDoc,
    /// Alerts over NATS, beside HTTP. By default none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) nats: Option<NatsDoc>,
    /// Which cluster. By default the one of the kubeconfig, or the one that this runs in.
    #[serde(default, skip_serializing_if = "KubernetesDoc::is_empty")]
    pub(super) kubernetes: KubernetesDoc,
    /// Responses at work at once; 8 by default. Past eight at a time only the queue inside the API server grows, not the
    /// rate. `--max-in-flight`.
    #[serde(default = "eight")]
    #[schemars(range(min = 2, max = 256))]
    pub(super) max_in_flight: u16,
    /// How long accepted alerts may still be finished when it is told to stop; 20s by default. `--shutdown-deadline`.
    #[serde(default = "twenty_seconds")]
    pub(super) shutdown_deadline: Span,
    /// What is logged, and how. Log lines go to standard error.
    #[serde(default)]
    pub(super) log: LogDoc,
    /// Where traces go. By default nowhere.
    #[serde(default, skip_serializing_if = "TelemetryDoc::is_empty")]
    pub(super) telemetry: TelemetryDoc,
}

const fn eight() -> u16 {
    8
}

fn twenty_seconds() -> Span {
    Span::secs::<20>()
}

impl ConfigurationDoc {
    /// What it means. Whatever is wrong is reported; what comes out is only good when nothing was an error.
    pub(super) fn compile(&self, findings: &mut Findings<'_>) -> Configuration {
        let root = Path::default();
        Configuration {
            playbooks: self.playbooks.clone(),
            guard: self.guard.clone(),
            mode: self.mode,
            http: self.http.compile(&root.key("http"), findings),
            nats: self
                .nats
                .as_ref()
                .and_then(|nats| nats.compiled(&root.key("nats"), findings)),
            cluster: self.kubernetes.compile(&root.key("kubernetes"), findings),
            max_in_flight: self.max_in_flight,
            shutdown_deadline: self.shutdown_deadline,
            log: self.log.compile(&root.key("log"), findings),
            telemetry: self.telemetry.compile(&root.key("telemetry"), findings),
        }
    }
}
