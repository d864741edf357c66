//! The errors of finding and building programs.

use std::{io, path::PathBuf, time::Duration};

/// A program could not be found or built. Each message contains the remedy.
#[derive(Debug, thiserror::Error)]
pub enum AssetsError {
    /// Neither `XDG_CACHE_HOME` nor `HOME` is an absolute path.
    #[error("no cache directory for the programs of the tests: set XDG_CACHE_HOME or HOME")]
    NoCacheDirectory,
    /// The program is not built yet and Go is not installed.
    #[error(
        "{program} is not built yet and the command `go` does not start: install Go 1.26 or newer (https://go.dev/dl), check \
         that `go version` works, and run this again; the first run takes 7 to 9 minutes on two cores"
    )]
    NoGo {
        /// The missing program.
        program: &'static str,
        /// The error of starting `go`.
        source: io::Error,
    },
    /// `go build` failed or exceeded its deadline.
    #[error("building {program} {how}; the end of its output:\n{tail}")]
    Build {
        /// The module.
        program: &'static str,
        /// How the build ended.
        how: String,
        /// The last lines of its output.
        tail: String,
    },
    /// Another process holds the build lock beyond the deadline.
    #[error("another process has been building for {} minutes: look for a hung `go build`, or remove {}", waited.as_secs() / 60, lock.display())]
    Locked {
        /// How long this process waited.
        waited: Duration,
        /// The lock file.
        lock: PathBuf,
    },
    /// The directory in `KUBEBUILDER_ASSETS` lacks a program.
    #[error("KUBEBUILDER_ASSETS is set and {} is missing: name a directory with etcd, kube-apiserver and kubectl, or unset the variable", .0.display())]
    Kubebuilder(PathBuf),
    /// A file operation failed.
    #[error("cannot {doing} {}", path.display())]
    File {
        /// The verb.
        doing: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// The error of the system.
        source: io::Error,
    },
}
