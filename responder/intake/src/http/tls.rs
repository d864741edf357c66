//! The TLS handshake: within its deadline, with the client certificate of the peer, and counted when it fails.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::io::AsyncWriteExt as _;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::linger::Lingering;
use super::server::HttpServer;
use crate::Sink;
use crate::auth::{ClientCertificate, ServerTls};

/// A connection after its handshake.
pub(super) struct Secured<F> {
    pub(super) stream: TlsStream<Lingering>,
    pub(super) certificate: Option<ClientCertificate>,
    /// Ready when the handshake is outdated: the TLS settings were replaced, or the client's certificate has expired.
    pub(super) over: F,
}

/// Makes the handshake; `None` if it fails or takes too long.
pub(super) async fn secure<S: Sink>(
    server: &HttpServer<S>,
    stream: Lingering,
    peer: SocketAddr,
    mut tls: watch::Receiver<Arc<ServerTls>>,
) -> Option<Secured<impl Future<Output = ()> + use<S>>> {
    let config = Arc::clone(&tls.borrow_and_update().config);
    let handshake = async {
        let accepted = TlsAcceptor::from(config).accept(stream).into_fallible().await;
        match accepted {
            Ok(stream) => Some(stream),
            Err((error, mut stream)) => {
                server.refuse(&error, peer);
                // Sends the TLS alert with the reason.
                let _ = stream.shutdown().await;
                None
            }
        }
    };
    let Ok(stream) = tokio::time::timeout(server.limits.handshake_deadline, handshake).await else {
        tracing::debug!(%peer, "a TLS handshake did not end in time");
        return None;
    };
    let stream = stream?;
    let presented = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
    let certificate = presented.and_then(|der| ClientCertificate::read(der, server.access.allowed()));
    let valid_for = certificate.as_ref().map(|certificate| certificate.valid_for);
    let over = async move {
        let expired = async {
            match valid_for {
                Some(time) => tokio::time::sleep(time).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = expired => {}
            // The sender lives as long as the server.
            Ok(()) = tls.changed() => {}
        }
    };
    Some(Secured {
        stream,
        certificate,
        over,
    })
}

impl<S: Sink> HttpServer<S> {
    /// Counts a failed handshake. A peer that only connected and left is not counted.
    fn refuse(&self, error: &io::Error, peer: SocketAddr) {
        let cause = error.get_ref().and_then(|cause| cause.downcast_ref::<rustls::Error>());
        let (kind, advice) = match cause {
            None => {
                tracing::debug!(%peer, %error, "a TLS handshake was broken off");
                return;
            }
            Some(rustls::Error::InvalidCertificate(_)) => (
                "certificate",
                // `openssl x509 -req` without extensions makes version 1.
                "it must be valid at present, of X.509 version 3, and signed by an authority in http.tls.clientCaFile",
            ),
            Some(rustls::Error::InvalidMessage(_)) => ("tls", "does the sender's url begin with https?"),
            Some(_) => (
                "tls",
                "does the sender trust the authority of the server's certificate?",
            ),
        };
        self.sink.rejected(kind);
        if let Some(more) = self.notices.take(kind) {
            tracing::warn!(%peer, kind, more, "a TLS handshake failed: {error}; {advice}");
        }
    }
}
