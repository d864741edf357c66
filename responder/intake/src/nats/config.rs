//! The settings of the NATS intake, compiled: settings that can't work are not representable.

use std::path::PathBuf;

use super::auth::NatsAuth;
use super::servers::Servers;
use super::subscription::Subscription;

/// The NATS intake.
#[derive(Debug, Clone)]
pub struct NatsConfig {
    /// Servers of one cluster; the client learns of the others from them.
    pub servers: Servers,
    /// The name of the connection in the server's lists.
    pub name: String,
    /// `None`: no authentication, or by the client certificate alone.
    pub auth: Option<NatsAuth>,
    /// `None`: TLS where the server asks for it or its address begins with `tls://`, with the system's authorities.
    pub tls: Option<NatsTls>,
    /// The subjects or the stream.
    pub subscription: Subscription,
}

/// The encryption of the connection. The files are read at each connect, so replacing them is enough.
#[derive(Debug, Clone, Default)]
pub struct NatsTls {
    /// The authorities that may sign the server's certificate, as PEM; `None` for the system's.
    pub ca: Option<PathBuf>,
    /// The client certificate and its key, as PEM.
    pub client: Option<(PathBuf, PathBuf)>,
    /// Whether TLS comes before the server's INFO (`handshake_first` in its configuration).
    pub first: bool,
}
