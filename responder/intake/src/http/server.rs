//! The HTTP server: its bounds, and what its connections share.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use responder_core::alert::Bounds;
use tokio::sync::Semaphore;

use super::connections::{Caps, Connections};
use crate::Sink;
use crate::auth::Access;
use crate::notices::Notices;

/// Bounds of the server.
#[derive(Debug, Clone)]
pub struct HttpLimits {
    /// Bounds of one alert. That of its body holds for a body with several alerts too, and is enforced while a body is read
    /// and decompressed. Default: [`Bounds::default`], 256 KiB.
    pub alert: Bounds,
    /// From the start of a connection to the end of its first request of an authenticated sender. Default: 5 s.
    pub first_request_deadline: Duration,
    /// For the TLS handshake. Default: 5 s.
    pub handshake_deadline: Duration,
    /// For the body, from the end of the headers. Default: 10 s.
    pub body_deadline: Duration,
    /// For the headers, and for an idle connection, which to HTTP is one that waits for the next headers. Default: 60 s, so
    /// that a Falco with an alert a minute keeps its connection.
    pub header_deadline: Duration,
    /// Simultaneous connections, each with up to 32 KiB of buffers. Above it the oldest one without an authenticated
    /// request is closed; where all have one, further ones wait in the system's queue. Default: 1024.
    pub connections: usize,
    /// Simultaneous connections of one peer address. Above it the oldest of them without an authenticated request is
    /// closed, or else the new one. Default: 256, so that a relay or a proxy in front has room.
    pub connections_per_peer: usize,
    /// Bodies above 16 KiB that are read at the same time; further ones wait within their deadline. Default: 64, which is
    /// 16 MiB. An alert has 1 to 2 kB.
    pub large_bodies: usize,
}

impl Default for HttpLimits {
    fn default() -> Self {
        Self {
            alert: Bounds::default(),
            first_request_deadline: Duration::from_secs(5),
            handshake_deadline: Duration::from_secs(5),
            body_deadline: Duration::from_secs(10),
            header_deadline: Duration::from_mins(1),
            connections: 1024,
            connections_per_peer: 256,
            large_bodies: 64,
        }
    }
}

/// A server without a socket yet.
pub struct HttpServer<S> {
    pub(super) sink: S,
    pub(super) limits: HttpLimits,
    pub(super) access: Arc<Access>,
    pub(super) notices: Notices,
    /// Permits for bodies above 16 KiB.
    pub(super) large_bodies: Semaphore,
    pub(super) connections: Arc<Connections>,
}

impl<S: fmt::Debug> fmt::Debug for HttpServer<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpServer")
            .field("sink", &self.sink)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

impl<S: Sink> HttpServer<S> {
    /// A server that hands its alerts to the sink and accepts any sender over plain HTTP.
    pub fn new(sink: S, limits: HttpLimits) -> Self {
        let large_bodies = Semaphore::new(limits.large_bodies);
        let connections = Connections::new(Caps {
            all: limits.connections,
            of_peer: limits.connections_per_peer,
        });
        Self {
            sink,
            limits,
            access: Arc::default(),
            notices: Notices::default(),
            large_bodies,
            connections,
        }
    }

    /// Requires authentication, TLS or both, as `access` has it.
    #[must_use]
    pub fn with_access(self, access: Arc<Access>) -> Self {
        Self { access, ..self }
    }

    /// The connections of the server, for metrics.
    pub fn connections(&self) -> Arc<Connections> {
        Arc::clone(&self.connections)
    }
}
