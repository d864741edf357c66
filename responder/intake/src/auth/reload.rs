//! Values that are loaded from files, and loaded again when the files change. Step of the flow: intake.
//!
//! A change is seen in the contents and not in the times of the files: secrets are small, and a mounted ConfigMap or Secret
//! changes by a swapped link whose times tell nothing. Files that can't be used leave the last good value in force.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex as SyncMutex, PoisonError};
use std::time::Duration;

use ring::digest::{Context, Digest, SHA256};
use secrecy::ExposeSecret as _;
use tokio::sync::{Mutex, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::secret::{Contents, Flaw, listed, read_file};

/// Between two checks of the files. A kubelet takes up to a minute to deliver a changed Secret; this adds little to it.
const INTERVAL: Duration = Duration::from_secs(2);
/// Between two checks that requests with unknown credentials ask for, however many there are.
const SHORTEST_INTERVAL: Duration = Duration::from_secs(1);
/// From a first reading that can't be used to the second: a certificate and its key are two files, and one may follow the
/// other a moment later.
const SETTLES: Duration = Duration::from_millis(200);
/// For a check of the files while a sender waits.
const PATIENCE: Duration = Duration::from_secs(2);

/// The files of a value, and how they become the value.
pub(super) trait FileLoader: Send + Sync + 'static {
    /// The value.
    type Loaded: Send + Sync + 'static;

    /// The value's name in a log line, in the plural.
    const WHAT: &'static str;

    /// The files, in the order in which [`FileLoader::load`] takes their contents.
    fn files(&self) -> Vec<&Path>;

    /// Makes the value, or reports every flaw.
    fn load(&self, contents: &[Contents]) -> Result<Self::Loaded, Vec<Flaw>>;
}

/// How often files were read again after a change.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Reloads {
    /// Changes that are in force.
    pub taken: u64,
    /// Changes that could not be used.
    pub refused: u64,
    /// Whether the files can't be used as they are, so that an older value is in force.
    pub is_outdated: bool,
}

/// A value that follows its files.
pub(super) struct Reloadable<L: FileLoader> {
    loader: L,
    value: watch::Sender<Arc<L::Loaded>>,
    /// The state of the files at the last check, usable or not.
    seen: SyncMutex<Fingerprint>,
    /// The time of the last check; locked during a check.
    checked: Mutex<Instant>,
    taken: AtomicU64,
    refused: AtomicU64,
    is_outdated: AtomicBool,
}

impl<L: FileLoader> Reloadable<L> {
    /// Reads the files.
    ///
    /// # Errors
    ///
    /// Every flaw of every file.
    pub(super) fn load(loader: L) -> Result<Self, Vec<Flaw>> {
        let (seen, contents) = read_all(&loader.files());
        let value = contents.and_then(|contents| loader.load(&contents))?;
        Ok(Self {
            loader,
            value: watch::Sender::new(Arc::new(value)),
            seen: SyncMutex::new(seen),
            checked: Mutex::new(Instant::now()),
            taken: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            is_outdated: AtomicBool::new(false),
        })
    }

    /// The value in force.
    pub(super) fn current(&self) -> Arc<L::Loaded> {
        Arc::clone(&self.value.borrow())
    }

    /// The value in force, with notice of the next one.
    pub(super) fn subscribe(&self) -> watch::Receiver<Arc<L::Loaded>> {
        self.value.subscribe()
    }

    pub(super) fn reloads(&self) -> Reloads {
        Reloads {
            taken: self.taken.load(Ordering::Relaxed),
            refused: self.refused.load(Ordering::Relaxed),
            is_outdated: self.is_outdated.load(Ordering::Relaxed),
        }
    }

    /// Checks the files at each interval, until `stop`.
    pub(super) async fn keep_current(self: Arc<Self>, stop: CancellationToken) {
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(INTERVAL) => {}
            }
            let mut checked = self.checked.lock().await;
            self.check(&mut checked).await;
        }
    }

    /// The value in force, if it is another one than `seen`. Checks the files first, unless a check has just been made.
    pub(super) async fn newer(self: &Arc<Self>, seen: &Arc<L::Loaded>) -> Option<Arc<L::Loaded>> {
        let check = async {
            let mut checked = self.checked.lock().await;
            if checked.elapsed() >= SHORTEST_INTERVAL {
                self.check(&mut checked).await;
            }
        };
        // A file system that hangs holds up no answer.
        let _ = tokio::time::timeout(PATIENCE, check).await;
        let current = self.current();
        (!Arc::ptr_eq(seen, &current)).then_some(current)
    }

    async fn check(self: &Arc<Self>, checked: &mut Instant) {
        if !self.check_once(false).await {
            // Perhaps only one of two files has changed so far.
            tokio::time::sleep(SETTLES).await;
            self.check_once(true).await;
        }
        *checked = Instant::now();
    }

    /// Whether there was nothing to refuse. A final refusal is counted and logged, and is true as well.
    async fn check_once(self: &Arc<Self>, is_final: bool) -> bool {
        let this = Arc::clone(self);
        // A file system may hang, and must not hold up a thread of the runtime.
        let check = tokio::task::spawn_blocking(move || this.check_blocking(is_final));
        check.await.unwrap_or(true)
    }

    fn check_blocking(&self, is_final: bool) -> bool {
        let (fingerprint, contents) = read_all(&self.loader.files());
        // No code that panics runs under this lock.
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if *seen == fingerprint {
            return true;
        }
        let what = L::WHAT;
        match contents.and_then(|contents| self.loader.load(&contents)) {
            Ok(value) => {
                *seen = fingerprint;
                self.value.send_replace(Arc::new(value));
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
                tracing::error!("{what} changed and can't be used; the previous ones stay in force: {flaws}");
                true
            }
            Err(_) => false,
        }
    }
}

/// A digest of the state of files, which keeps nothing of their contents.
#[derive(PartialEq, Eq)]
struct Fingerprint(Vec<u8>);

fn read_all(files: &[&Path]) -> (Fingerprint, Result<Vec<Contents>, Vec<Flaw>>) {
    let mut hash = Context::new(&SHA256);
    let (mut all, mut flaws) = (Vec::with_capacity(files.len()), Vec::new());
    for file in files {
        match read_file(file) {
            Ok(contents) => {
                let bytes = contents.expose_secret();
                hash.update(b"read");
                hash.update(&(bytes.len() as u64).to_be_bytes());
                hash.update(bytes);
                all.push(contents);
            }
            Err(flaw) => {
                hash.update(b"unread");
                hash.update(flaw.problem.as_bytes());
                flaws.push(flaw);
            }
        }
    }
    let digest: Digest = hash.finish();
    let read = if flaws.is_empty() { Ok(all) } else { Err(flaws) };
    (Fingerprint(digest.as_ref().to_vec()), read)
}

#[cfg(test)]
mod tests;
