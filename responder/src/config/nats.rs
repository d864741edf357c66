//! The NATS intake as it is written, and how it is compiled.

use std::path::PathBuf;
use std::str::FromStr;

use responder_core::document::{Findings, Path};
use responder_core::span::Span;
use responder_intake::nats::{
    Auth, ConfigError, Core, JetStream, JetStreamSettings, NatsConfig, NewStream, QueueGroup, Retention, Secret,
    Servers, Storage, StreamName, SubjectFilter, Subscription, Tls,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Alerts over NATS, beside HTTP. Without `jetStream` messages are taken as they pass by, and what is published while no
/// responder is connected is lost; with it a stream keeps each alert until it is decided.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Nats")]
pub(super) struct NatsDoc {
    /// Servers of one NATS cluster: `nats://host:port` or `tls://host:port`, without a user or a password.
    pub(super) servers: Vec<String>,
    /// What the connection is called in the server's lists. Default: `responder`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) name: Option<String>,
    /// Who we are. Default: nobody, or whom the client certificate names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) auth: Option<NatsAuthDoc>,
    /// How the connection is encrypted. Default: as the server asks for it, with the system's authorities.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) tls: Option<NatsTlsDoc>,
    /// What is listened to. Default: `falco.>`, where falcosidekick publishes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) subjects: Option<Vec<String>>,
    /// The queue group: of the responders in it each message reaches one. Default: `responder`. Not with `jetStream`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) queue_group: Option<String>,
    /// Takes the messages from a stream instead of as they pass by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) jet_stream: Option<JetStreamDoc>,
}

/// Who we are: exactly one of these. Files are read at each connect, so replacing one is all that a rotation takes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "NatsAuth")]
pub(super) struct NatsAuthDoc {
    /// A user and a password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) user: Option<UserDoc>,
    /// A file with a token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) token_file: Option<PathBuf>,
    /// The name of an environment variable with a token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) token_variable: Option<String>,
    /// A credentials file (`.creds`): a user's JWT and the seed of its key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) credentials_file: Option<PathBuf>,
    /// A file with the seed of a user's key (`SU…`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) nkey_seed_file: Option<PathBuf>,
}

/// A user and a password; the password is in a file or in an environment variable.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "NatsUser")]
pub(super) struct UserDoc {
    /// The user.
    pub(super) name: String,
    /// A file with the password; a line end at its end is not part of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) password_file: Option<PathBuf>,
    /// The name of an environment variable with the password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) password_variable: Option<String>,
}

/// How the connection is encrypted. Where this is written, a connection without TLS is refused.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "NatsTls")]
pub(super) struct NatsTlsDoc {
    /// The authorities that may have signed the server's certificate, as PEM. Default: the system's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) ca_file: Option<PathBuf>,
    /// Our certificate, as PEM. Only with `keyFile`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) certificate_file: Option<PathBuf>,
    /// The key of our certificate, as PEM.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) key_file: Option<PathBuf>,
    /// TLS before the server's first word, where the server has `handshake_first`. Default: false.
    #[serde(default)]
    pub(super) first: bool,
}

/// A stream, and the durable consumer that the responders share.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "JetStream")]
pub(super) struct JetStreamDoc {
    /// The stream.
    pub(super) stream: String,
    /// The durable consumer; it is made where there is none. Default: `responder`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) consumer: Option<String>,
    /// Messages that are delivered and not acknowledged, over all responders: 1 to 4096. Default: 256.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) max_in_flight: Option<usize>,
    /// A message of which nothing is heard for so long is delivered again. Default: 30s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) ack_wait: Option<Span>,
    /// A message that was delivered so often without a decision is a dead letter. Default: 10.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) max_deliver: Option<u32>,
    /// Where dead letters go, with the reason in their headers. Default: `responder.dead-letter`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) dead_letter_subject: Option<String>,
    /// Makes the stream where there is none, and `<stream>-dead-letters`. A stream that is there is left as it is.
    /// Default: neither is made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) create_stream: Option<NewStreamDoc>,
}

/// A stream to be made.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "NewStream")]
pub(super) struct NewStreamDoc {
    /// Servers that hold it: 3 to lose one of them and no alert. Default: 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) replicas: Option<usize>,
    /// Where it lies. Default: File.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) storage: Option<StorageDoc>,
    /// When a message goes. Default: Limits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) retention: Option<RetentionDoc>,
    /// The age at which a message goes whatever its state. Default: 24h.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) max_age: Option<Span>,
    /// The bytes at which the oldest messages go. Default: 1073741824 (1 GiB).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) max_bytes: Option<u64>,
}

/// Where a stream lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Storage")]
pub(super) enum StorageDoc {
    /// On disk.
    File,
    /// In memory.
    Memory,
}

/// When a message goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Retention")]
pub(super) enum RetentionDoc {
    /// With its age, or when the stream is full.
    Limits,
    /// When it is acknowledged, too; then nobody else can read the subjects through a consumer.
    WorkQueue,
}

/// What is written can't work.
#[derive(Debug, thiserror::Error)]
pub(super) enum NatsDocError {
    /// The settings themselves.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Nobody can be two, and whoever writes `auth` means somebody.
    #[error(
        "`auth` says in one way who we are: write one of `user`, `tokenFile`, `tokenVariable`, `credentialsFile` and \
         `nkeySeedFile`"
    )]
    OneAuth,
    /// One password, from one place.
    #[error("the user {0:?} needs its password from one place: write `passwordFile` or `passwordVariable`")]
    Password(String),
    /// Half a certificate.
    #[error("a client certificate needs both `certificateFile` and `keyFile`")]
    HalfCertificate,
    /// A pull consumer has no queue group.
    #[error(
        "`queueGroup` is for core NATS, and `jetStream` is written: responders of one `consumer` share its messages"
    )]
    QueueWithJetStream,
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

    /// What it means; what can't work is reported.
    pub(super) fn compiled(&self, path: &Path, findings: &mut Findings<'_>) -> Option<NatsConfig> {
        self.compile()
            .map_err(|error| findings.error(path, error.to_string()))
            .ok()
    }

    fn compile(&self) -> Result<NatsConfig, NatsDocError> {
        let subjects = match &self.subjects {
            None => vec![SubjectFilter::falco()],
            Some(subjects) => subjects
                .iter()
                .map(|subject| parse(subject))
                .collect::<Result<_, _>>()?,
        };
        if subjects.is_empty() {
            return Err(ConfigError::NoSubject.into());
        }
        let subscription = match (&self.jet_stream, &self.queue_group) {
            (Some(_), Some(_)) => return Err(NatsDocError::QueueWithJetStream),
            (Some(doc), None) => Subscription::JetStream(doc.compile(subjects)?),
            (None, queue) => Subscription::Core(Core {
                subjects,
                queue: queue.as_deref().map_or_else(|| Ok(QueueGroup::responder()), parse)?,
                ..Core::default()
            }),
        };
        Ok(NatsConfig {
            servers: Servers::parse(self.servers.iter().map(String::as_str))?,
            name: self.name.clone().unwrap_or_else(|| "responder".to_owned()),
            auth: self
                .auth
                .as_ref()
                .map_or_else(|| Ok(Auth::None), NatsAuthDoc::compile)?,
            tls: self.tls.as_ref().map(NatsTlsDoc::compile).transpose()?,
            subscription,
        })
    }
}

