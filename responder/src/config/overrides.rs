//! Flags and environment variables, which override the file: a flag overrides a variable, and that overrides the file.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

use clap::parser::ValueSource;
use clap::{ArgMatches, Args};
use responder_core::mode::Mode;
use responder_core::span::Span;

use super::doc::ConfigurationDoc;
use super::kubernetes::KubernetesDoc;
use super::nats::{JetStreamDoc, NatsDoc};
use crate::arguments::{ClusterArgs, LogArgs};

/// The settings of `run` on the command line and in the environment. The others are as in the file.
#[derive(Debug, Args)]
pub(crate) struct Overrides {
    /// A file with `kind: Configuration`. Flags and RESPONDER_… variables override it
    #[arg(long, value_name = "FILE", env = "RESPONDER_CONFIG", hide_env = true)]
    pub(super) config: Option<PathBuf>,
    /// Files, or directories with *.yaml and *.yml files, with playbooks; a guard may be among them
    #[arg(long, num_args = 1.., value_name = "PATH", env = "RESPONDER_PLAYBOOKS", value_delimiter = ':', hide_env = true)]
    playbooks: Vec<PathBuf>,
    /// A file with `kind: Guard`: ceilings, protections, budgets. Without one the built-in floor applies
    #[arg(long, value_name = "FILE", env = "RESPONDER_GUARD", hide_env = true)]
    guard: Option<PathBuf>,
    /// The highest mode: Observe, Rehearse or Enforce. By default Enforce with a guard, and Observe without
    #[arg(long, value_name = "MODE", env = "RESPONDER_MODE", hide_env = true)]
    mode: Option<Mode>,
    /// The address for alerts over HTTP; 127.0.0.1:2803 by default
    #[arg(long, value_name = "ADDRESS", env = "RESPONDER_LISTEN", hide_env = true)]
    listen: Option<SocketAddr>,
    /// The address of /healthz, /readyz and /metrics; 127.0.0.1:2804 by default
    #[arg(long, value_name = "ADDRESS", env = "RESPONDER_PROBES_LISTEN", hide_env = true)]
    probes_listen: Option<SocketAddr>,
    /// Listens beyond loopback without authentication of senders
    // Without an environment variable, so that it stands where a person reads it.
    #[arg(long)]
    insecure_no_auth: bool,
    /// Responses that run at the same time; 8 by default
    ///
    /// With more than 8 the API server's queue grows, and not the rate.
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u16).range(2..=256), env = "RESPONDER_MAX_IN_FLIGHT", hide_env = true)]
    max_in_flight: Option<u16>,
    /// The time for accepted alerts after the signal to stop; 20s by default
    #[arg(long, value_name = "DURATION", env = "RESPONDER_SHUTDOWN_DEADLINE", hide_env = true)]
    shutdown_deadline: Option<Span>,
    #[command(flatten)]
    cluster: ClusterArgs,
    #[command(flatten)]
    nats: NatsArgs,
    #[command(flatten)]
    traces: TraceArgs,
}

/// Alerts over NATS, beside HTTP.
#[derive(Debug, Args)]
#[command(next_help_heading = "NATS")]
#[expect(clippy::struct_field_names, reason = "an option is named after its field")]
struct NatsArgs {
    /// Takes alerts from this NATS server, nats://host:port or tls://host:port; several servers are one cluster
    #[arg(
        long,
        value_name = "URL",
        env = "RESPONDER_NATS_URL",
        value_delimiter = ',',
        hide_env = true
    )]
    nats_url: Vec<String>,
    /// Subjects of alerts; falco.> by default, to which falcosidekick publishes
    #[arg(
        long,
        value_name = "SUBJECT",
        env = "RESPONDER_NATS_SUBJECT",
        value_delimiter = ',',
        hide_env = true
    )]
    nats_subject: Vec<String>,
    /// Takes the messages from this stream, which stores each until it is decided, instead of core NATS
    #[arg(long, value_name = "STREAM", env = "RESPONDER_NATS_STREAM", hide_env = true)]
    nats_stream: Option<String>,
    /// Creates the stream, and one for dead letters, unless they exist: on one server, for a day or 1 GiB
    #[arg(
        long,
        env = "RESPONDER_NATS_CREATE_STREAM",
        hide_env = true,
        requires = "nats_stream"
    )]
    nats_create_stream: bool,
}

