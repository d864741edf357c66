//! The access rules of an HTTP server: TLS, and which senders it accepts. Step of the flow: intake.

use std::fmt;
use std::sync::Arc;

use http::HeaderMap;
use http::HeaderValue;
use responder_core::alert::Sender;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::certificate::ClientCertificate;
use super::client::AllowedClient;
use super::credentials::CredentialSources;
use super::failure::AuthenticationFailure;
use super::reload::{Reloadable, Reloads};
use super::tls::{ServerTls, TlsFiles};
use crate::secret::{Flaw, listed};

/// Which senders a server accepts, and whether over TLS. By default any sender, over plain HTTP.
#[derive(Default)]
pub struct Access {
    tls: Option<Arc<Reloadable<TlsFiles>>>,
    /// The client certificates that may send; `None` where the server asks for no certificate.
    allowed: Option<Vec<AllowedClient>>,
    credentials: Option<Arc<Reloadable<CredentialSources>>>,
    challenges: Vec<HeaderValue>,
}

/// The files of credentials or of TLS can't be used.
#[derive(Debug, thiserror::Error)]
#[error("files that say who may send alerts can't be used: {}", listed(.0))]
pub struct AccessError(Vec<Flaw>);

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Access")
            .field("tls", &self.tls.is_some())
            .field("allowed", &self.allowed)
            .field("credentials", &self.credentials.as_ref().map(|loaded| loaded.current()))
            .finish_non_exhaustive()
    }
}

impl Access {
    /// Reads the files.
    ///
    /// # Errors
    ///
    /// Every flaw of every file.
    pub fn load(tls: Option<TlsFiles>, credentials: CredentialSources) -> Result<Self, AccessError> {
        let mut challenges = Vec::new();
        if !credentials.basic.is_empty() {
            challenges.push(HeaderValue::from_static("Basic realm=\"responder\", charset=\"UTF-8\""));
        }
        if !credentials.bearer.is_empty() {
            challenges.push(HeaderValue::from_static("Bearer realm=\"responder\""));
        }
        let allowed = tls
            .as_ref()
            .and_then(|tls| tls.clients.as_ref())
            .map(|clients| clients.allowed.clone());
        let tls = tls.map(Reloadable::load).transpose();
        let credentials = (!credentials.is_empty())
            .then(|| Reloadable::load(credentials))
            .transpose();
        match (tls, credentials) {
            (Ok(tls), Ok(credentials)) => Ok(Self {
                tls: tls.map(Arc::new),
                allowed,
                credentials: credentials.map(Arc::new),
                challenges,
            }),
            (tls, credentials) => {
                let flaws = tls.err().into_iter().chain(credentials.err());
                Err(AccessError(flaws.flatten().collect()))
            }
        }
    }

    /// Whether connections are encrypted.
    pub const fn is_encrypted(&self) -> bool {
        self.tls.is_some()
    }

    /// How often each kind of file was read again; `None` where there is no such file. The names are a closed set, fit
    /// for a metric label.
    pub fn reloads(&self) -> [(&'static str, Option<Reloads>); 2] {
        [
            ("credentials", self.credentials.as_ref().map(|loaded| loaded.reloads())),
            ("tls", self.tls.as_ref().map(|loaded| loaded.reloads())),
        ]
    }

    /// Reads the files again whenever they change, in tasks that end with the set or with `stop`.
    pub(crate) fn keep_current(&self, stop: &CancellationToken, tasks: &mut JoinSet<()>) {
        if let Some(tls) = &self.tls {
            tasks.spawn(Arc::clone(tls).keep_current(stop.clone()));
        }
        if let Some(credentials) = &self.credentials {
            tasks.spawn(Arc::clone(credentials).keep_current(stop.clone()));
        }
    }

    /// The TLS settings in force, with notice of the next ones; `None` for plain HTTP.
    pub(crate) fn tls(&self) -> Option<watch::Receiver<Arc<ServerTls>>> {
        self.tls.as_ref().map(|loaded| loaded.subscribe())
    }

    /// The client certificates that may send.
    pub(crate) fn allowed(&self) -> &[AllowedClient] {
        self.allowed.as_deref().unwrap_or_default()
    }

    /// The values of `WWW-Authenticate` for an unknown sender.
    pub(crate) fn challenges(&self) -> &[HeaderValue] {
        &self.challenges
    }

    /// The sender, by the certificate of its connection or else by the headers of its request.
    pub(crate) async fn admit(&self, certificate: Option<&ClientCertificate>, headers: &HeaderMap) -> Admission {
        if self.credentials.is_none() && self.allowed.is_none() {
            return Ok(Sender::Anonymous);
        }
        if let Some(sender) = certificate.and_then(|certificate| certificate.sender.as_ref()) {
            return Ok(sender.clone());
        }
        let failure = match &self.credentials {
            None => AuthenticationFailure::Missing,
            Some(credentials) => match sender(credentials, headers).await {
                Ok(sender) => return Ok(sender),
                Err(failure) => failure,
            },
        };
        Err(match (failure, certificate) {
            // The sender is authenticated, and may not send.
            (AuthenticationFailure::Missing, Some(_)) => AuthenticationFailure::Name,
            (failure, _) => failure,
        })
    }
}

/// The sender that a request's credentials name. Unknown credentials may be in files that changed since they were last
/// read: a sender often gets a new secret before the responder, and it sends an alert once.
async fn sender(credentials: &Arc<Reloadable<CredentialSources>>, headers: &HeaderMap) -> Admission {
    let current = credentials.current();
    match current.sender(headers) {
        Err(AuthenticationFailure::Wrong) => match credentials.newer(&current).await {
            Some(newer) => newer.sender(headers),
            None => Err(AuthenticationFailure::Wrong),
        },
        admission => admission,
    }
}

/// A sender, or why it is not authenticated.
pub(crate) type Admission = Result<Sender, AuthenticationFailure>;
