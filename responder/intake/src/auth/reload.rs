//! What is made of files, and made again when they change. Step of the flow: intake.
//!
//! The contents are looked at, not their times: secrets are small, and a mounted ConfigMap or Secret changes by a swapped
//! link that leaves times as they please. A set of files that can't be used leaves what was made before in force.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex as SyncMutex, PoisonError};
use std::time::Duration;

use aws_lc_rs::digest::{Context, Digest, SHA256};
use secrecy::{ExposeSecret as _, SecretBox};
use tokio::sync::{Mutex, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// How often the files are looked at. A kubelet takes up to a minute to bring a changed Secret; this adds nothing to it.
const EVERY: Duration = Duration::from_secs(2);
/// And for somebody whose secret is not known: at most so often, whoever knocks.
const SOONEST: Duration = Duration::from_secs(1);
/// A certificate and its key are two files, and the second may follow the first a moment later.
const SETTLES: Duration = Duration::from_millis(200);
/// For a look at the files while a sender waits.
const PATIENCE: Duration = Duration::from_secs(2);
/// No certificate chain and no bundle of authorities is so long.
const LONGEST: u64 = 1024 * 1024;

/// The contents of a file.
pub(super) type Contents = SecretBox<Vec<u8>>;

/// Which files, and what is made of them.
pub(super) trait Recipe: Send + Sync + 'static {
    /// What is made.
    type Made: Send + Sync + 'static;

    /// What it is, for a log line.
    const WHAT: &'static str;

    /// The files, in the order in which [`Recipe::make`] takes their contents.
    fn files(&self) -> Vec<&Path>;

    /// Makes it, or says everything that is wrong.
    fn make(&self, contents: &[Contents]) -> Result<Self::Made, Vec<Flaw>>;
}

/// What is wrong with a file.
#[derive(Debug, thiserror::Error)]
#[error("{}: {problem}", .file.display())]
pub(super) struct Flaw {
    /// Which.
    pub(super) file: PathBuf,
    /// Why it can't be used, and what to do. Nothing of what is in it.
    pub(super) problem: String,
}

impl Flaw {
    pub(super) fn new(file: &Path, problem: impl Into<String>) -> Self {
        Self {
            file: file.to_owned(),
            problem: problem.into(),
        }
    }
}

/// How often files were read again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Reloads {
    /// What changed was taken.
    pub taken: u64,
    /// What changed can't be used.
    pub refused: u64,
    /// Whether what is in the files can't be used, so that something older is in force.
    pub is_outdated: bool,
}

/// What is made of files, as they are.
pub(super) struct Kept<R: Recipe> {
    recipe: R,
    made: watch::Sender<Arc<R::Made>>,
    /// Of what was looked at last, usable or not.
    seen: SyncMutex<Fingerprint>,
    /// Held by whoever looks.
    looked: Mutex<Instant>,
    taken: AtomicU64,
    refused: AtomicU64,
    is_outdated: AtomicBool,
}

impl<R: Recipe> Kept<R> {
    /// Reads the files.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with any of them.
    pub(super) fn load(recipe: R) -> Result<Self, Vec<Flaw>> {
        let (seen, contents) = read_all(&recipe.files());
        let made = contents.and_then(|contents| recipe.make(&contents))?;
        Ok(Self {
            recipe,
            made: watch::Sender::new(Arc::new(made)),
            seen: SyncMutex::new(seen),
            looked: Mutex::new(Instant::now()),
            taken: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            is_outdated: AtomicBool::new(false),
        })
    }

    /// What is in force.
    pub(super) fn current(&self) -> Arc<R::Made> {
        Arc::clone(&self.made.borrow())
    }

    /// What is in force, with the news of the next.
    pub(super) fn subscribe(&self) -> watch::Receiver<Arc<R::Made>> {
        self.made.subscribe()
    }

    pub(super) fn reloads(&self) -> Reloads {
        Reloads {
            taken: self.taken.load(Ordering::Relaxed),
            refused: self.refused.load(Ordering::Relaxed),
            is_outdated: self.is_outdated.load(Ordering::Relaxed),
        }
    }

