//! The configuration of `run`: one file, with flags and environment over it. Before the first step.
//!
//! `doc` is the file as written, `http` and its other neighbours are its sections, `read` makes one whole of file, flags
//! and environment, and `effective` shows that whole again with the origin of each value. A section of its own is a file
//! here with a `…Doc` type and what it compiles to, and one line in each of [`ConfigurationDoc`], [`Configuration`] and
//! `ConfigurationDoc::compile`.

mod doc;
mod effective;
mod http;
mod kubernetes;
mod log;
mod nats;
mod overrides;
mod read;
mod telemetry;

use std::path::PathBuf;

use responder_core::mode::Mode;
use responder_core::span::Span;
use responder_intake::nats::NatsConfig;

pub(crate) use self::doc::ConfigurationDoc;
pub(crate) use self::http::Http;
pub(crate) use self::kubernetes::Cluster;
pub(crate) use self::log::{Log, LogFormat};
pub(crate) use self::overrides::Overrides;
pub(crate) use self::read::read;
pub(crate) use self::telemetry::Telemetry;

/// What `run` runs by: every value decided, each path and address parsed. Secrets are still in their files.
#[derive(Debug)]
pub(crate) struct Configuration {
    /// Files and directories with playbooks, and perhaps a guard; not empty.
    pub(crate) playbooks: Vec<PathBuf>,
    /// A further file, with a guard.
    pub(crate) guard: Option<PathBuf>,
    /// The ceiling of the process; `None` leaves it to whether there is a guard.
    pub(crate) mode: Option<Mode>,
    /// Where and from whom alerts are taken.
    pub(crate) http: Http,
    /// Alerts over NATS; `None` for HTTP only.
    pub(crate) nats: Option<NatsConfig>,
    /// Which cluster.
    pub(crate) cluster: Cluster,
    /// Responses at work at once.
    pub(crate) max_in_flight: u16,
    /// How long accepted alerts may still be finished when it is told to stop.
    pub(crate) shutdown_deadline: Span,
    /// What is logged, and how.
    pub(crate) log: Log,
    /// Where traces go.
    pub(crate) telemetry: Telemetry,
}