/// Names and subjects, with the error of the settings.
fn parse<T>(written: &str) -> Result<T, ConfigError>
where
    T: FromStr<Err = responder_intake::nats::NameError>,
{
    Ok(written.parse()?)
}

impl NatsAuthDoc {
    fn compile(&self) -> Result<Auth, NatsDocError> {
        let Self {
            user,
            token_file,
            token_variable,
            credentials_file,
            nkey_seed_file,
        } = self;
        let written = [
            user.as_ref().map(UserDoc::compile).transpose()?,
            token_file.clone().map(|file| Auth::Token(Secret::File(file))),
            token_variable
                .clone()
                .map(|variable| Auth::Token(Secret::Variable(variable))),
            credentials_file.clone().map(Auth::Credentials),
            nkey_seed_file.clone().map(Auth::Nkey),
        ];
        let mut written = written.into_iter().flatten();
        match (written.next(), written.next()) {
            (Some(auth), None) => Ok(auth),
            _ => Err(NatsDocError::OneAuth),
        }
    }
}

impl UserDoc {
    fn compile(&self) -> Result<Auth, NatsDocError> {
        let password = match (&self.password_file, &self.password_variable) {
            (Some(file), None) => Secret::File(file.clone()),
            (None, Some(variable)) => Secret::Variable(variable.clone()),
            _ => return Err(NatsDocError::Password(self.name.clone())),
        };
        Ok(Auth::User {
            name: self.name.clone(),
            password,
        })
    }
}

impl NatsTlsDoc {
    fn compile(&self) -> Result<Tls, NatsDocError> {
        let client = match (&self.certificate_file, &self.key_file) {
            (Some(certificate), Some(key)) => Some((certificate.clone(), key.clone())),
            (None, None) => None,
            _ => return Err(NatsDocError::HalfCertificate),
        };
        Ok(Tls {
            ca: self.ca_file.clone(),
            client,
            first: self.first,
        })
    }
}

impl JetStreamDoc {
    /// Only this stream, which is there; everything else by default.
    pub(super) fn of(stream: String) -> Self {
        Self {
            stream,
            consumer: None,
            max_in_flight: None,
            ack_wait: None,
            max_deliver: None,
            dead_letter_subject: None,
            create_stream: None,
        }
    }

    fn compile(&self, subjects: Vec<SubjectFilter>) -> Result<JetStream, ConfigError> {
        let usual = JetStreamSettings::of(parse(&self.stream)?);
        let consumer: Option<StreamName> = self.consumer.as_deref().map(parse).transpose()?;
        let dead_letters = self.dead_letter_subject.as_deref().map(parse).transpose()?;
        JetStreamSettings {
            consumer: consumer.unwrap_or(usual.consumer),
            subjects,
            max_in_flight: self.max_in_flight.unwrap_or(usual.max_in_flight),
            ack_wait: self.ack_wait.map_or(usual.ack_wait, Span::get),
            max_deliver: self.max_deliver.unwrap_or(usual.max_deliver),
            dead_letters: dead_letters.unwrap_or(usual.dead_letters),
            create: self.create_stream.as_ref().map(NewStreamDoc::compile),
            stream: usual.stream,
        }
        .compile()
    }
}

