//! Who may send alerts over HTTP: credentials and client certificates, read from files and kept true to them.
//! Step of the flow: intake.
//!
//! Several credentials hold at a time, so that one can be replaced by the next without losing an alert. Nothing of a
//! request's body is read before its sender is known, and no secret is in a log line, an error or a metric.

mod access;
mod certificate;
mod credentials;
mod kept;
#[cfg(test)]
pub(crate) mod testing;
mod tls;

pub use access::{Access, AccessError};
pub use credentials::{CredentialSources, NamedSecret, SecretSource};
pub use kept::Reloads;
pub use tls::{ClientFiles, TlsFiles};

pub(crate) use access::AuthenticationFailure;
pub(crate) use certificate::ClientCertificate;
pub(crate) use tls::Tls;
