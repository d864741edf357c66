//! Authentication of senders over HTTP: passwords, tokens and client certificates, read from files and read again when the
//! files change. Step of the flow: intake.
//!
//! Several credentials are valid at a time, so that a new one can replace an old one without the loss of an alert. The
//! sender is authenticated before any of the body is read, and no secret gets into a log line, an error or a metric.

mod access;
mod certificate;
mod client;
mod credentials;
mod failure;
mod reload;
mod tls;

pub use access::{Access, AccessError};
pub use client::{AllowedClient, ClientNodes};
pub use credentials::{CredentialSources, NamedSecret};
pub use reload::Reloads;
pub use tls::{ClientFiles, TlsFiles};

pub(crate) use certificate::ClientCertificate;
pub(crate) use failure::AuthenticationFailure;
pub(crate) use tls::ServerTls;