impl NewStreamDoc {
    fn compile(&self) -> NewStream {
        let usual = NewStream::default();
        NewStream {
            replicas: self.replicas.unwrap_or(usual.replicas),
            storage: match self.storage {
                Some(StorageDoc::Memory) => Storage::Memory,
                Some(StorageDoc::File) => Storage::File,
                None => usual.storage,
            },
            retention: match self.retention {
                Some(RetentionDoc::WorkQueue) => Retention::WorkQueue,
                Some(RetentionDoc::Limits) => Retention::Limits,
                None => usual.retention,
            },
            max_age: self.max_age.map_or(usual.max_age, Span::get),
            max_bytes: self.max_bytes.unwrap_or(usual.max_bytes),
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::{Value, json};

    use super::*;

    fn doc(document: Value) -> NatsDoc {
        serde_json::from_value(document).unwrap()
    }

    #[test]
    fn servers_alone_mean_all_of_falcosidekick_over_core_nats() {
        let config = doc(json!({ "servers": ["nats://127.0.0.1:4222"] })).compile().unwrap();
        let Subscription::Core(core) = config.subscription else {
            panic!("no core subscription")
        };
        assert_eq!(core.subjects[0].as_str(), "falco.>");
        assert_eq!(core.queue.as_str(), "responder");
        assert!(matches!(config.auth, Auth::None) && config.tls.is_none());
    }

    #[test]
    fn everything_that_can_be_written_is_read() {
        let config = doc(json!({
            "servers": ["tls://a:4222", "tls://b:4222"],
            "name": "responder-eu",
            "auth": { "user": { "name": "falco", "passwordFile": "/secrets/nats" } },
            "tls": { "caFile": "/ca.pem", "certificateFile": "/me.pem", "keyFile": "/me.key", "first": true },
            "subjects": ["falco.critical.>", "falco.emergency.>"],
            "jetStream": {
                "stream": "falco", "consumer": "eu", "maxInFlight": 16, "ackWait": "10s", "maxDeliver": 3,
                "deadLetterSubject": "dead.falco",
                "createStream": {
                    "replicas": 3, "storage": "Memory", "retention": "WorkQueue", "maxAge": "1h", "maxBytes": 4096
                },
            },
        }))
        .compile()
        .unwrap();
        let Subscription::JetStream(stream) = &config.subscription else {
            panic!("no stream")
        };
        assert_eq!(
            (stream.consumer.as_str(), stream.max_in_flight, stream.max_deliver),
            ("eu", 16, 3)
        );
        assert_eq!(stream.dead_letters.as_str(), "dead.falco");
        let new = stream.create.as_ref().unwrap();
        assert_eq!(
            (new.replicas, new.storage, new.retention),
            (3, Storage::Memory, Retention::WorkQueue)
        );
        assert!(config.tls.unwrap().first);
    }

    #[rstest]
    #[case(json!({ "servers": [] }), "at least one")]
    #[case(json!({ "servers": ["nats://me:hunter2@nats"] }), "name a file")]
    #[case(json!({ "servers": ["a"], "auth": { "user": { "name": "me" } } }), "passwordFile")]
    #[case(json!({ "servers": ["a"], "auth": {} }), "one of")]
    #[case(json!({ "servers": ["a"], "auth": { "tokenFile": "/t", "nkeySeedFile": "/n" } }), "one of")]
    #[case(json!({ "servers": ["a"], "tls": { "keyFile": "/k" } }), "certificateFile")]
    #[case(json!({ "servers": ["a"], "queueGroup": "q", "jetStream": { "stream": "s" } }), "queueGroup")]
    #[case(json!({ "servers": ["a"], "subjects": [] }), "no subject")]
    #[case(json!({ "servers": ["a"], "jetStream": { "stream": "a.b" } }), "name of a stream")]
    #[case(json!({ "servers": ["a"], "jetStream": { "stream": "s", "deadLetterSubject": "falco.x" } }), "come back")]
    fn what_cannot_work_is_refused(#[case] document: Value, #[case] said: &str) {
        let error = doc(document).compile().unwrap_err().to_string();
        assert!(error.contains(said), "{error}");
        assert!(!error.contains("hunter2"), "{error}");
    }

    #[test]
    fn an_unknown_key_and_a_password_are_refused() {
        for document in [
            json!({ "servers": ["a"], "sever": 1 }),
            json!({ "servers": ["a"], "auth": { "user": { "name": "me", "password": "hunter2" } } }),
            json!({ "servers": ["a"], "auth": { "token": "hunter2" } }),
        ] {
            assert!(serde_json::from_value::<NatsDoc>(document).is_err());
        }
    }
}
