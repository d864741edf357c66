//! nats-server as a process: with JetStream, and optionally with TLS, users or credentials; alone or as a cluster of
//! three.
//!
//! Each server has its own port and store and keeps both over a restart. It ends with the process that started it, even
//! when that one is killed.

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::{Command, ExitStatus},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use tempfile::TempDir;
use tokio::{io::AsyncReadExt as _, net::TcpStream, task, time};

use crate::{
    assets::{self, AssetsError},
    pki::Identity,
    process::{ServerProcess, ports, tail},
};

mod identity;

pub use identity::{Account, Expiry};

/// A server starts in 50 ms on an idle machine.
const START_DEADLINE: Duration = Duration::from_mins(1);
/// nats-server sends INFO first. A silent listener is another program that has taken the port.
const INFO_DEADLINE: Duration = Duration::from_secs(5);
const POLL: Duration = Duration::from_millis(20);

/// A server could not be started or stopped.
#[derive(Debug, thiserror::Error)]
pub enum NatsError {
    /// The program is missing and could not be built.
    #[error("nats-server is missing")]
    Assets(#[from] AssetsError),
    /// A file or process operation failed.
    #[error("cannot {0} nats-server")]
    Process(&'static str, #[source] io::Error),
    /// The server ended unexpectedly.
    #[error("nats-server ended ({status}); the end of its log:\n{tail}")]
    Ended {
        /// Its exit status.
        status: ExitStatus,
        /// The last lines of its log.
        tail: String,
    },
    /// The server did not listen in time.
    #[error("timed out waiting for nats-server to listen; the end of its log:\n{0}")]
    Deadline(String),
}

/// Options of a server beyond JetStream.
#[derive(Debug, Clone, Default)]
pub struct NatsOptions {
    /// Lines of the configuration that control access, such as `authorization { token: "t" }`. Empty: no access
    /// control.
    pub access: String,
    /// The server's certificate, and the authority for client certificates if they are required.
    pub tls: Option<(Identity, Option<PathBuf>)>,
    /// Whether the TLS handshake comes before INFO.
    pub tls_first: bool,
}

/// A running server. It ends when this is dropped or when this process ends.
#[derive(Debug)]
#[must_use = "nats-server ends when this is dropped"]
pub struct NatsServer {
    port: u16,
    program: PathBuf,
    server: Mutex<Option<ServerProcess>>,
    speaks_first: bool,
    directory: TempDir,
}

impl NatsServer {
    /// Starts a server with JetStream and without access control, and waits until it listens.
    pub async fn start() -> Result<Self, NatsError> {
        Self::with(&NatsOptions::default()).await
    }

    /// Starts a server with these options and waits until it listens.
    pub async fn with(options: &NatsOptions) -> Result<Self, NatsError> {
        let server = Self::create("alone", options, "").await?;
        server.resume().await?;
        Ok(server)
    }

    async fn create(name: &str, options: &NatsOptions, cluster: &str) -> Result<Self, NatsError> {
        let program = task::spawn_blocking(assets::nats_server)
            .await
            .map_err(|error| NatsError::Process("build", io::Error::other(error)))??;
        let port = ports::free().map_err(|error| NatsError::Process("find a port for", error))?;
        let directory = tempfile::Builder::new()
            .prefix("nats-")
            .tempdir()
            .map_err(|error| NatsError::Process("make a directory for", error))?;
        let text = configuration(name, port, directory.path(), options, cluster);
        fs::write(directory.path().join("nats.conf"), text)
            .map_err(|error| NatsError::Process("write the configuration of", error))?;
        Ok(Self {
            port,
            program,
            server: Mutex::new(None),
            speaks_first: !options.tls_first,
            directory,
        })
    }

    /// `nats://127.0.0.1:<port>`.
    pub fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// Stops the server and waits until it is gone. Its store remains.
    pub async fn stop(&self) -> Result<(), NatsError> {
        let server = self.slot().take();
        let ended = task::spawn_blocking(move || server.map_or(Ok(()), |mut server| server.end()));
        ended
            .await
            .map_err(io::Error::other)
            .and_then(|ended| ended)
            .map_err(|error| NatsError::Process("end", error))
    }

    /// Starts the server again with the same port and store, and waits until it listens.
    pub async fn resume(&self) -> Result<(), NatsError> {
        self.spawn()?;
        self.until_it_listens().await
    }

    fn spawn(&self) -> Result<(), NatsError> {
        let mut command = Command::new(&self.program);
        command.arg(self.directory.path().join("nats.conf"));
        let server = ServerProcess::start("nats-server", command, self.directory.path())
            .map_err(|error| NatsError::Process("start", error))?;
        *self.slot() = Some(server);
        Ok(())
    }

    async fn until_it_listens(&self) -> Result<(), NatsError> {
        let started = Instant::now();
        loop {
            if let Ok(mut stream) = TcpStream::connect(("127.0.0.1", self.port)).await {
                let mut word = [0; 4];
                if !self.speaks_first
                    || (matches!(
                        time::timeout(INFO_DEADLINE, stream.read_exact(&mut word)).await,
                        Ok(Ok(_))
                    ) && &word == b"INFO")
                {
                    return Ok(());
                }
            }
            let log = self.directory.path().join("nats-server.log");
            let exited = self.slot().as_mut().map(ServerProcess::exited);
            match exited {
                Some(Ok(Some(status))) => {
                    return Err(NatsError::Ended {
                        status,
                        tail: tail(&log),
                    });
                }
                Some(Err(error)) => return Err(NatsError::Process("wait for", error)),
                _ if started.elapsed() > START_DEADLINE => return Err(NatsError::Deadline(tail(&log))),
                _ => time::sleep(POLL).await,
            }
        }
    }

    fn slot(&self) -> std::sync::MutexGuard<'_, Option<ServerProcess>> {
        // The slot is either empty or holds a server, also after a panic.
        self.server.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A cluster of three servers.
#[derive(Debug)]
#[must_use = "the servers end when this is dropped"]
pub struct NatsCluster {
    /// The servers.
    pub servers: [NatsServer; 3],
}

impl NatsCluster {
    /// Starts three servers and waits until they listen. They form a cluster, and can hold a stream, one or two seconds
    /// later.
    pub async fn start() -> Result<Self, NatsError> {
        let free = || ports::free().map_err(|error| NatsError::Process("find a port for", error));
        let routes = [free()?, free()?, free()?];
        let all = routes.map(|port| format!("\"nats://127.0.0.1:{port}\"")).join(", ");
        let of = |port: u16| {
            format!(
                "cluster {{ name: integration, listen: \"127.0.0.1:{port}\", no_advertise: true, routes: [{all}] }}\n"
            )
        };
        let options = NatsOptions::default();
        let servers = [
            NatsServer::create("one", &options, &of(routes[0])).await?,
            NatsServer::create("two", &options, &of(routes[1])).await?,
            NatsServer::create("three", &options, &of(routes[2])).await?,
        ];
        for server in &servers {
            server.spawn()?;
        }
        for server in &servers {
            server.until_it_listens().await?;
        }
        Ok(Self { servers })
    }

    /// The addresses of all three servers.
    pub fn urls(&self) -> [String; 3] {
        [self.servers[0].url(), self.servers[1].url(), self.servers[2].url()]
    }
}

fn configuration(name: &str, port: u16, directory: &Path, options: &NatsOptions, cluster: &str) -> String {
    let store = directory.join("store");
    let tls = options.tls.as_ref().map_or(String::new(), |(identity, clients)| {
        let verify = clients.as_ref().map_or(String::new(), |authority| {
            format!(", ca_file: {:?}, verify: true", authority.display().to_string())
        });
        format!(
            "tls {{ cert_file: {:?}, key_file: {:?}{verify}, handshake_first: {} }}\n",
            identity.certificate.display().to_string(),
            identity.key.display().to_string(),
            options.tls_first
        )
    });
    let store = store.display().to_string();
    format!(
        "server_name: {name}\nlisten: \"127.0.0.1:{port}\"\n\
         jetstream {{ store_dir: {store:?}, max_memory_store: 256MB, max_file_store: 2GB }}\n{cluster}{tls}{}\n",
        options.access
    )
}
