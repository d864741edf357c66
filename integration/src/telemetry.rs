//! Independent readers of the responder's telemetry: the OpenTelemetry collector's trace receiver as a process, and
//! Prometheus' own parser of metrics.

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
    pki::Identity,
    process::{ServerProcess, ports, tail},
};

/// The receiver starts in 50 ms on an idle machine.
const START_DEADLINE: Duration = Duration::from_mins(1);
const POLL: Duration = Duration::from_millis(20);

/// The receiver or the parser failed.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The program is missing and could not be built.
    #[error("the program that reads telemetry is missing")]
    Assets(#[from] AssetsError),
    /// A file or process operation failed.
    #[error("cannot {0}")]
    Process(&'static str, #[source] io::Error),
    /// The receiver ended unexpectedly.
    #[error("the trace receiver ended ({status}); the end of its log:\n{tail}")]
    Ended {
        /// Its exit status.
        status: ExitStatus,
        /// The last lines of its log.
        tail: String,
    },
    /// The receiver did not listen in time.
    #[error("timed out waiting for the trace receiver to listen; the end of its log:\n{0}")]
    Deadline(String),
    /// Prometheus' parser refused the page.
    #[error("Prometheus can't read the metrics: {0}")]
    Metrics(String),
}

/// A span as the collector received it.
#[derive(Debug, Clone, PartialEq)]
pub struct ReceivedSpan {
    /// The trace id, 32 hexadecimal digits.
    pub trace: String,
    /// The span id, 16 hexadecimal digits.
    pub id: String,
    /// The id of the parent span; empty for a root span.
    pub parent: String,
    /// The name of the span.
    pub name: String,
    /// Start in nanoseconds since 1970.
    pub begun: u64,
    /// End in nanoseconds since 1970.
    pub ended: u64,
    /// Attributes of the span, as text.
    pub attributes: BTreeMap<String, String>,
    /// Attributes of the resource, as text.
    pub resource: BTreeMap<String, String>,
    /// Whether the span's status is an error.
    pub is_error: bool,
}

/// A running trace receiver. It ends when this is dropped or when this process ends.
#[derive(Debug)]
#[must_use = "the receiver ends when this is dropped"]
pub struct TraceReceiver {
    port: u16,
    program: PathBuf,
    identity: Option<Identity>,
    server: Option<ServerProcess>,
    directory: TempDir,
}

impl TraceReceiver {
    /// Starts a receiver on a free port and waits until it listens.
    pub async fn start() -> Result<Self, TelemetryError> {
        Self::start_as(None).await
    }

    /// Starts a receiver with TLS and this certificate.
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

    /// Stops the receiver and waits until it is gone. Received spans remain readable.
    pub fn stop(&mut self) -> Result<(), TelemetryError> {
        let ended = self.server.take().map_or(Ok(()), |mut server| server.end());
        ended.map_err(|error| TelemetryError::Process("end the trace receiver", error))
    }

    /// Starts the receiver again on its port and waits until it listens.
    pub async fn resume(&mut self) -> Result<(), TelemetryError> {
        let mut command = Command::new(&self.program);
        command.arg("otlp").arg(format!("127.0.0.1:{}", self.port));
        if let Some(identity) = &self.identity {
            command.args([&identity.certificate, &identity.key]);
        }
        let server = ServerProcess::start("receiver", command, self.directory.path())
            .map_err(|error| TelemetryError::Process("start the trace receiver", error))?;
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
                Err(error) => return Err(TelemetryError::Process("wait for the trace receiver", error)),
            }
        }
        Ok(())
    }

    /// All received spans, oldest first.
    pub fn spans(&self) -> Vec<ReceivedSpan> {
        let log = fs::read(self.directory.path().join("receiver.log")).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        // The last line may be incomplete; it does not parse yet.
        let batches = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        batches.flat_map(|batch| spans(&batch)).collect()
    }
}

/// The name of each series on a page of metrics, as Prometheus parses it.
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
        // The parser reads the whole page before it writes. Dropping the pipe marks the end of the page.
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
    Ok(built.map_err(|error| {
        TelemetryError::Process("build the program that reads telemetry", io::Error::other(error))
    })??)
}

/// The spans of one batch: <https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding>.
fn spans(batch: &Value) -> Vec<ReceivedSpan> {
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
            found.push(ReceivedSpan {
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
