//! The section `nats.jetStream`: the stream and the consumer that the responders share.

use responder_core::span::Span;
use responder_intake::nats::{
    ConfigError, JetStream, JetStreamSettings, NewStream, Retention, Storage, StreamName, SubjectFilter,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A stream, and the durable consumer that the responders share.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "JetStream")]
pub(in crate::config) struct JetStreamDoc {
    /// The stream. `--nats-stream`.
    pub(in crate::config) stream: String,
    /// The durable consumer; created unless it exists. Default: `responder`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    consumer: Option<String>,
    /// Messages that are delivered and not acknowledged, over all responders: 1 to 4096. Default: 256.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    max_in_flight: Option<usize>,
    /// The server delivers a message again after so long without a sign of life from its responder; at least 1s. Default:
    /// 30s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ack_wait: Option<Span>,
    /// Deliveries after which a message without a decision becomes a dead letter. Default: 10.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    max_deliver: Option<u32>,
    /// The subject of dead letters, which have the reason in their headers. Default: `responder.dead-letter`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    dead_letter_subject: Option<String>,
    /// Creates the stream, and `<stream>-dead-letters`, unless they exist. An existing stream is left as it is. Default:
    /// neither is created. `--nats-create-stream`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::config) create_stream: Option<NewStreamDoc>,
}

/// The settings of a stream to create.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "NewStream")]
pub(in crate::config) struct NewStreamDoc {
    /// Servers that store the stream, 1 to 5; with 3 the loss of a server loses no alert. Default: 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    replicas: Option<usize>,
    /// Where the server stores the stream. Default: File.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    storage: Option<StorageDoc>,
    /// When the server removes a message. Default: Limits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    retention: Option<RetentionDoc>,
    /// The age at which the server removes a message in any state. Default: 24h.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    max_age: Option<Span>,
    /// The size in bytes at which the server removes the oldest messages. Default: 1073741824 (1 GiB).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    max_bytes: Option<u64>,
}

/// Where the server stores a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Storage")]
enum StorageDoc {
    /// On disk.
    File,
    /// In memory.
    Memory,
}

/// When the server removes a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Retention")]
enum RetentionDoc {
    /// At its maximum age, or when the stream is full.
    Limits,
    /// Also when it is acknowledged. No other consumer can read the same subjects.
    WorkQueue,
}

impl JetStreamDoc {
    /// Only this stream, which exists; everything else by default.
    pub(in crate::config) fn of(stream: String) -> Self {
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

    pub(super) fn compile(&self, subjects: Vec<SubjectFilter>) -> Result<JetStream, ConfigError> {
        let defaults = JetStreamSettings::of(self.stream.parse()?);
        let consumer: Option<StreamName> = self.consumer.as_deref().map(str::parse).transpose()?;
        let dead_letters = self.dead_letter_subject.as_deref().map(str::parse).transpose()?;
        JetStreamSettings {
            consumer: consumer.unwrap_or(defaults.consumer),
            subjects,
            max_in_flight: self.max_in_flight.unwrap_or(defaults.max_in_flight),
            ack_wait: self.ack_wait.map_or(defaults.ack_wait, Span::get),
            max_deliver: self.max_deliver.unwrap_or(defaults.max_deliver),
            dead_letters: dead_letters.unwrap_or(defaults.dead_letters),
            create: self.create_stream.as_ref().map(NewStreamDoc::compile),
            stream: defaults.stream,
        }
        .compile()
    }
}

impl NewStreamDoc {
    fn compile(&self) -> NewStream {
        let defaults = NewStream::default();
        NewStream {
            replicas: self.replicas.unwrap_or(defaults.replicas),
            storage: match self.storage {
                Some(StorageDoc::Memory) => Storage::Memory,
                Some(StorageDoc::File) => Storage::File,
                None => defaults.storage,
            },
            retention: match self.retention {
                Some(RetentionDoc::WorkQueue) => Retention::WorkQueue,
                Some(RetentionDoc::Limits) => Retention::Limits,
                None => defaults.retention,
            },
            max_age: self.max_age.map_or(defaults.max_age, Span::get),
            max_bytes: self.max_bytes.unwrap_or(defaults.max_bytes),
        }
    }
}
