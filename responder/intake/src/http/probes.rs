//! The pages for probes and metrics, on a listener of their own: connections of senders, or of attackers, can't keep the
//! kubelet out, which would end a process that works.
//!
//! The pages need no authentication, since probes have no credentials, and are plain HTTP. A connection is for one request.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use http::{Method, Request, StatusCode};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

use super::answer::{self, HttpAnswer};
use super::connections::{Caps, Connections};
use super::listen::Listening;
use crate::notices::Notices;

/// For the request and its answer.
const DEADLINE: Duration = Duration::from_secs(5);
/// A kubelet and a Prometheus have one connection at a time. Above these the oldest goes.
const CAPS: Caps = Caps { all: 64, of_peer: 16 };
/// Bytes that are read ahead, which bounds the headers; the least that hyper takes.
const READ_AHEAD: usize = 8 * 1024;

/// The contents of the pages for probes and metrics. Called for each request, so an implementation must not block.
pub trait Pages: Send + Sync + 'static {
    /// Whether alerts would be acted on; otherwise the reason, as a sentence.
    fn ready(&self) -> Result<(), String>;

    /// The metrics in the OpenMetrics text format, version 1.0.0.
    fn metrics(&self) -> String;
}

/// The server of the pages, without a socket yet.
#[derive(Debug)]
pub struct ProbeServer<P> {
    pages: P,
}

impl<P: Pages> ProbeServer<P> {
    /// A server of these pages.
    pub const fn new(pages: P) -> Self {
        Self { pages }
    }

    /// Serves until `stop`.
    pub async fn serve(self, listener: TcpListener, stop: CancellationToken) {
        let pages = Arc::new(self.pages);
        let (connections, notices) = (Connections::new(CAPS), Notices::default());
        let listening = Listening {
            listener,
            connections: &connections,
            notices: &notices,
        };
        listening
            .serve(stop, Duration::ZERO, |stream, peer, place| {
                let pages = Arc::clone(&pages);
                async move {
                    let end = tokio::select! {
                        () = place.displaced() => "it gave way to a newer one",
                        () = tokio::time::sleep(DEADLINE) => "it did not end in time",
                        () = converse(&*pages, stream) => return,
                    };
                    tracing::debug!(%peer, "a connection to the probes was closed: {end}");
                }
            })
            .await;
    }
}

async fn converse<P: Pages>(pages: &P, stream: TcpStream) {
    // This fails on a broken connection only, and then the next read reports it.
    let _ = stream.set_nodelay(true);
    let handler = service_fn(|request: Request<Incoming>| {
        let answer = page(pages, &request);
        async { Ok::<_, Infallible>(answer) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .keep_alive(false)
        .header_read_timeout(DEADLINE)
        .max_buf_size(READ_AHEAD)
        .serve_connection(TokioIo::new(stream), handler);
    if let Err(error) = connection.await {
        tracing::debug!(%error, "a connection to the probes ended early");
    }
}

fn page<P: Pages>(pages: &P, request: &Request<Incoming>) -> HttpAnswer {
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    match request.uri().path() {
        "/healthz" if reads => answer::text(StatusCode::OK, "ok\n"),
        "/readyz" if reads => match pages.ready() {
            Ok(()) => answer::text(StatusCode::OK, "ready\n"),
            Err(why) => answer::text(StatusCode::SERVICE_UNAVAILABLE, format!("not ready: {why}\n")),
        },
        "/metrics" if reads => answer::metrics(pages.metrics()),
        "/healthz" | "/readyz" | "/metrics" => answer::method_not_allowed("GET, HEAD", "This page is read with GET.\n"),
        _ => answer::probes_not_found(),
    }
}