impl NatsArgs {
    fn apply(&self, written: &mut Option<NatsDoc>) {
        if self.nats_url.is_empty() && self.nats_subject.is_empty() && self.nats_stream.is_none() {
            return;
        }
        let doc = written.get_or_insert_with(|| NatsDoc::of(Vec::new()));
        if !self.nats_url.is_empty() {
            doc.servers.clone_from(&self.nats_url);
        }
        if !self.nats_subject.is_empty() {
            doc.subjects = Some(self.nats_subject.clone());
        }
        if let Some(stream) = &self.nats_stream {
            match &mut doc.jet_stream {
                Some(jet_stream) => jet_stream.stream.clone_from(stream),
                None => doc.jet_stream = Some(JetStreamDoc::of(stream.clone())),
            }
        }
        if let (true, Some(jet_stream)) = (self.nats_create_stream, &mut doc.jet_stream) {
            jet_stream.create_stream.get_or_insert_default();
        }
    }
}

/// The receiver of traces.
#[derive(Debug, Args)]
#[command(next_help_heading = "Traces")]
#[expect(clippy::struct_field_names, reason = "the flags are named after them")]
struct TraceArgs {
    /// An OTLP receiver (gRPC) for traces, such as http://otel-collector:4317; by default there are no traces
    ///
    /// OTEL_EXPORTER_OTLP_HEADERS has the headers, such as a token; OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES describe
    /// the resource.
    #[arg(
        long,
        value_name = "URL",
        env = "OTEL_EXPORTER_OTLP_ENDPOINT",
        hide_env_values = true
    )]
    otlp_endpoint: Option<String>,
    /// The authorities that may have signed the certificate of an https:// receiver, as PEM; by default the system's
    #[arg(long, value_name = "PATH", env = "OTEL_EXPORTER_OTLP_CERTIFICATE")]
    otlp_ca_file: Option<PathBuf>,
    /// The share of alerts that get a trace, from 0 to 1; an alert inside a trace is sampled like that trace
    #[arg(long, value_name = "RATIO", env = "OTEL_TRACES_SAMPLER_ARG", value_parser = ratio)]
    otlp_sample: Option<f64>,
}

fn ratio(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(ratio) if (0.0..=1.0).contains(&ratio) => Ok(ratio),
        _ => Err("write a number from 0 to 1, such as 0.1 for every tenth alert".to_owned()),
    }
}

/// The id of each option that overrides a setting, with the setting's place in the file. The names of the flag and of the
/// variable come from the id, except for the variables that OpenTelemetry defines.
const SETTINGS: [(&str, &str); 20] = [
    ("playbooks", "playbooks"),
    ("guard", "guard"),
    ("mode", "mode"),
    ("listen", "http.listen"),
    ("probes_listen", "probes.listen"),
    ("insecure_no_auth", "http.insecureNoAuth"),
    ("kubeconfig", "kubernetes.kubeconfig"),
    ("context", "kubernetes.context"),
    ("simulate", "kubernetes.simulate"),
    ("nats_url", "nats.servers"),
    ("nats_subject", "nats.subjects"),
    ("nats_stream", "nats.jetStream.stream"),
    ("nats_create_stream", "nats.jetStream.createStream"),
    ("otlp_endpoint", "telemetry.otlpEndpoint"),
    ("otlp_ca_file", "telemetry.otlpCaFile"),
    ("otlp_sample", "telemetry.otlpSample"),
    ("max_in_flight", "maxInFlight"),
    ("shutdown_deadline", "shutdownDeadline"),
    ("log_format", "log.format"),
    ("log", "log.filter"),
];

/// The flag or variable of each setting that one of them sets, by the setting's place: `--listen`, `RESPONDER_LISTEN`.
pub(super) type Origins = BTreeMap<&'static str, String>;

