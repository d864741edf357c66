//! Flags and environment variables over the file: a flag is stronger than a variable, and that is stronger than the file.

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

/// What `run` takes on the command line and from the environment. Whatever is not given is as the file has it.
#[derive(Debug, Args)]
pub(crate) struct Overrides {
    /// A file with `kind: Configuration`. What is given here or by RESPONDER_… is stronger
    #[arg(long, value_name = "FILE", env = "RESPONDER_CONFIG", hide_env = true)]
    pub(super) config: Option<PathBuf>,
    /// Files, or directories with *.yaml and *.yml files, with playbooks; a guard may be among them
    #[arg(long, num_args = 1.., value_name = "PATH", env = "RESPONDER_PLAYBOOKS", value_delimiter = ':', hide_env = true)]
    playbooks: Vec<PathBuf>,
    /// A file with `kind: Guard`: ceilings, protections, budgets. Without one the built-in floor holds
    #[arg(long, value_name = "FILE", env = "RESPONDER_GUARD", hide_env = true)]
    guard: Option<PathBuf>,
    /// The most that is done: Observe, Rehearse or Enforce. By default Enforce with a guard, and Observe without
    #[arg(long, value_name = "MODE", env = "RESPONDER_MODE", hide_env = true)]
    mode: Option<Mode>,
    /// Where alerts are taken; 127.0.0.1:2803 by default
    #[arg(long, value_name = "ADDRESS", env = "RESPONDER_LISTEN", hide_env = true)]
    listen: Option<SocketAddr>,
    /// Listens beyond loopback although nobody who sends has to prove who he is
    // No environment variable: this is written where a person reads it.
    #[arg(long)]
    insecure_no_auth: bool,
    /// Responses at work at once; 8 by default
    ///
    /// Past eight at a time only the queue inside the API server grows, not the rate.
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u16).range(2..=256), env = "RESPONDER_MAX_IN_FLIGHT", hide_env = true)]
    max_in_flight: Option<u16>,
    /// How long accepted alerts may still be finished when it is told to stop; 20s by default
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
    /// Takes alerts from this NATS server, nats://host:port or tls://host:port; several of one cluster may be named
    #[arg(
        long,
        value_name = "URL",
        env = "RESPONDER_NATS_URL",
        value_delimiter = ',',
        hide_env = true
    )]
    nats_url: Vec<String>,
    /// Subjects to listen to; falco.> by default, where falcosidekick publishes
    #[arg(
        long,
        value_name = "SUBJECT",
        env = "RESPONDER_NATS_SUBJECT",
        value_delimiter = ',',
        hide_env = true
    )]
    nats_subject: Vec<String>,
    /// Takes the messages from this stream, which keeps each until it is decided, instead of as they pass by
    #[arg(long, value_name = "STREAM", env = "RESPONDER_NATS_STREAM", hide_env = true)]
    nats_stream: Option<String>,
    /// Makes the stream, and one for dead letters, where there is none: on one server, for a day or 1 GiB
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

/// Where traces go.
#[derive(Debug, Args)]
#[command(next_help_heading = "Traces")]
#[expect(clippy::struct_field_names, reason = "the flags are named after them")]
struct TraceArgs {
    /// An OTLP receiver (gRPC) for traces, such as http://otel-collector:4317; without one there are none
    ///
    /// Headers, such as a token, are read from OTEL_EXPORTER_OTLP_HEADERS, and what the resource is called from
    /// OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES.
    #[arg(
        long,
        value_name = "URL",
        env = "OTEL_EXPORTER_OTLP_ENDPOINT",
        hide_env_values = true
    )]
    otlp_endpoint: Option<String>,
    /// The authorities that may have signed the certificate of an https:// receiver, as PEM; otherwise the system's
    #[arg(long, value_name = "PATH", env = "OTEL_EXPORTER_OTLP_CERTIFICATE")]
    otlp_ca_file: Option<PathBuf>,
    /// The share of alerts that get a trace, from 0 to 1; one that comes with a trace of its own goes by that one's word
    #[arg(long, value_name = "RATIO", env = "OTEL_TRACES_SAMPLER_ARG", value_parser = ratio)]
    otlp_sample: Option<f64>,
}

fn ratio(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(ratio) if (0.0..=1.0).contains(&ratio) => Ok(ratio),
        _ => Err("write a number from 0 to 1, such as 0.1 for every tenth alert".to_owned()),
    }
}

/// The option of each setting that has one, by clap's id, with its place in the file. A flag is named after its id, and
/// so is its variable, but for those that OpenTelemetry names.
const SETTINGS: [(&str, &str); 19] = [
    ("playbooks", "playbooks"),
    ("guard", "guard"),
    ("mode", "mode"),
    ("listen", "http.listen"),
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

/// Where values come from that are not in the file, by their place in it: `--listen`, `RESPONDER_LISTEN`.
pub(super) type Origins = BTreeMap<&'static str, String>;

impl Overrides {
    /// Writes what was given over the file.
    pub(super) fn apply(&self, log: &LogArgs, doc: &mut ConfigurationDoc) {
        if !self.playbooks.is_empty() {
            doc.playbooks.clone_from(&self.playbooks);
        }
        let ClusterArgs {
            simulate,
            kubeconfig,
            context,
        } = &self.cluster;
        // Another kind of cluster than the file's leaves nothing of the file's.
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

/// Which values came from flags and which from the environment.
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
