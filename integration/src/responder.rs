//! The `responder` program as a process: started, sent alerts, asked for its metrics, stopped or killed.
//!
//! A black box: what goes in is a command line and HTTP, what comes out is HTTP, a log and what it does to the cluster. For
//! the scenarios and for the benchmarks of the whole.

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::{Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

use serde_json::Value;
use tempfile::TempDir;
use tokio::time;

use crate::process::{Watched, tail};

pub mod alert;
mod binary;
mod metrics;
mod trail;

pub use binary::{BINARY_VARIABLE, BinaryError, binary};
pub use metrics::{Accounts, Metrics, Sample};
pub use trail::{Record, records};

/// Up within a second; a build beside it on two cores makes that many.
const START_DEADLINE: Duration = Duration::from_secs(60);
/// For what it does once it runs: a burst of hundreds of responses, or a step that waits for its own timeout.
const DEADLINE: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(20);

/// What the process is started with.
#[derive(Debug, Clone, Default)]
pub struct ResponderOptions {
    /// The text of the file that `--playbooks` names: playbooks, and a guard if there is to be one.
    pub playbooks: String,
    /// `--kubeconfig`.
    pub kubeconfig: Option<PathBuf>,
    /// `--simulate`.
    pub simulate: Option<PathBuf>,
    /// `--mode`; without it the program's own default.
    pub mode: Option<&'static str>,
    /// The section `nats` of the configuration, as JSON.
    pub nats: Option<String>,
    /// Further arguments of `run`.
    pub arguments: Vec<String>,
    /// The authority of its own certificate, as PEM: then it is asked for its pages over HTTPS.
    pub authority: Option<PathBuf>,
    /// Environment beyond `HOME`; nothing of this process' own reaches it.
    pub environment: Vec<(String, String)>,
}

/// Why the process is not as it should be.
#[derive(Debug, thiserror::Error)]
pub enum ResponderError {
    /// There is no program.
    #[error("there is no responder to start")]
    Binary(#[from] BinaryError),
    /// Files and processes.
    #[error("cannot {0} responder")]
    Process(&'static str, #[source] io::Error),
    /// It ended when it was to run.
    #[error("responder ended ({status}); the end of its log:\n{tail}")]
    Ended {
        /// How.
        status: ExitStatus,
        /// The last lines of its log.
        tail: String,
    },
    /// HTTP.
    #[error("responder does not answer {0}")]
    Http(&'static str, #[source] reqwest::Error),
    /// The deadline passed.
    #[error("waited in vain for {what}; the end of its log:\n{tail}")]
    Deadline {
        /// For what.
        what: String,
        /// The last lines of its log.
        tail: String,
    },
}

/// How an alert was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PostAnswer {
    /// The status code.
    pub status: u16,
    /// The body.
    pub body: String,
}

impl PostAnswer {
    /// `accepted`, `unmatched`, `duplicate` or `rejected`; empty for a page.
    pub fn outcome(&self) -> String {
        self.text("outcome")
    }

    /// Which kind of rejection; empty for anything else.
    pub fn kind(&self) -> String {
        self.text("kind")
    }

    /// The id of an accepted alert; empty for one that was not.
    pub fn alert(&self) -> String {
        self.text("alert")
    }

    fn text(&self, key: &str) -> String {
        let body: Value = serde_json::from_str(&self.body).unwrap_or_default();
        body[key].as_str().unwrap_or_default().to_owned()
    }
}

/// A running `responder run`. It is killed when this is dropped, and when the process that holds it is gone.
#[derive(Debug)]
#[must_use = "responder is killed when this is dropped"]
pub struct Responder {
    child: Watched,
    url: String,
    http: reqwest::Client,
    log: PathBuf,
    _directory: TempDir,
}

impl Responder {
    /// Starts one on a free port and waits until it takes alerts. Whether it is ready to act on them is another question:
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
            http,
            log,
            _directory: directory,
        };
        responder.url = responder.find_address().await?;
        Ok(responder)
    }

    /// `http://127.0.0.1:<port>`, or `https://…`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends an alert as Falco's `http_output` does.
    pub async fn post(&self, alert: &Value) -> Result<PostAnswer, ResponderError> {
        self.post_body(alert.to_string().into_bytes()).await
    }

    /// Sends an alert with headers of its sender's.
    pub async fn post_with(&self, alert: &Value, headers: &[(&str, &str)]) -> Result<PostAnswer, ResponderError> {
        let request = self.http.post(&self.url).header("content-type", "application/json");
        let request = headers
            .iter()
            .fold(request, |request, (name, value)| request.header(*name, *value));
        answer("an alert", request.body(alert.to_string())).await
    }

    /// Sends any body to `/`, as JSON.
    pub async fn post_body(&self, body: Vec<u8>) -> Result<PostAnswer, ResponderError> {
        let request = self
            .http
            .post(&self.url)
            .header("content-type", "application/json")
            .body(body);
        answer("an alert", request).await
    }

    /// Asks for a page, such as `/readyz`.
    pub async fn get(&self, path: &'static str) -> Result<PostAnswer, ResponderError> {
        answer(path, self.http.get(format!("{}{path}", self.url))).await
    }

    /// What `/metrics` says now.
    pub async fn metrics(&self) -> Result<Metrics, ResponderError> {
        Ok(Metrics::parse(&self.get("/metrics").await?.body))
    }

    /// Waits until `/readyz` says that alerts are acted on.
    pub async fn wait_until_ready(&mut self) -> Result<(), ResponderError> {
        self.wait_for_readiness(true).await
    }

    /// Waits until `/readyz` says that alerts are not acted on.
    pub async fn wait_until_unready(&mut self) -> Result<(), ResponderError> {
        self.wait_for_readiness(false).await
    }

    async fn wait_for_readiness(&mut self, ready: bool) -> Result<(), ResponderError> {
        let started = Instant::now();
        while (self.get("/readyz").await?.status == 200) != ready {
            self.check(started, "another answer of /readyz")?;
            time::sleep(POLL).await;
        }
        Ok(())
    }

    /// Everything that it has logged.
    pub fn log(&self) -> String {
        let bytes = fs::read(&self.log).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Its audit trail so far.
    pub fn trail(&self) -> Vec<Record> {
        trail::records(&self.log())
    }

    /// Waits until the trail has so many records that are meant, and returns these.
    pub async fn wait_for(
        &mut self,
        what: &str,
        count: usize,
        is_meant: impl Fn(&Record) -> bool,
    ) -> Result<Vec<Record>, ResponderError> {
        let started = Instant::now();
        loop {
            let mut found = self.trail();
            found.retain(&is_meant);
            if found.len() >= count {
                return Ok(found);
            }
            self.check(
                started,
                &format!("{count} records of {what}; there are {}", found.len()),
            )?;
            time::sleep(POLL).await;
        }
    }

    /// Waits until so many decisions have been taken or more, and nothing that was accepted is under way any more.
    pub async fn wait_until_at_rest(&mut self, decisions: u64) -> Result<Accounts, ResponderError> {
        let started = Instant::now();
        loop {
            let accounts = self.metrics().await?.accounts();
            if accounts.decisions >= decisions && accounts.is_at_rest() {
                return Ok(accounts);
            }
            self.check(
                started,
                &format!("{decisions} decisions and then rest; there is {accounts:?}"),
            )?;
            time::sleep(POLL).await;
        }
    }

    /// Asks it to end (SIGTERM), and waits until it has.
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

    /// Kills it (SIGKILL), waits until it is gone, and returns all that it has logged.
    pub fn kill(mut self) -> Result<String, ResponderError> {
        self.child
            .end()
            .map_err(|error| ResponderError::Process("kill", error))?;
        Ok(self.log())
    }

    /// The address is in the log: the system has chosen the port.
    async fn find_address(&mut self) -> Result<String, ResponderError> {
        const HOST: &str = "127.0.0.1:";
        let started = Instant::now();
        loop {
            let log = self.log();
            // Whole lines only: a port may be half written.
            let complete = log.rsplit_once('\n').map_or("", |(lines, _)| lines);
            let ours = complete.lines().find(|line| line.contains("listening"));
            if let Some((_, rest)) = ours.and_then(|line| line.split_once(HOST)) {
                let port: String = rest.chars().take_while(char::is_ascii_digit).collect();
                let scheme = if ours.is_some_and(|line| line.contains("https://")) {
                    "https"
                } else {
                    "http"
                };
                return Ok(format!("{scheme}://{HOST}{port}"));
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

impl Drop for Responder {
    #[expect(
        clippy::print_stderr,
        reason = "whoever reads of a failed test wants to know what responder said last"
    )]
    fn drop(&mut self) {
        let _ = self.child.end();
        if std::thread::panicking() {
            eprintln!("the end of responder's log:\n{}", tail(&self.log));
        }
    }
}

/// A client that trusts this authority and no other, where one is named.
fn client(authority: Option<&Path>) -> Result<reqwest::Client, ResponderError> {
    let failed = |error| ResponderError::Http("at all", error);
    let mut builder = reqwest::Client::builder().no_proxy();
    if let Some(authority) = authority {
        let pem = fs::read(authority).map_err(|error| ResponderError::Process("read the authority of", error))?;
        builder = builder.tls_certs_only([reqwest::Certificate::from_pem(&pem).map_err(failed)?]);
    }
    builder.build().map_err(failed)
}

fn spawn(program: &Path, options: &ResponderOptions, directory: &Path, log: &Path) -> io::Result<Watched> {
    let playbooks = directory.join("playbooks.yaml");
    fs::write(&playbooks, &options.playbooks)?;
    let output = fs::File::create(log)?;
    let mut command = Command::new(program);
    command
        .args(["run", "--listen", "127.0.0.1:0", "--log-format", "json"])
        .arg("--playbooks")
        .arg(&playbooks);
    if let Some(kubeconfig) = &options.kubeconfig {
        command.arg("--kubeconfig").arg(kubeconfig);
    }
    if let Some(manifests) = &options.simulate {
        command.arg("--simulate").arg(manifests);
    }
    if let Some(mode) = options.mode {
        command.arg("--mode").arg(mode);
    }
    if let Some(nats) = &options.nats {
        let file = directory.join("responder.yaml");
        let head = "apiVersion: responder.dev/v1alpha1\nkind: Configuration\nnats:";
        fs::write(&file, format!("{head} {nats}\n"))?;
        command.arg("--config").arg(file);
    }
    command
        .args(&options.arguments)
        .current_dir(directory)
        // A proxy, a KUBECONFIG or a RESPONDER_… of the person's own must not reach it.
        .env_clear()
        .env("HOME", directory)
        .envs(options.environment.iter().map(|(key, value)| (key, value)))
        .stdin(Stdio::null())
        .stdout(output.try_clone()?)
        .stderr(output);
    Watched::spawn(&mut command)
}

async fn answer(what: &'static str, request: reqwest::RequestBuilder) -> Result<PostAnswer, ResponderError> {
    let failed = |error| ResponderError::Http(what, error);
    let response = request.timeout(DEADLINE).send().await.map_err(failed)?;
    let status = response.status().as_u16();
    let body = response.text().await.map_err(failed)?;
    Ok(PostAnswer { status, body })
}