    /// Looks at the files from time to time, until it is told to stop.
    pub(super) async fn keep(self: Arc<Self>, stop: CancellationToken) {
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(EVERY) => {}
            }
            let mut looked = self.looked.lock().await;
            self.look(&mut looked).await;
        }
    }

    /// What is in force, if it is another than the one that was seen: looks at the files first, unless somebody has just
    /// done so.
    pub(super) async fn newer(self: &Arc<Self>, seen: &Arc<R::Made>) -> Option<Arc<R::Made>> {
        let look = async {
            let mut looked = self.looked.lock().await;
            if looked.elapsed() >= SOONEST {
                self.look(&mut looked).await;
            }
        };
        // A file system that hangs holds up no answer.
        let _ = tokio::time::timeout(PATIENCE, look).await;
        let current = self.current();
        (!Arc::ptr_eq(seen, &current)).then_some(current)
    }

    async fn look(self: &Arc<Self>, looked: &mut Instant) {
        if !self.look_once(false).await {
            // Perhaps only half of it has come.
            tokio::time::sleep(SETTLES).await;
            self.look_once(true).await;
        }
        *looked = Instant::now();
    }

    /// Whether there was nothing to refuse. A refusal that is final is told.
    async fn look_once(self: &Arc<Self>, is_final: bool) -> bool {
        let kept = Arc::clone(self);
        // A file system may hang; a thread may, the requests may not.
        let look = tokio::task::spawn_blocking(move || kept.look_blocking(is_final));
        look.await.unwrap_or(true)
    }

    fn look_blocking(&self, is_final: bool) -> bool {
        let (fingerprint, contents) = read_all(&self.recipe.files());
        // Nothing that panics happens under this lock.
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if *seen == fingerprint {
            return true;
        }
        let what = R::WHAT;
        match contents.and_then(|contents| self.recipe.make(&contents)) {
            Ok(made) => {
                *seen = fingerprint;
                self.made.send_replace(Arc::new(made));
                self.taken.fetch_add(1, Ordering::Relaxed);
                self.is_outdated.store(false, Ordering::Relaxed);
                tracing::info!("{what} changed and were read again");
                true
            }
            Err(flaws) if is_final => {
                *seen = fingerprint;
                self.refused.fetch_add(1, Ordering::Relaxed);
                self.is_outdated.store(true, Ordering::Relaxed);
                let flaws = listed(&flaws);
                tracing::error!("{what} changed and can't be used; those of before stay in force: {flaws}");
                true
            }
            Err(_) => false,
        }
    }
}

/// All of them on one line.
pub(super) fn listed(flaws: &[Flaw]) -> String {
    let flaws: Vec<String> = flaws.iter().map(ToString::to_string).collect();
    flaws.join("; ")
}

/// Tells one state of the files from another, without keeping it.
#[derive(PartialEq, Eq)]
struct Fingerprint(Vec<u8>);

fn read_all(files: &[&Path]) -> (Fingerprint, Result<Vec<Contents>, Vec<Flaw>>) {
    let mut hash = Context::new(&SHA256);
    let (mut all, mut flaws) = (Vec::with_capacity(files.len()), Vec::new());
    for file in files {
        match read(file) {
            Ok(contents) => {
                let bytes = contents.expose_secret();
                hash.update(b"read");
                hash.update(&(bytes.len() as u64).to_be_bytes());
                hash.update(bytes);
                all.push(contents);
            }
            Err(error) => {
                let problem = error.to_string();
                hash.update(b"unread");
                hash.update(problem.as_bytes());
                flaws.push(Flaw::new(file, problem));
            }
        }
    }
    let digest: Digest = hash.finish();
    let read = if flaws.is_empty() { Ok(all) } else { Err(flaws) };
    (Fingerprint(digest.as_ref().to_vec()), read)
}

fn read(file: &Path) -> io::Result<Contents> {
    // A pipe would never end, a device neither.
    if !fs::metadata(file)?.is_file() {
        return Err(io::Error::other("it is no file"));
    }
    let opened = File::open(file)?;
    let mut read = Ok(0);
    let contents = Contents::init_with_mut(|bytes| {
        read = opened.take(LONGEST + 1).read_to_end(bytes);
    });
    if read? as u64 > LONGEST {
        return Err(io::Error::other(
            "it is longer than 1 MiB; something else was named by mistake",
        ));
    }
    Ok(contents)
}

#[cfg(test)]
mod tests;
