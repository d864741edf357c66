//! A process that is gone when whoever started it is, even where that one was killed and could not end it.

use std::{
    io,
    process::{Child, Command, ExitStatus, Stdio},
};

/// A child with a shell beside it that waits for the end of its input, which only this process holds open, and then kills.
#[derive(Debug)]
#[must_use = "the process is killed when this is dropped"]
pub(crate) struct Watched {
    child: Child,
    watchdog: Child,
}

impl Watched {
    /// Starts a command, and its watchdog.
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

    /// Kills it, and waits until it is gone. The watchdog first: a process id that was waited for may be somebody else's.
    pub(crate) fn end(&mut self) -> io::Result<()> {
        self.watchdog.kill()?;
        self.watchdog.wait()?;
        self.child.kill()?;
        self.child.wait().map(drop)
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        // Gone already: there is nobody to tell.
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
