//! One connection, from its first byte to its end.

use std::future::{Future, pending};
use std::net::SocketAddr;
use std::sync::Arc;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

use super::connections::ConnectionPlace;
use super::handle::{self, Peer};
use super::linger::Lingering;
use super::server::HttpServer;
use super::tls::{self, Secured};
use crate::Sink;

/// Bytes that are read ahead, which bounds the headers. Those of Falco have 200.
const READ_AHEAD: usize = 16 * 1024;

/// Serves a connection until its end. One that is not authenticated ends when its first request takes too long, or when it
/// has to give way.
pub(super) async fn serve<S: Sink>(
    server: Arc<HttpServer<S>>,
    stream: TcpStream,
    address: SocketAddr,
    place: ConnectionPlace,
    stop: CancellationToken,
) {
    let place = Arc::new(place);
    let late = async {
        tokio::time::sleep(server.limits.first_request_deadline).await;
        if place.is_proven() {
            pending::<()>().await;
        }
    };
    tokio::select! {
        biased;
        () = place.displaced() => tracing::debug!(peer = %address, "a connection gave way to a newer one"),
        () = from_handshake(&server, stream, address, &place, stop) => {}
        () = late => {
            place.late();
            server.tell_late(address);
        }
    }
}

impl<S: Sink> HttpServer<S> {
    fn tell_late(&self, peer: SocketAddr) {
        if let Some(more) = self.notices.take("late") {
            let counts = self.connections().counts();
            tracing::warn!(
                %peer,
                more,
                late = counts.late,
                unauthenticated = counts.unauthenticated,
                authenticated = counts.authenticated,
                "a connection was closed: no whole request of an authenticated sender came within {} s",
                self.limits.first_request_deadline.as_secs_f32()
            );
        }
    }
}

async fn from_handshake<S: Sink>(
    server: &Arc<HttpServer<S>>,
    stream: TcpStream,
    address: SocketAddr,
    place: &Arc<ConnectionPlace>,
    stop: CancellationToken,
) {
    // An answer is one small write, which Nagle's algorithm would only delay. This fails on a broken connection only, and
    // then the next read reports it.
    let _ = stream.set_nodelay(true);
    let stream = Lingering::new(stream, stop.clone());
    let place = Arc::clone(place);
    let Some(tls) = server.access.tls() else {
        let peer = Peer {
            address,
            certificate: None,
            place,
        };
        return converse(server, stream, peer, stop, pending()).await;
    };
    let secured = tokio::select! {
        biased;
        () = stop.cancelled() => return,
        secured = tls::secure(server, stream, address, tls) => secured,
    };
    if let Some(Secured {
        stream,
        certificate,
        over,
    }) = secured
    {
        if certificate
            .as_ref()
            .is_some_and(|certificate| certificate.sender.is_some())
        {
            place.prove();
        }
        let peer = Peer {
            address,
            certificate,
            place,
        };
        converse(server, stream, peer, stop, over).await;
    }
}

/// Answers requests until one side ends the connection, or until the stop or `over`, which let the request in flight
/// finish.
async fn converse<S: Sink, I: AsyncRead + AsyncWrite + Unpin>(
    server: &Arc<HttpServer<S>>,
    stream: I,
    peer: Peer,
    stop: CancellationToken,
    over: impl Future<Output = ()>,
) {
    let address = peer.address;
    let peer = Arc::new(peer);
    let handler = service_fn(|request| {
        let (server, peer) = (Arc::clone(server), Arc::clone(&peer));
        async move { handle::request(&server, request, &peer).await }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(server.limits.header_deadline)
        .max_buf_size(READ_AHEAD)
        .serve_connection(TokioIo::new(stream), handler);
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = async { tokio::select! { () = stop.cancelled() => {}, () = over => {} } } => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        if error.is_parse() {
            server.sink.rejected("http");
        }
        tracing::debug!(peer = %address, %error, "a connection ended early");
    }
}
