//! Finds the stream and the consumer, or creates them where the settings ask for it.

use async_nats::jetstream::consumer::{AckPolicy, PullConsumer, pull};
use async_nats::jetstream::context::{ConsumerInfoErrorKind, CreateStreamError, GetStreamError, GetStreamErrorKind};
use async_nats::jetstream::stream::{
    Config as StreamConfig, ConsumerError, DiscardPolicy, RetentionPolicy, StorageType, Stream,
};
use async_nats::jetstream::{Context, ErrorCode};

use super::subscription::{JetStream, NewStream, Retention, Storage};

/// How long a new stream stores dead letters: longer than the holidays of the operator.
const DEAD_LETTERS_AGE: std::time::Duration = std::time::Duration::from_hours(720);

/// Why there is no consumer to pull from.
#[derive(Debug, thiserror::Error)]
pub(super) enum SetupError {
    #[error("there is no stream {0}: create one over the subjects of the alerts, or set `createStream`")]
    NoStream(String),
    #[error(
        "the server does not tell whether there is a stream {stream}: check that JetStream is on and that this user may ask"
    )]
    Stream { stream: String, source: GetStreamError },
    #[error("cannot create the stream {stream}")]
    Create { stream: String, source: CreateStreamError },
    #[error("cannot create or change the consumer {consumer}")]
    Consumer { consumer: String, source: ConsumerError },
    #[error("there is a consumer {consumer} that can't be used, {why}: remove it, or name another")]
    Unusable { consumer: String, why: &'static str },
    #[error("the server does not tell whether there is a consumer {consumer}")]
    ConsumerInfo {
        consumer: String,
        source: async_nats::jetstream::context::ConsumerInfoError,
    },
}

/// The consumer with these settings.
pub(super) async fn consumer(context: &Context, settings: &JetStream) -> Result<PullConsumer, SetupError> {
    let stream = stream(context, settings).await?;
    let consumer = || settings.consumer.to_string();
    let wanted = wanted(settings);
    let found = match stream.consumer_info(settings.consumer.as_str()).await {
        Ok(info) => Some(info),
        Err(error) if error.kind() == ConsumerInfoErrorKind::NotFound => None,
        Err(source) => {
            return Err(SetupError::ConsumerInfo {
                consumer: consumer(),
                source,
            });
        }
    };
    if let Some(info) = found {
        let unusable = |why| SetupError::Unusable {
            consumer: consumer(),
            why,
        };
        if info.config.deliver_subject.is_some() {
            return Err(unusable("it pushes"));
        }
        if info.config.ack_policy != AckPolicy::Explicit {
            return Err(unusable("it does not ask for an acknowledgement of each message"));
        }
        let is_as_wanted = info.config.ack_wait == wanted.ack_wait
            && info.config.max_ack_pending == wanted.max_ack_pending
            && info.config.max_deliver <= 0
            && info.config.filter_subject == wanted.filter_subject
            && info.config.filter_subjects == wanted.filter_subjects;
        if is_as_wanted {
            // A user may lack the permission to create consumers.
            let config = pull::Config {
                max_batch: info.config.max_batch,
                max_expires: info.config.max_expires,
                ..wanted
            };
            return Ok(PullConsumer::new(config, info, context.clone()));
        }
        tracing::info!(consumer = %settings.consumer, "the NATS consumer has other settings; changing them");
    }
    stream
        .create_consumer(wanted)
        .await
        .map_err(|source| SetupError::Consumer {
            consumer: consumer(),
            source,
        })
}

fn wanted(settings: &JetStream) -> pull::Config {
    let (filter_subject, filter_subjects) = match settings.subjects.as_slice() {
        [one] => (one.to_string(), Vec::new()),
        many => (String::new(), many.iter().map(ToString::to_string).collect()),
    };
    pull::Config {
        durable_name: Some(settings.consumer.to_string()),
        name: Some(settings.consumer.to_string()),
        description: Some("alerts that a responder decides about".to_owned()),
        ack_policy: AckPolicy::Explicit,
        ack_wait: settings.ack_wait,
        // Unlimited: the responder counts deliveries, see `JetStreamSettings::max_deliver`.
        max_deliver: 0,
        // At most 4096.
        max_ack_pending: i64::try_from(settings.max_in_flight).unwrap_or(i64::MAX),
        filter_subject,
        filter_subjects,
        ..pull::Config::default()
    }
}

async fn stream(context: &Context, settings: &JetStream) -> Result<Stream, SetupError> {
    let name = settings.stream.as_str();
    let found = find(context, name).await?;
    let Some(new) = &settings.create else {
        return found.ok_or_else(|| SetupError::NoStream(name.to_owned()));
    };
    let dead_letters = format!("{name}-dead-letters");
    if find(context, &dead_letters).await?.is_none() {
        let config = StreamConfig {
            name: dead_letters,
            subjects: vec![settings.dead_letters.to_string()],
            retention: RetentionPolicy::Limits,
            max_age: DEAD_LETTERS_AGE,
            ..plain(new)
        };
        create(context, config).await?;
    }
    if let Some(stream) = found {
        return Ok(stream);
    }
    let config = StreamConfig {
        name: name.to_owned(),
        subjects: settings.subjects.iter().map(ToString::to_string).collect(),
        retention: match new.retention {
            Retention::Limits => RetentionPolicy::Limits,
            Retention::WorkQueue => RetentionPolicy::WorkQueue,
        },
        max_age: new.max_age,
        ..plain(new)
    };
    create(context, config).await
}

fn plain(new: &NewStream) -> StreamConfig {
    StreamConfig {
        num_replicas: new.replicas,
        storage: match new.storage {
            Storage::File => StorageType::File,
            Storage::Memory => StorageType::Memory,
        },
        max_bytes: i64::try_from(new.max_bytes).unwrap_or(i64::MAX),
        // Old alerts are worth least: past their maximum age no playbook acts on them.
        discard: DiscardPolicy::Old,
        ..StreamConfig::default()
    }
}

async fn find(context: &Context, name: &str) -> Result<Option<Stream>, SetupError> {
    match context.get_stream(name).await {
        Ok(stream) => Ok(Some(stream)),
        Err(error) => match error.kind() {
            GetStreamErrorKind::JetStream(said) if said.error_code() == ErrorCode::STREAM_NOT_FOUND => Ok(None),
            _ => Err(SetupError::Stream {
                stream: name.to_owned(),
                source: error,
            }),
        },
    }
}

/// Creates a stream. Two responders that start at once may both do so: the server accepts the second request, which has
/// the same settings.
async fn create(context: &Context, config: StreamConfig) -> Result<Stream, SetupError> {
    let name = config.name.clone();
    let subjects = config.subjects.join(", ");
    let stream = context
        .create_stream(config)
        .await
        .map_err(|source| SetupError::Create {
            stream: name.clone(),
            source,
        })?;
    tracing::info!(stream = %name, %subjects, "created a stream in NATS");
    Ok(stream)
}
