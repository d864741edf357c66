//! One connection, from its first byte to its end.

use std::net::SocketAddr;
use std::sync::Arc;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

use super::linger::Lingering;
use super::{Pages, Server, handle};
use crate::Sink;

/// Bytes that are read ahead, and so the most that headers can have. Falco's have 200.
const READ_AHEAD: usize = 16 * 1024;

pub(super) async fn serve<S: Sink, P: Pages>(
    server: Arc<Server<S, P>>,
    stream: TcpStream,
    peer: SocketAddr,
    stop: CancellationToken,
) {
    // An answer is one small write; waiting to join it with the next one would only delay it. Where it can't be set,
    // the connection is broken already and the next read says so.
    let _ = stream.set_nodelay(true);
    let handler = service_fn(|request| {
        let server = Arc::clone(&server);
        async move { handle::request(&server, request, peer).await }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(server.limits.header_deadline)
        .max_buf_size(READ_AHEAD)
        .serve_connection(TokioIo::new(Lingering::new(stream, stop.clone())), handler);
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        if error.is_parse() {
            server.sink.rejected("http");
        }
        tracing::debug!(%peer, %error, "a connection ended early");
    }
}
