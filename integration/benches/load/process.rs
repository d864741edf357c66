//! CPU time and memory of a process as Linux reports them, and the processes that the responder is compared with.

use std::{
    fs,
    io::{BufRead as _, BufReader, Write as _},
    process::{Child, ChildStdout, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::Context as _;

/// Ticks per second in `/proc/<pid>/stat`: 100 on every architecture that Rust and Kubernetes run on (`USER_HZ`).
const TICKS: u32 = 100;
const REST: Duration = Duration::from_millis(50);

/// User and system time of all threads, to 10 ms.
fn cpu_time(pid: u32) -> anyhow::Result<Duration> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).context("no CPU time is known: this needs Linux")?;
    // The program's name, in parentheses, may contain blanks. After it the state is field 3; utime and stime are fields
    // 14 and 15 (proc_pid_stat(5)).
    let fields = stat.rsplit_once(')').map_or("", |(_, fields)| fields);
    let ticks: Vec<u32> = fields
        .split_whitespace()
        .skip(11)
        .take(2)
        .filter_map(|field| field.parse().ok())
        .collect();
    Ok(Duration::from_secs(u64::from(ticks.iter().sum::<u32>())) / TICKS)
}

/// The cost of a message or request.
pub(crate) struct Cost {
    /// Messages or requests per second while the sender is not the limit.
    pub(crate) rate: f64,
    /// Microseconds of CPU time per message or request.
    pub(crate) cpu: f64,
}

/// Measures a process' CPU time and the elapsed time from its start.
pub(crate) struct Meter {
    pid: u32,
    started: Instant,
    before: Duration,
}

impl Meter {
    pub(crate) fn start(pid: u32) -> anyhow::Result<Self> {
        Ok(Self {
            pid,
            started: Instant::now(),
            before: cpu_time(pid)?,
        })
    }

    /// The cost of each of `count` messages or requests.
    #[expect(clippy::cast_precision_loss, reason = "thousands")]
    pub(crate) fn cost(self, count: usize) -> anyhow::Result<Cost> {
        let elapsed = self.started.elapsed();
        // Include the remaining work for the last of them.
        thread::sleep(REST);
        let spent = cpu_time(self.pid)?.saturating_sub(self.before);
        Ok(Cost {
            rate: count as f64 / elapsed.as_secs_f64(),
            cpu: spent.as_secs_f64() * 1e6 / count as f64,
        })
    }
}

/// Resident memory in MiB: the current value and the peak.
pub(crate) fn memory(pid: u32) -> anyhow::Result<(f64, f64)> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).context("no memory is known: this needs Linux")?;
    let mebibytes = |key: &str| -> anyhow::Result<f64> {
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix(key))
            .with_context(|| format!("no {key}"))?;
        let kibibytes: f64 = line.trim().trim_end_matches(" kB").parse()?;
        Ok(kibibytes / 1024.0)
    };
    Ok((mebibytes("VmRSS:")?, mebibytes("VmHWM:")?))
}

/// The process of the bare handler (`src/bin/bare-axum.rs`).
pub(crate) struct BareAxum {
    child: Child,
    pub(crate) url: String,
}

impl BareAxum {
    pub(crate) fn start() -> anyhow::Result<Self> {
        let mut child = Command::new(env!("CARGO_BIN_EXE_bare-axum"))
            // The process ends when this closes.
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot start bare-axum")?;
        let mut url = String::new();
        if let Some(output) = child.stdout.take() {
            BufReader::new(output).read_line(&mut url)?;
        }
        Ok(Self {
            child,
            url: url.trim().to_owned(),
        })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for BareAxum {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        // The process is gone or ends soon; no caller could handle an error.
        let _ = self.child.wait();
    }
}

/// The process of the bare consumer (`src/bin/bare-nats.rs`).
pub(crate) struct BareNats {
    child: Child,
    said: BufReader<ChildStdout>,
}

impl BareNats {
    /// Starts a consumer and waits until it listens.
    pub(crate) fn start(url: &str, kind: &str, [step, steps]: [usize; 2]) -> anyhow::Result<Self> {
        let mut child = Command::new(env!("CARGO_BIN_EXE_bare-nats"))
            .args([url, kind])
            .args([step, steps].map(|number| number.to_string()))
            // The process ends when this closes.
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot start bare-nats")?;
        let said = child.stdout.take().context("bare-nats has no standard output")?;
        let mut bare = Self {
            child,
            said: BufReader::new(said),
        };
        bare.step()?;
        Ok(bare)
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Begins a round over the stream.
    pub(crate) fn begin(&mut self) -> anyhow::Result<()> {
        let input = self.child.stdin.as_mut().context("bare-nats has no standard input")?;
        Ok(writeln!(input)?)
    }

    /// Waits for the process' next line: ready, or another step of messages. Blocks the thread.
    pub(crate) fn step(&mut self) -> anyhow::Result<()> {
        let mut line = String::new();
        anyhow::ensure!(self.said.read_line(&mut line)? > 0, "bare-nats ended");
        Ok(())
    }
}

impl Drop for BareNats {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        // The process is gone or ends soon; no caller could handle an error.
        let _ = self.child.wait();
    }
}
