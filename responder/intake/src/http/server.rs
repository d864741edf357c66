//! The HTTP server without its socket: its bounds, its pages and what its connections share.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use responder_core::alert::Bounds;
use tokio::sync::Semaphore;

use crate::Sink;
use crate::auth::Access;
use crate::notices::Notices;

/// Bounds of the server.
#[derive(Debug, Clone)]
pub struct HttpLimits {
    /// Bounds of one alert; that of its body is enforced while reading. Default: [`Bounds::default`], 256 KiB.
    pub alert: Bounds,
    /// For the TLS handshake. Default: 10 s.
    pub handshake_deadline: Duration,
    /// For the body, from the end of the headers. Default: 10 s.
    pub body_deadline: Duration,
    /// For the headers, and for an idle connection, which to HTTP is one that waits for the next headers. Default: 60 s, so
    /// that a Falco with an alert a minute keeps its connection.
    pub header_deadline: Duration,
    /// Simultaneous connections, each with up to 32 KiB of buffers; further ones wait in the system's queue. Default: 1024.
    pub connections: usize,
    /// Bodies above 16 KiB that are read at the same time; further ones wait within their deadline. Default: 64, which is
    /// 16 MiB. An alert has 1 to 2 kB.
    pub large_bodies: usize,
}

impl Default for HttpLimits {
    fn default() -> Self {
        Self {
            alert: Bounds::default(),
            handshake_deadline: Duration::from_secs(10),
            body_deadline: Duration::from_secs(10),
            header_deadline: Duration::from_secs(60),
            connections: 1024,
            large_bodies: 64,
        }
    }
}

/// The contents of the pages for probes and metrics. Called for each request, so an implementation must not block.
pub trait Pages: Send + Sync + 'static {
    /// Whether alerts would be acted on; otherwise the reason, as a sentence.
    fn ready(&self) -> Result<(), String>;

    /// The metrics in the OpenMetrics text format, version 1.0.0.
    fn metrics(&self) -> String;
}

/// A server without a socket yet.
pub struct HttpServer<S, P> {
    pub(super) sink: S,
    pub(super) pages: P,
    pub(super) limits: HttpLimits,
    pub(super) access: Arc<Access>,
    pub(super) notices: Notices,
    /// Permits for bodies above 16 KiB.
    pub(super) large_bodies: Semaphore,
}

impl<S: fmt::Debug, P> fmt::Debug for HttpServer<S, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpServer")
            .field("sink", &self.sink)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

impl<S: Sink, P: Pages> HttpServer<S, P> {
    /// A server that hands its alerts to the sink and accepts any sender over plain HTTP.
    pub fn new(sink: S, pages: P, limits: HttpLimits) -> Self {
        let large_bodies = Semaphore::new(limits.large_bodies);
        Self {
            sink,
            pages,
            limits,
            access: Arc::default(),
            notices: Notices::default(),
            large_bodies,
        }
    }

    /// Requires authentication, TLS or both, as `access` has it.
    #[must_use]
    pub fn with_access(self, access: Arc<Access>) -> Self {
        Self { access, ..self }
    }
}
