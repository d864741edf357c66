//! The server on its socket: accepts connections within their bound, until the stop.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::connection;
use super::server::{HttpServer, Pages};
use crate::Sink;

impl<S: Sink, P: Pages> HttpServer<S, P> {
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
