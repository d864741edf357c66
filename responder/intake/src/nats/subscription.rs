//! Where the messages come from: core NATS or a stream. Settings of a stream are checked against each other.

use std::time::Duration;

use super::config_error::ConfigError;
use super::name::{QueueGroup, StreamName, SubjectFilter};

/// Where messages come from.
#[derive(Debug, Clone)]
pub enum Subscription {
    /// Core NATS, which stores no message.
    Core(Core),
    /// A stream, which stores each message until it is acknowledged.
    JetStream(JetStream),
}

/// A subscription in core NATS, without a guarantee of delivery.
#[derive(Debug, Clone)]
pub struct Core {
    /// Default: `falco.>`, to which falcosidekick publishes.
    pub subjects: Vec<SubjectFilter>,
    /// Each message reaches one of the responders in the group. Default: `responder`.
    pub queue: QueueGroup,
    /// Messages that the client holds until they are read; further ones are lost and counted. Default: 8192. Reading moves
    /// them into a backlog with a bound in bytes, and takes less than receiving, so few wait here.
    pub capacity: usize,
}

impl Default for Core {
    fn default() -> Self {
        Self {
            subjects: vec![SubjectFilter::falco()],
            queue: QueueGroup::responder(),
            capacity: 8192,
        }
    }
}

/// Settings of a stream that are consistent; made by [`JetStreamSettings::compile`].
#[derive(Debug, Clone)]
pub struct JetStream(JetStreamSettings);

impl std::ops::Deref for JetStream {
    type Target = JetStreamSettings;

    fn deref(&self) -> &JetStreamSettings {
        &self.0
    }
}

/// Settings of a stream and its consumer.
#[derive(Debug, Clone)]
pub struct JetStreamSettings {
    /// The stream.
    pub stream: StreamName,
    /// The durable consumer; each message reaches one of the responders that share it. Default: `responder`.
    pub consumer: StreamName,
    /// Default: `falco.>`.
    pub subjects: Vec<SubjectFilter>,
    /// Messages that are delivered and not acknowledged, over all responders of the consumer; the others wait on the
    /// server. Default: 256, so that the engine's queue has room for them even if all are about one pod.
    pub max_in_flight: usize,
    /// The server delivers a message again after so long without a sign of life from its responder. Default: 30 s. Work
    /// that takes longer sends signs of life.
    pub ack_wait: Duration,
    /// Deliveries after which a message that is not settled becomes a dead letter. Default: 10.
    ///
    /// The responder counts them, not the server: the server would only stop delivering, and the alert would be lost
    /// without a trace.
    pub max_deliver: u32,
    /// The subject of dead letters, which is none of the subjects above. Default: `responder.dead-letter`.
    pub dead_letters: SubjectFilter,
    /// Creates the stream, and one that stores the dead letters, unless they exist. `None`: the stream has to exist.
    pub create: Option<NewStream>,
}

impl JetStreamSettings {
    /// The defaults for this stream.
    pub fn of(stream: StreamName) -> Self {
        Self {
            stream,
            consumer: StreamName::responder(),
            subjects: vec![SubjectFilter::falco()],
            max_in_flight: 256,
            ack_wait: Duration::from_secs(30),
            max_deliver: 10,
            dead_letters: SubjectFilter::dead_letters(),
            create: None,
        }
    }

    /// Checks that the settings are consistent.
    pub fn compile(self) -> Result<JetStream, ConfigError> {
        if self.subjects.is_empty() {
            return Err(ConfigError::NoSubject);
        }
        if self.dead_letters.is_wild() {
            return Err(ConfigError::WildDeadLetters(self.dead_letters));
        }
        if let Some(subject) = self
            .subjects
            .iter()
            .find(|subject| subject.overlaps(&self.dead_letters))
        {
            return Err(ConfigError::DeadLettersComeBack {
                dead_letters: self.dead_letters,
                subject: subject.clone(),
            });
        }
        if !(1..=MOST_IN_FLIGHT).contains(&self.max_in_flight) {
            return Err(ConfigError::InFlight {
                written: self.max_in_flight,
                most: MOST_IN_FLIGHT,
            });
        }
        if self.ack_wait < LEAST_ACK_WAIT {
            return Err(ConfigError::AckWait(self.ack_wait));
        }
        if self.max_deliver == 0 {
            return Err(ConfigError::MaxDeliver);
        }
        if self
            .create
            .as_ref()
            .is_some_and(|stream| !(1..=5).contains(&stream.replicas))
        {
            return Err(ConfigError::Replicas);
        }
        Ok(JetStream(self))
    }
}

/// The capacity of the engine's queue.
const MOST_IN_FLIGHT: usize = 4096;
/// Room for three signs of life.
const LEAST_ACK_WAIT: Duration = Duration::from_secs(1);

/// The settings of a stream to create.
#[derive(Debug, Clone)]
pub struct NewStream {
    /// Servers that store the stream, 1 to 5; with 3 the loss of a server loses no alert. Default: 1.
    pub replicas: usize,
    /// Default: file.
    pub storage: Storage,
    /// Default: limits.
    pub retention: Retention,
    /// The age at which the server removes a message in any state. Default: 24 h.
    pub max_age: Duration,
    /// The size at which the server removes the oldest messages. Default: 1 GiB.
    pub max_bytes: u64,
}

impl Default for NewStream {
    fn default() -> Self {
        Self {
            replicas: 1,
            storage: Storage::File,
            retention: Retention::Limits,
            max_age: Duration::from_hours(24),
            max_bytes: 1 << 30,
        }
    }
}

/// Where the server stores a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Storage {
    /// On disk.
    File,
    /// In memory; a restart of the server loses it.
    Memory,
}

/// When the server removes a message from a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retention {
    /// At its maximum age, or when the stream is full.
    Limits,
    /// Also when it is acknowledged. No other consumer can read the same subjects.
    WorkQueue,
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn settings() -> JetStreamSettings {
        JetStreamSettings::of("falco".parse().unwrap())
    }

    #[test]
    fn the_defaults_are_consistent() {
        assert!(settings().compile().is_ok());
        assert_eq!(Core::default().subjects[0].as_str(), "falco.>");
        assert_eq!(Core::default().queue.as_str(), "responder");
    }

    #[rstest]
    #[case(|it: &mut JetStreamSettings| it.dead_letters = "falco.dead".parse().unwrap(), "would come back")]
    #[case(|it: &mut JetStreamSettings| it.dead_letters = "dead.>".parse().unwrap(), "go to one")]
    #[case(|it: &mut JetStreamSettings| it.subjects.clear(), "no subject")]
    #[case(|it: &mut JetStreamSettings| it.max_in_flight = 0, "in flight")]
    #[case(|it: &mut JetStreamSettings| it.ack_wait = Duration::from_millis(10), "too short")]
    #[case(|it: &mut JetStreamSettings| it.max_deliver = 0, "dead letter")]
    #[case(|it: &mut JetStreamSettings| it.create = Some(NewStream { replicas: 6, ..NewStream::default() }), "replicas")]
    fn settings_that_cannot_work_are_refused(#[case] spoil: fn(&mut JetStreamSettings), #[case] said: &str) {
        let mut settings = settings();
        spoil(&mut settings);
        let error = settings.compile().unwrap_err().to_string();
        assert!(error.contains(said), "{error}");
    }
}
