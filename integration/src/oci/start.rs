//! Starts the image's program with the root and the user that a container runtime gives it: the root contains the image
//! and what a pod mounts, and nothing else.

use std::{
    env, fs,
    io::{self, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    path::Path,
    process::{Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

use tempfile::TempDir;

use super::unpack::unpack;
use crate::process::WatchedProcess;

/// The program starts within 0.1 s; a busy machine takes much longer.
const START_DEADLINE: Duration = Duration::from_secs(30);

/// The image did not start.
#[derive(Debug, thiserror::Error)]
pub enum ImageStartError {
    /// A file or process operation failed.
    #[error("cannot {0}")]
    Io(&'static str, #[source] io::Error),
    /// The image's user is not numeric.
    #[error("the image's user is {0}, which is not uid:gid")]
    User(String),
    /// The program ended before it was healthy.
    #[error("the image's program ended ({status}) before it was healthy:\n{log}")]
    Ended {
        /// Its exit status.
        status: ExitStatus,
        /// Its log.
        log: String,
    },
    /// The program was not healthy in time.
    #[error("the image's program was not healthy within {} s:\n{log}", START_DEADLINE.as_secs())]
    Silent {
        /// Its log.
        log: String,
    },
}

fn io(doing: &'static str) -> impl FnOnce(io::Error) -> ImageStartError {
    move |source| ImageStartError::Io(doing, source)
}

/// A running image. It is killed when this is dropped.
#[derive(Debug)]
#[must_use = "the program is killed when this is dropped"]
pub struct RunningImage {
    child: WatchedProcess,
    /// The time from the start of the process to the first success of `/healthz`.
    pub after: Duration,
    /// The address of the pages for probes and metrics: `127.0.0.1:<port>`.
    pub address: String,
    _root: TempDir,
}

impl RunningImage {
    /// The process id. It is unshare's, which executes the program.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }
}

/// Unpacks an archive into an empty root, copies the demo's playbooks and cluster into it, and starts the image's
/// program there as the image's user. A user namespace makes this possible without root.
pub fn start(archive: &[u8]) -> Result<RunningImage, ImageStartError> {
    let root = TempDir::new().map_err(io("make a root"))?;
    let settings = unpack(archive, root.path()).map_err(io("unpack the image"))?;
    mount(root.path()).map_err(io("copy the demo"))?;
    let user = settings.user.split_once(':');
    let (uid, gid) = user.ok_or_else(|| ImageStartError::User(settings.user.clone()))?;
    let log = tempfile::tempfile().map_err(io("make a log"))?;
    let port = TcpListener::bind("127.0.0.1:0")
        .and_then(|listener| listener.local_addr())
        .map_err(io("find a port"))?;
    let address = port.to_string();
    let started = Instant::now();
    let mut command = Command::new("unshare");
    command
        .arg("--user")
        .arg(format!("--map-user={uid}"))
        .arg(format!("--map-group={gid}"))
        .arg(format!("--root={}", root.path().display()))
        .args(&settings.entrypoint)
        .args(["run", "--playbooks", "/playbooks", "--simulate", "/cluster"])
        .arg("--listen=127.0.0.1:0")
        .arg(format!("--probes-listen={address}"))
        .env_clear()
        .env("PATH", env::var_os("PATH").unwrap_or_default())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log.try_clone().map_err(io("make a log"))?);
    let child = WatchedProcess::spawn(&mut command).map_err(io("start unshare (of util-linux)"))?;
    let mut running = RunningImage {
        child,
        after: Duration::ZERO,
        address,
        _root: root,
    };
    while started.elapsed() < START_DEADLINE {
        if let Some(status) = running.child.try_wait().map_err(io("wait for the program"))? {
            let log = said(log);
            return Err(ImageStartError::Ended { status, log });
        }
        if healthy(&running.address).is_ok_and(|healthy| healthy) {
            running.after = started.elapsed();
            return Ok(running);
        }
        thread::sleep(Duration::from_millis(1));
    }
    Err(ImageStartError::Silent { log: said(log) })
}

/// Copies the demo's playbooks and cluster.
fn mount(root: &Path) -> io::Result<()> {
    let demo = Path::new(env!("CARGO_MANIFEST_DIR")).join("../playbooks/demo");
    for name in ["playbooks", "cluster"] {
        fs::create_dir(root.join(name))?;
        for entry in fs::read_dir(demo.join(name))? {
            let path = entry?.path();
            fs::copy(&path, root.join(name).join(path.file_name().unwrap_or_default()))?;
        }
    }
    Ok(())
}

fn said(mut log: fs::File) -> String {
    let mut said = String::new();
    let read = io::Seek::rewind(&mut log).and_then(|()| log.read_to_string(&mut said));
    read.map_or_else(|error| format!("(its log can't be read: {error})"), |_| said)
}

fn healthy(address: &str) -> io::Result<bool> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(1)))?;
    stream.write_all(format!("GET /healthz HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n").as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer.starts_with("HTTP/1.1 200"))
}
