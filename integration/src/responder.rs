//! The `responder` program as a process. Scenarios and benchmarks start it, send it alerts, read its metrics, and stop
//! or kill it.
//!
//! The process is a black box: its inputs are a command line and HTTP requests, its outputs are HTTP replies, a log and
//! changes to the cluster.

use std::{
    fs, io,
    path::PathBuf,
    process::ExitStatus,
    time::{Duration, Instant},
};

use serde_json::Value;
use tempfile::TempDir;
use tokio::time;

use crate::process::{WatchedProcess, tail};

pub mod alert;
mod binary;
mod error;
mod http;
mod metrics;
mod options;
pub mod playbooks;
mod trail;

pub use binary::{BINARY_VARIABLE, BinaryError, SHIPPED_PROFILE, binary, profile};
pub use error::ResponderError;
pub use http::HttpReply;
pub use metrics::{Accounts, Metrics, Sample};
pub use options::ResponderOptions;
pub use trail::{TrailRecord, records};

use self::{
    http::{client, send},
    options::spawn,
};

/// The process starts within a second; during a build on the same two cores it takes much longer.
const START_DEADLINE: Duration = Duration::from_mins(1);
/// Deadline for reaching a state, such as the end of hundreds of responses or of a step's own timeout.
const DEADLINE: Duration = Duration::from_mins(1);
const POLL: Duration = Duration::from_millis(20);

/// A running `responder run`. It is killed when this is dropped or when this process ends.
#[derive(Debug)]
#[must_use = "responder is killed when this is dropped"]
pub struct Responder {
    child: WatchedProcess,
    url: String,
    /// The address of the pages for probes and metrics.
    pages: String,
    http: reqwest::Client,
    /// Trusts no particular authority: the pages are plain HTTP.
    pages_http: reqwest::Client,
    log: PathBuf,
    _directory: TempDir,
}

impl Responder {
    /// Starts a responder on a free port and waits until it accepts alerts. It may not be ready to act on them yet: see
    /// [`Responder::wait_until_ready`].
    pub async fn start(options: &ResponderOptions) -> Result<Self, ResponderError> {
        let program = binary()?;
        let directory = tempfile::Builder::new()
            .prefix("responder-")
            .tempdir()
            .map_err(|error| ResponderError::Process("make a directory for", error))?;
        let log = directory.path().join("responder.log");
        let child = spawn(&program, options, directory.path(), &log)
            .map_err(|error| ResponderError::Process("start", error))?;
        let http = client(options.authority.as_deref())?;
        let mut responder = Self {
            child,
            url: String::new(),
            pages: String::new(),
            http,
            pages_http: client(None)?,
            log,
            _directory: directory,
        };
        (responder.url, responder.pages) = responder.find_addresses().await?;
        Ok(responder)
    }

    /// `http://127.0.0.1:<port>`, or `https://…`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// `http://127.0.0.1:<port>` of the pages for probes and metrics.
    pub fn pages_url(&self) -> &str {
        &self.pages
    }

    /// The process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Posts an alert as Falco's `http_output` does.
    pub async fn post(&self, alert: &Value) -> Result<HttpReply, ResponderError> {
        self.post_body(alert.to_string().into_bytes()).await
    }

    /// Posts an alert with additional headers.
    pub async fn post_with(&self, alert: &Value, headers: &[(&str, &str)]) -> Result<HttpReply, ResponderError> {
        let request = self.http.post(&self.url).header("content-type", "application/json");
        let request = headers
            .iter()
            .fold(request, |request, (name, value)| request.header(*name, *value));
        send("an alert", request.body(alert.to_string())).await
    }

    /// Posts any body to `/` as JSON.
    pub async fn post_body(&self, body: Vec<u8>) -> Result<HttpReply, ResponderError> {
        let request = self
            .http
            .post(&self.url)
            .header("content-type", "application/json")
            .body(body);
        send("an alert", request).await
    }

    /// Gets a page, such as `/readyz`.
    pub async fn get(&self, path: &'static str) -> Result<HttpReply, ResponderError> {
        send(path, self.pages_http.get(format!("{}{path}", self.pages))).await
    }

    /// The current metrics of `/metrics`.
    pub async fn metrics(&self) -> Result<Metrics, ResponderError> {
        Ok(Metrics::parse(&self.get("/metrics").await?.body))
    }

    /// Waits until `/readyz` returns 200.
    pub async fn wait_until_ready(&mut self) -> Result<(), ResponderError> {
        self.wait_for_readiness(true).await
    }

    /// Waits until `/readyz` does not return 200.
    pub async fn wait_until_unready(&mut self) -> Result<(), ResponderError> {
        self.wait_for_readiness(false).await
    }

    async fn wait_for_readiness(&mut self, ready: bool) -> Result<(), ResponderError> {
        let started = Instant::now();
        while (self.get("/readyz").await?.status == 200) != ready {
            self.check(started, "a change of /readyz")?;
            time::sleep(POLL).await;
        }
        Ok(())
    }

