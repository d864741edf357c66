//! `kind: Configuration` as written. The types are the one definition: the JSON schema, the check of the file, the defaults
//! and `--print-config` come from them, and editors show their comments.

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
use super::probes::ProbesDoc;
use super::telemetry::TelemetryDoc;

/// `kind: Configuration`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) enum ConfigurationKind {
    /// The configuration of `responder run`.
    Configuration,
}

/// The configuration of `responder run`. A flag overrides an environment variable (RESPONDER_…), and that overrides this
/// file. Relative paths start at the working directory, as on the command line.
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
    /// A file with `kind: Guard`: ceilings, protections, budgets. Without one the built-in floor applies. `--guard`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1))]
    pub(super) guard: Option<PathBuf>,
    /// The highest mode of any playbook. Default: Enforce with a guard, Observe without. `--mode`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) mode: Option<Mode>,
    /// Alerts over HTTP.
    #[serde(default)]
    pub(super) http: HttpDoc,
    /// The pages for probes and metrics.
    #[serde(default)]
    pub(super) probes: ProbesDoc,
    /// Alerts over NATS, beside HTTP. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) nats: Option<NatsDoc>,
    /// The cluster. Default: the one of the kubeconfig, or the one that responder runs in.
    #[serde(default, skip_serializing_if = "KubernetesDoc::is_empty")]
    pub(super) kubernetes: KubernetesDoc,
    /// Responses that run at the same time. Default: 8; with more the API server's queue grows, and not the rate.
    /// `--max-in-flight`.
    #[serde(default = "eight")]
    #[schemars(range(min = 2, max = 256))]
    pub(super) max_in_flight: u16,
    /// The time for accepted alerts after the signal to stop. Default: 20s. `--shutdown-deadline`.
    #[serde(default = "twenty_seconds")]
    pub(super) shutdown_deadline: Span,
    /// The form and the filter of log lines, which go to standard error.
    #[serde(default)]
    pub(super) log: LogDoc,
    /// The receiver of traces. Default: none.
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
    /// The meaning of the document. Mistakes are reported, and the result is of use only without them.
    pub(super) fn compile(&self, findings: &mut Findings<'_>) -> Configuration {
        let root = Path::default();
        Configuration {
            playbooks: self.playbooks.clone(),
            guard: self.guard.clone(),
            mode: self.mode,
            http: self.http.compile(&root.key("http"), findings),
            probes: self.probes.listen,
            nats: self
                .nats
                .as_ref()
                .and_then(|nats| nats.compile(&root.key("nats"), findings)),
            cluster: self.kubernetes.compile(&root.key("kubernetes"), findings),
            max_in_flight: self.max_in_flight,
            shutdown_deadline: self.shutdown_deadline,
            log: self.log.compile(&root.key("log"), findings),
            telemetry: self.telemetry.compile(&root.key("telemetry"), findings),
        }
    }
}
