//! The sender that a client certificate names, after TLS has verified the certificate. Step of the flow: intake.

use std::time::Duration;

use responder_core::alert::Sender;
use rustls::pki_types::{CertificateDer, UnixTime};
use x509_cert::certificate::{CertificateInner, Raw};
use x509_cert::der::asn1::{PrintableStringRef, Utf8StringRef};
use x509_cert::der::oid::db::rfc4519::COMMON_NAME;
use x509_cert::der::{Any, Decode as _};
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;

use super::client::AllowedClient;

/// A certificate as it was issued. `Raw`: TLS has accepted it, so a serial number of unusual length is no reason to refuse.
pub(super) type Certificate = CertificateInner<Raw>;

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
    pub(crate) fn read(der: &CertificateDer<'_>, allowed: &[AllowedClient]) -> Option<Self> {
        let certificate = Certificate::from_der(der).ok()?;
        Some(Self {
            sender: sender(&certificate, allowed),
            valid_for: valid_for(&certificate),
        })
    }
}

/// The time until a certificate expires; zero if it has expired.
pub(super) fn valid_for(certificate: &Certificate) -> Duration {
    let end = certificate.tbs_certificate.validity.not_after.to_unix_duration();
    Duration::from_secs(end.as_secs().saturating_sub(UnixTime::now().as_secs()))
}

/// The first of the allowed senders that the certificate names. The common name counts only in a certificate without
/// alternative names (RFC 6125).
fn sender(certificate: &Certificate, allowed: &[AllowedClient]) -> Option<Sender> {
    let certificate = &certificate.tbs_certificate;
    let mut allowed = allowed.iter();
    // A certificate with a duplicate or malformed extension names no sender.
    let Some((_, SubjectAltName(names))) = certificate.get::<SubjectAltName>().ok()? else {
        let attributes = certificate.subject.0.iter().flat_map(|name| name.0.iter());
        let mut common = attributes.filter(|attribute| attribute.oid == COMMON_NAME);
        let (Some(name), None) = (common.next(), common.next()) else {
            return None;
        };
        let name = text(&name.value)?;
        let client = allowed.find(|allowed| allowed.name.as_str() == name)?;
        return Some(client.sender(std::iter::empty()));
    };
    let client = allowed.find(|allowed| {
        let allowed = allowed.name.as_str();
        names.iter().any(|name| match name {
            GeneralName::DnsName(name) => name.as_str().eq_ignore_ascii_case(allowed),
            GeneralName::UniformResourceIdentifier(uri) => uri.as_str() == allowed,
            _ => false,
        })
    })?;
    Some(client.sender(names.iter().filter_map(|name| match name {
        GeneralName::DnsName(name) => Some(name.as_str()),
        _ => None,
    })))
}

/// The text of an attribute of a name, which RFC 5280 wants in one of these two encodings.
fn text(value: &Any) -> Option<&str> {
    let text = value.decode_as::<Utf8StringRef<'_>>().map(|text| text.as_str());
    let printable = || value.decode_as::<PrintableStringRef<'_>>().map(|text| text.as_str());
    text.or_else(|_| printable()).ok()
}

#[cfg(test)]
mod tests;
