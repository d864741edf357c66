//! The errors of a responder process.

use std::{io, process::ExitStatus};

use super::binary::BinaryError;

/// A responder could not be started or stopped, or did not reach the expected state.
#[derive(Debug, thiserror::Error)]
pub enum ResponderError {
    /// The program could not be found or built.
    #[error("the responder program is missing")]
    Binary(#[from] BinaryError),
    /// A file or process operation failed.
    #[error("cannot {0} responder")]
    Process(&'static str, #[source] io::Error),
    /// The process ended unexpectedly.
    #[error("responder ended ({status}); the end of its log:\n{tail}")]
    Ended {
        /// Its exit status.
        status: ExitStatus,
        /// The last lines of its log.
        tail: String,
    },
    /// An HTTP request failed.
    #[error("responder does not answer {0}")]
    Http(&'static str, #[source] reqwest::Error),
    /// The expected state was not reached in time.
    #[error("timed out waiting for {what}; the end of its log:\n{tail}")]
    Deadline {
        /// The expected state.
        what: String,
        /// The last lines of its log.
        tail: String,
    },
}
