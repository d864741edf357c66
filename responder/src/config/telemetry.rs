//! The section `telemetry`: the receiver of traces.

use std::path::PathBuf;

use responder_core::document::{Findings, Path, Problem};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The receiver of traces. Metrics are at `/metrics`, and the audit trail is in the log.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Telemetry")]
#[expect(
    clippy::struct_field_names,
    reason = "the keys of the file: there are other ways than OTLP"
)]
pub(crate) struct TelemetryDoc {
    /// An OTLP receiver (gRPC) for traces, such as `http://otel-collector:4317`. Default: no traces. Headers, such as a
    /// token, come from OTEL_EXPORTER_OTLP_HEADERS. `--otlp-endpoint`, OTEL_EXPORTER_OTLP_ENDPOINT.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1))]
    pub(super) otlp_endpoint: Option<String>,
    /// The authorities that may have signed the certificate of an `https://` receiver, as PEM; read once, at the start.
    /// Default: the system's. `--otlp-ca-file`, OTEL_EXPORTER_OTLP_CERTIFICATE.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1))]
    pub(super) otlp_ca_file: Option<PathBuf>,
    /// The share of alerts that get a trace, from 0 to 1. Default: 1. An alert inside a trace is sampled like that trace.
    /// `--otlp-sample`, OTEL_TRACES_SAMPLER_ARG.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 1))]
    pub(super) otlp_sample: Option<f64>,
}

/// The receiver of traces.
#[derive(Debug, Clone)]
pub(crate) struct Telemetry {
    /// The URL of the receiver; `None` for no traces.
    pub(crate) endpoint: Option<String>,
    /// The authorities that may have signed its certificate; `None` for the system's.
    pub(crate) ca_file: Option<PathBuf>,
    /// The share of alerts that get a trace, from 0 to 1.
    pub(crate) sample: f64,
}

impl TelemetryDoc {
    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    pub(super) fn compile(&self, path: &Path, findings: &mut Findings<'_>) -> Telemetry {
        let endpoint = self.otlp_endpoint.as_deref().filter(|endpoint| !endpoint.is_empty());
        if endpoint.is_some_and(|endpoint| !endpoint.starts_with("http://") && !endpoint.starts_with("https://")) {
            // The text may hold a password.
            let problem = Problem::new("this is not the URL of a receiver").before_a_secret();
            findings.error(
                &path.key("otlpEndpoint"),
                problem.help("write http://HOST:4317 or https://HOST:4317"),
            );
        }
        // --print-config would show it.
        if endpoint.is_some_and(|endpoint| endpoint.contains('@')) {
            let problem = Problem::new("a URL is no place for a user or a password").before_a_secret();
            findings.error(
                &path.key("otlpEndpoint"),
                problem.help("put the credentials into OTEL_EXPORTER_OTLP_HEADERS"),
            );
        }
        let sample = self.otlp_sample.unwrap_or(1.0);
        if !(0.0..=1.0).contains(&sample) {
            findings.error(
                &path.key("otlpSample"),
                Problem::new(format!("{sample} is not a share")).help("write a number from 0 to 1, such as 0.1"),
            );
        }
        Telemetry {
            endpoint: endpoint.map(str::to_owned),
            ca_file: self.otlp_ca_file.clone(),
            sample,
        }
    }
}