    /// The whole log so far.
    pub fn log(&self) -> String {
        let bytes = fs::read(&self.log).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// The audit trail so far.
    pub fn trail(&self) -> Vec<TrailRecord> {
        trail::records(&self.log())
    }

    /// Waits until the trail contains `count` matching records and returns them. `what` names them in the error.
    pub async fn wait_for(
        &mut self,
        what: &str,
        count: usize,
        is_meant: impl Fn(&TrailRecord) -> bool,
    ) -> Result<Vec<TrailRecord>, ResponderError> {
        let started = Instant::now();
        loop {
            let mut found = self.trail();
            found.retain(&is_meant);
            if found.len() >= count {
                return Ok(found);
            }
            self.check(started, &format!("{count} records of {what}; seen: {}", found.len()))?;
            time::sleep(POLL).await;
        }
    }

    /// Waits until at least `decisions` decisions are taken and no accepted alert is in progress.
    pub async fn wait_until_at_rest(&mut self, decisions: u64) -> Result<Accounts, ResponderError> {
        let started = Instant::now();
        loop {
            let accounts = self.metrics().await?.accounts();
            if accounts.decisions >= decisions && accounts.is_at_rest() {
                return Ok(accounts);
            }
            self.check(
                started,
                &format!("{decisions} decisions and no alert in progress; seen: {accounts:?}"),
            )?;
            time::sleep(POLL).await;
        }
    }

    /// Sends SIGTERM and waits until the process has ended.
    pub async fn stop(mut self) -> Result<ExitStatus, ResponderError> {
        self.signal().map_err(|error| ResponderError::Process("end", error))?;
        let started = Instant::now();
        loop {
            match self.child.try_wait() {
                Ok(Some(status)) => return Ok(status),
                Ok(None) if started.elapsed() < DEADLINE => time::sleep(POLL).await,
                Ok(None) => return Err(self.deadline("it to end")),
                Err(error) => return Err(ResponderError::Process("wait for", error)),
            }
        }
    }

    fn signal(&self) -> io::Result<()> {
        let pid = i32::try_from(self.child.id())
            .ok()
            .and_then(rustix::process::Pid::from_raw);
        let pid = pid.ok_or_else(|| io::Error::other("it has no process id"))?;
        Ok(rustix::process::kill_process(pid, rustix::process::Signal::TERM)?)
    }

    /// Sends SIGKILL, waits until the process is gone, and returns the whole log.
    pub fn kill(mut self) -> Result<String, ResponderError> {
        self.child
            .end()
            .map_err(|error| ResponderError::Process("kill", error))?;
        Ok(self.log())
    }

    /// Reads the addresses of alerts and of pages from the log, because the system chooses the ports.
    async fn find_addresses(&mut self) -> Result<(String, String), ResponderError> {
        let started = Instant::now();
        loop {
            let log = self.log();
            // Complete lines only: the last one may lack digits of the port.
            let complete = log.rsplit_once('\n').map_or("", |(lines, _)| lines);
            if let (Some(alerts), Some(pages)) = (
                address(complete, "listening on"),
                address(complete, "probes and metrics at"),
            ) {
                return Ok((alerts, pages));
            }
            if started.elapsed() > START_DEADLINE {
                return Err(self.deadline("it to listen"));
            }
            self.check(Instant::now(), "")?;
            time::sleep(POLL).await;
        }
    }

    fn check(&mut self, started: Instant, what: &str) -> Result<(), ResponderError> {
        match self.child.try_wait() {
            Ok(None) if started.elapsed() < DEADLINE => Ok(()),
            Ok(None) => Err(self.deadline(what)),
            Ok(Some(status)) => Err(ResponderError::Ended {
                status,
                tail: tail(&self.log),
            }),
            Err(error) => Err(ResponderError::Process("wait for", error)),
        }
    }

    fn deadline(&self, what: &str) -> ResponderError {
        ResponderError::Deadline {
            what: what.to_owned(),
            tail: tail(&self.log),
        }
    }
}

/// The address in the line of the log that contains this text.
fn address(log: &str, text: &str) -> Option<String> {
    const HOST: &str = "127.0.0.1:";
    let line = log.lines().find(|line| line.contains(text))?;
    let (before, rest) = line.split_once(HOST)?;
    let port: String = rest.chars().take_while(char::is_ascii_digit).collect();
    let scheme = if before.ends_with("https://") { "https" } else { "http" };
    Some(format!("{scheme}://{HOST}{port}"))
}

impl Drop for Responder {
    #[expect(clippy::print_stderr, reason = "the end of the log explains a failed test")]
    fn drop(&mut self) {
        let _ = self.child.end();
        if std::thread::panicking() {
            eprintln!("the end of responder's log:\n{}", tail(&self.log));
        }
    }
}
