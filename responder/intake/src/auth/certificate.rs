//! The sender that a client certificate names, after TLS has verified the certificate. Step of the flow: intake.

use std::time::Duration;

use responder_core::alert::{Sender, SenderName};
use rustls::pki_types::{CertificateDer, UnixTime};
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::FromDer as _;

/// The sender in a connection's client certificate. TLS has verified the certificate: one of the authorities has signed
/// it, and it has not expired.
#[derive(Debug, Clone)]
pub(crate) struct ClientCertificate {
    /// The sender, where the certificate has a name that may send.
    pub(crate) sender: Option<Sender>,
    /// The time until the certificate expires.
    pub(crate) valid_for: Duration,
}

impl ClientCertificate {
    /// Reads a certificate; `None` for a malformed one, which TLS refuses before.
    pub(crate) fn read(der: &CertificateDer<'_>, allowed: &[SenderName]) -> Option<Self> {
        let (_, certificate) = X509Certificate::from_der(der).ok()?;
        let name = allowed_name(&certificate, allowed);
        Some(Self {
            sender: name.cloned().map(Sender::Certificate),
            valid_for: valid_for(&certificate),
        })
    }
}

/// The time until a certificate expires; zero if it has expired.
pub(super) fn valid_for(certificate: &X509Certificate<'_>) -> Duration {
    let end = u64::try_from(certificate.validity().not_after.timestamp()).unwrap_or(0);
    Duration::from_secs(end.saturating_sub(UnixTime::now().as_secs()))
}

/// The first of the allowed names that the certificate carries. The common name counts only in a certificate without
/// alternative names (RFC 6125).
fn allowed_name<'a>(certificate: &X509Certificate<'_>, allowed: &'a [SenderName]) -> Option<&'a SenderName> {
    // A certificate with a duplicate or malformed extension names no sender.
    let alternatives = match certificate.subject_alternative_name() {
        Ok(None) => None,
        Ok(Some(extension)) => Some(&extension.value.general_names),
        Err(_) => return None,
    };
    let mut allowed = allowed.iter();
    let Some(names) = alternatives else {
        let mut common = certificate.subject().iter_common_name();
        let (Some(name), None) = (common.next(), common.next()) else {
            return None;
        };
        let name = name.as_str().ok()?;
        return allowed.find(|allowed| allowed.as_str() == name);
    };
    allowed.find(|allowed| {
        names.iter().any(|name| match name {
            GeneralName::DNSName(name) => name.eq_ignore_ascii_case(allowed.as_str()),
            GeneralName::URI(uri) => *uri == allowed.as_str(),
            _ => false,
        })
    })
}

#[cfg(test)]
mod tests;