impl Overrides {
    /// Overrides the file with the flags and variables.
    pub(super) fn apply(&self, log: &LogArgs, doc: &mut ConfigurationDoc) {
        if !self.playbooks.is_empty() {
            doc.playbooks.clone_from(&self.playbooks);
        }
        let ClusterArgs {
            simulate,
            kubeconfig,
            context,
        } = &self.cluster;
        // The options for a simulated cluster replace those of a real one in the file, and the other way round.
        if simulate.is_some() || (doc.kubernetes.simulate.is_some() && (kubeconfig.is_some() || context.is_some())) {
            doc.kubernetes = KubernetesDoc::default();
        }
        over(&mut doc.kubernetes.simulate, simulate.as_ref());
        over(&mut doc.kubernetes.kubeconfig, kubeconfig.as_ref());
        over(&mut doc.kubernetes.context, context.as_ref());
        over(&mut doc.guard, self.guard.as_ref());
        over(&mut doc.mode, self.mode.as_ref());
        over(&mut doc.log.filter, log.log.as_ref());
        self.nats.apply(&mut doc.nats);
        over(&mut doc.telemetry.otlp_endpoint, self.traces.otlp_endpoint.as_ref());
        over(&mut doc.telemetry.otlp_ca_file, self.traces.otlp_ca_file.as_ref());
        over(&mut doc.telemetry.otlp_sample, self.traces.otlp_sample.as_ref());
        doc.http.listen = self.listen.unwrap_or(doc.http.listen);
        doc.probes.listen = self.probes_listen.unwrap_or(doc.probes.listen);
        doc.http.insecure_no_auth |= self.insecure_no_auth;
        doc.max_in_flight = self.max_in_flight.unwrap_or(doc.max_in_flight);
        doc.shutdown_deadline = self.shutdown_deadline.unwrap_or(doc.shutdown_deadline);
        doc.log.format = log.log_format.unwrap_or(doc.log.format);
    }
}

fn over<T: Clone>(written: &mut Option<T>, given: Option<&T>) {
    if given.is_some() {
        *written = given.cloned();
    }
}

/// The flag or variable behind each setting that one of them sets.
pub(super) fn origins(matches: &ArgMatches) -> Origins {
    let origin = |(id, place): (&str, &'static str)| {
        let origin = match matches.value_source(id)? {
            ValueSource::CommandLine => format!("--{}", id.replace('_', "-")),
            ValueSource::EnvVariable => variable(id),
            _ => return None,
        };
        Some((place, origin))
    };
    SETTINGS.into_iter().filter_map(origin).collect()
}

/// The environment variable of a setting.
fn variable(id: &str) -> String {
    match id {
        "otlp_endpoint" => "OTEL_EXPORTER_OTLP_ENDPOINT".to_owned(),
        "otlp_ca_file" => "OTEL_EXPORTER_OTLP_CERTIFICATE".to_owned(),
        "otlp_sample" => "OTEL_TRACES_SAMPLER_ARG".to_owned(),
        id => format!("RESPONDER_{}", id.to_uppercase()),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use rstest::rstest;

    use super::{SETTINGS, ratio, variable};
    use crate::cli::Cli;

    #[test]
    fn a_flag_and_its_variable_are_named_after_their_id() {
        let cli = Cli::command();
        let run = cli.find_subcommand("run").unwrap();
        for (id, _) in SETTINGS {
            let mut options = run.get_arguments().chain(cli.get_arguments());
            let option = options.find(|option| option.get_id() == id).unwrap();
            assert_eq!(option.get_long(), Some(&*id.replace('_', "-")));
            let named = option.get_env().map(|name| name.to_string_lossy().into_owned());
            assert_eq!(named, (id != "insecure_no_auth").then(|| variable(id)));
        }
    }

    #[rstest]
    #[case("1.5")]
    #[case("-0.1")]
    #[case("NaN")]
    #[case("all")]
    fn a_share_is_from_nothing_to_all(#[case] text: &str) {
        assert!(ratio(text).is_err());
    }
}
