//! A child process that is killed with its parent, even when the parent is killed.

use std::{
    io,
    process::{Child, Command, ExitStatus, Stdio},
};

/// A child and its watchdog: a shell that waits until its standard input closes, which only this process holds open,
/// and then kills the child.
#[derive(Debug)]
#[must_use = "the process is killed when this is dropped"]
pub(crate) struct WatchedProcess {
    child: Child,
    watchdog: Child,
}

impl WatchedProcess {
    /// Starts a command and its watchdog.
    pub(crate) fn spawn(command: &mut Command) -> io::Result<Self> {
        let mut child = command.spawn()?;
        match watch(&child) {
            Ok(watchdog) => Ok(Self { child, watchdog }),
            Err(error) => {
                let _ = child.kill();
                let _ = child.wait();
                Err(error)
            }
        }
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn try_wait(&mut self) -> io::Result<Option<ExitStatus>> {
        self.child.try_wait()
    }

    /// Kills the child and waits until it is gone. Ends the watchdog first: after the wait, another process may get the
    /// child's id.
    pub(crate) fn end(&mut self) -> io::Result<()> {
        self.watchdog.kill()?;
        self.watchdog.wait()?;
        self.child.kill()?;
        self.child.wait().map(drop)
    }
}

impl Drop for WatchedProcess {
    fn drop(&mut self) {
        // The child may be gone already; no caller could handle an error here.
        let _ = self.end();
    }
}

fn watch(child: &Child) -> io::Result<Child> {
    Command::new("/bin/sh")
        .args(["-c", "while read -r _; do :; done; kill -KILL \"$1\"", "watchdog"])
        .arg(child.id().to_string())
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
}
