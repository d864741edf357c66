//! The HTTP intake: `POST /` from Falco's `http_output` and falcosidekick's `webhook` and `talon`, and the pages for
//! probes. Step of the flow: intake.
//!
//! Whoever sends alerts proves who he is before a byte of the body is read, where [`auth`](crate::auth) asks for it; the
//! pages are for everybody, since probes have no credentials.
//!
//! Bare HTTP/1.1 (Falco's curl is built without HTTP/2), because an alert that matches nothing should cost little more
//! than reading it. Everything that a sender can stretch has a bound: the body, the time for it, the time for headers,
//! the connections, and the memory of large bodies together.

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
    /// Of one alert; its `body` is enforced while reading. Default: [`Bounds::default`], 256 KiB.
    pub alert: Bounds,
    /// For the handshake of TLS. Default: 10 s.
    pub handshake_deadline: Duration,
    /// For the body, from the end of the headers. Default: 10 s.
    pub body_deadline: Duration,
    /// For the headers; and for how long a connection may be idle, since waiting for the next request's headers is the
    /// same to HTTP. Default: 60 s, so that a Falco with an alert a minute keeps its connection.
    pub header_deadline: Duration,
    /// Connections at once; more wait in the system's queue. Default: 1024, with up to 32 KiB each.
    pub connections: usize,
    /// Bodies of more than 16 KiB that are read at once; default 64, which is 16 MiB. The rest wait within their
    /// deadline. An alert has 1 to 2 kB.
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

/// What the pages for probes show. Asked on each request, so they must answer at once.
pub trait Pages: Send + Sync + 'static {
    /// Whether alerts would be acted on; otherwise why not, in a sentence.
    fn ready(&self) -> Result<(), String>;

    /// The metrics in the OpenMetrics text format, version 1.0.0.
    fn metrics(&self) -> String;
}

/// The server before it has a socket.
pub struct HttpServer<S, P> {
    sink: S,
    pages: P,
    limits: HttpLimits,
    access: Arc<Access>,
    notices: Notices,
    /// Permits for bodies of more than 16 KiB.
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
    /// A server that hands its alerts to this sink.
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

    /// Asks senders who they are, and perhaps speaks TLS.
    #[must_use]
    pub fn with_access(self, access: Arc<Access>) -> Self {
        Self { access, ..self }
    }

    /// Serves until `stop`; then takes no more connections, ends the idle ones, and finishes the requests in flight
    /// within the time for draining. Answers how many connections had to be cut.
    pub async fn serve(self, listener: TcpListener, stop: CancellationToken, drain: Duration) -> usize {
        let server = Arc::new(self);
        // Ended when this returns.
        let mut keepers = JoinSet::new();
        server.access.keep(&stop, &mut keepers);
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
        // What is left after that is aborted when the set is dropped.
        let _ = tokio::time::timeout(drain, drained).await;
        connections.len()
    }

    /// The next connection, once there is room for one; `None` when it is time to stop.
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
                    // Out of file descriptors, or the peer was gone already: neither ends the intake.
                    Err(error) => {
                        if let Some(more) = self.notices.take("accept") {
                            tracing::warn!(%error, more, "a connection could not be accepted; trying on (too many open files?)");
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
