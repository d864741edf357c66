//! The HTTP server on its socket.

use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::connection;
use super::listen::Listening;
use super::server::HttpServer;
use crate::Sink;

impl<S: Sink> HttpServer<S> {
    /// Serves until `stop`; then accepts no more connections, ends the idle ones, and finishes the requests in flight within
    /// the time `drain`. Returns the number of connections that were cut.
    pub async fn serve(self, listener: TcpListener, stop: CancellationToken, drain: Duration) -> usize {
        let server = Arc::new(self);
        // The tasks end when this returns.
        let mut reloads = JoinSet::new();
        server.access.keep_current(&stop, &mut reloads);
        let listening = Listening {
            listener,
            connections: &server.connections,
            notices: &server.notices,
        };
        listening
            .serve(stop.clone(), drain, |stream, peer, place| {
                connection::serve(Arc::clone(&server), stream, peer, place, stop.clone())
            })
            .await
    }
}
