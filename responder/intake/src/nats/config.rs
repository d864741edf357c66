//! Where NATS is, who we are to it, and what is listened to. Compiled: what can't work can't be written here.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use async_nats::ServerAddr;

use super::auth::Auth;
use super::name::{NameError, QueueGroup, StreamName, SubjectFilter};

/// The NATS intake.
#[derive(Debug, Clone)]
pub struct NatsConfig {
    /// The servers of one cluster; others of it are learned from them.
    pub servers: Servers,
    /// How the connection is called in the server's own lists.
    pub name: String,
    /// Who we are.
    pub auth: Auth,
    /// `None`: only if the server asks for it, or its address begins with `tls://`, and then with the roots of the system.
    pub tls: Option<Tls>,
    /// What is listened to.
    pub subscription: Subscription,
}

/// Addresses of servers; at least one.
#[derive(Debug, Clone)]
pub struct Servers(Vec<ServerAddr>);

impl Servers {
    /// Reads `nats://host:port` or `tls://host:port`; without a port 4222.
    pub fn parse<'a>(urls: impl IntoIterator<Item = &'a str>) -> Result<Self, ConfigError> {
        let servers = urls.into_iter().map(server).collect::<Result<Vec<_>, _>>()?;
        if servers.is_empty() {
            return Err(ConfigError::NoServer);
        }
        Ok(Self(servers))
    }

    pub(super) fn addresses(&self) -> &[ServerAddr] {
        &self.0
    }

    /// Whether none of them is beyond this machine.
    pub fn are_loopback(&self) -> bool {
        let is_loopback = |server: &ServerAddr| {
            let host = server.host();
            host == "localhost"
                || host
                    .parse::<std::net::IpAddr>()
                    .is_ok_and(|address| address.is_loopback())
        };
        self.0.iter().all(is_loopback)
    }
}

/// The text of an address never gets into an error: it may hold a password.
fn server(url: &str) -> Result<ServerAddr, ConfigError> {
    if url.contains('@') {
        return Err(ConfigError::SecretInUrl);
    }
    let server = ServerAddr::from_str(url).map_err(|_| ConfigError::Url(url.to_owned()))?;
    if !["nats", "tls"].contains(&server.scheme()) {
        return Err(ConfigError::Url(url.to_owned()));
    }
    Ok(server)
}

/// How the connection is encrypted. The files are read at each connect, so that replacing them is enough.
#[derive(Debug, Clone, Default)]
pub struct Tls {
    /// The authorities that the server's certificate is checked against, as PEM; `None` for those of the system.
    pub ca: Option<PathBuf>,
    /// Our certificate and its key, as PEM.
    pub client: Option<(PathBuf, PathBuf)>,
    /// TLS before the server's first word (`handshake_first` of its configuration).
    pub first: bool,
}

/// What is listened to.
#[derive(Debug, Clone)]
pub enum Subscription {
    /// Messages as they pass by.
    Core(Core),
    /// Messages that a stream keeps until they are acknowledged.
    JetStream(JetStream),
}

/// Messages as they pass by: see the module about what that can't promise.
#[derive(Debug, Clone)]
pub struct Core {
    /// `falco.>` by default: where falcosidekick publishes.
    pub subjects: Vec<SubjectFilter>,
    /// Responders under one name share the messages; `responder` by default.
    pub queue: QueueGroup,
    /// Messages that wait to be read; 8192 by default. More are lost, and counted. Reading costs microseconds, so they
    /// only wait while the machine is busy: 16 MiB of ordinary alerts.
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

/// Messages that a stream keeps, as settings that fit together: see [`JetStreamSettings::compile`].
#[derive(Debug, Clone)]
pub struct JetStream(JetStreamSettings);

impl std::ops::Deref for JetStream {
    type Target = JetStreamSettings;

    fn deref(&self) -> &JetStreamSettings {
        &self.0
    }
}

/// Messages that a stream keeps.
#[derive(Debug, Clone)]
pub struct JetStreamSettings {
    /// The stream.
    pub stream: StreamName,
    /// The durable consumer: responders under one name share the messages. `responder` by default.
    pub consumer: StreamName,
    /// `falco.>` by default.
    pub subjects: Vec<SubjectFilter>,
    /// Messages that are delivered and not acknowledged, over all responders of the consumer; 256 by default, so that
    /// even alerts about one pod fit into the work queue. The rest stays on the server.
    pub max_in_flight: usize,
    /// A message of which nothing is heard for so long is delivered again; 30 s by default. Work that takes longer says
    /// so in time.
    pub ack_wait: Duration,
    /// A message that was delivered so often without being settled is a dead letter; 10 by default.
    ///
    /// Counted here, not by the server: the server only stops delivering, and nobody would ever hear of the alert again.
    pub max_deliver: u32,
    /// Where dead letters go; `responder.dead-letter` by default. Never among the subjects above.
    pub dead_letters: SubjectFilter,
    /// Makes the stream where there is none, and one that keeps the dead letters; `None`: it is there.
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

