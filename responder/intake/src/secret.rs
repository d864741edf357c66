//! Where a secret is, and its one reader: for the passwords and tokens of senders, the keys of TLS, and the authentication
//! to NATS.
//!
//! No secret gets into an error, a log line or `Debug`. The contents of a file are wiped from memory when they are dropped.

use std::env;
use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret as _, SecretBox, SecretString};

/// Bytes of a file: no certificate chain and no bundle of authorities is as long.
const LONGEST_FILE: u64 = 1024 * 1024;
/// Bytes of a password, token or seed: neither an HTTP header nor a line of NATS's protocol carries more.
const LONGEST_SECRET: usize = 4096;

/// Where a password, a token or a seed is; never the secret itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretSource {
    /// In a file that holds it and nothing else, but for one line end.
    File(PathBuf),
    /// In an environment variable.
    Env(String),
}

/// The contents of a file or of a variable; its `Debug` shows nothing of them.
pub(crate) type Contents = SecretBox<Vec<u8>>;

/// Why a file or a variable can't be used. Holds nothing of its contents.
#[derive(Debug, thiserror::Error)]
#[error("{place}: {problem}")]
pub(crate) struct Flaw {
    /// The file or the variable.
    pub(crate) place: String,
    /// What is wrong with it.
    pub(crate) problem: String,
}

impl Flaw {
    pub(crate) fn new(place: impl fmt::Display, problem: impl Into<String>) -> Self {
        Self {
            place: place.to_string(),
            problem: problem.into(),
        }
    }
}

impl fmt::Display for SecretSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(file) => file.display().fmt(f),
            Self::Env(variable) => write!(f, "the environment variable {variable}"),
        }
    }
}

impl SecretSource {
    /// The file to watch, where the secret is in one.
    pub(crate) fn file(&self) -> Option<&Path> {
        match self {
            Self::File(file) => Some(file),
            Self::Env(_) => None,
        }
    }

    /// Reads the file or the variable. Blocks for as long as the file system does.
    pub(crate) fn contents(&self) -> Result<Contents, Flaw> {
        match self {
            Self::File(file) => read_file(file),
            Self::Env(variable) => match env::var(variable) {
                Ok(secret) => Ok(Contents::new(Box::new(secret.into_bytes()))),
                Err(env::VarError::NotPresent) => Err(Flaw::new(self, "it is not set")),
                // The error holds the value.
                Err(env::VarError::NotUnicode(_)) => Err(Flaw::new(self, "it is not UTF-8")),
            },
        }
    }

    /// The secret in what was read from here: all of it but the line end that editors and `echo` leave.
    pub(crate) fn secret_in<'c>(&self, contents: &'c Contents) -> Result<&'c [u8], Flaw> {
        secret_in(contents.expose_secret()).map_err(|problem| Flaw::new(self, problem))
    }

    /// [`Self::contents`], read where a file system that hangs holds up no thread of the runtime.
    pub(crate) async fn read(&self) -> Result<Contents, Flaw> {
        let source = self.clone();
        let read = tokio::task::spawn_blocking(move || source.contents());
        read.await
            .unwrap_or_else(|_| Err(Flaw::new(self, "it is not read: the process is stopping")))
    }

    /// The secret as text, read as by [`Self::read`].
    pub(crate) async fn text(&self) -> Result<SecretString, Flaw> {
        let contents = self.read().await?;
        let text = str::from_utf8(self.secret_in(&contents)?).map_err(|_| Flaw::new(self, "it is not UTF-8"))?;
        Ok(text.to_owned().into())
    }
}

fn secret_in(contents: &[u8]) -> Result<&[u8], &'static str> {
    let secret = contents.strip_suffix(b"\n").unwrap_or(contents);
    let secret = secret.strip_suffix(b"\r").unwrap_or(secret);
    if secret.is_empty() {
        Err("it is empty")
    } else if secret.len() > LONGEST_SECRET {
        Err("it is longer than 4096 bytes; something else was named by mistake")
    } else if secret.iter().any(u8::is_ascii_control) {
        Err("it has a line end or another control character in it: a file holds one secret and nothing else")
    } else {
        Ok(secret)
    }
}

/// Reads a regular file of at most 1 MiB. Blocks for as long as the file system does.
pub(crate) fn read_file(file: &Path) -> Result<Contents, Flaw> {
    let flaw = |error: io::Error| Flaw::new(file.display(), error.to_string());
    // A pipe or a device may never end.
    if !fs::metadata(file).map_err(flaw)?.is_file() {
        return Err(Flaw::new(file.display(), "it is not a file"));
    }
    let opened = File::open(file).map_err(flaw)?;
    let mut read = Ok(0);
    let contents = Contents::init_with_mut(|bytes| {
        read = opened.take(LONGEST_FILE + 1).read_to_end(bytes);
    });
    if read.map_err(flaw)? as u64 > LONGEST_FILE {
        return Err(Flaw::new(
            file.display(),
            "it is longer than 1 MiB; something else was named by mistake",
        ));
    }
    Ok(contents)
}

/// All flaws on one line.
pub(crate) fn listed(flaws: &[Flaw]) -> String {
    let flaws: Vec<String> = flaws.iter().map(ToString::to_string).collect();
    flaws.join("; ")
}

#[cfg(test)]
mod tests;
