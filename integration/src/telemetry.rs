//! What others read our telemetry with: the OpenTelemetry collector's receiver of traces as a process, and Prometheus' own
//! parser of metrics.

use std::{
    collections::BTreeMap,
    fs, io,
    io::Write as _,
    path::PathBuf,
    process::{Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

use serde_json::Value;
use tempfile::TempDir;
use tokio::{net::TcpStream, task, time};

use crate::{
    assets::{self, AssetsError},
    nats::Identity,
    process::{ServerProcess, ports, tail},
};

/// Up in 50 ms on an idle machine.
const START_DEADLINE: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(20);

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// There is no program.
    #[error("there is no program that reads telemetry")]
    Assets(#[from] AssetsError),
    /// Files and processes.
    #[error("cannot {0}")]
    Process(&'static str, #[source] io::Error),
    /// It ended when it was to run.
    #[error("the receiver of traces ended ({status}); the end of its log:\n{tail}")]
    Ended {
        /// How.
        status: ExitStatus,
        /// The last lines of its log.
        tail: String,
    },
    /// The deadline passed.
    #[error("waited in vain for the receiver of traces to listen; the end of its log:\n{0}")]
    Deadline(String),
    /// Prometheus would not take the page.
    #[error("this is no page of metrics: {0}")]
    Metrics(String),
}

/// A span as the collector has read it.
#[derive(Debug, Clone, PartialEq)]
pub struct RecordedSpan {
    /// The trace, as 32 hex digits.
    pub trace: String,
    /// Itself, as 16 hex digits.
    pub id: String,
    /// The span above it; empty for a root.
    pub parent: String,
    /// Its name.
    pub name: String,
    /// When it began, in nanoseconds since 1970.
    pub begun: u64,
    /// When it ended, likewise.
    pub ended: u64,
    /// Its attributes, as text.
    pub attributes: BTreeMap<String, String>,
    /// Of the resource that sent it, as text.
    pub resource: BTreeMap<String, String>,
    /// Whether it says that something went wrong.
    pub is_error: bool,
}

/// A running receiver of traces. It ends when this is dropped, and when the process that holds it is gone.
#[derive(Debug)]
#[must_use = "the receiver ends when this is dropped"]
pub struct Receiver {
    port: u16,
    program: PathBuf,
    identity: Option<Identity>,
    server: Option<ServerProcess>,
    directory: TempDir,
}

impl Receiver {
    /// Starts one on a free port, and waits until it listens.
    pub async fn start() -> Result<Self, TelemetryError> {
        Self::start_as(None).await
    }

    /// Starts one that proves itself with a certificate.
    pub async fn start_with_tls(identity: Identity) -> Result<Self, TelemetryError> {
        Self::start_as(Some(identity)).await
    }

    async fn start_as(identity: Option<Identity>) -> Result<Self, TelemetryError> {
        let program = program().await?;
        let port = ports::free().map_err(|error| TelemetryError::Process("find a free port", error))?;
        let directory = tempfile::Builder::new()
            .prefix("telemetry-")
            .tempdir()
            .map_err(|error| TelemetryError::Process("make a directory", error))?;
        let mut receiver = Self {
            port,
            program,
            identity,
            server: None,
            directory,
        };
        receiver.resume().await?;
        Ok(receiver)
    }

    /// `http://127.0.0.1:<port>`, or `https://…`.
    pub fn url(&self) -> String {
        let scheme = if self.identity.is_some() { "https" } else { "http" };
        format!("{scheme}://127.0.0.1:{}", self.port)
    }

    /// Ends it, and waits until it is gone. What it has received stays known.
    pub fn stop(&mut self) -> Result<(), TelemetryError> {
        let ended = self.server.take().map_or(Ok(()), |mut server| server.end());
        ended.map_err(|error| TelemetryError::Process("end the receiver of traces", error))
    }

    /// Starts it again on its port, and waits until it listens.
    pub async fn resume(&mut self) -> Result<(), TelemetryError> {
        let mut command = Command::new(&self.program);
        command.arg("otlp").arg(format!("127.0.0.1:{}", self.port));
        if let Some(identity) = &self.identity {
            command.args([&identity.certificate, &identity.key]);
        }
        let server = ServerProcess::start("receiver", command, self.directory.path())
            .map_err(|error| TelemetryError::Process("start the receiver of traces", error))?;
        let server = self.server.insert(server);
        let started = Instant::now();
        while TcpStream::connect(("127.0.0.1", self.port)).await.is_err() {
            match server.exited() {
                Ok(None) if started.elapsed() < START_DEADLINE => time::sleep(POLL).await,
                Ok(None) => return Err(TelemetryError::Deadline(tail(server.log()))),
                Ok(Some(status)) => {
                    let tail = tail(server.log());
                    return Err(TelemetryError::Ended { status, tail });
                }
                Err(error) => return Err(TelemetryError::Process("wait for the receiver of traces", error)),
            }
        }
        Ok(())
    }

    /// Every span that it has received, the oldest first.
    pub fn spans(&self) -> Vec<RecordedSpan> {
        let log = fs::read(self.directory.path().join("receiver.log")).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        // A line that is being written is no JSON yet.
        let batches = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        batches.flat_map(|batch| spans(&batch)).collect()
    }
}

/// The names of the series of a page of metrics, one for each, as Prometheus reads them.
pub async fn open_metrics(page: &str) -> Result<Vec<String>, TelemetryError> {
    let program = program().await?;
    let page = page.to_owned();
    let read = move || -> io::Result<std::process::Output> {
        let mut parser = Command::new(program)
            .arg("openmetrics")
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        // It reads all of it before it writes; dropped at the end, so that the parser sees one.
        if let Some(mut input) = parser.stdin.take() {
            input.write_all(page.as_bytes())?;
        }
        parser.wait_with_output()
    };
    let output = task::spawn_blocking(read)
        .await
        .map_err(io::Error::other)
        .and_then(|output| output)
        .map_err(|error| TelemetryError::Process("run Prometheus' parser", error))?;
    if output.status.success() {
        let names = String::from_utf8_lossy(&output.stdout);
        Ok(names.lines().map(str::to_owned).collect())
    } else {
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        Err(TelemetryError::Metrics(said))
    }
}

async fn program() -> Result<PathBuf, TelemetryError> {
    let built = task::spawn_blocking(assets::telemetry).await;
    Ok(built.map_err(|error| TelemetryError::Process("build the readers of telemetry", io::Error::other(error)))??)
}

/// The spans of one batch: <https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding>.
fn spans(batch: &Value) -> Vec<RecordedSpan> {
    let list = |value: &Value, key: &str| value[key].as_array().cloned().unwrap_or_default();
    let mut found = Vec::new();
    for of_resource in list(batch, "resourceSpans") {
        let resource = attributes(&of_resource["resource"]);
        for span in list(&of_resource, "scopeSpans")
            .iter()
            .flat_map(|scope| list(scope, "spans"))
        {
            let text = |key: &str| span[key].as_str().unwrap_or_default().to_owned();
            let number = |key: &str| text(key).parse().unwrap_or_default();
            found.push(RecordedSpan {
                trace: text("traceId"),
                id: text("spanId"),
                parent: text("parentSpanId"),
                name: text("name"),
                begun: number("startTimeUnixNano"),
                ended: number("endTimeUnixNano"),
                attributes: attributes(&span),
                resource: resource.clone(),
                // STATUS_CODE_ERROR
                is_error: span["status"]["code"] == 2,
            });
        }
    }
    found
}

fn attributes(of: &Value) -> BTreeMap<String, String> {
    let pairs = of["attributes"].as_array().into_iter().flatten();
    pairs
        .filter_map(|pair| {
            let value = pair["value"].as_object()?.values().next()?;
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            Some((pair["key"].as_str()?.to_owned(), text))
        })
        .collect()
}
