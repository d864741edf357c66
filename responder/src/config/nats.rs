//! The section `nats`: where alerts come from over NATS.

mod auth;
mod jetstream;
mod tls;

use responder_core::document::{Findings, Path, Problem};
use responder_intake::nats::{
    ConfigError, Core, NameError, NatsConfig, QueueGroup, Servers, SubjectFilter, Subscription,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use self::auth::NatsAuthDoc;
pub(super) use self::jetstream::JetStreamDoc;
use self::tls::NatsTlsDoc;

/// Alerts over NATS, beside HTTP. Core NATS stores nothing: an alert that is published while no responder is connected is
/// lost. With `jetStream`, a stream stores each alert until it is decided.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Nats")]
pub(super) struct NatsDoc {
    /// Servers of one NATS cluster: `nats://host:port` or `tls://host:port`, without a user or a password. `--nats-url`.
    pub(super) servers: Vec<String>,
    /// The name of the connection in the server's lists. Default: `responder`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    /// How responder authenticates. Default: not at all, or by its client certificate alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    auth: Option<NatsAuthDoc>,
    /// The encryption of the connection. Default: TLS where the server asks for it, with the system's authorities.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tls: Option<NatsTlsDoc>,
    /// The subjects of alerts. Default: `falco.>`, to which falcosidekick publishes. `--nats-subject`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) subjects: Option<Vec<String>>,
    /// The queue group: each message reaches one of the responders in it. Default: `responder`. Not with `jetStream`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    queue_group: Option<String>,
    /// Takes the messages from a stream instead of core NATS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) jet_stream: Option<JetStreamDoc>,
}

impl NatsDoc {
    /// Only these servers; everything else by default.
    pub(super) fn of(servers: Vec<String>) -> Self {
        Self {
            servers,
            name: None,
            auth: None,
            tls: None,
            subjects: None,
            queue_group: None,
            jet_stream: None,
        }
    }

    /// The meaning of the section. `None` where it can't work, which is reported.
    pub(super) fn compile(&self, path: &Path, findings: &mut Findings<'_>) -> Option<NatsConfig> {
        let servers = Servers::parse(self.servers.iter().map(String::as_str));
        let servers = reported(servers, &path.key("servers"), findings);
        let auth = self.auth.as_ref().map(|auth| auth.compile(&path.key("auth"), findings));
        let tls = self.tls.as_ref().map(|tls| tls.compile(&path.key("tls"), findings));
        let subscription = self.subscription(path, findings);
        Some(NatsConfig {
            servers: servers?,
            name: self.name.clone().unwrap_or_else(|| "responder".to_owned()),
            auth: match auth {
                None => None,
                Some(auth) => Some(auth?),
            },
            tls,
            subscription: subscription?,
        })
    }

    fn subscription(&self, path: &Path, findings: &mut Findings<'_>) -> Option<Subscription> {
        let subjects = reported(self.subjects(), &path.key("subjects"), findings)?;
        match (&self.jet_stream, &self.queue_group) {
            (Some(_), Some(_)) => {
                let problem = Problem::new("`queueGroup` is for core NATS, and `jetStream` is written");
                let help = "leave it out: responders of one `consumer` share its messages";
                findings.error(&path.key("queueGroup"), problem.help(help));
                None
            }
            (Some(doc), None) => {
                reported(doc.compile(subjects), &path.key("jetStream"), findings).map(Subscription::JetStream)
            }
            (None, written) => {
                let queue = written
                    .as_deref()
                    .map_or_else(|| Ok(QueueGroup::responder()), str::parse);
                let queue = reported(queue, &path.key("queueGroup"), findings)?;
                Some(Subscription::Core(Core {
                    subjects,
                    queue,
                    ..Core::default()
                }))
            }
        }
    }

    fn subjects(&self) -> Result<Vec<SubjectFilter>, ConfigError> {
        let Some(written) = &self.subjects else {
            return Ok(vec![SubjectFilter::falco()]);
        };
        let subjects: Result<Vec<SubjectFilter>, NameError> = written.iter().map(|subject| subject.parse()).collect();
        let subjects = subjects?;
        if subjects.is_empty() {
            return Err(ConfigError::NoSubject);
        }
        Ok(subjects)
    }
}

/// The value, or `None` with its error as a finding.
fn reported<T, E: ToString>(value: Result<T, E>, path: &Path, findings: &mut Findings<'_>) -> Option<T> {
    value.map_err(|error| findings.error(path, error.to_string())).ok()
}

#[cfg(test)]
mod tests;