    /// Checks that they fit together.
    pub fn compile(self) -> Result<JetStream, ConfigError> {
        if self.subjects.is_empty() {
            return Err(ConfigError::NoSubject);
        }
        if self.dead_letters.is_wild() {
            return Err(ConfigError::WildDeadLetters(self.dead_letters));
        }
        if let Some(subject) = self.subjects.iter().find(|subject| subject.meets(&self.dead_letters)) {
            return Err(ConfigError::DeadLettersComeBack {
                dead_letters: self.dead_letters,
                subject: subject.clone(),
            });
        }
        if !(1..=MOST_IN_FLIGHT).contains(&self.max_in_flight) {
            return Err(ConfigError::InFlight(self.max_in_flight));
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

/// As many as the work queue holds, of both classes.
const MOST_IN_FLIGHT: usize = 4096;
/// Three signs of life have to fit in.
const LEAST_ACK_WAIT: Duration = Duration::from_secs(1);

/// A stream to be made.
#[derive(Debug, Clone)]
pub struct NewStream {
    /// Servers that hold it; 1 by default, 3 to lose one without losing an alert. At most 5.
    pub replicas: usize,
    /// File by default.
    pub storage: Storage,
    /// When a message goes; with its age by default.
    pub retention: Retention,
    /// The age at which a message goes whatever its state; 24 h by default.
    pub max_age: Duration,
    /// The size at which the oldest messages go; 1 GiB by default.
    pub max_bytes: u64,
}

impl Default for NewStream {
    fn default() -> Self {
        Self {
            replicas: 1,
            storage: Storage::File,
            retention: Retention::Limits,
            max_age: Duration::from_secs(24 * 60 * 60),
            max_bytes: 1 << 30,
        }
    }
}

/// Where a stream lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Storage {
    /// On disk.
    File,
    /// In memory: gone with the server.
    Memory,
}

/// When a message goes from its stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retention {
    /// With its age, or when the stream is full.
    Limits,
    /// When it is acknowledged, too. No other consumer can read the same subjects.
    WorkQueue,
}

/// Settings that can't work.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// No address.
    #[error("no NATS server is named: write at least one, such as nats://nats.nats:4222")]
    NoServer,
    /// A secret where every list of processes shows it.
    #[error("a NATS address has a user or a password in it; name a file that holds the secret instead")]
    SecretInUrl,
    /// No address of a server.
    #[error("{0:?} is no address of a NATS server: write nats://host:port or tls://host:port")]
    Url(String),
    /// A name or a subject.
    #[error(transparent)]
    Name(#[from] NameError),
    /// Nothing to listen to.
    #[error("no subject is named: write falco.> for all that falcosidekick publishes")]
    NoSubject,
    /// Dead letters go to one subject.
    #[error("{0} stands for many subjects, and dead letters go to one: write it without * and >")]
    WildDeadLetters(SubjectFilter),
    /// A letter would be delivered again, and be dead again.
    #[error(
        "{dead_letters} is among the subjects that alerts come from ({subject}): dead letters would come back as alerts; choose another subject for them"
    )]
    DeadLettersComeBack {
        /// Where dead letters go.
        dead_letters: SubjectFilter,
        /// What covers it.
        subject: SubjectFilter,
    },
    /// Too few or too many.
    #[error("{0} messages in flight: write 1 to {MOST_IN_FLIGHT}")]
    InFlight(usize),
    /// Too short to show signs of life in.
    #[error("{0:?} is too short for an acknowledgement: write at least 1s")]
    AckWait(Duration),
    /// It would be dead on arrival.
    #[error("0 deliveries make every alert a dead letter: write at least 1")]
    MaxDeliver,
    /// NATS knows 1 to 5.
    #[error("a stream has 1 to 5 replicas")]
    Replicas,
}

macro_rules! defaults {
    ($($(#[$doc:meta])* $type:ident :: $name:ident = $text:literal;)+) => {$(
        impl $type {
            $(#[$doc])*
            pub fn $name() -> Self {
                // A literal, and a test makes each of them.
                $text.parse().expect("it is well-formed")
            }
        }
    )+};
}

defaults! {
    /// All that falcosidekick publishes: `falco.<priority>.<rule>`.
    SubjectFilter::falco = "falco.>";
    /// Where dead letters go by default.
    SubjectFilter::dead_letters = "responder.dead-letter";
    /// The default.
    QueueGroup::responder = "responder";
    /// The default of a consumer.
    StreamName::responder = "responder";
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn settings() -> JetStreamSettings {
        JetStreamSettings::of("falco".parse().unwrap())
    }

    #[test]
    fn the_defaults_fit_together() {
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
    fn what_cannot_work_is_refused(#[case] spoil: fn(&mut JetStreamSettings), #[case] said: &str) {
        let mut settings = settings();
        spoil(&mut settings);
        let error = settings.compile().unwrap_err().to_string();
        assert!(error.contains(said), "{error}");
    }

    #[rstest]
    #[case(&[], "at least one")]
    #[case(&["ws://nats:80"], "nats://host:port")]
    #[case(&["http://nats"], "nats://host:port")]
    #[case(&["nats://user:hunter2@nats:4222"], "name a file")]
    fn addresses_that_cannot_be_used_are_refused_without_their_secrets(#[case] urls: &[&str], #[case] said: &str) {
        let error = Servers::parse(urls.iter().copied()).unwrap_err().to_string();
        assert!(error.contains(said), "{error}");
        assert!(!error.contains("hunter2"), "{error}");
    }

    #[test]
    fn a_server_beyond_this_machine_is_known() {
        let are_loopback = |urls: &[&str]| Servers::parse(urls.iter().copied()).unwrap().are_loopback();
        assert!(are_loopback(&[
            "nats://127.0.0.1:4222",
            "localhost",
            "tls://[::1]:4222"
        ]));
        assert!(!are_loopback(&["nats://127.0.0.1:4222", "nats://nats.nats:4222"]));
    }
}
