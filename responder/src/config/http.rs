//! The section `http`: the address, the accepted senders, and the bounds of the HTTP intake.

mod auth;
mod confined_to;
mod limits;
mod tls;

use std::net::{Ipv4Addr, SocketAddr};

use responder_core::document::{Findings, Path};
use responder_intake::auth::{CredentialSources, TlsFiles};
use responder_intake::http::HttpLimits;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use self::auth::HttpAuthDoc;
use self::limits::HttpLimitsDoc;
use self::tls::HttpTlsDoc;

/// Alerts over HTTP: the address, the accepted senders, and the bounds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Http")]
pub(crate) struct HttpDoc {
    /// The address and the port. Default: 127.0.0.1:2803. An address that other machines can reach needs `auth` or
    /// `tls.clientCaFile`. `--listen`.
    #[serde(default = "loopback")]
    #[schemars(with = "String", extend("format" = "ip-port"))]
    pub(super) listen: SocketAddr,
    /// Listens beyond loopback without authentication of senders. Default: false. `--insecure-no-auth`.
    #[serde(default)]
    pub(super) insecure_no_auth: bool,
    /// HTTPS instead of HTTP. Default: HTTP.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) tls: Option<HttpTlsDoc>,
    /// The credentials of senders. Several are valid at a time, so that a new one can replace an old one. Default: none.
    #[serde(default, skip_serializing_if = "HttpAuthDoc::is_empty")]
    pub(super) auth: HttpAuthDoc,
    /// Bounds on what senders can stretch.
    #[serde(default)]
    pub(super) limits: HttpLimitsDoc,
}

impl Default for HttpDoc {
    fn default() -> Self {
        Self {
            listen: loopback(),
            insecure_no_auth: false,
            tls: None,
            auth: HttpAuthDoc::default(),
            limits: HttpLimitsDoc::default(),
        }
    }
}

const fn loopback() -> SocketAddr {
    SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 2803)
}

/// The HTTP intake.
#[derive(Debug)]
pub(crate) struct Http {
    /// The address to listen on.
    pub(crate) listen: SocketAddr,
    /// Whether an address beyond loopback is accepted without authentication of senders.
    pub(crate) insecure_no_auth: bool,
    /// The files of HTTPS; `None` for HTTP.
    pub(crate) tls: Option<TlsFiles>,
    /// The credentials of senders.
    pub(crate) credentials: CredentialSources,
    /// The bounds on requests.
    pub(crate) limits: HttpLimits,
}

impl Http {
    /// Whether senders have to authenticate.
    pub(crate) fn is_authenticated(&self) -> bool {
        !self.credentials.is_empty() || self.tls.as_ref().is_some_and(|tls| tls.clients.is_some())
    }
}

impl HttpDoc {
    pub(super) fn compile(&self, path: &Path, findings: &mut Findings<'_>) -> Http {
        let tls = self.tls.as_ref();
        Http {
            listen: self.listen,
            insecure_no_auth: self.insecure_no_auth,
            tls: tls.map(|tls| tls.compile(&path.key("tls"), findings)),
            credentials: self.auth.compile(&path.key("auth"), findings),
            limits: self.limits.compile(),
        }
    }
}
