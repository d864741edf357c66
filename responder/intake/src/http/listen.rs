//! A listener: accepts connections within their caps, until the stop.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::connections::{Cap, ConnectionPlace, Connections};
use crate::notices::Notices;

/// A socket with the rules for its connections.
pub(super) struct Listening<'a> {
    pub(super) listener: TcpListener,
    pub(super) connections: &'a Arc<Connections>,
    pub(super) notices: &'a Notices,
}

impl Listening<'_> {
    /// Serves each connection in a task of its own until `stop`; then accepts no more, and lets the open ones end within
    /// the time `drain`. Returns the number of connections that were cut.
    pub(super) async fn serve<F>(
        self,
        stop: CancellationToken,
        drain: Duration,
        serve: impl Fn(TcpStream, SocketAddr, ConnectionPlace) -> F,
    ) -> usize
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let mut tasks = JoinSet::new();
        // The connection that waits for room; the others wait in the system's queue.
        let mut waiting = None;
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                Some(ended) = tasks.join_next() => {
                    if let Err(error) = ended {
                        tracing::error!(%error, "a connection's task failed; this is a defect of responder");
                    }
                }
                accepted = self.accept(), if waiting.is_none() => waiting = Some(accepted),
            }
            // A connection that ends, or one that is not authenticated, makes room.
            if self.connections.has_room()
                && let Some((stream, peer)) = waiting.take()
                && let Some(place) = self.place(peer)
            {
                tasks.spawn(serve(stream, peer, place));
            }
        }
        drop(self.listener);
        let drained = async { while tasks.join_next().await.is_some() {} };
        // The drop of the set aborts the connections that are left.
        let _ = tokio::time::timeout(drain, drained).await;
        tasks.len()
    }

    async fn accept(&self) -> (TcpStream, SocketAddr) {
        loop {
            match self.listener.accept().await {
                Ok(accepted) => return accepted,
                // No file descriptor is free, or the peer has left: neither ends the intake.
                Err(error) => {
                    if let Some(more) = self.notices.take("accept") {
                        tracing::warn!(%error, more, "a connection could not be accepted; trying again (too many open files?)");
                    }
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
    }

    /// The place of a new connection, with a warning when another one had to give way or there is none.
    fn place(&self, peer: SocketAddr) -> Option<ConnectionPlace> {
        let entrance = self.connections.enter(peer.ip());
        if let Some(cap) = entrance.cap
            && let Some(more) = self.notices.take("connections")
        {
            let counts = self.connections.counts();
            let (caps, of_peer) = (self.connections.caps(), self.connections.of_peer(peer.ip()));
            let (limit, of) = match cap {
                Cap::All => (caps.all, "in all (http.limits.connections)"),
                Cap::OfPeer => (caps.of_peer, "from one address (http.limits.connectionsPerPeer)"),
            };
            let end = if entrance.place.is_some() {
                "the oldest without an authenticated request was closed for a new one"
            } else {
                "all of them have authenticated requests, so a new one was closed"
            };
            tracing::warn!(
                %peer,
                of_peer,
                authenticated = counts.authenticated,
                unauthenticated = counts.unauthenticated,
                displaced = counts.displaced,
                refused = counts.refused,
                more,
                "too many connections: {limit} {of}; {end}"
            );
        }
        entrance.place
    }
}
