//! The handshake of TLS: within its deadline, with what it says of the peer, and counted when it fails.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::io::AsyncWriteExt as _;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::linger::Lingering;
use super::{HttpServer, Pages};
use crate::Sink;
use crate::auth::{ClientCertificate, Tls};

/// A connection after its handshake.
pub(super) struct Secured<F> {
    pub(super) stream: TlsStream<Lingering>,
    pub(super) certificate: Option<ClientCertificate>,
    /// When what was shaken hands on no longer holds: the certificates were replaced, or the client's has expired.
    pub(super) over: F,
}

/// Shakes hands; nothing comes of a handshake that fails.
pub(super) async fn secure<S: Sink, P: Pages>(
    server: &HttpServer<S, P>,
    stream: Lingering,
    peer: SocketAddr,
    mut tls: watch::Receiver<Arc<Tls>>,
) -> Option<Secured<impl Future<Output = ()> + use<S, P>>> {
    let config = Arc::clone(&tls.borrow_and_update().config);
    let handshake = async {
        let accepted = TlsAcceptor::from(config).accept(stream).into_fallible().await;
        match accepted {
            Ok(stream) => Some(stream),
            Err((error, mut stream)) => {
                server.refuse(&error, peer);
                // So that the peer reads why.
                let _ = stream.shutdown().await;
                None
            }
        }
    };
    let Ok(stream) = tokio::time::timeout(server.limits.handshake_deadline, handshake).await else {
        tracing::debug!(%peer, "a handshake of TLS did not end in time");
        return None;
    };
    let stream = stream?;
    let shown = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
    let certificate = shown.and_then(|shown| ClientCertificate::read(shown, server.access.allowed()));
    let holds_for = certificate.as_ref().map(|certificate| certificate.holds_for);
    let over = async move {
        let expired = async {
            match holds_for {
                Some(time) => tokio::time::sleep(time).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = expired => {}
            // The files are kept for as long as connections are taken.
            Ok(()) = tls.changed() => {}
        }
    };
    Some(Secured {
        stream,
        certificate,
        over,
    })
}

impl<S: Sink, P: Pages> HttpServer<S, P> {
    /// Counts a handshake that failed; a peer that came and went has sent nothing.
    fn refuse(&self, error: &io::Error, peer: SocketAddr) {
        let cause = error.get_ref().and_then(|cause| cause.downcast_ref::<rustls::Error>());
        let (kind, advice) = match cause {
            None => {
                tracing::debug!(%peer, %error, "a handshake of TLS was broken off");
                return;
            }
            Some(rustls::Error::InvalidCertificate(_)) => (
                "certificate",
                // Version 1 is what `openssl x509 -req` makes where it is given no extensions.
                "it must be in time, of X.509 version 3 and of an authority in http.tls.clientCaFile",
            ),
            Some(rustls::Error::InvalidMessage(_)) => ("tls", "is the sender's url one of https?"),
            Some(_) => ("tls", "does the sender trust the authority of our certificate?"),
        };
        self.sink.rejected(kind);
        if let Some(more) = self.notices.take(kind) {
            tracing::warn!(%peer, kind, more, "a handshake of TLS failed: {error}; {advice}");
        }
    }
}
