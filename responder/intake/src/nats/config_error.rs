//! Why settings of the NATS intake can't work, with the remedy.

use std::time::Duration;

use super::name::{NameError, SubjectFilter};

/// Settings that can't work.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// No address is named.
    #[error("no NATS server is named: write at least one, such as nats://nats.nats:4222")]
    NoServer,
    /// An address holds a secret, which lists of processes and logs would show.
    #[error("a NATS address has a user or a password in it; name a file that holds the secret instead")]
    SecretInUrl,
    /// An address is malformed.
    #[error("{0:?} is not the address of a NATS server: write nats://host:port or tls://host:port")]
    Url(String),
    /// A name or a subject is malformed.
    #[error(transparent)]
    Name(#[from] NameError),
    /// No subject is named.
    #[error("no subject is named: write falco.> for all that falcosidekick publishes")]
    NoSubject,
    /// The subject of dead letters has a wildcard.
    #[error("{0} stands for many subjects, and dead letters go to one: write it without * and >")]
    WildDeadLetters(SubjectFilter),
    /// Dead letters would be delivered as alerts, and become dead letters again.
    #[error(
        "{dead_letters} is among the subjects that alerts come from ({subject}): dead letters would come back as alerts; choose another subject for them"
    )]
    DeadLettersComeBack {
        /// The subject of dead letters.
        dead_letters: SubjectFilter,
        /// The filter that covers it.
        subject: SubjectFilter,
    },
    /// The number of messages in flight is out of bounds.
    #[error("{written} messages in flight: write 1 to {most}")]
    InFlight {
        /// The number as written.
        written: usize,
        /// The upper bound.
        most: usize,
    },
    /// The acknowledgement time leaves no room for signs of life.
    #[error("{0:?} is too short for an acknowledgement: write at least 1s")]
    AckWait(Duration),
    /// No delivery is allowed.
    #[error("0 deliveries make every alert a dead letter: write at least 1")]
    MaxDeliver,
    /// The number of replicas is out of NATS's bounds.
    #[error("a stream has 1 to 5 replicas")]
    Replicas,
}
