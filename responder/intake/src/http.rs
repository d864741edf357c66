//! The HTTP intake: `POST /` from Falco's `http_output` and falcosidekick's `webhook` and `talon`, and the pages for
//! probes and metrics. Step of the flow: intake.
//!
//! The sender of an alert is authenticated, as far as [`auth`](crate::auth) requires it, before any of the body is read.
//! The pages need no authentication, since probes have no credentials.
//!
//! The server is bare hyper, because an alert without a matching playbook should cost little more than its reading; and
//! HTTP/1.1, because Falco's curl is built without HTTP/2. Everything that a sender can stretch has a bound: the body, the
//! time for the body and for the headers, the number of connections, and the memory of all large bodies together.

mod answer;
mod body;
mod connection;
mod handle;
mod linger;
mod tls;

#[cfg(test)]
mod tests;

use std::fmt;
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use responder_core::alert::Bounds;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

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
    sink: S,
    pages: P,
    limits: HttpLimits,
    access: Arc<Access>,
    notices: Notices,
    /// Permits for bodies above 16 KiB.
    large_bodies: Semaphore,
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

    /// Serves until `stop`; then accepts no more connections, ends the idle ones, and finishes the requests in flight within
    /// the time `drain`. Returns the number of connections that were cut.
    pub async fn serve(self, listener: TcpListener, stop: CancellationToken, drain: Duration) -> usize {
        let server = Arc::new(self);
        // The tasks end when this returns.
        let mut reloads = JoinSet::new();
        server.access.keep_current(&stop, &mut reloads);
        let free = Arc::new(Semaphore::new(server.limits.connections));
        let mut connections = JoinSet::new();
        while let Some((stream, peer, permit)) = server.accept(&listener, &free, &stop, &mut connections).await {
            let (server, stop) = (Arc::clone(&server), stop.clone());
            connections.spawn(async move {
                connection::serve(server, stream, peer, stop).await;
                drop(permit);
            });
        }
        drop(listener);
        let drained = async { while connections.join_next().await.is_some() {} };
        // The drop of the set aborts the connections that are left.
        let _ = tokio::time::timeout(drain, drained).await;
        connections.len()
    }

    /// The next connection, when there is room for one; `None` after the stop.
    async fn accept(
        &self,
        listener: &TcpListener,
        free: &Arc<Semaphore>,
        stop: &CancellationToken,
        connections: &mut JoinSet<()>,
    ) -> Option<(
        tokio::net::TcpStream,
        std::net::SocketAddr,
        tokio::sync::OwnedSemaphorePermit,
    )> {
        let next = async {
            // The semaphore is never closed.
            let Ok(permit) = Arc::clone(free).acquire_owned().await else {
                return pending().await;
            };
            loop {
                match listener.accept().await {
                    Ok((stream, peer)) => return (stream, peer, permit),
                    // No file descriptor is free, or the peer has left: neither ends the intake.
                    Err(error) => {
                        if let Some(more) = self.notices.take("accept") {
                            tracing::warn!(%error, more, "a connection could not be accepted; trying again (too many open files?)");
                        }
                        tokio::time::sleep(Duration::from_millis(100)).await;
                    }
                }
            }
        };
        tokio::pin!(next);
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => return None,
                Some(ended) = connections.join_next() => {
                    if let Err(error) = ended {
                        tracing::error!(%error, "a connection's task failed; this is a defect of responder");
                    }
                }
                next = &mut next => return Some(next),
            }
        }
    }
}
