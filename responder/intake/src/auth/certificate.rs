//! Whom a client certificate names, once TLS has verified it. Step of the flow: intake.

use std::time::Duration;

use responder_core::alert::{Sender, SenderName};
use rustls::pki_types::{CertificateDer, UnixTime};
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::FromDer as _;

/// What a connection's client certificate says. TLS has verified it before: it is of one of the authorities, and in time.
#[derive(Debug, Clone)]
pub(crate) struct ClientCertificate {
    /// The sender, where the certificate has a name that may send.
    pub(crate) sender: Option<Sender>,
    /// How long it still holds.
    pub(crate) holds_for: Duration,
}

impl ClientCertificate {
    /// Reads a certificate; `None` for one that can't be read, which TLS would not have let pass.
    pub(crate) fn read(der: &CertificateDer<'_>, allowed: &[SenderName]) -> Option<Self> {
        let (_, certificate) = X509Certificate::from_der(der).ok()?;
        let name = allowed_name(&certificate, allowed);
        Some(Self {
            sender: name.cloned().map(Sender::Certificate),
            holds_for: holds_for(&certificate),
        })
    }
}

/// How long a certificate still holds; nothing for one that has expired.
pub(super) fn holds_for(certificate: &X509Certificate<'_>) -> Duration {
    let end = u64::try_from(certificate.validity().not_after.timestamp()).unwrap_or(0);
    Duration::from_secs(end.saturating_sub(UnixTime::now().as_secs()))
}

/// The first of the allowed names that the certificate has. The common name counts only where there is no alternative
/// name, as everywhere since RFC 6125.
fn allowed_name<'a>(certificate: &X509Certificate<'_>, allowed: &'a [SenderName]) -> Option<&'a SenderName> {
    // A certificate with the extension twice, or one that can't be read, names nobody.
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
