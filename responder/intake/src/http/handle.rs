//! One request: from an authenticated sender to the whole body.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use http::header::{ACCEPT_ENCODING, ORIGIN, WWW_AUTHENTICATE};
use http::{HeaderValue, Method, Request, StatusCode};
use hyper::body::Incoming;
use responder_core::alert::{DecodeError, Sender};

use super::answer::{self, HttpAnswer};
use super::body::{self, NoBody};
use super::connections::ConnectionPlace;
use super::encoding::{Encoding, NotDecoded};
use super::server::HttpServer;
use crate::Sink;
use crate::auth::{AuthenticationFailure, ClientCertificate};

const GZIP: HeaderValue = HeaderValue::from_static("gzip");
const POST_ALERTS: &str = "Alerts are sent to / with POST (or PUT).\n";

/// The other end of a connection.
#[derive(Debug)]
pub(super) struct Peer {
    pub(super) address: SocketAddr,
    /// The client certificate that TLS has verified.
    pub(super) certificate: Option<ClientCertificate>,
    /// The place of the connection among those of the listener.
    pub(super) place: Arc<ConnectionPlace>,
}

pub(super) async fn request<S: Sink>(
    server: &HttpServer<S>,
    request: Request<Incoming>,
    peer: &Peer,
) -> Result<HttpAnswer, Infallible> {
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    // The method of falcosidekick's webhook can be PUT.
    let sends = matches!(*request.method(), Method::POST | Method::PUT);
    Ok(match request.uri().path() {
        "/" if sends => server.alert(request, peer).await,
        "/" if reads => answer::about(),
        "/" => answer::method_not_allowed("GET, HEAD, POST, PUT", POST_ALERTS),
        // Most likely a Falco whose `http_output.url` has a path: it loses each of its alerts without a log line.
        _ if sends => server.reject(
            "wrong_path",
            StatusCode::NOT_FOUND,
            "alerts are taken at the path /; correct the sender's url",
            peer.address,
        ),
        _ => answer::not_found(),
    })
}

impl<S: Sink> HttpServer<S> {
    async fn alert(&self, request: Request<Incoming>, peer: &Peer) -> HttpAnswer {
        let begun = self.sink.is_traced().then(Instant::now);
        let (head, incoming) = request.into_parts();
        let (certificate, place, peer) = (peer.certificate.as_ref(), &peer.place, peer.address);
        // A web page could send alerts to a responder on the machine of its reader. Neither Falco nor falcosidekick has an
        // origin.
        if head.headers.contains_key(ORIGIN) {
            let answer = self.reject(
                "browser",
                StatusCode::FORBIDDEN,
                "this request comes from a web page, and alerts come from Falco",
                peer,
            );
            return answer::closing(answer);
        }
        let sender = match self.access.admit(certificate, &head.headers).await {
            Ok(sender) => sender,
            Err(failure) => return self.unauthenticated(failure, peer),
        };
        // Where senders need no authentication, only a whole request tells one from a peer that does nothing.
        if sender != Sender::Anonymous {
            place.prove();
        }
        let Ok(encoding) = Encoding::parse(&head.headers) else {
            let error = "the body has a Content-Encoding other than gzip; send it with gzip, or without one";
            let mut answer = self.reject("encoding", StatusCode::UNSUPPORTED_MEDIA_TYPE, error, peer);
            answer.headers_mut().insert(ACCEPT_ENCODING, GZIP);
            return answer::closing(answer);
        };
        let bound = self.limits.alert.body;
        match body::read(incoming, bound, self.limits.body_deadline, &self.large_bodies).await {
            Ok(body) => {
                place.prove();
                match encoding.decode(body, bound) {
                    Ok(body) => self.take(&body, &head.headers, &sender, begun, peer),
                    Err(NotDecoded::TooLarge) => {
                        let error = "the body is larger than an alert may be once it is decompressed; send fewer alerts in one body";
                        self.reject("too_large", StatusCode::PAYLOAD_TOO_LARGE, error, peer)
                    }
                    Err(NotDecoded::Broken) => {
                        let error = "the body is not one whole gzip, as its Content-Encoding says; send it as one, or without the header";
                        self.reject("encoding", StatusCode::BAD_REQUEST, error, peer)
                    }
                }
            }
            Err(NoBody::TooLarge { size }) => {
                let error = DecodeError::TooLarge { size, bound };
                answer::closing(self.unreadable(&error.into(), &head.headers, peer))
            }
            Err(NoBody::Late) => {
                let error = "the body did not arrive in time; look at the sender, or at a proxy that holds it back";
                answer::closing(self.reject("body_timeout", StatusCode::REQUEST_TIMEOUT, error, peer))
            }
            Err(NoBody::Busy) => {
                let error = "too many large bodies are being read at once; send it again";
                answer::closing(self.reject("busy", StatusCode::SERVICE_UNAVAILABLE, error, peer))
            }
            Err(NoBody::Broken) => {
                let error = "the body can't be read: the connection broke, or its chunks are malformed";
                answer::closing(self.reject("body_broken", StatusCode::BAD_REQUEST, error, peer))
            }
        }
    }

    /// Refuses a sender that is not authenticated. The body is not read, so the connection ends after the answer.
    fn unauthenticated(&self, failure: AuthenticationFailure, peer: SocketAddr) -> HttpAnswer {
        let challenges = self.access.challenges();
        // 401 has to name a challenge, and there is none for client certificates.
        let status = if challenges.is_empty() || failure == AuthenticationFailure::Name {
            StatusCode::FORBIDDEN
        } else {
            StatusCode::UNAUTHORIZED
        };
        let mut answer = answer::closing(self.reject(failure.kind(), status, failure.error(), peer));
        if status == StatusCode::UNAUTHORIZED {
            for challenge in challenges {
                answer.headers_mut().append(WWW_AUTHENTICATE, challenge.clone());
            }
        }
        answer
    }

    pub(super) fn reject(
        &self,
        kind: &'static str,
        status: StatusCode,
        error: &'static str,
        peer: SocketAddr,
    ) -> HttpAnswer {
        self.sink.rejected(kind);
        if let Some(more) = self.notices.take(kind) {
            tracing::warn!(%peer, kind, more, "a request was rejected: {error}");
        }
        answer::rejected(status, kind, error, None)
    }
}
