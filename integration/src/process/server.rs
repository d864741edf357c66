//! A server process that writes its output to a file and ends when its standard input closes.

use std::{
    fs::{self, File},
    io::{self, Read as _, Seek as _, SeekFrom},
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

/// Every program here exits when its standard input closes. One that does not is killed after this time.
const END_DEADLINE: Duration = Duration::from_secs(5);
const POLL: Duration = Duration::from_millis(5);

/// How much of a log is read and shown in an error.
const TAIL_BYTES: u64 = 8 * 1024;
const TAIL_LINES: usize = 20;

/// A running process. It ends when this is dropped or when this process ends: only this process holds its standard
/// input open, and the kernel closes it even after SIGKILL.
///
/// A `std` child and not a tokio one, because it outlives the runtime of the test that started it.
#[derive(Debug)]
pub(crate) struct ServerProcess {
    name: &'static str,
    child: Child,
    log: PathBuf,
}

impl ServerProcess {
    /// Starts `command` and appends its output to `<directory>/<name>.log`.
    pub(crate) fn start(name: &'static str, mut command: Command, directory: &Path) -> io::Result<Self> {
        let log = directory.join(format!("{name}.log"));
        let output = File::options().create(true).append(true).open(&log)?;
        let child = command
            .current_dir(directory)
            // The developer's proxy, KUBECONFIG and ~/.kwok must not reach the server.
            .env_clear()
            .env("HOME", directory)
            .stdin(Stdio::piped())
            .stdout(output.try_clone()?)
            .stderr(output)
            // In a process group of its own: Ctrl-C in a terminal must not end the servers in an arbitrary order.
            .process_group(0)
            .spawn()?;
        Ok(Self { name, child, log })
    }

    pub(crate) fn name(&self) -> &'static str {
        self.name
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn log(&self) -> &Path {
        &self.log
    }

    /// The exit status, if the process has ended.
    pub(crate) fn exited(&mut self) -> io::Result<Option<ExitStatus>> {
        self.child.try_wait()
    }

    /// Closes the standard input, which asks the process to end, and does not wait.
    pub(crate) fn close_input(&mut self) {
        drop(self.child.stdin.take());
    }

    /// Ends the process and waits until it is gone: until then it holds its port.
    pub(crate) fn end(&mut self) -> io::Result<()> {
        self.close_input();
        let started = Instant::now();
        while started.elapsed() < END_DEADLINE {
            if self.child.try_wait()?.is_some() {
                return Ok(());
            }
            thread::sleep(POLL);
        }
        self.child.kill()?;
        self.child.wait().map(drop)
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        // No caller could handle an error here, and the standard input is closed.
        let _ = self.end();
    }
}

/// The last lines of a log, for an error.
pub(crate) fn tail(log: &Path) -> String {
    let read = || -> io::Result<String> {
        let mut file = File::open(log)?;
        let length = fs::metadata(log)?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(TAIL_BYTES)))?;
        let mut end = Vec::new();
        file.take(TAIL_BYTES).read_to_end(&mut end)?;
        Ok(String::from_utf8_lossy(&end).into_owned())
    };
    match read() {
        Ok(text) if text.trim().is_empty() => "  (the log is empty)".to_owned(),
        Ok(text) => {
            let lines: Vec<_> = text.lines().collect();
            let shown = lines.iter().skip(lines.len().saturating_sub(TAIL_LINES));
            shown.map(|line| format!("  {line}")).collect::<Vec<_>>().join("\n")
        }
        Err(error) => format!("  (no log: {error})"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start(program: &str, arguments: &[&str], directory: &Path) -> ServerProcess {
        let mut command = Command::new(program);
        command.args(arguments);
        ServerProcess::start("it", command, directory).unwrap()
    }

    #[test]
    fn a_dropped_server_sees_its_standard_input_close() {
        let directory = tempfile::tempdir().unwrap();
        // `cat` ends with its input, and only then does the shell write.
        let server = start("/bin/sh", &["-c", "cat; echo ended by itself"], directory.path());
        let log = server.log().to_owned();
        assert_eq!(fs::read_to_string(&log).unwrap(), "");
        drop(server);
        assert_eq!(fs::read_to_string(&log).unwrap(), "ended by itself\n");
    }

    #[test]
    fn a_server_that_does_not_listen_is_killed() {
        let directory = tempfile::tempdir().unwrap();
        let mut server = start("/bin/sh", &["-c", "exec sleep 600"], directory.path());
        assert!(server.exited().unwrap().is_none());
        server.end().unwrap();
        assert!(server.exited().unwrap().is_some_and(|status| !status.success()));
    }

    #[test]
    fn the_tail_is_the_last_twenty_lines_and_says_when_there_are_none() {
        let directory = tempfile::tempdir().unwrap();
        let log = directory.path().join("it.log");
        assert!(tail(&log).starts_with("  (no log: "));
        fs::write(&log, "").unwrap();
        assert_eq!(tail(&log), "  (the log is empty)");
        let lines: Vec<_> = (1..=5000).map(|number| format!("line {number}")).collect();
        fs::write(&log, lines.join("\n")).unwrap();
        let shown = tail(&log);
        assert_eq!(shown.lines().count(), 20);
        assert!(shown.starts_with("  line 4981\n") && shown.ends_with("  line 5000"));
    }
}
