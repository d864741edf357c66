//! What a server asks of whoever sends, and what it finds. Step of the flow: intake.

use std::fmt;
use std::sync::Arc;

use http::HeaderMap;
use http::HeaderValue;
use responder_core::alert::{Sender, SenderName};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::certificate::ClientCertificate;
use super::credentials::{CredentialSources, Unknown};
use super::kept::{Flaw, Kept, Reloads, listed};
use super::tls::{Tls, TlsFiles};

/// Who may send alerts, and over what. By default everybody, over plain HTTP.
#[derive(Default)]
pub struct Access {
    tls: Option<Arc<Kept<TlsFiles>>>,
    /// The names of client certificates that may send, where certificates are asked for.
    allowed: Option<Vec<SenderName>>,
    credentials: Option<Arc<Kept<CredentialSources>>>,
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
            .field("credentials", &self.credentials.as_ref().map(|kept| kept.current()))
            .finish_non_exhaustive()
    }
}

impl Access {
    /// Reads the files.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with any of them.
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
        let tls = tls.map(Kept::load).transpose();
        let credentials = (!credentials.is_empty()).then(|| Kept::load(credentials)).transpose();
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

    /// Whether connections are TLS.
    pub const fn is_encrypted(&self) -> bool {
        self.tls.is_some()
    }

    /// How often which files were read again. The names are a closed set, fit for a metric label.
    pub fn reloads(&self) -> [(&'static str, Option<Reloads>); 2] {
        [
            ("credentials", self.credentials.as_ref().map(|kept| kept.reloads())),
            ("tls", self.tls.as_ref().map(|kept| kept.reloads())),
        ]
    }

    /// Keeps what was made of the files true to them, in tasks that end with the set or with `stop`.
    pub(crate) fn keep(&self, stop: &CancellationToken, tasks: &mut JoinSet<()>) {
        if let Some(tls) = &self.tls {
            tasks.spawn(Arc::clone(tls).keep(stop.clone()));
        }
        if let Some(credentials) = &self.credentials {
            tasks.spawn(Arc::clone(credentials).keep(stop.clone()));
        }
    }

    /// TLS as it is in force, with the news of the next.
    pub(crate) fn tls(&self) -> Option<watch::Receiver<Arc<Tls>>> {
        self.tls.as_ref().map(|kept| kept.subscribe())
    }

    /// The names of client certificates that may send.
    pub(crate) fn allowed(&self) -> &[SenderName] {
        self.allowed.as_deref().unwrap_or_default()
    }

    /// What to say to somebody who is not known, for `WWW-Authenticate`.
    pub(crate) fn challenges(&self) -> &[HeaderValue] {
        &self.challenges
    }

    /// Who sends, by a connection's certificate or else by the headers of a request.
    pub(crate) async fn admit(&self, certificate: Option<&ClientCertificate>, headers: &HeaderMap) -> Admission {
        if self.credentials.is_none() && self.allowed.is_none() {
            return Ok(Sender::Anonymous);
        }
        if let Some(sender) = certificate.and_then(|certificate| certificate.sender.as_ref()) {
            return Ok(sender.clone());
        }
        let unproven = match &self.credentials {
            None => AuthenticationFailure::Missing,
            Some(kept) => match sender(kept, headers).await {
                Ok(sender) => return Ok(sender),
                Err(Unknown::Missing) => AuthenticationFailure::Missing,
                Err(Unknown::Wrong) => AuthenticationFailure::Wrong,
            },
        };
        Err(match (unproven, certificate) {
            // It has shown who it is, and may not send.
            (AuthenticationFailure::Missing, Some(_)) => AuthenticationFailure::Name,
            (unproven, _) => unproven,
        })
    }
}

/// Who a request's credentials name. Where they are not known the files may be newer than what was read of them: the
/// sender was told of the new secret first, and its alert comes once.
async fn sender(kept: &Arc<Kept<CredentialSources>>, headers: &HeaderMap) -> Result<Sender, Unknown> {
    let current = kept.current();
    match current.sender(headers) {
        Err(Unknown::Wrong) => match kept.newer(&current).await {
            Some(newer) => newer.sender(headers),
            None => Err(Unknown::Wrong),
        },
        known => known,
    }
}

/// A sender, or why there is none.
pub(crate) type Admission = Result<Sender, AuthenticationFailure>;

/// Why nobody knows who sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AuthenticationFailure {
    /// No credentials, no certificate.
    Missing,
    /// Credentials that are not known.
    Wrong,
    /// A good certificate, of a name that may not send.
    Name,
}

impl AuthenticationFailure {
    /// The kind of rejection, one of [`TRANSPORT_KINDS`](crate::TRANSPORT_KINDS).
    pub(crate) const fn kind(self) -> &'static str {
        match self {
            Self::Missing => "credentials_missing",
            Self::Wrong => "credentials_wrong",
            Self::Name => "certificate_name",
        }
    }

    /// For whoever looks after the sender.
    pub(crate) const fn error(self) -> &'static str {
        match self {
            Self::Missing => {
                "this responder takes alerts from senders that it knows: send credentials (Falco: in the url, \
                 falcosidekick: in customheaders) or a client certificate"
            }
            Self::Wrong => {
                "these credentials are not known here; correct the sender's, or the files that this responder reads"
            }
            Self::Name => "this client certificate may not send alerts: name it in http.tls.allowedNames",
        }
    }
}
