//! The configuration of `run`: one file, with flags and environment over it. Before the first step.
//!
//! `doc` is the file as written, and `http` and its neighbours are its sections. `read` merges the file, the flags and the
//! environment; `effective` prints the result with the origin of each value. A new section is a file here, with a `…Doc` type
//! and the type that it compiles to, and a line in each of [`ConfigurationDoc`], [`Configuration`] and
//! `ConfigurationDoc::compile`.

mod doc;
mod effective;
mod http;
mod kubernetes;
mod log;
mod log_format;
mod nats;
mod overrides;
mod probes;
mod read;
mod secret;
mod telemetry;

use std::net::SocketAddr;
use std::path::PathBuf;

use responder_core::mode::Mode;
use responder_core::span::Span;
use responder_intake::nats::NatsConfig;

pub(crate) use self::doc::ConfigurationDoc;
pub(crate) use self::http::Http;
pub(crate) use self::kubernetes::ClusterChoice;
pub(crate) use self::log::Log;
pub(crate) use self::log_format::LogFormat;
pub(crate) use self::overrides::Overrides;
pub(crate) use self::read::read;
pub(crate) use self::telemetry::Telemetry;

/// The configuration of `run`: every default is filled in, and each path and address is parsed. Secrets are not in it.
#[derive(Debug)]
pub(crate) struct Configuration {
    /// Files and directories with playbooks, and perhaps a guard; at least one.
    pub(crate) playbooks: Vec<PathBuf>,
    /// A further file, with a guard.
    pub(crate) guard: Option<PathBuf>,
    /// The ceiling of the process; `None`: Enforce with a guard, Observe without.
    pub(crate) mode: Option<Mode>,
    /// The HTTP intake.
    pub(crate) http: Http,
    /// The address of the pages for probes and metrics.
    pub(crate) probes: SocketAddr,
    /// The NATS intake; `None` for HTTP only.
    pub(crate) nats: Option<NatsConfig>,
    /// The cluster.
    pub(crate) cluster: ClusterChoice,
    /// Responses that run at the same time.
    pub(crate) max_in_flight: u16,
    /// For the accepted alerts after the signal to stop.
    pub(crate) shutdown_deadline: Span,
    /// The form and the filter of log lines.
    pub(crate) log: Log,
    /// The receiver of traces.
    pub(crate) telemetry: Telemetry,
}
